"""The second implementation, tested against the specifications and never against the first."""

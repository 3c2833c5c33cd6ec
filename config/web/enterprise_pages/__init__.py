"""The enterprise's home: procurement, contracts, certificates, data."""

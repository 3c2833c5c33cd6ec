"""Pages for everybody: the front door, the city's public figures, and how to check the log."""

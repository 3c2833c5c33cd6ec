"""Pages of the data market."""

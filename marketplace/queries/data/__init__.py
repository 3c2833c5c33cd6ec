"""Read the data market."""

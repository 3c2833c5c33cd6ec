"""One module a format: what it is, whether it is sound, what it holds."""

"""The data provider's home."""

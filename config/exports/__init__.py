"""Figures as files: CSV and Parquet, with a text that says what they are."""

"""Readings: files of every format, their checks, gaps and estimates."""

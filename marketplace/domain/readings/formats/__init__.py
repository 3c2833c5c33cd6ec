"""Meter readings in the formats the world sends, read into one form and checked alike."""

"""Statements of a month, from books and transfers."""

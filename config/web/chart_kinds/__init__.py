"""Kinds of pictures beside bars and stairs; each takes plain values and returns SVG text."""

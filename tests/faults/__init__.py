"""Processes and servers killed at any moment; the books end as if nothing had happened."""

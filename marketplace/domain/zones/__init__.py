"""Zones that clear together: the network, the clearing, its certificate, books from files."""

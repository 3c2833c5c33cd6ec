"""Pruning is told on a hall whose log is published."""

from tests.log.conftest import hall

__all__ = ["hall"]

"""Where a program's time goes: named parts, each without the parts inside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any


class Stopwatch:
    """Counts seconds by part, in one thread."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inside: list[float] = []  # what the parts inside each running part have taken

    def clear(self) -> None:
        """Begin anew."""
        self.seconds.clear()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count what happens inside for a part."""
        self._inside.append(0.0)
        started = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - started
            own = spent - self._inside.pop()
            self.seconds[name] = self.seconds.get(name, 0.0) + own
            if self._inside:
                self._inside[-1] += spent

    def watch(self, owner: Any, name: str, part: str) -> None:
        """Count every call of a function of a module or class for a part."""
        watched: Callable[..., Any] = getattr(owner, name)

        @wraps(watched)
        def counted(*args: Any, **kwargs: Any) -> Any:
            with self.part(part):
                return watched(*args, **kwargs)

        setattr(owner, name, counted)

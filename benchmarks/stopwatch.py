"""Where a program's time goes: named parts, each without the parts inside it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any


class Stopwatch:
    """Counts seconds by part. Parts of other threads go beside those of the first."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._threads = threading.local()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count what happens inside for a part."""
        inside = self._inside()
        inside.append(0.0)
        started = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - started
            own = spent - inside.pop()
            self.seconds[name] = self.seconds.get(name, 0.0) + own
            if inside:
                inside[-1] += spent

    def watch(self, owner: Any, name: str, part: str) -> None:
        """Count every call of a function of a module or class for a part."""
        watched: Callable[..., Any] = getattr(owner, name)

        @wraps(watched)
        def counted(*args: Any, **kwargs: Any) -> Any:
            with self.part(part):
                return watched(*args, **kwargs)

        setattr(owner, name, counted)

    def _inside(self) -> list[float]:
        """Return what the parts inside each running part of this thread have taken."""
        if not hasattr(self._threads, "inside"):
            self._threads.inside = []
        inside: list[float] = self._threads.inside
        return inside


def processor_seconds(pid: int) -> float:
    """Return what a process has had of processors so far; 0 without ``/proc``."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

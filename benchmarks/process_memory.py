"""How much memory processes have had at most, children included, as the kernel counts it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

INTERVAL_SECONDS: Final = 0.1
_PROC: Final = Path("/proc")


def peak_mib_while(child: subprocess.Popen[bytes], *, also: Sequence[int]) -> float:
    """Wait for a child, and watch it, ``also``, and all descendants of either.

    Returns
    -------
    float
        The most that any one of them has had, shared memory included; 0 without ``/proc``. [MiB]
    """
    peak_kib = 0
    while child.poll() is None:
        peak_kib = max(peak_kib, _peak_kib([child.pid, *also]))
        time.sleep(INTERVAL_SECONDS)
    return peak_kib / 1024


def _peak_kib(roots: Sequence[int]) -> int:
    """Return the high-water mark; each only rises, so what a look misses the next one sees."""
    status = {int(each.name): _status(each) for each in _PROC.glob("[0-9]*")}
    watched = set(roots)
    grown = True
    while grown:
        below = {pid for pid, fields in status.items() if fields.get("PPid", 0) in watched}
        grown = not below <= watched
        watched |= below
    return max((status.get(pid, {}).get("VmHWM", 0) for pid in watched), default=0)


def _status(folder: Path) -> dict[str, int]:
    """Return parent and high-water mark of a process, nothing of one that has just ended."""
    try:
        lines = (folder / "status").read_text().splitlines()
    except OSError:
        return {}
    fields = (line.split() for line in lines if line.startswith(("PPid:", "VmHWM:")))
    return {name.rstrip(":"): int(value) for name, value, *_ in fields}

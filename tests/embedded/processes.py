"""What tests of whole programs need to know about processes."""

import os
import time
from collections.abc import Callable
from pathlib import Path


def wait_until(condition: Callable[[], bool], *, seconds: float = 30) -> None:
    """Wait for a condition, and fail when it does not come."""
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at, "waited too long"
        time.sleep(0.05)


def processes_of(state: Path) -> list[str]:
    """Return the living processes that were started with ``state`` as their folder of state."""
    wanted = f"HELIOPOLIS_STATE={state}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            zombie = (folder / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            continue
        ours = wanted in environment or str(state) in command
        if ours and not zombie and int(folder.name) != os.getpid():
            found.append(f"{folder.name} {command}")
    return found

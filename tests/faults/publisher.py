"""A worker of publishing that forks a life at each request, and dies in it where it is told.

``python -m tests.faults.publisher`` reads one JSON request a line, where to die, and answers with
the fork's exit status. Starting Python for each life would take most of the time.
"""

import importlib
import json
import os
import signal
import sys
from collections.abc import Callable

import django


def main() -> None:
    """Serve requests until the input ends."""
    django.setup()
    for name in ("version_work", "raw_uploads", "gated_trips"):
        importlib.import_module(f"marketplace.services.data.{name}")  # once, before any fork
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _serve(**request)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _serve(*, death: list[str]) -> None:
    """Live in this fork and end it, whatever happens."""
    try:
        from django.utils import timezone

        from marketplace.services.data.version_work import work_waiting_versions

        _die_after(*death)
        work_waiting_versions(now=timezone.now())
    except BaseException as error:
        print(f"publisher: {error!r}", file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


def _die_after(module: str, name: str) -> None:
    """Have this process killed as soon as a function has done its work."""
    owner = importlib.import_module(module)
    real: Callable[..., object] = getattr(owner, name)

    def dying(*args: object, **named: object) -> object:
        real(*args, **named)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("dead processes raise nothing")

    setattr(owner, name, dying)


if __name__ == "__main__":
    main()

"""A web server beside a benchmark, as `./dev run` starts it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from benchmarks.servers import PROJECT

_STARTS_WITHIN_S: Final = 30.0


@contextmanager
def web_server(environment: dict[str, str], *, workers: int) -> Iterator[int]:
    """Serve on a free port of 127.0.0.1, until left."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    argv = [
        *(sys.executable, "-m", "gunicorn", "config.wsgi", f"--bind=127.0.0.1:{port}"),
        *("--worker-class=gthread", f"--workers={workers}", "--threads=4", "--no-control-socket"),
    ]
    with subprocess.Popen(argv, cwd=PROJECT, env=environment) as server:
        try:
            _wait_for(port)
            yield port
        finally:
            server.terminate()


def _wait_for(port: int) -> None:
    ends_at = time.monotonic() + _STARTS_WITHIN_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > ends_at:
                raise
            time.sleep(0.1)

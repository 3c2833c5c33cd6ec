"""A proxied feed against a trivial signed-in view that returns the same bytes.

Both are asked over HTTP, by as many clients, of the same web server on the same durable database;
rounds take turns, so that whatever else the machine does falls on both. The proxy judges and
counts every request; the other view only finds its session and person.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Final

import psycopg

from benchmarks.servers import (
    PROJECT,
    child_environment,
    database_url,
    durable_servers,
    make_database,
)
from benchmarks.table import Row
from config.embedded.pair import Pair
from config.embedded.postgres import OWNER

# At least 60 % of the throughput.
LIMIT: Final = 1 / 0.6
BODY_BYTES: Final = 60_000
CLIENTS: Final = 8
ROUNDS: Final = 7
ROUND_S: Final = 2.0
_STARTS_WITHIN_S: Final = 30.0


def measure() -> list[Row]:
    """Ask both, in turns, and compare the medians of what they answered a second."""
    with durable_servers() as (pair, folder):
        make_database(pair, folder, "feed")
        environment = {
            **child_environment(pair, folder, "feed"),
            "DJANGO_SETTINGS_MODULE": "benchmarks.feed_hall",
            "HELIOPOLIS_SECRET_KEY": "only-for-measuring",
            "HELIOPOLIS_FEED_RATE": "1000000",
            "BENCH_FEED_BYTES": str(BODY_BYTES),
        }
        hall = [sys.executable, "-m", "benchmarks.feed_hall", str(BODY_BYTES)]
        made = json.loads(_run(hall, environment))
        with _web(environment) as port:
            proxied = _request(
                port,
                f"/feeds/{made['product']}/station_status.json",
                f"Authorization: Bearer {made['secret']}",
            )
            trivial = _request(port, "/trivial", f"Cookie: sessionid={made['session']}")
            rounds = [
                (_answered(proxied, seconds), _answered(trivial, seconds))
                for seconds in (1.0, *[ROUND_S] * ROUNDS)  # the first warms up
            ]
        counted = _counted(pair)
    answered = sum(first for first, _ in rounds)
    if counted != answered:
        raise RuntimeError(f"the feed counted {counted} of {answered} requests")
    feed, view = (median(each) / ROUND_S for each in zip(*rounds[1:], strict=True))
    return [
        Row("signed-in view over proxied feed, same bytes", view / feed, "times", LIMIT),
        Row("proxied feed", feed, "requests/s"),
        Row("trivial signed-in view", view, "requests/s"),
        Row("requests that the feed counted", counted, "requests"),
    ]


@contextmanager
def _web(environment: dict[str, str]) -> Iterator[int]:
    """Run the web server as `./dev run` does, until left."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    argv = [
        *(sys.executable, "-m", "gunicorn", "config.wsgi", f"--bind=127.0.0.1:{port}"),
        *("--worker-class=gthread", "--workers=2", "--threads=4", "--no-control-socket"),
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


def _request(port: int, path: str, header: str) -> tuple[int, bytes]:
    lines = (f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", header)
    return port, "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def _answered(request: tuple[int, bytes], seconds: float) -> int:
    """Return how many answers all clients got in so long."""
    counts = [0] * CLIENTS
    ends_at = time.monotonic() + seconds

    def ask(client: int) -> None:
        while time.monotonic() < ends_at:
            counts[client] += _ask_until(request, ends_at)

    threads = [threading.Thread(target=ask, args=(client,)) for client in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


def _ask_until(request: tuple[int, bytes], ends_at: float) -> int:
    """Ask again and again over one connection, until the time or the server ends it."""
    port, asked = request
    answered = 0
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while time.monotonic() < ends_at:
            connection.sendall(asked)
            if not _is_answered(connection):
                break
            answered += 1
    return answered


def _is_answered(connection: socket.socket) -> bool:
    head = b""
    while b"\r\n\r\n" not in head:
        received = connection.recv(65536)
        if not received:
            return False
        head += received
    head, _, body = head.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"no answer to measure: {head[:200]!r} {body[:200]!r}")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    left = length - len(body)
    while left > 0:
        received = connection.recv(min(left, 65536))
        if not received:
            raise RuntimeError("the server broke off")
        left -= len(received)
    return True


def _run(argv: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        argv, cwd=PROJECT, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def _counted(pair: Pair) -> int:
    with psycopg.connect(database_url(pair, OWNER, "feed")) as connection:
        row = connection.execute("SELECT request_count FROM marketplace_feeduse").fetchone()
    assert row is not None
    return int(row[0])

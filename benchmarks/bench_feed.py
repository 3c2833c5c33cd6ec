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
from dataclasses import dataclass
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
from benchmarks.web_server import web_server
from config.embedded.pair import Pair
from config.embedded.postgres import OWNER

# At least 60 % of the throughput.
LIMIT: Final = 1 / 0.6
BODY_BYTES: Final = 60_000
CLIENTS: Final = 8
ROUNDS: Final = 7
ROUND_S: Final = 2.0


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
        with web_server(environment, workers=2) as port:
            proxied = _request(
                port,
                f"/feeds/{made['product']}/station_status.json",
                f"Authorization: Bearer {made['secret']}",
            )
            trivial = _request(port, "/trivial", f"Cookie: sessionid={made['session']}")
            rounds = [
                (_ask(proxied, seconds), _ask(trivial, seconds))
                for seconds in (1.0, *[ROUND_S] * ROUNDS)  # the first warms up
            ]
        counted = _counted(pair)
    answered = sum(first.answered for first, _ in rounds)
    broken = sum(first.broken for first, _ in rounds)
    if not answered <= counted <= answered + broken:
        raise RuntimeError(f"the feed counted {counted} of {answered} (+{broken}) requests")
    feed, view = (
        median(one.answered for one in each) / ROUND_S for each in zip(*rounds[1:], strict=True)
    )
    return [
        Row("signed-in view over proxied feed, same bytes", view / feed, "times", LIMIT),
        Row("proxied feed", feed, "requests/s"),
        Row("trivial signed-in view", view, "requests/s"),
        Row("requests that the feed counted", counted, "requests"),
    ]


def _request(port: int, path: str, header: str) -> tuple[int, bytes]:
    lines = (f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", header)
    return port, "".join(f"{line}\r\n" for line in (*lines, "")).encode()


@dataclass
class _Asked:
    """Requests that were answered, and that broke off: the server may have counted those too."""

    answered: int = 0
    broken: int = 0


def _ask(request: tuple[int, bytes], seconds: float) -> _Asked:
    """Ask with all clients at once for so long."""
    asked = [_Asked() for _ in range(CLIENTS)]
    ends_at = time.monotonic() + seconds

    def keep_asking(mine: _Asked) -> None:
        while time.monotonic() < ends_at:
            try:
                _ask_until(request, ends_at, mine)
            except ConnectionError:
                mine.broken += 1

    threads = [threading.Thread(target=keep_asking, args=(each,)) for each in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return _Asked(sum(each.answered for each in asked), sum(each.broken for each in asked))


def _ask_until(request: tuple[int, bytes], ends_at: float, asked: _Asked) -> None:
    """Ask again and again over one connection, until the time or the server ends it."""
    port, question = request
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while time.monotonic() < ends_at:
            connection.sendall(question)
            if not _is_answered(connection):
                asked.broken += 1
                break
            asked.answered += 1


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
            raise ConnectionError("the server broke off")
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

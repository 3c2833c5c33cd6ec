"""A hall that serves a ledger twin's log over HTTP, as docs/ledger.md says, or breaks its word."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from tests.validator.ledger_twin import Ledger, tree_root

CREDENTIAL = "credential-of-a-test"
_PIECE = re.compile(r"tile/(entries|\d+)/((?:x\d{3}/)*\d{3})(?:\.p/(\d+))?")


@dataclass
class FakeHall:
    """What is served; tests change it while it runs."""

    ledger: Ledger
    size: int | None = None
    # Paths that are answered with other bytes than the ledger's.
    forged: dict[str, bytes] = field(default_factory=dict)
    # Paths (their beginnings) that are answered with 503.
    silent: tuple[str, ...] = ()
    # Paths that are answered with 410.
    pruned: set[str] = field(default_factory=set)
    cosignatures: list[bytes] = field(default_factory=list)
    objections: list[bytes] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def get(self, path: str, authorization: str | None) -> tuple[int, bytes]:
        if path.startswith(self.silent) and self.silent:
            return 503, b"too much to do"
        if path.startswith("openings/") and authorization != f"Bearer {CREDENTIAL}":
            return 401, b"no credential"
        if path in self.pruned:
            return 410, b"pruned"
        if path in self.forged:
            return 200, self.forged[path]
        answer = self.honest(path)
        return (404, b"nothing here") if answer is None else (200, answer)

    def honest(self, path: str) -> bytes | None:
        if path == "pending":
            return self.ledger.checkpoint(self.size) if self.ledger.blocks else None
        if path.startswith("openings/documents/"):
            return self.ledger.documents.get(path.removeprefix("openings/documents/"))
        if path.startswith("openings/"):
            number = int(path.removeprefix("openings/"))
            there = number <= len(self.ledger.blocks)
            return self.ledger.blocks[number - 1].openings if there else None
        return self.piece(path)

    def piece(self, path: str) -> bytes | None:
        found = _PIECE.fullmatch(path)
        if found is None:
            return None
        level, number, partial = found.groups()
        index = int(number.replace("x", "").replace("/", ""))
        width = int(partial or 256)
        entries = self.ledger.entries
        if level == "entries":
            some = entries[index * 256 : index * 256 + width]
            return bundle(some) if len(some) == width else None
        span = 256 ** int(level)
        first = index * 256
        if (first + width) * span > len(entries):
            return None
        return b"".join(
            tree_root(entries[at * span : (at + 1) * span]) for at in range(first, first + width)
        )

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        if path.startswith(self.silent) and self.silent:
            return 503, b"too much to do"
        kept = {"cosignatures": self.cosignatures, "objections": self.objections}.get(path)
        if kept is None:
            return 404, b"nothing here"
        kept.append(body)
        return 200, b""


def bundle(entries: list[bytes]) -> bytes:
    return b"".join(len(entry).to_bytes(2) + entry for entry in entries)


@contextmanager
def serving(hall: FakeHall) -> Iterator[FakeHall]:
    """Serve a hall until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.removeprefix("/log/")
            hall.asked.append(path)
            self._answer(*hall.get(path, self.headers["Authorization"]))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(*hall.post(self.path.removeprefix("/log/"), body))

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    hall.url = f"http://127.0.0.1:{server.server_address[1]}/log"
    try:
        yield hall
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def flipped(data: bytes, at: int) -> bytes:
    """Return the bytes with one bit turned round."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]

"""What the log's tests are told in."""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from django.db import connection

from config.log.keys import read_policy
from ledger.domain import notes
from ledger.domain.merkle import Frontier, leaf_hash
from ledger.domain.notes import KeyType, Note, Signer, cosign
from ledger.domain.tiles import Tile, bundles_between, entries_of, tiles_between
from ledger.models import Block, Checkpoint
from ledger.services.log_folder import CHECKPOINT, PENDING, LogFolder
from ledger.services.publication import Publication
from ledger.services.publisher import LogPublisher, Signed
from tests.conftest import CommittedDatabase
from tests.ledger.bookkeeping import book, command, open_account


class Hall:
    """A book, and the publisher of its log."""

    def __init__(self, database: CommittedDatabase, state: Path, signer: Signer) -> None:
        self.database, self.state, self.signer = database, state, signer
        self.folder = LogFolder(state / "publication")
        self.said: list[str] = []
        self.publication: Publication | None = None
        self._booked = 0
        self._accounts: list[int] = []

    def book(self, transfers: int = 1, *, blocks: int = 1) -> None:
        """Book some transfers, as so many blocks."""
        if not self._accounts:
            self._accounts = [open_account("bank"), open_account("alice")]
        for _ in range(blocks):
            self._booked += 1
            rows = [(self._accounts[0], self._accounts[1], 1)] * transfers
            book(command(f"deposit-{self._booked}", *rows))

    def open(self, *, rebuild: bool = False) -> Publication:
        """Begin a turn as a process that starts does."""
        self.close()
        publisher = LogPublisher(folder=self.folder, signer=self.signer)
        self.publication = Publication(
            publisher=publisher, policy=read_policy, holder="test", say=self.said.append
        )
        assert publisher.take_turn()
        self.publication.open(now=datetime.now(UTC), rebuild=rebuild)
        return self.publication

    def step(self) -> Signed | None:
        publication = self.publication or self.open()
        return publication.step(now=datetime.now(UTC))

    def step_until(self, condition: Callable[[], bool], *, seconds: float = 10) -> None:
        give_up_at = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < give_up_at, self.said
            self.step()
            time.sleep(0.02)

    def is_up_to_date(self) -> bool:
        return self.publication is not None and self.publication.is_up_to_date()

    def close(self) -> None:
        if self.publication is not None:
            self.publication.close()
            self.publication = None
            # As the end of its session would.
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock_all()")

    def write_policy(
        self, text: str, cosigners: Mapping[str, Signer], urls: Mapping[str, str] | None = None
    ) -> None:
        """Write a policy: the log, each cosigner, then the lines of ``text``."""
        lines = [f"log {self.signer.key}"]
        for name, signer in cosigners.items():
            lines.append(f"witness {name} {signer.key} {(urls or {}).get(name, '')}".rstrip())
        (self.state / "policy").write_text("\n".join(lines) + "\n" + text)

    def pending(self) -> Note:
        return Note.parse((self.state / "publication" / PENDING).read_bytes())

    def pending_size(self) -> int:
        return notes.Checkpoint.parse(self.pending().text).size

    def checkpoint(self) -> Note | None:
        data = self.folder.read(CHECKPOINT)
        return None if data is None else Note.parse(data)

    def files(self) -> dict[str, bytes]:
        """Return every file of the log, by path."""
        root = self.folder.root
        return {
            str(path.relative_to(root)): path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }

    def check_files(self) -> None:
        """Check that the files are exactly those of the newest checkpoint, and lead to its root."""
        head = notes.Checkpoint.parse(self.pending().text)
        assert self.pending().verified([self.signer.key])
        entries = [
            entry
            for tile in bundles_between(0, head.size)
            for entry in entries_of(self.folder.read_tile(tile), width=tile.width)
        ]
        stored = b"".join(
            bytes(each)
            for each in Block.objects.order_by("number").values_list("entries", flat=True)
        )
        bundled = b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)
        assert stored.startswith(bundled)
        frontier = Frontier.empty().extended([leaf_hash(entry) for entry in entries])
        assert (frontier.size, frontier.root()) == (head.size, head.root)
        for tile in tiles_between(0, head.size):
            assert self.folder.read_tile(tile) == _tile(tile, entries)


def _tile(tile: Tile, entries: list[bytes]) -> bytes:
    """Return a tile the slow way: the root of each of its subtrees by itself."""
    assert tile.level != "entries"
    span = 256**tile.level
    hashes = []
    for position in range(tile.width):
        first = (tile.index * 256 + position) * span
        leaves = [leaf_hash(entry) for entry in entries[first : first + span]]
        hashes.append(Frontier.empty().extended(leaves).root())
    return b"".join(hashes)


class FakeWitness:
    """An HTTP server that answers as it is told; what it was asked is kept."""

    def __init__(self, answer: Callable[[bytes], tuple[int, str, str]]) -> None:
        self.answer, self.asked = answer, list[bytes]()
        witness = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                witness.asked.append(body)
                status, kind, text = witness.answer(body)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.end_headers()
                try:
                    self.wfile.write(text.encode())
                except OSError:
                    pass  # a slow answer to somebody who has left

            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def cosigns(signer: Signer, *, ahead_seconds: int = 0) -> Callable[[bytes], tuple[int, str, str]]:
    """Return the behaviour of a witness that signs whatever it is sent."""

    def answer(body: bytes) -> tuple[int, str, str]:
        text = Note.parse(body.partition(b"\n\n")[2]).text
        at = int(time.time()) + ahead_seconds
        return 200, "text/plain", str(cosign(text, signer, timestamp=at))

    return answer


def cosigner(name: str) -> Signer:
    return Signer.generate(name, KeyType.COSIGNER)


def attested_size() -> int:
    newest = Checkpoint.objects.filter(attested_at__isnull=False).order_by("-size").first()
    return newest.size if newest else 0

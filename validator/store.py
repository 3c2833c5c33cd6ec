"""What a validator must not forget, in one SQLite file: a block is in it whole or not at all."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from validator.errors import SetUpWrong
from validator.merkle import CompactRange
from validator.state import COUNTERS, Fresh, Hold, State

# Counters are written in chunks of so many accounts: far fewer rows than one per account.
CHUNK = 64
_KEYS_AT_ONCE = 500
_SCHEMA = """
CREATE TABLE IF NOT EXISTS position (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    block INTEGER NOT NULL,
    size INTEGER NOT NULL,
    peaks BLOB NOT NULL,
    time INTEGER NOT NULL,
    next_transfer INTEGER NOT NULL,
    padding BLOB NOT NULL,
    pruned INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS start (
    one INTEGER PRIMARY KEY CHECK (one = 1), block INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS account (
    place INTEGER PRIMARY KEY,
    number INTEGER NOT NULL,
    most INTEGER NOT NULL,
    salt BLOB NOT NULL,
    unit TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS counters (chunk INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS command (
    key TEXT PRIMARY KEY, first INTEGER NOT NULL, legs INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS document (
    key TEXT PRIMARY KEY, kind TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hold (
    reference TEXT PRIMARY KEY,
    id INTEGER NOT NULL,
    debit INTEGER NOT NULL,
    credit INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    ended INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS hold_open ON hold (reference) WHERE NOT ended;
CREATE TABLE IF NOT EXISTS block (
    number INTEGER PRIMARY KEY, size INTEGER NOT NULL UNIQUE, root BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS cosigned (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    time INTEGER NOT NULL,
    note BLOB NOT NULL,
    delivered INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS watched (
    one INTEGER PRIMARY KEY CHECK (one = 1), size INTEGER NOT NULL, root BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS objection (
    id INTEGER PRIMARY KEY,
    leaf INTEGER NOT NULL,
    code TEXT NOT NULL,
    explanation TEXT NOT NULL,
    note BLOB NOT NULL,
    delivered INTEGER NOT NULL DEFAULT 0,
    lifted INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS notice (
    one INTEGER PRIMARY KEY CHECK (one = 1), at INTEGER NOT NULL, text TEXT NOT NULL
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Position:
    """How far the log was followed: a number of leaves, their tree, and the last block."""

    block: int = 0
    range: CompactRange = field(default_factory=CompactRange)

    @property
    def size(self) -> int:
        return self.range.size


class Store:
    """A validator's memory; also the archive that its state asks about earlier blocks.

    Parameters
    ----------
    folder : Path
        Where the file is, or is to be made.
    read_only : bool
        To look only, beside a validator that runs.
    """

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        self._lock: int | None = None
        try:
            if read_only:
                path = folder / "state.sqlite3"
                if not path.exists():
                    raise SetUpWrong(f"{folder}: nothing was followed yet")
                self.database = sqlite3.connect(path, isolation_level=None, timeout=10)
                self.database.execute("PRAGMA query_only = ON")
                return
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.database = sqlite3.connect(
                folder / "state.sqlite3", isolation_level=None, timeout=10
            )
            # A write-ahead log that is synced at every commit loses none to a power cut.
            self.database.execute("PRAGMA journal_mode = WAL")
            self.database.execute("PRAGMA synchronous = FULL")
            self.database.execute("PRAGMA cache_size = -32768")
            self.database.executescript(_SCHEMA)
        except BlockingIOError as error:
            raise SetUpWrong(f"{folder}: another validator runs on this state") from error
        except (OSError, sqlite3.Error) as error:
            raise SetUpWrong(f"the state in {folder} cannot be opened: {error}") from error

    def close(self) -> None:
        self.database.close()
        if self._lock is not None:
            os.close(self._lock)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that is written within is on disk at the end, or none of it ever."""
        self.database.execute("BEGIN IMMEDIATE")
        try:
            yield self.database
        except BaseException:
            self.database.execute("ROLLBACK")
            raise
        self.database.execute("COMMIT")

    def known(self, keys: Iterable[str]) -> set[str]:
        found: set[str] = set()
        rest = iter(keys)
        while some := list(islice(rest, _KEYS_AT_ONCE)):
            marks = ",".join("?" * len(some))
            # Only question marks are put into the statement.
            statement = f"SELECT key FROM command WHERE key IN ({marks})"  # noqa: S608 - see above
            found.update(key for (key,) in self.database.execute(statement, some))
        return found

    def command(self, key: str) -> tuple[int, int] | None:
        row = self.database.execute("SELECT first, legs FROM command WHERE key = ?", (key,))
        found: tuple[int, int] | None = row.fetchone()
        return found

    def ended_hold(self, reference: str) -> bool:
        rows = self.database.execute(
            "SELECT 1 FROM hold WHERE reference = ? AND ended", (reference,)
        )
        return rows.fetchone() is not None

    def document(self, key: str) -> bool:
        rows = self.database.execute("SELECT 1 FROM document WHERE key = ?", (key,))
        return rows.fetchone() is not None

    def position(self) -> Position:
        row = self.database.execute("SELECT block, size, peaks FROM position").fetchone()
        if row is None:
            return Position()
        block, size, peaks = row
        hashes = tuple(peaks[at : at + 32] for at in range(0, len(peaks), 32))
        return Position(block, CompactRange(size, hashes))

    def load_state(self) -> State | None:
        """Return the state after the last block saved; None before the first."""
        row = self.database.execute(
            "SELECT block, time, next_transfer, padding, pruned FROM position"
        ).fetchone()
        if row is None:
            return None
        block, time, next_transfer, padding, pruned = row
        state = State(self, padding)
        state.block, state.time, state.next_transfer = block, time, next_transfer
        state.pruned = pruned
        chunks = self.database.execute("SELECT data FROM counters ORDER BY chunk")
        counters = array("q")
        accounts = self.database.execute(
            "SELECT place, number, most, salt, unit FROM account ORDER BY place"
        )
        for place, number, limit, salt, unit in accounts:
            if place % CHUNK == 0:
                counters = array("q", next(chunks)[0])
            at = place % CHUNK * COUNTERS
            state.open_account(
                number=number,
                limit=limit,
                salt=salt,
                unit=unit,
                counters=counters[at : at + COUNTERS],
            )
        holds = self.database.execute(
            "SELECT reference, id, debit, credit, amount, expires FROM hold WHERE NOT ended"
        )
        state.holds = {reference: Hold(*rest) for reference, *rest in holds}
        state.root()
        state.fresh = Fresh(accounts_from=len(state.numbers))
        return state

    def save_block(self, state: State, position: Position) -> None:
        """Write what a block changed, within a transaction of the caller's."""
        fresh, write = state.fresh, self.database.executemany
        write(
            "INSERT INTO account VALUES (?, ?, ?, ?, ?)",
            (
                (
                    place,
                    state.numbers[place],
                    state.limits[place],
                    state.salts[place * 32 : place * 32 + 32],
                    state.units[state.unit_of[place]].name,
                )
                for place in range(fresh.accounts_from, len(state.numbers))
            ),
        )
        width = CHUNK * COUNTERS
        write(
            "INSERT OR REPLACE INTO counters VALUES (?, ?)",
            (
                (chunk, state.counters[chunk * width : (chunk + 1) * width].tobytes())
                for chunk in {place // CHUNK for place in fresh.touched}
            ),
        )
        write(
            "INSERT INTO command VALUES (?, ?, ?)",
            ((key, first, legs) for key, (first, legs) in fresh.commands.items()),
        )
        write("INSERT INTO document VALUES (?, ?)", fresh.documents.items())
        write(
            "INSERT INTO hold VALUES (?, ?, ?, ?, ?, ?, 0)",
            (
                (reference, hold.id, hold.debit, hold.credit, hold.amount, hold.expires)
                for reference, hold in fresh.holds.items()
            ),
        )
        write("UPDATE hold SET ended = 1 WHERE reference = ?", ((one,) for one in fresh.ended))
        tree = position.range
        self.database.execute(
            "INSERT INTO block VALUES (?, ?, ?)", (position.block, tree.size, tree.root())
        )
        self.database.execute(
            "INSERT OR REPLACE INTO position VALUES (1, ?, ?, ?, ?, ?, ?, ?)",
            (
                position.block,
                tree.size,
                b"".join(tree.peaks),
                state.time,
                state.next_transfer,
                state.padding,
                state.pruned,
            ),
        )
        state.fresh = Fresh(accounts_from=len(state.numbers))

    def start_from(self, state: State, position: Position) -> None:
        """Begin anew with a snapshot's state, within a transaction of the caller's.

        Keys and documents that were followed stay known, and so do the holds that ended.
        """
        for table in ("account", "counters", "hold WHERE NOT ended"):
            self.database.execute(f"DELETE FROM {table}")  # noqa: S608 - three names of ours
        fresh = state.fresh
        for key in self.known(fresh.commands):
            del fresh.commands[key]
        for key in [key for key in fresh.documents if self.document(key)]:
            del fresh.documents[key]
        self.database.executemany(
            "INSERT OR IGNORE INTO hold VALUES (?, 0, 0, 0, 0, 0, 1)",
            ((reference,) for reference in fresh.ended),
        )
        self.save_block(state, position)
        self.database.execute("INSERT OR REPLACE INTO start VALUES (1, ?)", (position.block,))

    def started_after(self) -> int:
        """Return the block of the snapshot that was started from, or 0."""
        row = self.database.execute("SELECT block FROM start").fetchone()
        return 0 if row is None else int(row[0])

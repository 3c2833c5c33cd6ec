"""What a witness must not forget: the last checkpoint it cosigned of each log, and the forks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from validator.errors import SetUpWrong
from validator.merkle import EMPTY_ROOT

_WAIT_SECONDS = 10
_SCHEMA = """
CREATE TABLE IF NOT EXISTS cosigned (
    origin TEXT PRIMARY KEY,
    size INTEGER NOT NULL CHECK (size >= 0),
    root BLOB NOT NULL CHECK (length(root) = 32),
    note TEXT NOT NULL,
    time INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS fork (
    origin TEXT NOT NULL,
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    cosigned_note TEXT NOT NULL,
    other_note TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (origin, size, root)
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Held:
    """The last checkpoint cosigned of a log; before the first, the empty tree."""

    size: int = 0
    root: bytes = EMPTY_ROOT
    note: str = ""


class WitnessStore:
    """A witness's memory in one SQLite file."""

    def __init__(self, path: Path) -> None:
        # One connection under a lock: a submission changes state alone or not at all.
        self._lock = Lock()
        try:
            self._database = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=_WAIT_SECONDS
            )
            # With a rollback journal even FULL could lose the last commit to a power cut; a
            # write-ahead log that is synced at every commit cannot.
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise SetUpWrong(f"the state file {path} cannot be used: {error}") from error

    def close(self) -> None:
        with self._lock:
            self._database.close()

    @contextmanager
    def transaction(self) -> Iterator[WitnessRecord]:
        """Give the record to one submission at a time; leaving means it is on disk.

        The write lock is taken before anything is read, so that even a second process on the same
        file cannot come between the check of a size and its update.
        """
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield WitnessRecord(self._database)
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise


class WitnessRecord:
    """Reads and writes within one transaction."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def held(self, origin: str) -> Held:
        row = self._database.execute(
            "SELECT size, root, note FROM cosigned WHERE origin = ?", (origin,)
        ).fetchone()
        return Held(*row) if row else Held()

    def last_time(self) -> int:
        """Return the time of the latest cosignature of any log, or zero."""
        (time,) = self._database.execute("SELECT coalesce(max(time), 0) FROM cosigned").fetchone()
        return int(time)

    def hold(self, origin: str, *, size: int, root: bytes, note: str, time: int) -> None:
        self._database.execute(
            "INSERT INTO cosigned (origin, size, root, note, time) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root,"
            " note = excluded.note, time = excluded.time",
            (origin, size, root, note, time),
        )

    def keep_fork(
        self, origin: str, *, size: int, root: bytes, cosigned_note: str, other_note: str, now: int
    ) -> None:
        """Keep two checkpoints of one size that the log signed both: the proof that it lied."""
        self._database.execute(
            "INSERT OR IGNORE INTO fork VALUES (?, ?, ?, ?, ?, ?)",
            (origin, size, root, cosigned_note, other_note, now),
        )

    def forks(self, origin: str) -> list[tuple[str, str]]:
        """Return the pairs of notes that prove a fork, oldest first."""
        return self._database.execute(
            "SELECT cosigned_note, other_note FROM fork WHERE origin = ? ORDER BY seen_at, size",
            (origin,),
        ).fetchall()

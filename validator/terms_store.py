"""Signed texts and signing keys, in the validator's file."""

from __future__ import annotations

from collections.abc import Collection

from validator.store import Store
from validator.terms_checks import TermsFresh
from validator.terms_text import SignedText

_SCHEMA = """
CREATE TABLE IF NOT EXISTS signed_text (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    point INTEGER NOT NULL,
    participant INTEGER NOT NULL,
    digest TEXT NOT NULL,
    key TEXT NOT NULL,
    issued INTEGER NOT NULL,
    version INTEGER,
    paused INTEGER NOT NULL,
    buy INTEGER,
    sell INTEGER,
    valid_until INTEGER,
    revokes TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS signed_text_point ON signed_text (point, place);
CREATE TABLE IF NOT EXISTS signing_key (
    participant INTEGER PRIMARY KEY, digest TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS signed_from (
    one INTEGER PRIMARY KEY CHECK (one = 1), size INTEGER NOT NULL
) STRICT;
"""
_POINTS_AT_ONCE = 500


class TermsStore:
    """What the checks of signed terms ask about earlier blocks."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._database = store.database
        self._database.executescript(_SCHEMA)
        # A file of an older program has followed leaves whose texts it did not keep.
        self._database.execute(
            "INSERT OR IGNORE INTO signed_from VALUES (1, ?)", (store.position().size,)
        )

    @property
    def is_whole(self) -> bool:
        row = self._database.execute("SELECT size FROM signed_from").fetchone()
        return bool(row[0] == 0)

    def signed(self, points: Collection[int]) -> dict[int, list[SignedText]]:
        found: dict[int, list[SignedText]] = {}
        asked = list(points)
        for first in range(0, len(asked), _POINTS_AT_ONCE):
            some = asked[first : first + _POINTS_AT_ONCE]
            marks = ",".join("?" * len(some))
            # Only question marks are put into the statement.
            statement = (
                "SELECT point, participant, digest, key, issued, version, paused, buy, sell,"  # noqa: S608 - see above
                f" valid_until, revokes FROM signed_text WHERE point IN ({marks})"
                " ORDER BY point, place"
            )
            for row in self._database.execute(statement, some):
                one = SignedText(*row)
                found.setdefault(one.point, []).append(one._replace(is_paused=bool(one.is_paused)))
        return found

    def key_in_use(self, participant: int) -> str | None:
        row = self._database.execute(
            "SELECT digest FROM signing_key WHERE participant = ?", (participant,)
        ).fetchone()
        return None if row is None else str(row[0])

    def save(self, fresh: TermsFresh) -> None:
        """Write what a block added, within a transaction of the caller's."""
        self._database.executemany(
            "INSERT INTO signed_text (point, participant, digest, key, issued, version, paused,"
            " buy, sell, valid_until, revokes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (one for texts in fresh.signed.values() for one in texts),
        )
        self._database.executemany(
            "INSERT OR REPLACE INTO signing_key VALUES (?, ?)", fresh.keys.items()
        )

    def start_anew(self) -> None:
        """Forget all texts and keys: behind a snapshot nobody knows what replaced them."""
        self._database.execute("DELETE FROM signed_text")
        self._database.execute("DELETE FROM signing_key")
        self._database.execute("UPDATE signed_from SET size = ?", (self._store.position().size,))

"""Rule sets and the last books of every interval, in the validator's file."""

from __future__ import annotations

from dataclasses import replace

from validator.interval_archive import IntervalsFresh, Kept
from validator.market_book import read_book_of_any_form
from validator.market_store import MarketStore, packed, unpacked
from validator.store import Store
from validator.terms_store import TermsStore

_SCHEMA = """
CREATE TABLE IF NOT EXISTS rule_set (digest TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS book (
    interval INTEGER PRIMARY KEY,
    community INTEGER NOT NULL,
    starts INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    rules TEXT NOT NULL,
    rows BLOB NOT NULL,
    settlement BLOB NOT NULL,
    settled INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS amended_book (
    interval INTEGER PRIMARY KEY, rows BLOB NOT NULL, settlement BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS book_time ON book (community, starts);
CREATE INDEX IF NOT EXISTS book_waits ON book (interval) WHERE NOT settled;
"""
_MINUTES_MAX = 60
_LONGEST_MICROSECONDS = _MINUTES_MAX * 60_000_000


class IntervalStore:
    """What the checks of intervals ask about earlier blocks."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._database = store.database
        self._database.executescript(_SCHEMA)
        self.terms = TermsStore(store)
        self.market = MarketStore(store)

    def rule_set(self, digest: str) -> bytes | None:
        row = self._database.execute(
            "SELECT data FROM rule_set WHERE digest = ?", (digest,)
        ).fetchone()
        return None if row is None else bytes(row[0])

    def last_book(self, interval: int) -> Kept | None:
        row = self._database.execute(
            "SELECT rows, rules, settlement, settled FROM book WHERE interval = ?", (interval,)
        ).fetchone()
        if row is None:
            return None
        data, rules, settlement, settled = row
        kept = _kept(data, rules, settlement, is_settled=bool(settled))
        amended = self._database.execute(
            "SELECT rows, settlement FROM amended_book WHERE interval = ?", (interval,)
        ).fetchone()
        if amended is None:
            return kept
        # The one that a later revision amends was settled before it was amended.
        return replace(kept, base=_kept(amended[0], rules, amended[1], is_settled=True))

    def document(self, key: str) -> bool:
        return self._store.document(key)

    def overlaps(self, community: int, interval: int, starts: int, ends: int) -> bool:
        # No interval is longer than an hour: only those that begin near by are looked at.
        rows = self._database.execute(
            "SELECT 1 FROM book WHERE community = ? AND interval != ?"
            " AND starts > ? AND starts < ? AND ends > ?",
            (community, interval, starts - _LONGEST_MICROSECONDS - 1, ends, starts),
        )
        return rows.fetchone() is not None or self.market.overlaps(
            community, interval, starts, ends
        )

    def save(self, fresh: IntervalsFresh) -> None:
        """Write what a block added, within a transaction of the caller's."""
        self._database.executemany("INSERT INTO rule_set VALUES (?, ?)", fresh.rule_sets.items())
        self._database.executemany(
            "INSERT OR REPLACE INTO book VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    header.interval,
                    header.community,
                    header.starts,
                    header.ends,
                    header.revision,
                    kept.rules,
                    packed(kept.rows),
                    kept.settlement,
                    # A book that moves nothing waits for nothing.
                    int(not kept.settlement),
                )
                for kept in fresh.books.values()
                if (header := kept.book.header)
            ),
        )
        self._database.executemany(
            "UPDATE book SET settled = 1 WHERE interval = ? AND revision = ?",
            fresh.settled.items(),
        )
        self._database.executemany(
            "DELETE FROM amended_book WHERE interval = ?", ((one,) for one in fresh.books)
        )
        self._database.executemany(
            "INSERT INTO amended_book VALUES (?, ?, ?)",
            (
                (interval, packed(kept.base.rows), kept.base.settlement)
                for interval, kept in fresh.books.items()
                if kept.base is not None
            ),
        )
        self.terms.save(fresh.terms)
        self.market.save(fresh.market)

    def waiting(self) -> list[tuple[int, int]]:
        """Return interval and revision of the books whose money is not booked yet."""
        rows = self._database.execute(
            "SELECT interval, revision FROM book WHERE NOT settled ORDER BY interval"
        )
        return [(interval, revision) for interval, revision in rows]


def _kept(data: bytes, rules: str, settlement: bytes, *, is_settled: bool) -> Kept:
    rows = unpacked(data)
    return Kept(read_book_of_any_form(rows), rows, rules, settlement, is_settled)

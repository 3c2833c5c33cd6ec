"""Agreements, auctions and margins, in the validator's file."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from validator.agreement_text import Agreement, Side
from validator.auction_book import read_auction
from validator.market_archive import KeptAuction, Margin, MarketFresh
from validator.store import Store

_SCHEMA = """
CREATE TABLE IF NOT EXISTS agreement (
    number INTEGER PRIMARY KEY,
    digest TEXT NOT NULL,
    kind TEXT NOT NULL,
    buyer INTEGER NOT NULL,
    buyer_key TEXT NOT NULL,
    buyer_point INTEGER NOT NULL,
    seller INTEGER NOT NULL,
    seller_key TEXT NOT NULL,
    seller_point INTEGER NOT NULL,
    price INTEGER,
    maximum INTEGER,
    rank INTEGER,
    valid_from INTEGER NOT NULL,
    valid_until INTEGER
) STRICT;
CREATE TABLE IF NOT EXISTS agreement_end (
    number INTEGER PRIMARY KEY, issued INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS auction (
    interval INTEGER PRIMARY KEY,
    community INTEGER NOT NULL,
    starts INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    rules TEXT NOT NULL,
    rows BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS auction_time ON auction (community, starts);
CREATE TABLE IF NOT EXISTS margin (
    key TEXT PRIMARY KEY, unused INTEGER NOT NULL, time INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS market_from (
    one INTEGER PRIMARY KEY CHECK (one = 1), size INTEGER NOT NULL
) STRICT;
"""
_AGREEMENT = (
    "SELECT number, digest, kind, buyer, buyer_key, buyer_point, seller, seller_key,"
    " seller_point, price, maximum, rank, valid_from, valid_until FROM agreement"
)
# No interval is longer: only auctions that begin near by are looked at.
_LONGEST_MICROSECONDS = 60 * 60_000_000


class MarketStore:
    """What the checks of the market ask about earlier blocks."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._database = store.database
        self._database.executescript(_SCHEMA)
        # A file of an older program has followed leaves whose agreements it did not keep.
        self._database.execute(
            "INSERT OR IGNORE INTO market_from VALUES (1, ?)", (store.position().size,)
        )

    @property
    def is_whole(self) -> bool:
        row = self._database.execute("SELECT size FROM market_from").fetchone()
        return bool(row[0] == 0)

    def agreement(self, number: int) -> Agreement | None:
        rows = self._database.execute(f"{_AGREEMENT} WHERE number = ?", (number,))
        return next((_agreement(row) for row in rows), None)

    def in_force(self, at: int) -> dict[int, Agreement]:
        rows = self._database.execute(
            # Only the columns are put into the statement.
            f"{_AGREEMENT} WHERE valid_from <= ? AND (valid_until IS NULL OR valid_until > ?)"  # noqa: S608 - see above
            " AND NOT EXISTS (SELECT 1 FROM agreement_end"
            " WHERE agreement_end.number = agreement.number AND issued <= ?)",
            (at, at, at),
        )
        return {row[0]: _agreement(row) for row in rows}

    def auction(self, interval: int) -> KeptAuction | None:
        row = self._database.execute(
            "SELECT rules, rows FROM auction WHERE interval = ?", (interval,)
        ).fetchone()
        if row is None:
            return None
        rules, data = row
        rows = unpacked(data)
        return KeptAuction(read_auction(rows), rules, rows)

    def margin(self, key: str) -> Margin | None:
        row = self._database.execute(
            "SELECT unused, time FROM margin WHERE key = ?", (key,)
        ).fetchone()
        return None if row is None else Margin(*row)

    def overlaps(self, community: int, interval: int, starts: int, ends: int) -> bool:
        """Tell whether a community has an auction of another interval at that time."""
        rows = self._database.execute(
            "SELECT 1 FROM auction WHERE community = ? AND interval != ?"
            " AND starts > ? AND starts < ? AND ends > ?",
            (community, interval, starts - _LONGEST_MICROSECONDS - 1, ends, starts),
        )
        return rows.fetchone() is not None

    def save(self, fresh: MarketFresh) -> None:
        """Write what a block added, within a transaction of the caller's."""
        write = self._database.executemany
        write(
            "INSERT INTO agreement VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (_row(number, one) for number, one in fresh.agreements.items()),
        )
        write("INSERT INTO agreement_end VALUES (?, ?)", fresh.ends.items())
        write(
            "INSERT INTO auction VALUES (?, ?, ?, ?, ?, ?)",
            (
                (interval, one.community, one.starts, one.ends, kept.rules, packed(kept.rows))
                for interval, kept in fresh.auctions.items()
                if (one := kept.book)
            ),
        )
        write(
            "INSERT OR REPLACE INTO margin VALUES (?, ?, ?)",
            ((key, *margin) for key, margin in fresh.margins.items()),
        )

    def start_anew(self) -> None:
        """Forget all agreements: behind a snapshot nobody knows which have ended."""
        self._database.execute("DELETE FROM agreement")
        self._database.execute("DELETE FROM agreement_end")
        self._database.execute("UPDATE market_from SET size = ?", (self._store.position().size,))


def packed(rows: Sequence[bytes]) -> bytes:
    """Return the rows of a table as they are kept."""
    return zlib.compress(b"\n".join(rows), 1)


def unpacked(data: bytes) -> list[bytes]:
    """Return the rows of a table that was kept."""
    return zlib.decompress(data).split(b"\n")


def _agreement(row: Sequence[object]) -> Agreement:
    _, digest, kind, *rest = row
    buyer, seller = Side(*rest[:3]), Side(*rest[3:6])  # type: ignore[arg-type]  # as the columns
    return Agreement(digest, kind, buyer, seller, *rest[6:])  # type: ignore[arg-type]  # likewise


def _row(number: int, one: Agreement) -> tuple[object, ...]:
    return (number, one.digest, one.kind, *one.buyer, *one.seller, *one[4:])

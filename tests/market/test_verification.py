"""Whatever is changed in a stored clearing, verification names the interval and what is wrong."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import psycopg
import pytest

from marketplace.domain.interval_book import Int64Array, IntervalBook, pack
from marketplace.errors import BookDiffers
from marketplace.models import Clearing
from marketplace.services.verification import verify_clearings
from tests.conftest import CommittedDatabase
from tests.market.street import CORRECTIONS, DEADLINE, Street, at

FLOWS = {"alice": (0, 1000), "bob": (0, 500), "charlie": (1000, 0), "dora": (700, 0)}
WITHOUT_BOB = {meter: flows for meter, flows in FLOWS.items() if meter != "bob"}


# What the tests below change, so that one street serves them all.
COLUMNS = {
    "marketplace_clearing": ("book", "book_sha256", "volume_wh"),
    "marketplace_ruleset": ("document",),
    "ledger_inboxcommand": ("key", "body"),
}


@pytest.fixture
def street(committed_db: CommittedDatabase) -> Street:
    """Return a street whose first hour was cleared late, corrected, and amended."""
    street = Street()
    street.send(WITHOUT_BOB)
    street.run(at(1) + DEADLINE)
    street.send({"bob": FLOWS["bob"]}, now=at(30))
    street.run(at(1) + CORRECTIONS)
    street.send({"charlie": (100, 0)}, now=at(1) + CORRECTIONS)
    street.run(at(1) + CORRECTIONS + timedelta(seconds=1))
    return street


def moved(column: Int64Array, row: int, by: int) -> Int64Array:
    changed = column.copy()
    changed[row] += by
    return changed


class Owner:
    """Who can do what only the owner of the tables can; every guard is taken away."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        for table in COLUMNS:
            self.do(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            self.do(f"CREATE TABLE {table}_copy AS TABLE {table}")

    def do(self, statement: str, *values: object) -> int:
        return self._connection.execute(statement.encode(), values).rowcount

    def put_back(self) -> None:
        for table, columns in COLUMNS.items():
            old = ", ".join(f"{column} = o.{column}" for column in columns)
            copy = f"{table}_copy"
            # Names from the constant above, nothing from outside.
            self.do(f"UPDATE {table} t SET {old} FROM {copy} o WHERE o.id = t.id")  # noqa: S608 - see above


@pytest.fixture
def owner(street: Street, committed_db: CommittedDatabase) -> Iterator[Owner]:
    with psycopg.connect(committed_db.owner_url, autocommit=True) as connection:
        yield Owner(connection)


def test_an_honest_market_follows(street: Street) -> None:
    counts: list[int] = []

    assert verify_clearings(on_clearings=counts.append) == 3
    assert counts == [3]


BOOKS: list[tuple[int, str, Callable[[IntervalBook], IntervalBook]]] = [
    (1, "its clearing price is", lambda book: replace(book, price=(book.price or 0) + 1)),
    (
        1,
        "sold_wh of metering point",
        lambda book: replace(book, sold_wh=moved(book.sold_wh, 0, -1)),
    ),
    (
        2,
        "bought_wh of metering point",
        lambda book: replace(book, bought_wh=moved(book.bought_wh, 2, 1)),
    ),
    (1, "its retail tariff is", lambda book: replace(book, retail=book.retail + 1)),
    (1, "its feed-in tariff is", lambda book: replace(book, feed_in=book.feed_in - 1)),
    (1, "its platform fee is", lambda book: replace(book, platform_fee=0)),
    (
        1,
        "has a bid that it cannot have",
        lambda book: replace(book, left_out_ids=book.metering_point_ids[-1:]),
    ),
    (
        1,
        "its rows or its rules are not those in the log",
        lambda book: replace(book, account_ids=book.account_ids[::-1].copy()),
    ),
    (
        1,
        "its rows or its rules are not those in the log",
        lambda book: replace(book, missing_ids=book.missing_ids[:0]),
    ),
    (
        3,
        "its bought_wh changed after the correction deadline",
        lambda book: replace(book, bought_wh=moved(book.bought_wh, 2, -1)),
    ),
    (
        3,
        "its rows or its rules are not those in the log",
        lambda book: replace(book, import_wh=moved(book.import_wh, 2, 1)),
    ),
]


def test_a_book_changed_with_its_hash_is_named(owner: Owner) -> None:
    for revision, named, change in BOOKS:
        clearing = Clearing.objects.get(revision=revision)
        canonical = change(IntervalBook.unpacked(bytes(clearing.book))).canonical_bytes()
        owner.do(
            "UPDATE marketplace_clearing SET book = %s, book_sha256 = %s WHERE revision = %s",
            pack(canonical),
            sha256(canonical).hexdigest(),
            revision,
        )

        with pytest.raises(BookDiffers, match=named) as caught:
            verify_clearings()
        assert f"interval {clearing.interval_id} revision {revision}:" in str(caught.value)
        owner.put_back()
    assert verify_clearings() == 3


STATEMENTS = [
    ("UPDATE marketplace_clearing SET book_sha256 = 'x' WHERE revision = 2", "another hash"),
    ("UPDATE marketplace_clearing SET book = 'x' WHERE revision = 2", "cannot be read"),
    ("UPDATE marketplace_clearing SET volume_wh = 1", "its volume or price"),
    (
        'UPDATE marketplace_ruleset SET document = document || \'{"notes": "x"}\'',
        "its document has another hash",
    ),
    (
        (
            "UPDATE ledger_inboxcommand c SET body = d.body FROM ledger_inboxcommand d"
            " WHERE c.key LIKE 'settle:%:2' AND d.key LIKE 'settle:%:3'"
        ),
        "its settlement is not what its book comes to",
    ),
    (
        "UPDATE ledger_inboxcommand SET key = 'x' WHERE key LIKE 'settle:%:2'",
        "its settlement is not in the ledger",
    ),
    (
        "UPDATE ledger_inboxcommand SET key = 'x' WHERE key LIKE 'book:%:2'",
        "its book was never handed to the ledger, or was refused",
    ),
    (
        (
            "UPDATE ledger_inboxcommand c SET body = d.body FROM ledger_inboxcommand d"
            " WHERE c.key LIKE 'book:%:2' AND d.key LIKE 'book:%:3'"
        ),
        "its rows or its rules are not those in the log",
    ),
]


def test_what_stands_beside_a_book_is_compared_too(owner: Owner) -> None:
    for statement, named in STATEMENTS:
        assert owner.do(statement.replace("%", "%%")) >= 1, statement

        with pytest.raises(BookDiffers, match=named):
            verify_clearings()
        owner.put_back()
    assert verify_clearings() == 3

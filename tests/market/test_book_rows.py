"""The book as rows: the frozen example, and what a stranger makes of rows by the page alone."""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ledger.domain.commands import Command
from marketplace.domain.auction import Metered, Terms, clear_interval_book
from marketplace.domain.book_rows import (
    BookHeader,
    book_document,
    book_row,
    book_rows,
    row_of_position,
)
from marketplace.domain.interval_book import IntervalBook, LateReadings
from marketplace.domain.rules import BandPrices
from marketplace.domain.settlement import entries_of, transfers_between
from tests.market import by_the_page
from tests.market.interval_example import (
    ACCOUNTS,
    PROJECT,
    SEED,
    VECTORS,
    body_of,
    example,
    salted,
    tree_head,
)

RULES_PAGE = PROJECT / "docs" / "rules.md"
START = datetime(2026, 6, 15, 2, 0, tzinfo=UTC)
HEADER = BookHeader(
    community_id=1,
    interval_id=7,
    revision=1,
    reason="readings",
    starts_at=START,
    ends_at=START + timedelta(hours=1),
    timezone="Asia/Shanghai",
    accounts=ACCOUNTS,
)

# Few prices and energies, so that ties, margins and halves are common.
limit_prices = st.integers(-3, 3)
flows = st.tuples(st.integers(0, 9), st.integers(0, 9))


@st.composite
def books(draw: st.DrawFn) -> IntervalBook:
    """Draw a cleared book of some meters, with paused, missing and left-out ones."""
    count = draw(st.integers(1, 8))

    def column(values: st.SearchStrategy[int]) -> np.ndarray:
        drawn = draw(st.lists(values, min_size=count, max_size=count))
        return np.array(drawn, dtype=np.int64)

    numbers = np.arange(1, count + 1, dtype=np.int64)
    present = np.flatnonzero(column(st.sampled_from([0, 1, 1, 1])))
    readings = np.array(draw(st.lists(flows, min_size=count, max_size=count)), dtype=np.int64)
    return clear_interval_book(
        terms=Terms(
            metering_point_ids=numbers,
            account_ids=numbers + 4,
            credit_limits=np.zeros(count, dtype=np.int64),
            spread_keys=np.zeros(count, dtype=np.uint64),
            offer_ids=column(st.sampled_from([0, 11, 12])),
            sell_limits=column(limit_prices) * 1000,
            has_sell_limit=np.ones(count, dtype=np.bool_),
            request_ids=column(st.sampled_from([0, 21, 22])),
            buy_limits=column(limit_prices) * 1000,
            has_buy_limit=np.ones(count, dtype=np.bool_),
        ),
        metered=Metered(numbers[present], readings[present, 0], readings[present, 1]),
        prices=BandPrices(3500, draw(st.sampled_from([-1500, 500])), 250, "flat"),
        over_limit=column(st.sampled_from([0, 0, 0, 1])).astype(np.bool_),
    ).book


def rows_of(book: IntervalBook) -> list[bytes]:
    return book_rows(HEADER, book)


def our_body(book: IntervalBook, before: IntervalBook | None) -> str | None:
    transfers = transfers_between(
        entries_of(before, ACCOUNTS) if before else None, entries_of(book, ACCOUNTS)
    )
    return body_of(transfers, "book:7:1", "0" * 64) if transfers else None


@given(books())
def test_a_book_becomes_the_document_and_the_command_that_the_page_says(
    book: IntervalBook,
) -> None:
    document = book_document(HEADER, book, rules_sha256="0" * 64, seed=SEED)
    root = b64encode(tree_head(salted(rows_of(book), SEED))).decode()
    assert document.key == "book:7:1"
    assert json.loads(document.body)["document"] == {
        "kind": "interval",
        "private": {"seed": b64encode(SEED).decode()},
        "public": {"rows": root, "rules": "0" * 64},
    }
    transfers = transfers_between(None, entries_of(book, ACCOUNTS))
    if transfers is not None:
        command = Command.of("settle:7:1", transfers, document="book:7:1", rules="0" * 64)
        assert command.body.decode() == our_body(book, None)


def check_auction(rows: Sequence[bytes]) -> None:
    header, _, positions = by_the_page.parsed(rows)
    assert by_the_page.auction(positions) == (
        header["price"],
        [each["bought_wh"] for each in positions],
        [each["sold_wh"] for each in positions],
    )


@given(books())
def test_a_stranger_recomputes_price_and_fills_from_the_rows(book: IntervalBook) -> None:
    check_auction(rows_of(book))


@given(books(), books())
def test_a_stranger_recomputes_the_money_of_two_revisions_to_the_byte(
    first: IntervalBook, second: IntervalBook
) -> None:
    rows, more = rows_of(first), rows_of(second)
    assert by_the_page.command_body(rows, None, "book:7:1", "0" * 64) == our_body(first, None)
    assert by_the_page.command_body(more, rows, "book:7:1", "0" * 64) == our_body(second, first)


@given(books(), flows)
def test_a_stranger_recomputes_what_a_late_reading_moves(
    book: IntervalBook, late: tuple[int, int]
) -> None:
    point, account, import_wh, export_wh = (
        np.array([number], dtype=np.int64) for number in (3, 7, *late)
    )
    amended = book.amended(LateReadings(point, account, import_wh, export_wh))
    body = by_the_page.command_body(rows_of(amended), rows_of(book), "book:7:1", "0" * 64)
    assert body == our_body(amended, book)


def test_the_frozen_example_is_what_our_code_computes() -> None:
    assert json.loads(VECTORS.read_text("utf-8")) == example()


def test_the_example_is_what_a_stranger_computes() -> None:
    vectors = json.loads(VECTORS.read_text("utf-8"))
    before = None
    for revision in vectors["revisions"]:
        rows = [row.encode() for row in revision["rows"]]
        if by_the_page.parsed(rows)[0]["reason"] != "after_deadline":
            check_auction(rows)
        body = by_the_page.command_body(
            rows, before, revision["document_key"], vectors["rules_sha256"]
        )
        assert body == revision["command_body"]
        assert len(b64decode(revision["rows_root"])) == 32
        before = rows


def test_the_page_shows_the_first_revision_of_the_example() -> None:
    page = RULES_PAGE.read_text("utf-8")
    first = example()["revisions"][0]
    shown = re.findall(r"^```json\n(.*?)^```", page, re.DOTALL | re.M)
    assert shown == ["\n".join(first["rows"]) + "\n", first["command_body"] + "\n"]
    assert f"`{first['rows_root']}`" in page
    assert f"`{example()['rules_sha256']}`" in page


@given(books())
def test_a_position_is_found_by_its_metering_point(book: IntervalBook) -> None:
    rows = rows_of(book)
    for metering_point_id in book.metering_point_ids.tolist():
        index = row_of_position(book, metering_point_id)
        assert index is not None
        assert json.loads(rows[index])["meter"] == str(metering_point_id)
        assert book_row(HEADER, book, index) == rows[index]
    assert [book_row(HEADER, book, index) for index in (0, 1)] == rows[:2]
    assert all(row_of_position(book, missing) is None for missing in book.missing_ids.tolist())

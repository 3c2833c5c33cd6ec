"""Form 2: whatever the pricing, the agreements and the deviations, a stranger gets the same."""

import json
from collections import defaultdict
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.domain.auction import Metered, Terms
from marketplace.domain.book_rows import book_row, book_rows
from marketplace.domain.forward.delivery import laid_on_trades
from marketplace.domain.interval_book import IntervalBook, pack
from marketplace.domain.market import clear_market
from marketplace.domain.market_check import Given, check_market_book
from marketplace.domain.opened_market import check_market_rows
from marketplace.domain.pool import share_by_weight
from marketplace.domain.readings.late import late_readings
from marketplace.domain.settlement import entries_of, transfers_between
from tests.market import market_by_the_page, market_money_by_the_page
from tests.market.form_2 import ACCOUNTS, Town, a_town, readings, towns
from tests.market.interval_example import body_of
from tests.market.market_examples import CASES, VECTORS, examples, revisions


def cleared(town: Town) -> IntervalBook:
    return clear_market(
        rules=town.rules,
        terms=town.terms,
        metered=town.metered,
        over_limit=town.over_limit,
        agreements=town.agreements,
        auction=town.auction,
    ).book


def own_limits(terms: Terms) -> dict[str, tuple[int | None, int | None]]:
    """Return the buy and sell limits that members named themselves."""
    return {
        str(meter): (
            int(terms.buy_limits[row]) if terms.has_buy_limit[row] else None,
            int(terms.sell_limits[row]) if terms.has_sell_limit[row] else None,
        )
        for row, meter in enumerate(terms.metering_point_ids.tolist())
    }


def our_body(book: IntervalBook, before: IntervalBook | None) -> str | None:
    transfers = transfers_between(
        entries_of(before, ACCOUNTS) if before else None, entries_of(book, ACCOUNTS)
    )
    return body_of(transfers, "book:7:1", "0" * 64) if transfers else None


def their_body(page: market_by_the_page.Page, before: market_by_the_page.Page | None) -> str | None:
    return market_money_by_the_page.command_body(page, before, "book:7:1", "0" * 64)


@settings(max_examples=120)
@given(towns())
def test_a_book_is_what_the_page_says(town: Town) -> None:
    book = cleared(town)
    page = town.page(book, 1, "deadline", None)

    matches, _, _ = market_by_the_page.stages(page)
    assert page.matches == matches
    assert market_by_the_page.order_faults(page, own_limits(town.terms)) == []
    if town.auction is None and len(town.rules.zones) == 1:
        price, bought, sold = market_by_the_page.pool(page)
        assert [price] == list(page.header["prices"].values())
        assert bought == [each["bought_wh"] for each in page.positions]
        assert sold == [each["sold_wh"] for each in page.positions]
    assert our_body(book, None) == their_body(page, None)
    given = Given(town.rules, town.agreements, town.auction)
    assert check_market_book(book, given) is None
    header = town.header(1, "deadline")
    rows = book_rows(header, book)
    shown = [book_row(header, book, at) for at in range(2 + len(book.metering_point_ids))]
    assert shown == rows[: len(shown)]
    again, fault = check_market_rows(
        rows,
        given,
        timezone=town.document["timezone"],
        before=None,
    )
    assert fault is None
    assert our_body(again, None) == our_body(book, None)
    assert IntervalBook.unpacked(pack(book.canonical_bytes())).canonical_bytes() == (
        book.canonical_bytes()
    )


@settings(max_examples=60)
@given(towns(), st.data())
def test_revisions_post_the_differences_that_the_page_says(town: Town, data: st.DataObject) -> None:
    first = cleared(town)
    again = data.draw(readings(town.terms))
    second = cleared(Town(**{**vars(town), "metered": again}))
    late = late_readings(
        terms=town.terms,
        metered=data.draw(readings(town.terms)),
        rules=town.rules,
        auction=town.auction,
    )
    third = second.amended(late)
    fourth = third.amended(late)
    pages = [town.page(first, 1, "deadline", None)]
    pages.append(town.page(second, 2, "correction", pages[0]))
    pages.append(town.page(third, 3, "after_deadline", pages[1]))

    assert our_body(second, first) == their_body(pages[1], pages[0])
    assert our_body(third, second) == their_body(pages[2], pages[1])
    assert our_body(fourth, third) is None
    assert IntervalBook.unpacked(pack(third.canonical_bytes())).canonical_bytes() == (
        third.canonical_bytes()
    )


@settings(max_examples=60)
@given(towns())
def test_no_money_and_no_energy_appears_or_is_lost(town: Town) -> None:
    book = cleared(town)
    entries = entries_of(book, ACCOUNTS)
    balances: dict[int, int] = defaultdict(int)
    for payer, receiver, amount in zip(
        entries.payers.tolist(), entries.receivers.tolist(), entries.amounts.tolist(), strict=True
    ):
        balances[payer] -= amount
        balances[receiver] += amount

    assert sum(balances.values()) == 0
    assert balances[ACCOUNTS.pool] == 0
    part = book.market
    assert part is not None
    lost = int(part.sent.sum() - part.received.sum())
    absent_bought, absent_sold = int(part.absent_bought.sum()), int(part.absent_sold.sum())
    if part.deviation != "own":  # who has no position is not part of such a book
        assert book.sold_wh.sum() + absent_sold - lost == book.bought_wh.sum() + absent_bought
    assert (book.import_wh.sum() >= part.match_wh.sum()) and (part.match_wh > 0).all()


def test_a_book_that_was_changed_is_found() -> None:
    town = a_town()
    book, given = cleared(town), Given(town.rules, town.agreements, town.auction)
    part = book.market
    assert part is not None
    assert check_market_book(book, given) is None
    for changed in (
        replace(book, bought_wh=book.bought_wh + 1),
        replace(book, retail=book.retail + 1),
        replace(book, market=replace(part, match_wh=part.match_wh + 1)),
        replace(book, market=replace(part, local_fees=part.local_fees + 1)),
        replace(book, market=replace(part, prices=(1,))),
    ):
        assert check_market_book(changed, given) is not None


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(1, 9)), min_size=1, max_size=9
    ),
    st.lists(st.integers(0, 20), min_size=3, max_size=3),
    st.sampled_from(["fifo", "pro_rata"]),
)
def test_what_was_metered_is_laid_on_trades_as_the_page_says(
    trades: list[tuple[int, int, int]], energies: list[int], delivery: str
) -> None:
    parties, ranks, wh = (np.array(each, dtype=np.int64) for each in zip(*trades, strict=True))
    laid = laid_on_trades(
        positions=parties,
        energy_wh=np.array(energies, dtype=np.int64),
        order_ranks=ranks,
        wh=wh,
        delivery=delivery,
    )
    walked = [(str(party), "", size, 0, rank, 0) for party, rank, size in trades]
    page = market_by_the_page.Page({"delivery": delivery}, [], [])
    left = {str(party): energy for party, energy in enumerate(energies)}
    assert laid.tolist() == market_money_by_the_page.laid(page, walked, 0, left)


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(1, 9)), min_size=1, max_size=7),
    st.integers(0, 100),
)
def test_fixed_keys_share_as_the_page_says(asked: list[tuple[int, int]], wanted: int) -> None:
    quantities, weights = (np.array(each, dtype=np.int64) for each in zip(*asked, strict=True))
    total = min(wanted, int(quantities.sum()))
    shares = market_by_the_page.by_weight(
        dict(enumerate(quantities.tolist())), dict(enumerate(weights.tolist())), total
    )
    assert share_by_weight(quantities, weights, total).tolist() == list(shares.values())


def test_the_frozen_examples_are_what_our_code_computes_and_what_the_page_says() -> None:
    assert json.loads(VECTORS.read_text(encoding="utf-8")) == examples()
    for name, changes in CASES.items():
        town, pages = a_town(**changes), list[market_by_the_page.Page]()
        for number, (reason, book, before) in enumerate(revisions(town), start=1):
            pages.append(town.page(book, number, reason, pages[-1] if pages else None))
            earlier = pages[-2] if len(pages) > 1 else None
            assert our_body(book, before) == their_body(pages[-1], earlier), name


def test_two_without_readings_and_deviations_that_even_out() -> None:
    """What random towns meet too seldom: the order of the absent, and a balance of exactly zero."""
    numbers = np.array([1, 2, 3], dtype=np.int64)
    changes = {"mode": "forward", "deviation": "single_price", "delivery": "fifo"}
    for present, imports, exports in (
        (numbers[2:], [700], [0]),
        (numbers, [0, 30, 1002], [612, 420, 0]),
    ):
        columns = (np.array(each, dtype=np.int64) for each in (imports, exports))
        town = replace(a_town(**changes), metered=Metered(present, *columns))
        book = cleared(town)
        assert our_body(book, None) == their_body(town.page(book, 1, "deadline", None), None)

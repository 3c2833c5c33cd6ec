"""Form 2: whatever the pricing, the agreements and the deviations, a stranger gets the same."""

from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.domain.interval_book import IntervalBook, pack
from marketplace.domain.late_readings import late_readings
from marketplace.domain.market import clear_market
from marketplace.domain.settlement import entries_of, transfers_between
from tests.market import market_by_the_page, market_money_by_the_page
from tests.market.form_2 import ACCOUNTS, Town, readings, towns
from tests.market.interval_example import body_of


def cleared(town: Town) -> IntervalBook:
    return clear_market(
        rules=town.rules,
        terms=town.terms,
        metered=town.metered,
        over_limit=town.over_limit,
        agreements=town.agreements,
        auction=town.auction,
    ).book


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
    if town.auction is None and len(town.rules.zones) == 1:
        price, bought, sold = market_by_the_page.pool(page)
        assert [price] == list(page.header["prices"].values())
        assert bought == [each["bought_wh"] for each in page.positions]
        assert sold == [each["sold_wh"] for each in page.positions]
    assert our_body(book, None) == their_body(page, None)
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

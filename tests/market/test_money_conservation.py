"""Whatever the book and however often it is corrected: no money appears, none is lost."""

from collections import defaultdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.auction import Metered, Terms, clear_interval_book
from marketplace.domain.interval_book import IntervalBook, LateReadings, pack
from marketplace.domain.money import amount_micro
from marketplace.domain.rules import BandPrices
from marketplace.domain.settlement import CommunityAccounts, entries_of, transfers_between
from marketplace.domain.standing import spread_keys

ACCOUNTS = CommunityAccounts(pool=1, supplier=2, platform=3, rounding=4)
FIRST_MEMBER = 100
METERS_MAX = 8
prices = st.integers(-2000, 2000)
energies = st.integers(0, 5000)


@st.composite
def all_terms(draw: st.DrawFn) -> Terms:
    count = draw(st.integers(1, METERS_MAX))

    def column(values: st.SearchStrategy[int]) -> np.ndarray:
        return np.array([draw(values) for _ in range(count)], dtype=np.int64)

    def flags() -> np.ndarray:
        return np.array([draw(st.booleans()) for _ in range(count)], dtype=np.bool_)

    ids = np.arange(1, count + 1, dtype=np.int64)
    return Terms(
        metering_point_ids=ids,
        account_ids=ids + FIRST_MEMBER,
        credit_limits=np.full(count, 2**62, dtype=np.int64),
        spread_keys=spread_keys([f"meter {id_}" for id_ in ids]),
        offer_ids=np.where(flags(), ids + 1000, 0),
        sell_limits=column(prices),
        has_sell_limit=flags(),
        request_ids=np.where(flags(), ids + 2000, 0),
        buy_limits=column(prices),
        has_buy_limit=flags(),
    )


@st.composite
def revisions(draw: st.DrawFn) -> list[IntervalBook]:
    """Draw an interval's books: cleared again some times, then amended some times."""
    terms = draw(all_terms())
    feed_in, fee, spread = draw(prices), draw(st.integers(0, 100)), draw(st.integers(0, 1000))
    band = BandPrices(feed_in + fee + spread, feed_in, fee, "flat")
    books = []
    for _ in range(draw(st.integers(1, 3))):
        over = np.array([draw(st.booleans()) for _ in terms.metering_point_ids], dtype=np.bool_)
        metered = draw(readings(terms))
        books.append(
            clear_interval_book(terms=terms, metered=metered, prices=band, over_limit=over).book
        )
    for _ in range(draw(st.integers(0, 2))):
        late = draw(readings(terms))
        accounts = late.metering_point_ids + FIRST_MEMBER
        books.append(
            books[-1].amended(
                LateReadings(late.metering_point_ids, accounts, late.import_wh, late.export_wh)
            )
        )
    return books


@st.composite
def readings(draw: st.DrawFn, terms: Terms) -> Metered:
    ids = draw(st.permutations(terms.metering_point_ids.tolist()))
    present = ids[: draw(st.integers(0, len(ids)))]
    flows = [(draw(energies), draw(energies)) for _ in present]
    return Metered(
        np.array(present, dtype=np.int64),
        np.array([each for each, _ in flows], dtype=np.int64),
        np.array([each for _, each in flows], dtype=np.int64),
    )


def posted(books: list[IntervalBook]) -> dict[int, int]:
    """Return each account's balance after every revision's transfers."""
    balances: dict[int, int] = defaultdict(int)
    before = None
    for book in books:
        after = entries_of(book, ACCOUNTS)
        moved = transfers_between(before, after)
        before = after
        if moved is None:
            continue
        for debit, credit, amount in zip(
            moved.debit.tolist(), moved.credit.tolist(), moved.amount.tolist(), strict=True
        ):
            balances[debit] -= amount
            balances[credit] += amount
    return {account: balance for account, balance in balances.items() if balance}


@given(revisions())
def test_every_interval_sums_to_zero_and_the_pool_ends_where_it_began(
    books: list[IntervalBook],
) -> None:
    balances = posted(books)

    assert sum(balances.values()) == 0
    assert balances.get(ACCOUNTS.pool, 0) == 0
    # What went through the pool is what came out of it, to the Wh.
    assert all(book.sold_wh.sum() == book.bought_wh.sum() for book in books)


@given(revisions())
def test_differences_add_up_to_what_the_last_book_alone_would_have_paid(
    books: list[IntervalBook],
) -> None:
    assert posted(books) == posted(books[-1:])


@given(revisions())
def test_every_member_pays_and_receives_by_its_own_row(books: list[IntervalBook]) -> None:
    book = books[-1]
    balances = posted(books)

    for row, account in enumerate(book.account_ids.tolist()):
        bought, sold = int(book.bought_wh[row]), int(book.sold_wh[row])
        due = (
            amount_micro(sold, book.price or 0)
            - amount_micro(bought, book.price or 0)
            - amount_micro(bought, book.platform_fee)
            - _signed(int(book.import_wh[row]) - bought, book.retail)
            + _signed(int(book.export_wh[row]) - sold, book.feed_in)
        )
        assert balances.get(account, 0) == due


@given(revisions())
def test_a_stored_book_comes_back_as_it_was(books: list[IntervalBook]) -> None:
    for book in books:
        canonical = book.canonical_bytes()
        assert IntervalBook.unpacked(pack(canonical)).canonical_bytes() == canonical


@given(revisions())
def test_who_is_left_out_or_missing_trades_nothing(books: list[IntervalBook]) -> None:
    book = books[0]
    out = np.isin(book.metering_point_ids, book.left_out_ids)

    assert not book.bought_wh[out].any()
    assert not book.sold_wh[out].any()
    assert not np.isin(book.missing_ids, book.metering_point_ids).any()


def _signed(quantity_wh: int, price: int) -> int:
    amount = amount_micro(abs(quantity_wh), price)
    return amount if quantity_wh >= 0 else -amount

"""The auction against a twin that thinks in single watt-hours, and at the edges of int64."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from random import Random
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.clearing import (
    INT64_MAX,
    Clearing,
    Int64Array,
    Ties,
    clear_uniform_price,
    share_pro_rata,
    welfare_nano,
)
from marketplace.domain.pairing import pair_trades

CENT_MICRO = 10_000
INT64_MIN = -INT64_MAX - 1


class Book(NamedTuple):
    bid_prices: Int64Array
    bid_quantities: Int64Array
    offer_prices: Int64Array
    offer_quantities: Int64Array


Rows = list[tuple[int, int]]


def book(bids: Rows, offers: Rows) -> Book:
    return Book(*(int64([row[i] for row in side]) for side in (bids, offers) for i in (0, 1)))


def int64(values: list[int]) -> Int64Array:
    return np.array(values, dtype=np.int64)


# Few prices and small quantities: ties, partial fills and exact meetings all happen often.
def sides(quantity_max: int = 6) -> st.SearchStrategy[Rows]:
    return st.lists(st.tuples(st.integers(-4, 4), st.integers(1, quantity_max)), max_size=12)


def books() -> st.SearchStrategy[Book]:
    return st.builds(book, sides(), sides())


def every_ties() -> st.SearchStrategy[Ties]:
    return st.sampled_from(Ties)


class Twin(NamedTuple):
    volume: int
    low: int | None
    high: int | None


def twin_of(orders: Book) -> Twin:
    """Clear Wh by Wh: slow and obvious."""
    bid_prices, bid_quantities, offer_prices, offer_quantities = (a.tolist() for a in orders)
    wanted = sorted(np.repeat(bid_prices, bid_quantities).tolist(), reverse=True)
    offered = sorted(np.repeat(offer_prices, offer_quantities).tolist())
    volume = sum(bid >= offer for bid, offer in zip(wanted, offered, strict=False))
    if volume == 0:
        return Twin(0, None, None)
    low = max([offered[volume - 1], *wanted[volume : volume + 1]])
    high = min([wanted[volume - 1], *offered[volume : volume + 1]])
    return Twin(volume, low, high)


@pytest.mark.parametrize(
    ("bids", "offers", "volume_kwh", "price_cents"),
    [
        ([(30, 5), (20, 5)], [(10, 8)], 8, 20),
        ([(30, 8)], [(10, 5), (20, 5)], 8, 20),
        ([(30, 5), (12, 5)], [(10, 5), (25, 5)], 5, 18.5),
        ([(30, 5), (20, 5)], [(10, 5), (20, 5)], 10, 20),
        ([(30, 5)], [(10, 4), (10, 4)], 5, 10),
    ],
)
@pytest.mark.parametrize("ties", Ties)
def test_books_worked_by_hand(
    bids: Rows, offers: Rows, volume_kwh: int, price_cents: float, ties: Ties
) -> None:
    def in_units(side: Rows) -> Rows:
        return [(cents * CENT_MICRO, kwh * 1000) for cents, kwh in side]

    result = clear_uniform_price(*book(in_units(bids), in_units(offers)), ties=ties)

    assert (result.volume_wh, result.price) == (volume_kwh * 1000, price_cents * CENT_MICRO)


@given(books(), every_ties())
def test_clears_the_most_energy_at_a_price_nobody_regrets(orders: Book, ties: Ties) -> None:
    result = clear_uniform_price(*orders, ties=ties)

    twin = twin_of(orders)
    assert (result.volume_wh, result.price_low, result.price_high) == twin
    assert result.bid_fills.sum() == result.offer_fills.sum() == twin.volume
    assert ((result.bid_fills >= 0) & (result.bid_fills <= orders.bid_quantities)).all()
    assert ((result.offer_fills >= 0) & (result.offer_fills <= orders.offer_quantities)).all()
    if twin.low is None or twin.high is None or result.price is None:
        assert result.price is None
        return
    assert result.price == (twin.low + twin.high) // 2
    assert (orders.bid_prices[result.bid_fills > 0] >= result.price).all()
    assert (orders.offer_prices[result.offer_fills > 0] <= result.price).all()
    assert (orders.bid_prices[result.bid_fills < orders.bid_quantities] <= result.price).all()
    assert (orders.offer_prices[result.offer_fills < orders.offer_quantities] >= result.price).all()


@given(books(), every_ties())
def test_no_allocation_is_worth_more(orders: Book, ties: Ties) -> None:
    result = clear_uniform_price(*orders, ties=ties)

    wanted = np.sort(np.repeat(orders.bid_prices, orders.bid_quantities))[::-1]
    offered = np.sort(np.repeat(orders.offer_prices, orders.offer_quantities))
    best = sum(max(0, int(b) - int(o)) for b, o in zip(wanted, offered, strict=False))
    assert welfare_nano(result, orders.bid_prices, orders.offer_prices) == best


def fills_by_arrival(prices: list[int], quantities: list[int], volume: int) -> list[int]:
    """Serve one side order by order; ``prices`` ascend with eagerness lost."""
    fills = [0] * len(prices)
    for row in sorted(range(len(prices)), key=lambda row: (prices[row], row)):
        fills[row] = min(quantities[row], volume)
        volume -= fills[row]
    return fills


@given(books())
def test_by_arrival_the_earlier_of_equal_prices_is_served_first(orders: Book) -> None:
    result = clear_uniform_price(*orders)

    bid_keys = (-orders.bid_prices).tolist()
    assert result.bid_fills.tolist() == fills_by_arrival(
        bid_keys, orders.bid_quantities.tolist(), result.volume_wh
    )
    assert result.offer_fills.tolist() == fills_by_arrival(
        orders.offer_prices.tolist(), orders.offer_quantities.tolist(), result.volume_wh
    )


def test_arrival_holds_in_a_large_book_of_few_prices() -> None:
    # A sort that is stable by luck in small arrays is not in large ones.
    seeded = np.random.default_rng(7)
    orders = Book(
        seeded.integers(10, 14, 5_000),
        seeded.integers(1, 9, 5_000),
        seeded.integers(9, 13, 4_000),
        seeded.integers(1, 9, 4_000),
    )

    result = clear_uniform_price(*orders)

    trades = pair_trades(result)
    for prices, quantities, fills, rows in (
        (-orders.bid_prices, orders.bid_quantities, result.bid_fills, trades.bid_index),
        (orders.offer_prices, orders.offer_quantities, result.offer_fills, trades.offer_index),
    ):
        by_hand = fills_by_arrival(prices.tolist(), quantities.tolist(), result.volume_wh)
        assert fills.tolist() == by_hand
        served = list(zip(prices[rows].tolist(), rows.tolist(), strict=True))
        assert served == sorted(served)


@given(books(), every_ties())
def test_trades_add_up_to_the_fills_and_pair_the_eager_with_the_eager(
    orders: Book, ties: Ties
) -> None:
    result = clear_uniform_price(*orders, ties=ties)

    trades = pair_trades(result)
    bought, sold = np.zeros_like(result.bid_fills), np.zeros_like(result.offer_fills)
    np.add.at(bought, trades.bid_index, trades.quantity_wh)
    np.add.at(sold, trades.offer_index, trades.quantity_wh)
    assert (trades.quantity_wh > 0).all()
    assert bought.tolist() == result.bid_fills.tolist()
    assert sold.tolist() == result.offer_fills.tolist()
    assert (np.diff(orders.bid_prices[trades.bid_index]) <= 0).all()
    assert (np.diff(orders.offer_prices[trades.offer_index]) >= 0).all()
    pairs = list(zip(trades.bid_index.tolist(), trades.offer_index.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)


def test_who_gets_nothing_of_a_shared_level_has_no_trade() -> None:
    result = clear_uniform_price(*book([(2, 1)], [(1, 1), (1, 5)]), ties=Ties.PRO_RATA)

    trades = pair_trades(result)
    assert result.offer_fills.tolist() == [0, 1]
    assert (trades.offer_index.tolist(), trades.quantity_wh.tolist()) == ([1], [1])


@given(sides(), sides(), st.randoms(use_true_random=False))
def test_pro_rata_the_order_of_rows_changes_nobodys_fill_and_no_trade(
    bids: Rows, offers: Rows, random: Random
) -> None:
    def outcome(shuffle: Callable[[list[int]], None]) -> tuple[dict[int, int], ...]:
        bidders, sellers = list(range(len(bids))), list(range(len(offers)))
        shuffle(bidders)
        shuffle(sellers)
        orders = book([bids[name] for name in bidders], [offers[name] for name in sellers])
        result = clear_uniform_price(
            *orders,
            ties=Ties.PRO_RATA,
            bid_ranks=int64(bidders),
            offer_ranks=int64(sellers),
        )
        trades = pair_trades(result)
        named = zip(trades.bid_index, trades.offer_index, trades.quantity_wh, strict=True)
        return (
            dict(zip(bidders, result.bid_fills.tolist(), strict=True)),
            dict(zip(sellers, result.offer_fills.tolist(), strict=True)),
            {bidders[b] * 1000 + sellers[o]: int(wh) for b, o, wh in named},
        )

    assert outcome(random.shuffle) == outcome(lambda names: None)


@given(books())
def test_pro_rata_shares_only_the_last_level_and_by_quantity(orders: Book) -> None:
    result = clear_uniform_price(*orders, ties=Ties.PRO_RATA)

    for prices, quantities, fills in (
        (-orders.bid_prices, orders.bid_quantities, result.bid_fills),
        (orders.offer_prices, orders.offer_quantities, result.offer_fills),
    ):
        if result.volume_wh == 0:
            continue
        level = prices[fills > 0].max()
        assert (fills[prices < level] == quantities[prices < level]).all()
        rows = np.flatnonzero(prices == level)
        share = Fraction(int(fills[rows].sum()), int(quantities[rows].sum()))
        for row in rows.tolist():
            assert abs(int(fills[row]) - share * int(quantities[row])) < 1


def test_pro_rata_gives_the_odd_watt_hours_to_the_largest_remainder_then_the_smaller_rank() -> None:
    orders = book([(20, 10)], [(10, 5), (10, 5), (10, 5), (10, 3)])

    by_row = clear_uniform_price(*orders, ties=Ties.PRO_RATA)
    by_rank = clear_uniform_price(
        *orders, ties=Ties.PRO_RATA, bid_ranks=int64([0]), offer_ranks=int64([9, 8, 7, 6])
    )

    # 10 of 18: 50/18 = 2 rest 14 three times, 30/18 = 1 rest 12; three Wh are left.
    assert by_row.offer_fills.tolist() == [3, 3, 3, 1]
    assert by_rank.offer_fills.tolist() == [3, 3, 3, 1]
    two_left = book([(20, 8)], [(10, 5), (10, 5), (10, 5)])  # 40/15 = 2 rest 10
    first = clear_uniform_price(*two_left, ties=Ties.PRO_RATA)
    last = clear_uniform_price(*two_left, ties=Ties.PRO_RATA, offer_ranks=int64([9, 8, 7]))
    assert first.offer_fills.tolist() == [3, 3, 2]
    assert last.offer_fills.tolist() == [2, 3, 3]


@given(st.lists(st.integers(1, 2**57), min_size=1, max_size=30), st.fractions(0, 1))
def test_shares_are_exact_where_products_pass_int64(quantities: list[int], part: Fraction) -> None:
    whole = sum(quantities)
    total = int(whole * part)

    shares = share_pro_rata(int64(quantities), total).tolist()

    assert sum(shares) == total
    rows = sorted(range(len(quantities)), key=lambda row: (-(quantities[row] * total % whole), row))
    expected = [quantity * total // whole for quantity in quantities]
    for row in rows[: total - sum(expected)]:
        expected[row] += 1
    assert shares == expected
    assert all(share <= quantity for share, quantity in zip(shares, quantities, strict=True))


@pytest.mark.parametrize("ties", Ties)
def test_the_edges_of_int64_clear_exactly(ties: Ties) -> None:
    half = 2**62
    orders = book(
        [(INT64_MAX, half), (INT64_MIN, half - 1)], [(INT64_MIN, half - 1), (INT64_MAX, half)]
    )

    result = clear_uniform_price(*orders, ties=ties)

    # The last Wh of the first bid meets the first of the second offer, at the same price.
    assert result.volume_wh == half
    assert (result.price_low, result.price_high, result.price) == (INT64_MAX,) * 3
    assert result.bid_fills.tolist() == [half, 0]
    assert result.offer_fills.tolist() == [half - 1, 1]
    assert pair_trades(result).quantity_wh.tolist() == [half - 1, 1]
    assert welfare_nano(result, orders.bid_prices, orders.offer_prices) == (half - 1) * (2**64 - 1)


def test_the_middle_of_the_widest_interval_is_its_floor() -> None:
    result = clear_uniform_price(*book([(INT64_MAX, 1)], [(INT64_MIN, 1)]))

    assert result.price == -1


@pytest.mark.parametrize("ties", Ties)
def test_prices_below_zero_clear_like_others(ties: Ties) -> None:
    result = clear_uniform_price(*book([(-10, 5)], [(-25, 3)]), ties=ties)

    assert (result.volume_wh, result.price_low, result.price_high) == (3, -10, -10)
    wide = clear_uniform_price(*book([(-10, 3)], [(-25, 3)]), ties=ties)
    assert wide.price == -18


@pytest.mark.parametrize(
    ("bids", "offers"), [([], []), ([(1, 1)], []), ([], [(1, 1)]), ([(1, 1)], [(2, 1)])]
)
def test_nothing_trades_at_no_price(bids: Rows, offers: Rows) -> None:
    for ties in Ties:
        result = clear_uniform_price(*book(bids, offers), ties=ties)

        assert (result.volume_wh, result.price) == (0, None)
        assert (result.price_low, result.price_high) == (None, None)
        assert result.bid_fills.tolist() == [0] * len(bids)
        assert result.offer_fills.tolist() == [0] * len(offers)
        assert len(pair_trades(result).quantity_wh) == 0


def test_a_sum_past_int64_is_refused_and_the_largest_is_not() -> None:
    largest = book([(1, INT64_MAX - 1), (1, 1)], [(1, INT64_MAX)])

    assert clear_uniform_price(*largest).volume_wh == INT64_MAX
    for rows in ([(1, INT64_MAX), (1, 1)], [(1, INT64_MAX)] * 3, [(1, 2**62)] * 4):
        with pytest.raises(ValueError, match="bid quantities sum to"):
            clear_uniform_price(*book(rows, []))
        with pytest.raises(ValueError, match="offer quantities sum to"):
            clear_uniform_price(*book([], rows))


Break = Callable[[Book], Clearing]


@pytest.mark.parametrize(
    ("message", "attempt"),
    [
        ("positive", lambda b: clear_uniform_price(b[0], b[1] * 0, b[2], b[3])),
        ("positive", lambda b: clear_uniform_price(b[0], b[1], b[2], -b[3])),
        ("quantities", lambda b: clear_uniform_price(b[0], b[1][:1], b[2], b[3])),
        ("int64", lambda b: clear_uniform_price(b[0] * 1.0, b[1], b[2], b[3])),
        ("int64", lambda b: clear_uniform_price(b[0], b[1], b[2], b[3].astype(np.int32))),
        ("int64", lambda b: clear_uniform_price(b[0][:, None], b[1], b[2], b[3])),
        ("ranks decide", lambda b: clear_uniform_price(*b, bid_ranks=b[1])),
        (
            "ranks must differ",
            lambda b: clear_uniform_price(*b, ties=Ties.PRO_RATA, bid_ranks=b[1] * 0),
        ),
        ("1 ranks", lambda b: clear_uniform_price(*b, ties=Ties.PRO_RATA, offer_ranks=b[2][:1])),
    ],
)
def test_what_is_not_a_book_is_refused(message: str, attempt: Break) -> None:
    with pytest.raises(ValueError, match=message):
        attempt(book([(3, 1), (3, 2)], [(1, 1), (1, 2)]))

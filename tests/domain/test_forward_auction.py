"""The auction at gate closure: minimum quantities, several zones, and what its rows say."""

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.forward.auction import AuctionOrders, halted_auction, hold_auction
from marketplace.domain.forward.auction_book import (
    AuctionHeader,
    auction_rows,
    pack_rows,
    read_auction,
    unpack_rows,
)
from marketplace.domain.forward.orders import BUY, SELL
from marketplace.domain.zones.network import network_of

ONE = network_of(["main"], [])
TWO = network_of(
    ["north", "south"],
    [{"from": "north", "to": "south", "limit_wh": 100, "loss_ppm": 0, "fee_micro_per_kwh": 5}],
)
START = datetime(2026, 6, 15, 6, tzinfo=UTC)

# Zone, side, limit, energy, minimum.
Told = tuple[int, int, int, int, int]


def orders_of(told: list[Told]) -> AuctionOrders:
    rows = np.zeros((len(told), 10), dtype=np.int64)
    for number, each in enumerate(told):
        rows[number, :3] = number + 1, 100 + number, 200 + number
        rows[number, 3:8] = each
        rows[number, 8:] = number + 7, number % 3
    return AuctionOrders.of_rows(rows)


def told_orders(zones: int) -> st.SearchStrategy[list[Told]]:
    energy = st.integers(1, 9)
    one = st.tuples(
        st.integers(0, zones - 1), st.sampled_from([BUY, SELL]), st.integers(-3, 5), energy, energy
    )
    return st.lists(one, max_size=9).map(
        lambda found: [(*each[:4], min(each[4], each[3])) for each in found]
    )


def test_an_order_below_its_minimum_is_dropped_and_others_take_its_place() -> None:
    outcome = hold_auction(
        orders_of(
            [
                (0, SELL, 10, 100, 0),
                (0, BUY, 30, 80, 0),
                (0, BUY, 20, 50, 40),  # would get 20
                (0, BUY, 15, 10, 10),
            ]
        ),
        ONE,
    )
    assert outcome.filled_wh.tolist() == [90, 80, 0, 10]
    assert outcome.is_dropped.tolist() == [False, False, True, False]
    assert outcome.volume_wh == 90


def test_zones_clear_together_and_prices_part_where_the_link_is_full() -> None:
    outcome = hold_auction(
        orders_of([(0, SELL, 10, 500, 0), (0, BUY, 12, 50, 0), (1, BUY, 90, 300, 0)]), TWO
    )
    assert outcome.filled_wh.tolist() == [150, 50, 100]
    assert (outcome.sent, outcome.received) == ((100,), (100,))
    assert outcome.prices == (10, 90)


def test_a_halted_auction_trades_nothing() -> None:
    outcome = halted_auction(orders_of([(0, SELL, 1, 5, 0), (0, BUY, 9, 5, 0)]), ONE)
    assert (outcome.filled_wh.tolist(), outcome.volume_wh, outcome.prices) == ([0, 0], 0, (None,))


@given(told_orders(zones=2))
def test_nobody_gets_less_than_the_minimum_or_a_price_they_refused(told: list[Told]) -> None:
    orders = orders_of(told)
    outcome = hold_auction(orders, TWO)
    filled, minimums = outcome.filled_wh, orders.minimums_wh
    assert ((filled == 0) | (filled >= minimums)).all()
    assert (filled <= orders.quantities_wh).all()
    assert (filled[outcome.is_dropped] == 0).all()
    # What was dropped has no part in it: without it the auction is the same.
    kept = np.flatnonzero(~outcome.is_dropped)
    assert hold_auction(orders.only(kept), TWO).filled_wh.tolist() == filled[kept].tolist()
    for row in np.flatnonzero(filled).tolist():
        price = outcome.prices[orders.zones[row]]
        assert price is not None
        sign = 1 if orders.sides[row] == BUY else -1
        assert sign * price <= sign * orders.limits[row]
    bought = filled[orders.sides == BUY].sum()
    assert bought == filled[orders.sides == SELL].sum() == outcome.volume_wh


@given(told_orders(zones=2))
def test_rows_say_all_of_an_auction(told: list[Told]) -> None:
    orders = orders_of(told)
    outcome = hold_auction(orders, TWO)
    header = AuctionHeader(
        community_id=1,
        interval_id=2,
        reason="closure",
        starts_at=START,
        ends_at=START + timedelta(minutes=15),
        closes_at=START - timedelta(hours=1),
        timezone="Asia/Shanghai",
        zones=TWO.zones,
    )
    rows = auction_rows(header, orders, outcome, outcome.prices)
    read = read_auction(unpack_rows(pack_rows(rows)))

    assert (read.prices, read.zones) == (outcome.prices, TWO.zones)
    assert read.flows == tuple(zip(outcome.sent, outcome.received, strict=True))
    assert read.filled_wh.tolist() == outcome.filled_wh.tolist()
    assert read.is_dropped.tolist() == outcome.is_dropped.tolist()
    for name in orders.__dataclass_fields__:
        assert getattr(read.orders, name).tolist() == getattr(orders, name).tolist(), name

"""The auction of an interval, walked along both sides in order.

References
----------
docs/rules.md, "The auction".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Order(NamedTuple):
    """A limit order: ``rank`` is the row of its position."""

    limit: int
    wh: int
    rank: int


class Outcome(NamedTuple):
    """The price, None when nothing trades, and what each rank's order is filled with."""

    price: int | None
    bought: dict[int, int]
    sold: dict[int, int]


def clear(bids: Sequence[Order], offers: Sequence[Order], *, arrival: bool = False) -> Outcome:
    """Clear a book at one price that trades the most energy.

    Parameters
    ----------
    bids, offers : sequence of Order
        Limits in micro per kWh, energy in Wh, above 0.
    arrival : bool
        At the margin the lower rank is filled first; otherwise all are, pro rata.
    """
    wanted = sorted(bids, key=lambda order: (-order.limit, order.rank))
    offered = sorted(offers, key=lambda order: (order.limit, order.rank))
    volume = _volume(wanted, offered)
    if volume == 0:
        return Outcome(None, {}, {})
    bid, next_bid = _limits_at(wanted, volume)
    offer, next_offer = _limits_at(offered, volume)
    low = offer if next_bid is None else max(offer, next_bid)
    high = bid if next_offer is None else min(bid, next_offer)
    return Outcome(
        (low + high) // 2,
        _fills(wanted, bid, volume, arrival=arrival),
        _fills(offered, offer, volume, arrival=arrival),
    )


def _volume(wanted: Sequence[Order], offered: Sequence[Order]) -> int:
    """Pair the eager ends of both sides until they no longer agree."""
    volume = 0
    left_bid = left_offer = 0
    bids, offers = iter(wanted), iter(offered)
    bid = offer = Order(0, 0, 0)
    while True:
        if left_bid == 0:
            bid = next(bids, Order(0, 0, -1))
            left_bid = bid.wh
        if left_offer == 0:
            offer = next(offers, Order(0, 0, -1))
            left_offer = offer.wh
        if left_bid == 0 or left_offer == 0 or bid.limit < offer.limit:
            return volume
        traded = min(left_bid, left_offer)
        volume += traded
        left_bid -= traded
        left_offer -= traded


def _limits_at(side: Sequence[Order], volume: int) -> tuple[int, int | None]:
    """Return the limits of the orders that hold the last Wh traded and the one after it."""
    reached = 0
    last: int | None = None
    for order in side:
        reached += order.wh
        if last is None and reached >= volume:
            last = order.limit
        if reached > volume:
            assert last is not None
            return last, order.limit
    assert last is not None, "a volume is never more than a side has"
    return last, None


def _fills(side: Sequence[Order], marginal: int, volume: int, *, arrival: bool) -> dict[int, int]:
    """Fill the more eager wholly, and share what is left among those at the marginal limit."""
    at_margin = [order for order in side if order.limit == marginal]
    first = side.index(at_margin[0])
    fills = {order.rank: order.wh for order in side[:first]}
    left = volume - sum(fills.values())
    return fills | (by_arrival(at_margin, left) if arrival else share(at_margin, left))


def by_arrival(orders: Sequence[Order], volume: int) -> dict[int, int]:
    """Give energy to orders one after the other, the lower rank first.

    Parameters
    ----------
    orders : sequence of Order
        In order of their ranks.
    volume : int
        What is given: no more than they have in all. [Wh]
    """
    fills = {}
    for order in orders:
        fills[order.rank] = min(order.wh, volume)
        volume -= fills[order.rank]
    return fills


def share(orders: Sequence[Order], volume: int) -> dict[int, int]:
    """Share energy among orders by theirs: largest remainder, then the lower rank.

    Parameters
    ----------
    orders : sequence of Order
        Their energies are the weights.
    volume : int
        What is shared: no more than they have in all. [Wh]
    """
    whole = sum(order.wh for order in orders)
    fills, remainders = {}, []
    for order in orders:
        fills[order.rank], remainder = divmod(order.wh * volume, whole)
        remainders.append((-remainder, order.rank))
    for _, rank in sorted(remainders)[: volume - sum(fills.values())]:
        fills[rank] += 1
    return fills

"""Auctions of form 2: minimum fills, and who traded with whom where bids pay what they bid.

References
----------
docs/market.md, "The pool in metered mode" and "The pool in forward mode: the auction".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from validator.auction_book import ForwardOrder
from validator.interval_auction import Order, clear


class Trade(NamedTuple):
    """What two orders traded, by their ranks. [Wh, micro per kWh]"""

    buyer: int
    seller: int
    wh: int
    price: int


class Held(NamedTuple):
    """The outcome of an auction before delivery: the price, fills and dropped by rank."""

    price: int | None
    filled: dict[int, int]
    dropped: set[int]


def hold_auction(orders: Sequence[ForwardOrder]) -> Held:
    """Clear orders in one zone, and again without those that stay below their minimum.

    Parameters
    ----------
    orders : sequence of ForwardOrder
        In order of arrival: at the margin the first is filled first.
    """
    dropped: set[int] = set()
    while True:
        left = [(rank, one) for rank, one in enumerate(orders) if rank not in dropped]
        outcome = clear(
            [Order(one.limit, one.wh, rank) for rank, one in left if one.is_bid],
            [Order(one.limit, one.wh, rank) for rank, one in left if not one.is_bid],
            arrival=True,
        )
        filled = outcome.bought | outcome.sold
        short = {rank for rank, one in left if 0 < filled.get(rank, 0) < one.minimum}
        if not short:
            return Held(outcome.price, filled, dropped)
        dropped |= short


def pair(bids: Iterable[Order], offers: Iterable[Order], price: int | None = None) -> list[Trade]:
    """Pair what was filled: the eager first, each trade the smaller of what two have left.

    Parameters
    ----------
    bids, offers : iterable of Order
        Limits, energy that was filled, and ranks; both sides have the same energy in all.
    price : int or None
        What every trade costs; None where each costs its bid's limit. [micro per kWh]
    """
    wanted = sorted((one for one in bids if one.wh), key=lambda order: (-order.limit, order.rank))
    offered = sorted((one for one in offers if one.wh), key=lambda order: (order.limit, order.rank))
    trades = []
    left = {("bid", one.rank): one.wh for one in wanted}
    left |= {("offer", one.rank): one.wh for one in offered}
    at = 0
    for bid in wanted:
        while left["bid", bid.rank]:
            offer = offered[at]
            wh = min(left["bid", bid.rank], left["offer", offer.rank])
            trades.append(Trade(bid.rank, offer.rank, wh, bid.limit if price is None else price))
            left["bid", bid.rank] -= wh
            left["offer", offer.rank] -= wh
            at += left["offer", offer.rank] == 0
    return trades


def trades_of(orders: Sequence[ForwardOrder], price: int | None) -> list[Trade]:
    """Pair the filled orders of an auction in one zone; see :func:`pair`."""
    sides: Mapping[bool, list[Order]] = {True: [], False: []}
    for rank, one in enumerate(orders):
        sides[one.is_bid].append(Order(one.limit, one.filled, rank))
    return pair(sides[True], sides[False], price)

"""Prices that clear coupled zones without losses, and which of all that do is taken.

The dual of the welfare problem is ``D(p) = sum of what the orders of each zone are worth at p +
sum over the links of limit * max(0, p[to] - p[from] - fee)``. It is L-natural-convex: no move of
a set of prices by one step, up or down, improves it exactly where no other vector is better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import floor

from marketplace.domain.zones.book import ZoneBook
from marketplace.domain.zones.flow_graph import FlowGraph
from marketplace.domain.zones.network import Network
from marketplace.domain.zones.price_range import (
    Bounds,
    OptimalFacts,
    Price,
    WholeBounds,
    price_range,
)


def optimal_prices(network: Network, books: Sequence[ZoneBook]) -> list[int]:
    """Find whole prices at which the dual of the welfare problem is smallest.

    Parameters
    ----------
    network : Network
        Without losses.
    books : sequence of ZoneBook
        The orders of each zone.

    Returns
    -------
    list of int
        One optimal price a zone; which one of several depends on nothing but the input.
        [micro/kWh]

    Notes
    -----
    Steepest descent with scaling: the best set of zones to move by a step is a smallest cut in a
    graph of the zones. Steps are halved from the spread of all limits down to 1, and with each the
    moves end where no set is better, for which a number of moves in the order of the zones is
    enough [1]_.

    References
    ----------
    .. [1] K. Murota, "Discrete Convex Analysis," SIAM, 2003, doi:10.1137/1.9780898718508,
       chapter 10: minimisation of L-convex functions.
    """
    limits = [
        side.key(int(key))
        for book in books
        for side in (book.bids, book.offers)
        if len(side.book.keys)
        for key in (side.book.keys[0], side.book.keys[-1])
    ] or [0]
    prices = [(min(limits) + max(limits)) // 2] * len(books)
    spread = max(limits) - min(limits) + sum(abs(link.fee_micro_per_kwh) for link in network.links)
    step = 2 << spread.bit_length()
    while step := step >> 1:
        values = [book.gain(price) for book, price in zip(books, prices, strict=True)]
        moved = True
        while moved:
            moved = False
            for signed in (step, -step):
                while _move(network, books, prices, values, signed):
                    moved = True
    return prices


def middle_prices(network: Network, facts: OptimalFacts) -> tuple[WholeBounds, Bounds, Bounds]:
    """Choose the price vector: the floor of the middle of the range, zone by zone.

    Parameters
    ----------
    network, facts
        As for `price_range`.

    Returns
    -------
    tuple of three lists
        The prices, and the smallest and largest vector they are the middle of. [micro/kWh]

    Notes
    -----
    Without losses the floor of the middle of two optimal vectors is optimal (L-natural convexity),
    with losses it is off by less than 1. Where a price is bounded on one side only, which happens
    in zones that neither trade nor pass energy on, it is that bound, taken in this order, each with
    those before it settled: the middles, the prices bounded below only at their lows, those bounded
    above only at their highs, and again. A price that nothing bounds even then is None: no order
    and no open link depends on it.
    """
    prices: Bounds = [None] * len(network.zones)
    first = known = price_range(network, facts)
    while None in prices:
        ends = [_end(*bounds) for bounds in zip(prices, *known, strict=True)]
        if not any(ends):
            break
        rank = min(end[0] for end in ends if end)
        for zone, end in enumerate(ends):
            if end and end[0] == rank:
                # Whole prices are optimal without losses; with them the fractions prove more.
                prices[zone] = floor(end[1]) if network.is_lossless else end[1]
        settled = replace(
            facts,
            at_least=_settled(prices, facts.at_least),
            at_most=_settled(prices, facts.at_most),
        )
        known = price_range(network, settled)
    return [None if price is None else floor(price) for price in prices], *first


def _settled(
    prices: Sequence[Price | None], bounds: Sequence[Price | None]
) -> tuple[Price | None, ...]:
    return tuple(
        bound if price is None else price for price, bound in zip(prices, bounds, strict=True)
    )


def _end(price: Price | None, low: Price | None, high: Price | None) -> tuple[int, Price] | None:
    """Say what an unsettled price may be, and how early that is settled."""
    if price is not None or (low is None and high is None):
        return None
    if low is not None:
        return (0, Fraction(low + high) / 2) if high is not None else (1, low)
    assert high is not None
    return 2, high


def _move(
    network: Network,
    books: Sequence[ZoneBook],
    prices: list[int],
    values: list[int],
    step: int,
) -> bool:
    """Move the set of zones by ``step`` that improves the dual most; False if none does."""
    zones = len(books)
    moved = [book.gain(price + step) for book, price in zip(books, prices, strict=True)]
    cost = [there - here for there, here in zip(moved, values, strict=True)]
    graph = FlowGraph(zones + 2)
    source, sink = zones, zones + 1
    for link in network.links:
        apart = prices[link.to_zone] - prices[link.from_zone] - link.fee_micro_per_kwh
        width = abs(step)
        here = max(0, apart)
        more = link.limit_wh * (max(0, apart + width) - here)
        less = link.limit_wh * (here - max(0, apart - width))
        # Both ends moved: nothing changes. Only one: the distance grows, which costs ``more``, or
        # shrinks, which saves ``less``. An arc is cut where its tail moves and its head does not.
        wide, narrow = (
            (link.to_zone, link.from_zone) if step > 0 else (link.from_zone, link.to_zone)
        )
        cost[wide] += less
        cost[narrow] -= less
        if more > less:
            graph.add(wide, narrow, more - less)
    for zone, change in enumerate(cost):
        if change < 0:
            graph.add(source, zone, -change)
        elif change > 0:
            graph.add(zone, sink, change)
    gained = -sum(change for change in cost if change < 0) - graph.push_most(source, sink)
    if gained <= 0:
        return False
    for zone, joins in enumerate(graph.reached_from(source)[:zones]):
        if joins:
            prices[zone] += step
            values[zone] = moved[zone]
    return True

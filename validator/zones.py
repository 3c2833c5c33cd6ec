"""Several zones cleared together: fills, flows and prices that certify each other.

Nothing is optimised here: whether a clearing is the best follows from shortest paths over what the
hall says that it filled and sent.

References
----------
docs/market.md, "Several zones".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from validator.interval_auction import Order, by_arrival, share
from validator.interval_book import Flow
from validator.market_rules import Link

MILLION = 10**6


class Broken(Exception):
    """What is wrong with a coupled clearing: one line without anybody's data."""


class ZoneOrder(NamedTuple):
    """A limit order in a zone, and what it was filled with."""

    zone: str
    is_bid: bool
    limit: int
    wh: int
    rank: int
    filled: int


class Band(NamedTuple):
    """The prices that fills allow: None is without end. [micro per kWh]"""

    low: int | None
    high: int | None


def require_feasible(
    zones: Sequence[str],
    links: Sequence[Link],
    orders: Sequence[ZoneOrder],
    flows: Sequence[Flow],
) -> None:
    """Check that links carry no more than they can, and that no energy appears or is lost.

    Raises
    ------
    Broken
        If a flow or the balance of a zone cannot be.
    """
    balance = dict.fromkeys(zones, 0)
    for link, flow in zip(links, flows, strict=True):
        if flow.sent > link.limit_wh:
            raise Broken("a link carries more than its limit")
        if flow.received != flow.sent * (MILLION - link.loss_ppm) // MILLION:
            raise Broken("of what a link sent something else arrives")
        balance[link.source] -= flow.sent
        balance[link.target] += flow.received
    for one in orders:
        balance[one.zone] += -one.filled if one.is_bid else one.filled
    if any(balance.values()):
        raise Broken("what is sold in a zone and sent to it is not what is bought and sent on")


def require_served_in_order(orders: Sequence[ZoneOrder], *, arrival: bool) -> None:
    """Check that in each zone the eager are served first, and equal ones by the rule of ties.

    Raises
    ------
    Broken
        If an order is filled that others come before.
    """
    sides: dict[tuple[str, bool], list[ZoneOrder]] = {}
    for one in orders:
        sides.setdefault((one.zone, one.is_bid), []).append(one)
    for side in sides.values():
        left = sum(one.filled for one in side)
        levels: dict[int, list[ZoneOrder]] = {}
        for one in sorted(
            side, key=lambda one: (-one.limit if one.is_bid else one.limit, one.rank)
        ):
            levels.setdefault(one.limit, []).append(one)
        for level in levels.values():
            served = min(left, sum(one.wh for one in level))
            left -= served
            offered = [Order(one.limit, one.wh, one.rank) for one in level]
            fills = by_arrival(offered, served) if arrival else share(offered, served)
            if any(one.filled != fills[one.rank] for one in level):
                raise Broken("orders of a zone are not served in their order")


def trading_zones(
    zones: Sequence[str], links: Sequence[Link], orders: Sequence[ZoneOrder]
) -> set[str]:
    """Return the zones that are joined, over whatever links, to one in which something trades."""
    neighbours: dict[str, set[str]] = {zone: set() for zone in zones}
    for link in links:
        if link.limit_wh:
            neighbours[link.source].add(link.target)
            neighbours[link.target].add(link.source)
    return reached_from({one.zone for one in orders if one.filled}, neighbours)


def reached_from(begin: set[str], neighbours: Mapping[str, set[str]]) -> set[str]:
    """Return what can be reached, in no step, too."""
    reached, waiting = set(begin), list(begin)
    while waiting:
        fresh = neighbours[waiting.pop()] - reached
        reached |= fresh
        waiting += fresh
    return reached


def bands_of(zones: Sequence[str], orders: Sequence[ZoneOrder]) -> dict[str, Band]:
    """Return between which prices each zone's fills are what everybody wants."""
    bands = dict.fromkeys(zones, Band(None, None))
    for one in orders:
        band = bands[one.zone]
        # An offer that sold and a bid that wants more bear the price down to their limits.
        if one.filled if not one.is_bid else one.filled < one.wh:
            band = Band(_greater(band.low, one.limit), band.high)
        if one.filled if one.is_bid else one.filled < one.wh:
            band = Band(band.low, _smaller(band.high, one.limit))
        bands[one.zone] = band
    return bands


def narrowed(
    bands: Mapping[str, Band], links: Sequence[Link], flows: Sequence[Flow]
) -> dict[str, Band]:
    """Return the smallest and largest prices that keep all conditions, by shortest paths.

    Raises
    ------
    Broken
        If there are none: then other fills or flows would be worth more.
    """
    found = dict(bands)
    for _ in range(len(found) + 1):
        before = dict(found)
        for link, flow in zip(links, flows, strict=True):
            # A step from one zone to the other says: the second costs at most so much more.
            steps = []
            if flow.sent < link.limit_wh:
                steps.append((link.source, link.target, link.fee))
            if flow.sent > 0:
                steps.append((link.target, link.source, -link.fee))
            for start, end, more in steps:
                one, other = found[start], found[end]
                if one.high is not None:
                    found[end] = Band(other.low, _smaller(other.high, one.high + more))
                if other.low is not None:
                    found[start] = Band(_greater(one.low, other.low - more), one.high)
        if found == before:
            break
    else:
        raise Broken("energy could be sent in a circle and save fees")
    if any(
        band.low is not None and band.high is not None and band.low > band.high
        for band in found.values()
    ):
        raise Broken("other fills or flows are worth more")
    return found


def duals_of(
    bands: Mapping[str, Band], links: Sequence[Link], flows: Sequence[Flow]
) -> dict[str, int]:
    """Return the price that each zone's energy is worth; none where nothing is wanted or offered.

    Raises
    ------
    Broken
        If fills and flows are not optimal.
    """
    settled: dict[str, int] = {}
    while True:
        fixed = {zone: Band(price, price) for zone, price in settled.items()}
        found = narrowed({**bands, **fixed}, links, flows)
        open_ = {zone: band for zone, band in found.items() if zone not in settled}
        fresh = {
            zone: (band.low + band.high) // 2
            for zone, band in open_.items()
            if band.low is not None and band.high is not None
        }
        fresh = fresh or {z: band.low for z, band in open_.items() if band.low is not None}
        fresh = fresh or {z: band.high for z, band in open_.items() if band.high is not None}
        if not fresh:
            return settled
        settled |= fresh


def _greater(one: int | None, other: int) -> int:
    return other if one is None else max(one, other)


def _smaller(one: int | None, other: int) -> int:
    return other if one is None else min(one, other)

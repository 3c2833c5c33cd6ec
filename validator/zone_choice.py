"""Which of several equally good clearings of several zones was to be chosen: there is one.

All that are as good as one another differ by circles: energy that takes another way, over links
and orders at which the price leaves everybody indifferent. A circle that buys more, sends less,
or sends less over an earlier link would have been a better choice.

References
----------
docs/market.md, "Several zones", "Which of several optimal clearings".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from validator.interval_book import Flow
from validator.market_rules import Link
from validator.zones import Broken, ZoneOrder, reached_from

# Where a circle leaves the network: an order that is filled more or less. No zone has this name.
HUB = ""


class Step(NamedTuple):
    """One Wh more over a link or for an order (``link`` None), or one less, and what it costs."""

    start: str
    end: str
    cost: int
    link: int | None
    is_back: bool


def require_chosen(
    links: Sequence[Link],
    orders: Sequence[ZoneOrder],
    flows: Sequence[Flow],
    duals: Mapping[str, int],
) -> None:
    """Check that of equally good clearings the right one was chosen.

    Parameters
    ----------
    links, flows : sequence of Link, Flow
        The network without losses, and what was sent.
    orders : sequence of ZoneOrder
        With their fills, which are optimal.
    duals : mapping
        Prices that prove it. [micro per kWh]

    Raises
    ------
    Broken
        If more could be bought, or less sent.
    """
    for link, flow in zip(links, flows, strict=True):
        if flow.sent and (link.source not in duals or link.target not in duals):
            raise Broken("energy is sent between zones that want and offer none")
    # To buy one Wh more is better than whatever a circle can save on its way.
    buying = len(duals) + 2
    steps = [*_over_links(links, flows, duals), *_by_orders(orders, duals, buying)]
    distance = _distances(steps, [*duals, HUB])
    # What is left are circles that change nothing but which links are used.
    free = [one for one in steps if distance[one.start] + one.cost == distance[one.end]]
    for step in free:
        if step.link is None or not step.is_back:
            continue
        others: dict[str, set[str]] = {zone: set() for zone in (*duals, HUB)}
        for one in free:
            if one.link is None or one.link > step.link:
                others[one.start].add(one.end)
        if step.start in reached_from({step.end}, others):
            raise Broken("less could be sent over an earlier link")


def _over_links(
    links: Sequence[Link], flows: Sequence[Flow], duals: Mapping[str, int]
) -> Iterable[Step]:
    for at, (link, flow) in enumerate(zip(links, flows, strict=True)):
        source, target = duals.get(link.source), duals.get(link.target)
        if source is None or target is None or target != source + link.fee:
            continue
        if flow.sent < link.limit_wh:
            yield Step(link.source, link.target, 1, at, is_back=False)
        if flow.sent > 0:
            yield Step(link.target, link.source, -1, at, is_back=True)


def _by_orders(
    orders: Sequence[ZoneOrder], duals: Mapping[str, int], buying: int
) -> Iterable[Step]:
    for one in orders:
        if one.limit != duals[one.zone]:
            continue
        cost = -buying if one.is_bid else 0
        if one.filled < one.wh:
            start, end = (one.zone, HUB) if one.is_bid else (HUB, one.zone)
            yield Step(start, end, cost, None, is_back=False)
        if one.filled > 0:
            start, end = (HUB, one.zone) if one.is_bid else (one.zone, HUB)
            yield Step(start, end, -cost, None, is_back=True)


def _distances(steps: Iterable[Step], places: Sequence[str]) -> dict[str, int]:
    """Return how cheaply each place is reached; a circle that costs less than nothing is broken."""
    # Of steps that lead the same way only the cheapest matters: there may be many orders.
    cheapest: dict[tuple[str, str], int] = {}
    for one in steps:
        way = (one.start, one.end)
        cheapest[way] = min(one.cost, cheapest.get(way, one.cost))
    distance = dict.fromkeys(places, 0)
    for _ in range(len(distance) + 1):
        before = dict(distance)
        for (start, end), cost in cheapest.items():
            distance[end] = min(distance[end], distance[start] + cost)
        if distance == before:
            return distance
    raise Broken("more could be bought, or less sent, at the same prices")

"""Whether prices, fills and flows of several zones are the best there are, by certificate.

References
----------
docs/market.md, "Several zones".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from validator.checks import Objected
from validator.interval_book import Flow
from validator.market_rules import Link, MarketRules
from validator.zone_choice import require_chosen
from validator.zones import (
    MILLION,
    Broken,
    ZoneOrder,
    bands_of,
    duals_of,
    require_feasible,
    require_served_in_order,
    trading_zones,
)

Prices = Mapping[str, int | None]


def require_optimal(
    index: int,
    market: MarketRules,
    orders: Sequence[ZoneOrder],
    prices: Prices,
    flows: Sequence[Flow],
) -> None:
    """Check a coupled clearing.

    Parameters
    ----------
    index : int
        The leaf of the book or auction.
    market : MarketRules
        Zones and links, and how ties are broken.
    orders : sequence of ZoneOrder
        All that took part, with their fills.
    prices : mapping
        Of each zone, None where it has none. [micro per kWh]
    flows : sequence of Flow
        Over each link, in the order of the rule set.

    Raises
    ------
    Objected
        If it cannot be, or is not the best.
    """
    zones, links = market.zones, market.links
    try:
        require_feasible(zones, links, orders, flows)
        require_served_in_order(orders, arrival=market.forward is not None)
        trading = trading_zones(zones, links, orders)
        if any(link.loss_ppm for link in links):
            _require_nearly_optimal(links, orders, prices, flows, trading)
            return
        duals = duals_of(bands_of(zones, orders), links, flows)
        if any(prices[zone] != (duals.get(zone) if zone in trading else None) for zone in zones):
            raise Broken("a zone has another price")
        require_chosen(links, orders, flows, duals)
    except Broken as error:
        raise Objected(index, "auction", str(error)) from error


def _require_nearly_optimal(
    links: Sequence[Link],
    orders: Sequence[ZoneOrder],
    prices: Prices,
    flows: Sequence[Flow],
    trading: set[str],
) -> None:
    """Check prices of a network with losses: rounded, they prove the best but for a little."""
    with_orders = {one.zone for one in orders}
    for zone, price in prices.items():
        if (price is not None and zone not in trading) or (
            price is None and zone in trading & with_orders
        ):
            raise Broken("a zone has a price that it should not have, or none")
    for one in orders:
        price = prices[one.zone]
        if one.filled and (
            price is None or (one.limit < price if one.is_bid else one.limit > price)
        ):
            raise Broken("an order is filled against its limit")
    for link, flow in zip(links, flows, strict=True):
        if flow.sent and (prices[link.source] is None or prices[link.target] is None):
            raise Broken("a link is used between zones without a price")
    most = max((abs(one.limit) for one in orders), default=0)
    most += max((link.fee for link in links), default=0)
    allowed = sum(link.limit_wh for link in links)
    allowed += 4 * (len(links) + 1) * (len(prices) + 1) * most
    if gap_of(links, orders, prices, flows) > allowed:
        raise Broken("other fills or flows are worth more")


def gap_of(
    links: Sequence[Link], orders: Sequence[ZoneOrder], prices: Prices, flows: Sequence[Flow]
) -> Fraction:
    """Return by how much the prices allow a better clearing than this one. [nano]"""
    gap = Fraction(0)
    for one in orders:
        price = prices[one.zone]
        if price is not None:
            gain = one.limit - price if one.is_bid else price - one.limit
            gap += one.wh * max(0, gain)
            gap -= one.filled * (one.limit if one.is_bid else -one.limit)
    for link, flow in zip(links, flows, strict=True):
        source, target = prices[link.source], prices[link.target]
        if source is not None and target is not None:
            arriving = Fraction(MILLION - link.loss_ppm, MILLION) * target
            gap += link.limit_wh * max(Fraction(0), arriving - source - link.fee)
            gap += flow.sent * link.fee
    return gap

"""Whether a stored auction follows from its own orders and its rules."""

from dataclasses import replace

import numpy as np

from marketplace.domain.forward.auction import hold_auction
from marketplace.domain.forward.auction_book import StoredAuction
from marketplace.domain.pool import PAY_AS_BID
from marketplace.domain.rules import Rules
from marketplace.domain.zones.network import Network


def auction_fault(stored: StoredAuction, rules: Rules) -> str | None:
    """Hold an auction again and compare fills, prices and flows; None if all follows."""
    zones, links = rules.market.zones, rules.market.links
    if rules.market.forward is None or set(stored.zones) != set(zones):
        return "its rules have no such auctions"
    if stored.reason == "halted":
        traded = stored.filled_wh.any() or any(price is not None for price in stored.prices)
        return "it was halted and traded all the same" if traded else None
    places = np.array([zones.index(zone) for zone in stored.zones], dtype=np.int64)
    orders = replace(stored.orders, zones=places[stored.orders.zones])
    outcome = hold_auction(orders, Network(zones, links))
    wrong = np.flatnonzero(
        (outcome.filled_wh != stored.filled_wh) | (outcome.is_dropped != stored.is_dropped)
    )
    if len(wrong):
        row = int(wrong[0])
        order, filled = stored.orders.order_ids[row], stored.filled_wh[row]
        return f"order {order} is filled with {filled}, the auction gives {outcome.filled_wh[row]}"
    prices = dict(zip(stored.zones, stored.prices, strict=True))
    given = (None,) * len(zones) if rules.pricing == PAY_AS_BID else outcome.prices
    if tuple(prices[zone] for zone in zones) != tuple(given):
        return f"its prices are {prices}, its orders give {given}"
    if tuple(stored.flows) != tuple(zip(outcome.sent, outcome.received, strict=True)):
        return "its flows are not those that its orders give"
    return None

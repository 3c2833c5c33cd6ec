"""Pools whose price follows from the tariffs, or from supply and demand, and is shared pro rata.

References
----------
docs/market.md, "The pool in metered mode".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from validator.interval_auction import Order, Outcome, share
from validator.interval_rules import Prices
from validator.market_rules import RATIO, STATIC


def clear_pool(
    pricing: str,
    bids: Sequence[Order],
    offers: Sequence[Order],
    *,
    prices: Prices,
    sharing_price: int | None,
    weights: Mapping[int, int],
) -> Outcome:
    """Fill a pool at a price that no order sets.

    Parameters
    ----------
    pricing : str
        Of the rule set: none of the two with an auction.
    bids, offers : sequence of Order
        Limits in micro per kWh, energy in Wh, above 0.
    prices : Prices
        Of the interval.
    sharing_price : int or None
        Where the rule set names one and the pricing shares. [micro per kWh]
    weights : mapping
        Of each rank, for static shares.
    """
    if pricing == RATIO:
        price = ratio_price(bids, offers, prices)
    else:
        price = prices.middle if sharing_price is None else sharing_price
    willing = [one for one in bids if one.limit >= price]
    ready = [one for one in offers if one.limit <= price]
    if pricing == STATIC:
        willing = [one for one in willing if weights[one.rank]]
    volume = min(sum(one.wh for one in willing), sum(one.wh for one in ready))
    if volume == 0:
        return Outcome(None, {}, {})
    bought = _by_weight(willing, weights, volume) if pricing == STATIC else share(willing, volume)
    return Outcome(price, bought, share(ready, volume))


def ratio_price(bids: Sequence[Order], offers: Sequence[Order], prices: Prices) -> int:
    """Return the price between the tariffs at which supply stands to demand as it does."""
    supply, demand = sum(one.wh for one in offers), sum(one.wh for one in bids)
    low, high = prices.feed_in, prices.ceiling
    if supply >= demand:
        return low
    return low * high * demand // ((high - low) * supply + low * demand)


def _by_weight(bids: Sequence[Order], weights: Mapping[int, int], volume: int) -> dict[int, int]:
    """Share a volume by weight; what one cannot take goes to the others, at last Wh by Wh."""
    filled = {one.rank: 0 for one in bids}
    left = volume
    while left:
        hungry = [one for one in bids if filled[one.rank] < one.wh]
        whole = sum(weights[one.rank] for one in hungry)
        shares = {
            one.rank: min(weights[one.rank] * left // whole, one.wh - filled[one.rank])
            for one in hungry
        }
        given = sum(shares.values())
        if given == 0:
            break
        for rank, wh in shares.items():
            filled[rank] += wh
        left -= given
    while left:
        for one in sorted(bids, key=lambda order: order.rank):
            if left and filled[one.rank] < one.wh:
                filled[one.rank] += 1
                left -= 1
    return filled

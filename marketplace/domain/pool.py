"""What the community's pool trades, and at what price, under each of the pricings.

Orders are columns of one row each; an auction decides on prices and fills (`uniform`,
`pay_as_bid`), or everybody takes one price that follows from tariffs or totals.
"""

from dataclasses import dataclass

import numpy as np

from marketplace.domain.clearing import (
    INT64_MAX,
    Clearing,
    Int64Array,
    Ties,
    clear_uniform_price,
    share_pro_rata,
)
from marketplace.domain.interval_rules import IntervalRules
from marketplace.domain.market_rules import PRICE_TAKING
from marketplace.domain.pairing import Trades, ZoneFills, pair_fills, pair_zones
from marketplace.domain.zones.clearing import ZoneOrders, clear_coupled
from marketplace.domain.zones.network import Network

UNIFORM = "uniform"
PAY_AS_BID = "pay_as_bid"
SUPPLY_DEMAND_RATIO = "supply_demand_ratio"
SHARING = ("sharing_static", "sharing_dynamic")
SHARING_STATIC = "sharing_static"


@dataclass(frozen=True, eq=False)
class PoolOrders:
    """One side's orders, in the order of their ranks. [Wh] and [micro/kWh]

    ``rows`` are the positions, ``zones`` indices of the rule set's zones; ``weights`` count for
    shares by a fixed key only.
    """

    rows: Int64Array
    limits: Int64Array
    wh: Int64Array
    zones: Int64Array
    weights: Int64Array


@dataclass(frozen=True, eq=False)
class PoolOutcome:
    """What a pool came to.

    ``prices`` has one entry per zone, None where nothing has a common price. ``sent`` and
    ``received`` have one entry per link. Trades name orders of either side. [Wh] and [micro/kWh]
    """

    prices: tuple[int | None, ...]
    price_low: int | None
    price_high: int | None
    bid_fills: Int64Array
    offer_fills: Int64Array
    trades: Trades
    trade_prices: Int64Array
    sent: Int64Array
    received: Int64Array


def clear_pool(rules: IntervalRules, bids: PoolOrders, offers: PoolOrders) -> PoolOutcome:
    """Clear the pool of a metered interval.

    Parameters
    ----------
    rules : IntervalRules
        Pricing, tariffs and network of the interval.
    bids, offers : PoolOrders
        Who takes part.
    """
    if rules.pricing in PRICE_TAKING:
        return _price_taking(rules, bids, offers)
    if len(rules.zones) > 1:
        return _coupled(rules, bids, offers)
    clearing = clear_uniform_price(
        bids.limits,
        bids.wh,
        offers.limits,
        offers.wh,
        ties=Ties.PRO_RATA,
        bid_ranks=np.arange(len(bids.rows)),
        offer_ranks=np.arange(len(offers.rows)),
    )
    return of_clearing(rules.pricing, clearing, bids.limits)


def of_clearing(pricing: str, clearing: Clearing, bid_limits: Int64Array) -> PoolOutcome:
    """Return what the auction of one zone came to, paired and priced."""
    trades = pair_fills(
        clearing.bid_sequence, clearing.bid_fills, clearing.offer_sequence, clearing.offer_fills
    )
    by_bid = pricing == PAY_AS_BID
    return PoolOutcome(
        prices=(None if by_bid else clearing.price,),
        price_low=clearing.price_low,
        price_high=clearing.price_high,
        bid_fills=clearing.bid_fills,
        offer_fills=clearing.offer_fills,
        trades=trades,
        trade_prices=(
            bid_limits[trades.bid_index]
            if by_bid
            else np.full(len(trades.quantity_wh), clearing.price or 0, dtype=np.int64)
        ),
        sent=np.zeros(0, dtype=np.int64),
        received=np.zeros(0, dtype=np.int64),
    )


def _price_taking(rules: IntervalRules, bids: PoolOrders, offers: PoolOrders) -> PoolOutcome:
    """Let everybody whose limit allows it trade at one price, in shares of the shorter side."""
    price = _price(rules, bids, offers)
    bid_fills, offer_fills = np.zeros_like(bids.wh), np.zeros_like(offers.wh)
    by_weight = rules.pricing == SHARING_STATIC
    buying = np.flatnonzero((bids.limits >= price) & ((bids.weights > 0) | (not by_weight)))
    selling = np.flatnonzero(offers.limits <= price)
    volume = min(int(bids.wh[buying].sum()), int(offers.wh[selling].sum()))
    if volume:
        offer_fills[selling] = share_pro_rata(offers.wh[selling], volume)
        bid_fills[buying] = (
            share_by_weight(bids.wh[buying], bids.weights[buying], volume)
            if by_weight
            else share_pro_rata(bids.wh[buying], volume)
        )
    bid_sequence = _served(bid_fills, -bids.limits)
    offer_sequence = _served(offer_fills, offers.limits)
    trades = pair_fills(bid_sequence, bid_fills, offer_sequence, offer_fills)
    found = price if volume else None
    return PoolOutcome(
        prices=(found,),
        price_low=found,
        price_high=found,
        bid_fills=bid_fills,
        offer_fills=offer_fills,
        trades=trades,
        trade_prices=np.full(len(trades.quantity_wh), price, dtype=np.int64),
        sent=np.zeros(0, dtype=np.int64),
        received=np.zeros(0, dtype=np.int64),
    )


def _served(fills: Int64Array, keys: Int64Array) -> Int64Array:
    """Return the rows that trade, the most eager first, equal ones in their order."""
    order = np.argsort(keys, kind="stable")
    served: Int64Array = order[fills[order] > 0]
    return served


def _price(rules: IntervalRules, bids: PoolOrders, offers: PoolOrders) -> int:
    """Return the price that everybody takes. [micro/kWh]"""
    sharing = rules.market.sharing_price_micro_per_kwh
    if rules.pricing in SHARING and sharing is not None:
        return sharing
    if rules.pricing != SUPPLY_DEMAND_RATIO:
        return rules.middle
    floor, ceiling = rules.prices.feed_in_micro_per_kwh, rules.ceiling
    supply, demand = int(offers.wh.sum()), int(bids.wh.sum())
    if supply >= demand:
        return floor
    return floor * ceiling * demand // ((ceiling - floor) * supply + floor * demand)


def share_by_weight(quantities: Int64Array, weights: Int64Array, total: int) -> Int64Array:
    """Share a total by fixed weights; what somebody does not need is shared again.

    Parameters
    ----------
    quantities : ndarray of int64
        What each asks for, positive. [Wh]
    weights : ndarray of int64
        Positive.
    total : int
        What there is, 0 to the sum of ``quantities``. [Wh]

    Returns
    -------
    ndarray of int64
        Shares that sum to ``total``, none above its quantity. [Wh]

    Notes
    -----
    Each round gives floor(weight * left / all weights) to whoever still lacks something, at most
    what they lack. When a round gives nothing, fewer Wh are left than there are takers: one each
    to the first.
    """
    shares = np.zeros_like(quantities)
    left = total
    while left:
        lacking = np.flatnonzero(shares < quantities)
        due = _parts(weights[lacking], left)
        given = np.minimum(due, quantities[lacking] - shares[lacking])
        if not given.any():
            shares[lacking[:left]] += 1
            break
        shares[lacking] += given
        left -= int(given.sum())
    return shares


def _parts(weights: Int64Array, total: int) -> Int64Array:
    whole = int(weights.sum())
    if int(weights.max()) * total <= INT64_MAX:
        return weights * total // whole
    return np.asarray(weights.astype(object) * total // whole, dtype=np.int64)


def _coupled(rules: IntervalRules, bids: PoolOrders, offers: PoolOrders) -> PoolOutcome:
    """Clear several zones together; ranks run over both sides by position."""
    count = len(bids.rows)
    cleared = clear_coupled(
        Network(rules.zones, rules.links),
        ZoneOrders(
            zone=np.concatenate([bids.zones, offers.zones]),
            is_bid=np.arange(count + len(offers.rows)) < count,
            prices=np.concatenate([bids.limits, offers.limits]),
            quantities=np.concatenate([bids.wh, offers.wh]),
            ranks=np.concatenate([bids.rows, offers.rows]),
        ),
        ties=Ties.PRO_RATA,
    )
    bid_fills, offer_fills = cleared.fills[:count], cleared.fills[count:]
    trades = pair_zones(
        ZoneFills(_served(bid_fills, -bids.limits), bid_fills, bids.zones),
        ZoneFills(_served(offer_fills, offers.limits), offer_fills, offers.zones),
        len(rules.zones),
    )
    prices = np.array([price or 0 for price in cleared.prices], dtype=np.int64)
    return PoolOutcome(
        prices=cleared.prices,
        price_low=None,
        price_high=None,
        bid_fills=bid_fills,
        offer_fills=offer_fills,
        trades=trades,
        trade_prices=prices[bids.zones[trades.bid_index]],
        sent=np.array(cleared.sent, dtype=np.int64),
        received=np.array(cleared.received, dtype=np.int64),
    )

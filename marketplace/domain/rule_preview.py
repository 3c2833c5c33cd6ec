"""What a standing rule would have come to on a meter's own past, all others unchanged.

One household moves no price. Where the rule in force traded, what was traded stands; where only
the new one would have, its share is that of the zone in that interval: what part of all surplus
found a buyer, what part of all demand a seller. It is an estimate, and exact for the same limits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marketplace.domain.money import amounts_micro

Int64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class OwnPast:
    """What a meter did in n intervals, what is under agreements left out. [Wh], [micro/kWh]

    Attributes
    ----------
    export_wh, import_wh : ndarray of int64
        What was free for the pool and the grid.
    sold_wh, bought_wh : ndarray of int64
        Of it with neighbours.
    zone_export_wh, zone_sold_wh, zone_import_wh, zone_bought_wh : ndarray of int64
        The same of everybody in the zone.
    prices : ndarray of int64
        Clearing price; 0 where ``has_price`` is false.
    has_price : ndarray of bool
        Whether anything was traded.
    sell_limits, buy_limits : ndarray of int64
        Of the rule in force; beyond all prices where there was none.
    retail, feed_in, platform_fee : ndarray of int64
        Tariffs and fee.
    """

    export_wh: Int64Array
    import_wh: Int64Array
    sold_wh: Int64Array
    bought_wh: Int64Array
    zone_export_wh: Int64Array
    zone_sold_wh: Int64Array
    zone_import_wh: Int64Array
    zone_bought_wh: Int64Array
    prices: Int64Array
    has_price: BoolArray
    sell_limits: Int64Array
    buy_limits: Int64Array
    retail: Int64Array
    feed_in: Int64Array
    platform_fee: Int64Array


@dataclass(frozen=True, slots=True)
class Previewed:
    """What a rule comes to over a time. [Wh], [micro], positive: received."""

    sold_wh: int
    bought_wh: int
    net_micro: int
    alone_micro: int

    @property
    def saved_micro(self) -> int:
        """What it is better by than with the grid alone."""
        return self.net_micro - self.alone_micro


def preview_rule(past: OwnPast, *, sell_limits: Int64Array, buy_limits: Int64Array) -> Previewed:
    """Return what a rule with these limits would have come to.

    Where the rule in force stood open at the price, what was traded stands, also nothing.

    Parameters
    ----------
    past : OwnPast
        What happened.
    sell_limits, buy_limits : ndarray of int64, shape (n,)
        Sell at or above, buy at or below. [micro/kWh]
    """
    sells = past.has_price & (past.prices >= sell_limits)
    buys = past.has_price & (past.prices <= buy_limits)
    was_selling = (past.sold_wh > 0) | (past.has_price & (past.prices >= past.sell_limits))
    was_buying = (past.bought_wh > 0) | (past.has_price & (past.prices <= past.buy_limits))
    more_sold = _share(past.export_wh, past.zone_sold_wh, past.zone_export_wh)
    more_bought = _share(past.import_wh, past.zone_bought_wh, past.zone_import_wh)
    sold = np.where(sells, np.where(was_selling, past.sold_wh, more_sold), 0)
    bought = np.where(buys, np.where(was_buying, past.bought_wh, more_bought), 0)
    return _settled(past, sold, bought)


def as_it_was(past: OwnPast) -> Previewed:
    """Return what happened, priced in the same way."""
    return _settled(past, past.sold_wh, past.bought_wh)


def _share(own: Int64Array, zone_traded: Int64Array, zone_all: Int64Array) -> Int64Array:
    """Return of one's own what part of everybody's was traded, rounded down."""
    share: Int64Array = own * np.minimum(zone_traded, zone_all) // np.maximum(zone_all, 1)
    return share


def _settled(past: OwnPast, sold: Int64Array, bought: Int64Array) -> Previewed:
    earned = _money(sold, past.prices) + _money(past.export_wh - sold, past.feed_in)
    paid = _money(bought, past.prices) + _money(bought, past.platform_fee)
    paid += _money(past.import_wh - bought, past.retail)
    alone = _money(past.export_wh, past.feed_in) - _money(past.import_wh, past.retail)
    return Previewed(int(sold.sum()), int(bought.sum()), earned - paid, alone)


def _money(energies_wh: Int64Array, prices: Int64Array) -> int:
    return int(amounts_micro(energies_wh, prices).sum())

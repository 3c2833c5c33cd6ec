"""What a standing rule that followed forecasts would have done, had the market been a forward one.

The rule offers what it expects to have left and bids for what it expects to need, at its limits.
One household moves no price: an order is taken to be filled wholly where the recorded price is
within its limit. What was then metered decides, by the ``dual_price`` rule of docs/market.md: a
shortfall is bought at the retail tariff, energy not taken is sold at the feed-in tariff.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marketplace.domain.money import amounts_micro

Int64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """What a meter and its market did, one value per interval.

    Attributes
    ----------
    export_wh, import_wh : ndarray of int64
        As metered. [Wh]
    prices : ndarray of int64
        Recorded price of the pool; 0 where ``has_price`` is false. [micro/kWh]
    has_price : ndarray of bool
        Whether anything was traded.
    retail, feed_in, platform_fee : ndarray of int64
        Tariffs and fee of the interval. [micro/kWh]
    """

    export_wh: Int64Array
    import_wh: Int64Array
    prices: Int64Array
    has_price: BoolArray
    retail: Int64Array
    feed_in: Int64Array
    platform_fee: Int64Array


@dataclass(frozen=True, slots=True)
class DryRun:
    """What the rule would have come to. [Wh] and [micro]

    Attributes
    ----------
    offered_wh, bid_wh : int
        What it would have placed.
    sold_wh, bought_wh : int
        What would have been filled.
    short_wh, not_taken_wh : int
        Sold and not there; bought and not needed.
    deviation_micro : int
        What those two cost: the retail tariff above the price received, and the price and fee paid
        above the feed-in tariff. Negative where being wrong paid.
    net_micro : int
        All money of the meter, received less paid.
    alone_micro : int
        The same with the grid alone.
    """

    offered_wh: int
    bid_wh: int
    sold_wh: int
    bought_wh: int
    short_wh: int
    not_taken_wh: int
    deviation_micro: int
    net_micro: int
    alone_micro: int

    @property
    def gain_micro(self) -> int:
        """What the rule would have been worth against the grid alone."""
        return self.net_micro - self.alone_micro


def dry_run(
    recorded: Recorded,
    *,
    expected_export_wh: Int64Array,
    expected_import_wh: Int64Array,
    sell_limits: Int64Array,
    buy_limits: Int64Array,
) -> DryRun:
    """Let a rule place what was expected, fill it at the recorded prices, and settle as metered.

    Parameters
    ----------
    recorded : Recorded
        What happened, n intervals.
    expected_export_wh, expected_import_wh : ndarray of int64, shape (n,)
        What was expected before gate closure, not below zero. [Wh]
    sell_limits, buy_limits : ndarray of int64, shape (n,)
        Sell at or above, buy at or below. [micro/kWh]

    Returns
    -------
    DryRun
        Sums over the intervals.
    """
    sells = recorded.has_price & (recorded.prices >= sell_limits)
    buys = recorded.has_price & (recorded.prices <= buy_limits)
    sold = np.where(sells, expected_export_wh, 0)
    bought = np.where(buys, expected_import_wh, 0)
    given = np.minimum(recorded.export_wh, sold)
    taken = np.minimum(recorded.import_wh, bought)
    short, not_taken = sold - given, bought - taken
    earned = _money(sold, recorded.prices)
    paid = _money(bought, recorded.prices) + _money(bought, recorded.platform_fee)
    shortfall, excess = _money(short, recorded.retail), _money(not_taken, recorded.feed_in)
    from_grid = _money(recorded.import_wh - taken, recorded.retail)
    to_grid = _money(recorded.export_wh - given, recorded.feed_in)
    lost = shortfall - _money(short, recorded.prices)
    lost += _money(not_taken, recorded.prices) + _money(not_taken, recorded.platform_fee) - excess
    return DryRun(
        offered_wh=int(expected_export_wh.sum()),
        bid_wh=int(expected_import_wh.sum()),
        sold_wh=int(sold.sum()),
        bought_wh=int(bought.sum()),
        short_wh=int(short.sum()),
        not_taken_wh=int(not_taken.sum()),
        deviation_micro=lost,
        net_micro=earned - paid - shortfall + excess - from_grid + to_grid,
        alone_micro=_money(recorded.export_wh, recorded.feed_in)
        - _money(recorded.import_wh, recorded.retail),
    )


def _money(energies_wh: Int64Array, prices: Int64Array) -> int:
    return int(amounts_micro(energies_wh, prices).sum())

"""Orders of the forward market as columns: what may be placed, and what must be held for it.

Everything here judges many orders at once. A refusal has a stable code; an order that breaks
several rules is refused for the first of them in the order of ``REFUSALS``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt

from marketplace.domain.money import (
    ENERGY_MAX_WH,
    PRICE_MAX_MICRO_PER_KWH,
    Int64Array,
    amounts_micro,
)

BoolArray = npt.NDArray[np.bool_]

BUY: Final = 1
SELL: Final = 2
NO_TIME: Final = 0
KEY_LENGTH_MAX: Final = 64
# More than any hold can be: what it stands for is refused by the ledger, not by an overflow here.
HOLD_MAX_MICRO: Final = 2**61

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

ACCEPTABLE: Final = 0
# In the order in which an order is judged; the index is the number used in columns.
REFUSALS: Final = (
    "",
    "key_reused",
    "zone_unknown",
    "interval_unknown",
    "gate_closed",
    "beyond_horizon",
    "halted",
    "out_of_bounds",
    "expired",
    "position_limit",
    "credit",
)
REFUSAL_NUMBERS: Final = {code: number for number, code in enumerate(REFUSALS)}


@dataclass(frozen=True, eq=False)
class OrderColumns:
    """Orders as they come in, in the order of arrival.

    Parameters
    ----------
    metering_point_ids : ndarray of int64, shape (n,)
        For which metering point.
    zones : sequence of str, length n
        The zone that the sender believes the metering point to be in; empty: not said.
    starts_s : ndarray of int64, shape (n,)
        Start of the delivery interval. [s since 1970-01-01 UTC]
    sides : ndarray of int64, shape (n,)
        ``BUY`` or ``SELL``.
    limits : ndarray of int64, shape (n,)
        Limit price. [micro/kWh]
    quantities_wh, minimums_wh : ndarray of int64, shape (n,)
        Energy, and the least that is wanted of it; 0 and 1 both mean any. [Wh]
    expires_us : ndarray of int64, shape (n,)
        From when on the order no longer stands; 0: until gate closure. [us since 1970, UTC]
    keys : sequence of str, length n
        The sender's own name for each order, used once; empty: none.
    """

    metering_point_ids: Int64Array
    zones: Sequence[str]
    starts_s: Int64Array
    sides: Int64Array
    limits: Int64Array
    quantities_wh: Int64Array
    minimums_wh: Int64Array
    expires_us: Int64Array
    keys: Sequence[str]

    def __post_init__(self) -> None:
        columns = (
            self.metering_point_ids,
            self.starts_s,
            self.sides,
            self.limits,
            self.quantities_wh,
            self.minimums_wh,
            self.expires_us,
        )
        if any(each.dtype != np.int64 or each.shape != (len(self),) for each in columns):
            raise ValueError("columns of orders must be int64 arrays of one length")
        if len(self.zones) != len(self) or len(self.keys) != len(self):
            raise ValueError("every order needs a zone and a key, empty where there is none")
        if len(self) and not np.isin(self.sides, (BUY, SELL)).all():
            raise ValueError("a side is BUY or SELL")

    def __len__(self) -> int:
        return len(self.metering_point_ids)


def most_micro(orders: OrderColumns, refusals: Sequence[str] = ()) -> int:
    """Return what the buying orders cost at most by their limit prices, fees left aside. [micro]

    Parameters
    ----------
    refusals : sequence of str, length n, optional
        Code by order; one that was refused costs nothing.
    """
    prices = np.clip(orders.limits, 0, PRICE_MAX_MICRO_PER_KWH)
    amounts = amounts_micro(np.clip(orders.quantities_wh, 0, ENERGY_MAX_WH), prices)
    buys = orders.sides == BUY
    if refusals:
        buys &= np.array([not each for each in refusals], dtype=bool)
    # Python's own integers: ten thousand of the largest orders are more than 64 bits hold.
    return sum(amounts[buys].tolist())


@dataclass(frozen=True, eq=False)
class OrderBounds:
    """What the rules of each order's interval allow, as columns of the orders' length.

    Parameters
    ----------
    price_min, price_max : ndarray of int64
        Bounds of limit prices, included. [micro/kWh]
    buyer_fees : ndarray of int64
        Platform fee and dearest grid fee, which a buyer pays on top. [micro/kWh]
    seller_margins : ndarray of int64
        What a seller's hold counts for each kWh. [micro/kWh]
    """

    price_min: Int64Array
    price_max: Int64Array
    buyer_fees: Int64Array
    seller_margins: Int64Array


def margin_rates(sides: Int64Array, limits: Int64Array, bounds: OrderBounds) -> Int64Array:
    """Return what a hold counts per kWh of each order, never negative. [micro/kWh]

    A buyer may come to owe the limit price and the fees; a seller a negative price, and the
    margin, since what is sold and not delivered costs something too.
    """
    buying = np.maximum(limits, 0) + bounds.buyer_fees
    selling = np.maximum(-limits, 0) + bounds.seller_margins
    return np.where(sides == BUY, buying, selling)


def out_of_bounds(orders: OrderColumns, bounds: OrderBounds) -> BoolArray:
    """Return which orders ask for a price, an energy or a minimum that cannot be."""
    quantities = orders.quantities_wh
    # The rate is a price like any other: the one function of amounts must be able to take it.
    limits = np.clip(orders.limits, -PRICE_MAX_MICRO_PER_KWH, PRICE_MAX_MICRO_PER_KWH)
    rates = margin_rates(orders.sides, limits, bounds)
    return (
        (orders.limits < bounds.price_min)
        | (orders.limits > bounds.price_max)
        | (quantities < 1)
        | (quantities > ENERGY_MAX_WH)
        | (orders.minimums_wh < 0)
        | (orders.minimums_wh > quantities)
        | (rates > PRICE_MAX_MICRO_PER_KWH)
    )


def hold_amounts(
    quantities_wh: Int64Array, rates: Int64Array, groups: Int64Array, group_count: int
) -> list[int]:
    """Return what must be held for groups of orders together.

    Parameters
    ----------
    quantities_wh : ndarray of int64, shape (n,)
        Energy that still stands, 0 for what does not. [Wh]
    rates : ndarray of int64, shape (n,)
        From `margin_rates`. [micro/kWh]
    groups : ndarray of int64, shape (n,)
        Each order's group, 0 to ``group_count - 1``.

    Returns
    -------
    list of int, length group_count
        At least 1 where a group has energy, 0 where it has none, at most ``HOLD_MAX_MICRO``.
        [micro]
    """
    amounts = amounts_micro(quantities_wh, rates)
    # An amount is below 2**60, so its halves of 32 bits add up exactly for two billion orders.
    high = np.zeros(group_count, dtype=np.int64)
    low = np.zeros(group_count, dtype=np.int64)
    np.add.at(high, groups, amounts >> 32)
    np.add.at(low, groups, amounts & 0xFFFFFFFF)
    stands = np.zeros(group_count, dtype=np.bool_)
    stands[groups[quantities_wh > 0]] = True
    return [
        min(max((upper << 32) + lower, 1), HOLD_MAX_MICRO) if some else 0
        for upper, lower, some in zip(high.tolist(), low.tolist(), stands.tolist(), strict=True)
    ]


def beyond_limit(
    quantities_wh: Int64Array,
    groups: Int64Array,
    before_wh: Int64Array,
    limits_wh: Int64Array,
) -> BoolArray:
    """Return which orders would carry their group beyond its position limit.

    Parameters
    ----------
    quantities_wh : ndarray of int64, shape (n,)
        In the order of arrival. [Wh]
    groups : ndarray of int64, shape (n,)
        Participant, interval and side, as 0 to g - 1.
    before_wh, limits_wh : ndarray of int64, shape (g,)
        What stands already, and the limit; a negative limit is none. [Wh]

    Notes
    -----
    An order that does not fit leaves room for a smaller one after it, so a group that does not
    fit as a whole is walked order by order; the others cost one addition.
    """
    wanted = np.zeros(len(limits_wh), dtype=np.int64)
    np.add.at(wanted, groups, quantities_wh)
    tight = (limits_wh >= 0) & (before_wh + wanted > limits_wh)
    beyond = np.zeros(len(quantities_wh), dtype=np.bool_)
    taken = before_wh.copy()
    for row in np.flatnonzero(tight[groups]).tolist():
        group = groups[row]
        if taken[group] + quantities_wh[row] > limits_wh[group]:
            beyond[row] = True
        else:
            taken[group] += quantities_wh[row]
    return beyond


def refuse(refusals: Int64Array, bad: BoolArray, code: str) -> None:
    """Mark orders as refused for a reason, those that were not refused before."""
    refusals[bad & (refusals == ACCEPTABLE)] = REFUSAL_NUMBERS[code]


def microseconds(moment: datetime) -> int:
    """Return a moment as orders carry it. [us since 1970-01-01 UTC]"""
    return (moment - _EPOCH) // _MICROSECOND

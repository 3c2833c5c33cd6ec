"""The auction of a forward interval at its gate closure: pure, deterministic.

All zones clear together, ties by arrival. An order that would be filled below its minimum is
dropped, and the auction held again without those that were, until there is none.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from marketplace.domain.clearing import Int64Array, Ties
from marketplace.domain.forward.orders import BUY
from marketplace.domain.zones.clearing import CoupledClearing, ZoneOrders, clear_coupled
from marketplace.domain.zones.network import Network

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class AuctionOrders:
    """The orders of an interval that stand at gate closure, in the order of arrival, as columns.

    ``zones`` are places in the network; ``batch_ids`` and ``hold_changes`` name the command that
    holds each order's margin, see `marketplace.domain.forward.auction_book`. [micro/kWh, Wh]
    """

    order_ids: Int64Array
    metering_point_ids: Int64Array
    account_ids: Int64Array
    zones: Int64Array
    sides: Int64Array
    limits: Int64Array
    quantities_wh: Int64Array
    minimums_wh: Int64Array
    batch_ids: Int64Array
    hold_changes: Int64Array

    def __len__(self) -> int:
        return len(self.order_ids)

    @classmethod
    def of_rows(cls, rows: Int64Array) -> AuctionOrders:
        """Return orders from rows with the columns in the order of the fields."""
        return cls(*(np.ascontiguousarray(column) for column in rows.reshape(-1, 10).T))

    def only(self, rows: Int64Array) -> AuctionOrders:
        """Return some of the orders, in their order."""
        return replace(
            self, **{field.name: getattr(self, field.name)[rows] for field in fields(self)}
        )


@dataclass(frozen=True, eq=False)
class AuctionOutcome:
    """What an auction decided.

    ``filled_wh`` and ``is_dropped`` stand in the order of arrival. ``prices`` and their lows and
    highs are by zone of the network, ``sent`` and ``received`` by link; a price is None where
    nothing determines one; with losses the lows and highs may be fractions. [micro/kWh, Wh]
    """

    filled_wh: Int64Array
    is_dropped: BoolArray
    prices: tuple[int | None, ...]
    price_low: tuple[int | Fraction | None, ...]
    price_high: tuple[int | Fraction | None, ...]
    sent: tuple[int, ...]
    received: tuple[int, ...]
    volume_wh: int
    welfare_nano: int


def hold_auction(orders: AuctionOrders, network: Network) -> AuctionOutcome:
    """Clear the book of a forward interval.

    Returns
    -------
    AuctionOutcome
        Every order is filled with nothing, or with its minimum at least.

    Notes
    -----
    Each round drops an order at least, so there are at most as many rounds as orders have a
    minimum; in practice two or three.
    """
    remaining = np.arange(len(orders))
    dropped = np.zeros(len(orders), dtype=np.bool_)
    while True:
        clearing = _clear(orders.only(remaining), network)
        fills = clearing.fills
        short = (fills > 0) & (fills < orders.minimums_wh[remaining])
        if not short.any():
            break
        dropped[remaining[short]] = True
        remaining = remaining[~short]
    filled = np.zeros(len(orders), dtype=np.int64)
    filled[remaining] = fills
    return AuctionOutcome(
        filled_wh=filled,
        is_dropped=dropped,
        prices=clearing.prices,
        price_low=clearing.price_low,
        price_high=clearing.price_high,
        sent=clearing.sent,
        received=clearing.received,
        volume_wh=clearing.volume_wh,
        welfare_nano=clearing.welfare_nano,
    )


def halted_auction(orders: AuctionOrders, network: Network) -> AuctionOutcome:
    """Return the outcome of an auction whose gate closed while trading stood still: nothing."""
    nothing = hold_auction(orders.only(np.zeros(0, dtype=np.int64)), network)
    return replace(
        nothing,
        filled_wh=np.zeros(len(orders), dtype=np.int64),
        is_dropped=np.zeros(len(orders), dtype=np.bool_),
    )


def _clear(orders: AuctionOrders, network: Network) -> CoupledClearing:
    book = ZoneOrders(
        zone=orders.zones,
        is_bid=orders.sides == BUY,
        prices=orders.limits,
        quantities=orders.quantities_wh,
    )
    return clear_coupled(network, book, ties=Ties.ARRIVAL)

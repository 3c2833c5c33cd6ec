"""What forward trades came to: who traded with whom, and how much of it was delivered."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from marketplace.domain.clearing import INT64_MAX, Int64Array
from marketplace.domain.forward.auction_book import StoredAuction
from marketplace.domain.forward.orders import BUY
from marketplace.domain.keyed_sums import summed_by
from marketplace.domain.pairing import ZoneFills, pair_zones
from marketplace.domain.pool import PAY_AS_BID


@dataclass(frozen=True, eq=False)
class HeldAuction:
    """The auction of a forward interval: its orders in the order of arrival, and what it decided.

    Attributes
    ----------
    order_ids, metering_point_ids, account_ids : ndarray of int64, shape (n,)
        Which order, of whom.
    zone_of : ndarray of int64, shape (n,)
        Index of its zone in the rule set.
    is_bid : ndarray of bool, shape (n,)
        Bid or offer.
    limits, filled : ndarray of int64, shape (n,)
        Limit price [micro/kWh] and what was filled [Wh].
    prices : tuple, length z
        Price of each zone; None where there is none. [micro/kWh]
    sent, received : ndarray of int64, shape (l,)
        What flowed over each link. [Wh]
    """

    order_ids: Int64Array
    metering_point_ids: Int64Array
    account_ids: Int64Array
    zone_of: Int64Array
    is_bid: npt.NDArray[np.bool_]
    limits: Int64Array
    filled: Int64Array
    prices: tuple[int | None, ...]
    sent: Int64Array
    received: Int64Array

    @classmethod
    def of(cls, stored: StoredAuction, zones: tuple[str, ...]) -> Self:
        """Return a stored auction, its zones in the order of the rule set."""
        places = np.array([zones.index(zone) for zone in stored.zones], dtype=np.int64)
        prices = dict(zip(stored.zones, stored.prices, strict=True))
        flows = np.array(stored.flows, dtype=np.int64).reshape(-1, 2)
        orders = stored.orders
        return cls(
            order_ids=orders.order_ids,
            metering_point_ids=orders.metering_point_ids,
            account_ids=orders.account_ids,
            zone_of=places[orders.zones],
            is_bid=orders.sides == BUY,
            limits=orders.limits,
            filled=stored.filled_wh,
            prices=tuple(prices[zone] for zone in zones),
            sent=flows[:, 0],
            received=flows[:, 1],
        )

    def filled_by_point(self, ids: Int64Array) -> tuple[Int64Array, Int64Array]:
        """Return what the auction filled for metering points: bought and sold. [Wh]"""
        sums = []
        for side in (self.is_bid, ~self.is_bid):
            traded = side & (self.filled > 0)
            sums.append(summed_by(ids, self.metering_point_ids[traded], self.filled[traded]))
        return sums[0], sums[1]


@dataclass(frozen=True, eq=False)
class ForwardTrades:
    """An auction's trades: rows of its orders, energy [Wh] and price [micro/kWh]."""

    sell_rows: Int64Array
    buy_rows: Int64Array
    wh: Int64Array
    prices: Int64Array


def pair_auction(auction: HeldAuction, pricing: str) -> ForwardTrades:
    """Pair the orders of an auction: in their own zone first, then the rest by zones."""
    bids = np.flatnonzero(auction.is_bid & (auction.filled > 0))
    offers = np.flatnonzero(~auction.is_bid & (auction.filled > 0))
    trades = pair_zones(
        ZoneFills(
            bids[np.argsort(-auction.limits[bids], kind="stable")], auction.filled, auction.zone_of
        ),
        ZoneFills(
            offers[np.argsort(auction.limits[offers], kind="stable")],
            auction.filled,
            auction.zone_of,
        ),
        len(auction.prices),
    )
    prices = np.array([price or 0 for price in auction.prices], dtype=np.int64)
    return ForwardTrades(
        sell_rows=trades.offer_index,
        buy_rows=trades.bid_index,
        wh=trades.quantity_wh,
        prices=(
            auction.limits[trades.bid_index]
            if pricing == PAY_AS_BID
            else prices[auction.zone_of[trades.bid_index]]
        ),
    )


def laid_on_trades(
    *,
    positions: Int64Array,
    energy_wh: Int64Array,
    order_ranks: Int64Array,
    wh: Int64Array,
    delivery: str,
) -> Int64Array:
    """Lay what was metered of each position over its trades on one side.

    Parameters
    ----------
    positions : ndarray of int64, shape (t,)
        Row of each trade's party; below 0 where the trade is left aside.
    energy_wh : ndarray of int64, shape (n,)
        What each position has metered, left over by agreements. [Wh]
    order_ranks, wh : ndarray of int64, shape (t,)
        Rank of the party's order, and energy of the trade. [Wh]
    delivery : str
        ``fifo``: first the orders that came first, then the trades in their order. ``pro_rata``:
        by the trades' energies, what rounding leaves to the largest remainders, then as before.

    Returns
    -------
    ndarray of int64, shape (t,)
        At most ``wh``; 0 where the trade is left aside. [Wh]
    """
    laid = np.zeros_like(wh)
    order = np.lexsort((np.arange(len(wh)), order_ranks, positions))
    order = order[positions[order] >= 0]
    if not len(order):
        return laid
    owner, size = positions[order], wh[order]
    first = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]])
    group = np.cumsum(np.r_[True, owner[1:] != owner[:-1]]) - 1
    whole = np.add.reduceat(size, first)
    due = np.minimum(energy_wh[owner[first]], whole)
    if delivery == "fifo":
        ends = np.cumsum(size)
        before = ends - size - (ends - size)[first][group]
        laid[order] = np.clip(due[group] - before, 0, size)
        return laid
    laid[order] = _pro_rata(size, due, whole, group)
    return laid


def _pro_rata(
    size: Int64Array, due: Int64Array, whole: Int64Array, group: Int64Array
) -> Int64Array:
    """Share each group's total by size; what is left goes to the largest remainders, then first."""
    if int(size.max()) * int(due.max(initial=0)) <= INT64_MAX:
        shares, remainders = np.divmod(size * due[group], whole[group])
    else:
        products = size.astype(object) * due[group]
        shares = np.asarray(products // whole[group], dtype=np.int64)
        remainders = np.asarray(products % whole[group], dtype=np.int64)
    left = due.copy()
    np.subtract.at(left, group, shares)
    by_remainder = np.lexsort((np.arange(len(size)), -remainders, group))
    first = np.searchsorted(group, np.arange(len(due)))
    place = np.empty_like(size)
    place[by_remainder] = np.arange(len(size))
    result: Int64Array = shares + (place - first[group] < left[group])
    return result

"""Who trades with whom once an auction is cleared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marketplace.domain.clearing import Clearing, Int64Array


@dataclass(frozen=True, eq=False)
class Trades:
    """Trades as columns: rows of the book's bids and of its offers, and the energy. [Wh]"""

    bid_index: Int64Array
    offer_index: Int64Array
    quantity_wh: Int64Array


def pair_trades(clearing: Clearing) -> Trades:
    """Pair buyers with sellers by walking both sorted sides together.

    Parameters
    ----------
    clearing : Clearing
        The cleared book; its sequences say in which order either side is served.

    Returns
    -------
    Trades
        At most one trade fewer than there are orders that trade, the most eager first. The
        quantities of an order sum to its fill; every quantity is positive.
    """
    return pair_fills(
        clearing.bid_sequence, clearing.bid_fills, clearing.offer_sequence, clearing.offer_fills
    )


def pair_fills(
    bids: Int64Array, bid_fills: Int64Array, offers: Int64Array, offer_fills: Int64Array
) -> Trades:
    """Pair buyers with sellers, both given as the rows that trade in the order they are served.

    Parameters
    ----------
    bids, offers : ndarray of int64
        Rows with a fill above zero; the sums of both sides are the same.
    bid_fills, offer_fills : ndarray of int64
        Fills by row. [Wh]

    Notes
    -----
    Lay the fills of each side end to end: a trade ends wherever a fill of either side does. Both
    lists of ends are ascending, so that a stable sort of the two merges them in linear time, and
    counting the ends of a side before a trade gives its order on that side.
    """
    ends = np.concatenate((np.cumsum(bid_fills[bids]), np.cumsum(offer_fills[offers])))
    merged = np.argsort(ends, kind="stable")
    ends = ends[merged]
    is_bid = merged < len(bids)
    bids_before: Int64Array = np.cumsum(is_bid) - is_bid
    offers_before = np.arange(len(ends)) - bids_before
    # Fills are positive, so an end occurs at most once a side: of two equal ones keep the first,
    # before which only smaller ends were counted.
    first = np.ones(len(ends), dtype=np.bool_)
    first[1:] = ends[1:] != ends[:-1]
    return Trades(
        bid_index=bids[bids_before[first]],
        offer_index=offers[offers_before[first]],
        quantity_wh=np.diff(ends[first], prepend=0),
    )


@dataclass(frozen=True, eq=False)
class ZoneFills:
    """One side of several zones: the rows that trade, most eager first; fill and zone by row."""

    sequence: Int64Array
    fills: Int64Array
    zones: Int64Array


def pair_zones(bids: ZoneFills, offers: ZoneFills, zone_count: int) -> Trades:
    """Pair buyers with sellers of their own zone first, then with what came from elsewhere.

    Returns
    -------
    Trades
        What is left after the zones goes in the order of the zones on both sides. Of energy that
        was lost on the way the last sellers have no buyer.
    """
    parts = []
    bid_left, offer_left = bids.fills.copy(), offers.fills.copy()
    for zone in range(zone_count):
        buying = bids.sequence[bids.zones[bids.sequence] == zone]
        selling = offers.sequence[offers.zones[offers.sequence] == zone]
        parts.append(_pair_what_meets(buying, bid_left, selling, offer_left))
    # A stable sort keeps the eager first within each zone.
    buying = bids.sequence[np.argsort(bids.zones[bids.sequence], kind="stable")]
    selling = offers.sequence[np.argsort(offers.zones[offers.sequence], kind="stable")]
    parts.append(_pair_what_meets(buying, bid_left, selling, offer_left))
    return Trades(
        bid_index=np.concatenate([each.bid_index for each in parts]),
        offer_index=np.concatenate([each.offer_index for each in parts]),
        quantity_wh=np.concatenate([each.quantity_wh for each in parts]),
    )


def _pair_what_meets(
    bids: Int64Array, bid_left: Int64Array, offers: Int64Array, offer_left: Int64Array
) -> Trades:
    """Pair as much as both sides have, and take it from what they have left."""
    volume = min(int(bid_left[bids].sum()), int(offer_left[offers].sum()))
    sides = []
    for rows, left in ((bids, bid_left), (offers, offer_left)):
        ends = np.minimum(np.cumsum(left[rows]), volume)
        used = np.zeros_like(left)
        used[rows] = np.diff(ends, prepend=0)
        np.subtract(left, used, out=left)
        sides.append((rows[used[rows] > 0], used))
    return pair_fills(*sides[0], *sides[1])

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

    Notes
    -----
    Lay the fills of each side end to end: a trade ends wherever a fill of either side does. Both
    lists of ends are ascending, so that a stable sort of the two merges them in linear time, and
    counting the ends of a side before a trade gives its order on that side.
    """
    bids, offers = clearing.bid_sequence, clearing.offer_sequence
    ends = np.concatenate(
        (np.cumsum(clearing.bid_fills[bids]), np.cumsum(clearing.offer_fills[offers]))
    )
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

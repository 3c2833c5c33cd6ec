"""Clear a sealed double auction at one price.

Everything is int64 arrays, whole orders a row, and every step is exact: where a product could pass
int64 the few numbers concerned are Python integers.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

Int64Array = npt.NDArray[np.int64]

INT64_MAX: Final = 2**63 - 1
QUANTITY_SUM_MAX_WH: Final = INT64_MAX


class Ties(StrEnum):
    """Who is served when orders at one price want more than is left; values as in rule sets."""

    ARRIVAL = "arrival"
    PRO_RATA = "pro_rata"


@dataclass(frozen=True, eq=False)
class Clearing:
    """What an auction decided.

    ``price_low`` to ``price_high`` is the interval of prices that support the volume and ``price``
    the floor of its middle [micro/kWh]; all three are None when nothing trades. ``bid_fills`` and
    ``offer_fills`` stand in the order of the book [Wh]. ``bid_sequence`` and ``offer_sequence``
    are the rows that trade, most eager first: what pairing needs, so that a book is sorted once.
    """

    volume_wh: int
    price: int | None
    price_low: int | None
    price_high: int | None
    bid_fills: Int64Array
    offer_fills: Int64Array
    bid_sequence: Int64Array
    offer_sequence: Int64Array


def clear_uniform_price(
    bid_prices: Int64Array,
    bid_quantities: Int64Array,
    offer_prices: Int64Array,
    offer_quantities: Int64Array,
    *,
    ties: Ties = Ties.ARRIVAL,
    bid_ranks: Int64Array | None = None,
    offer_ranks: Int64Array | None = None,
) -> Clearing:
    """Clear a book at the one price that trades the most energy and leaves nobody with regret.

    Parameters
    ----------
    bid_prices, offer_prices : ndarray of int64, shape (n,) and (m,)
        Limit prices, negative allowed. [micro/kWh]
    bid_quantities, offer_quantities : ndarray of int64, shape (n,) and (m,)
        Energy wanted or offered, positive. [Wh]
    ties : Ties
        ``ARRIVAL``: at one price the earlier row is served first. ``PRO_RATA``: the last price
        level that is served shares what is left in proportion to quantity; the Wh that rounding
        leaves go to the largest remainders, then to the smaller rank.
    bid_ranks, offer_ranks : ndarray of int64, optional
        For ``PRO_RATA``: an order of the rows that does not depend on where they stand in the
        book, such as that of meter ids. Distinct among orders of one price. Default: the row.

    Returns
    -------
    Clearing
        Both fills sum to ``volume_wh``.

    Raises
    ------
    ValueError
        If shapes differ, a dtype is not int64, a quantity is not positive, one side sums to more
        than ``QUANTITY_SUM_MAX_WH``, ranks repeat within a price, or ranks are given for
        ``ARRIVAL``.

    Notes
    -----
    O(n log n + m log m) time, O(n + m) memory. The q-th Wh trades when the q-th best bid is at
    least the q-th best offer. The one curve falls and the other rises, so the last bid that trades
    is found by bisection, and the volume is what it and the offers it can pay allow.

    References
    ----------
    .. [1] M. A. Satterthwaite and S. R. Williams, "Bilateral trade with the sealed bid k-double
       auction: Existence and efficiency," J. Econ. Theory, vol. 48, no. 1, pp. 107-133, 1989,
       doi:10.1016/0022-0531(89)90121-X. The price rule is k = 1/2.
    """
    if ties is Ties.ARRIVAL and (bid_ranks is not None or offer_ranks is not None):
        raise ValueError("ranks decide pro rata ties only; by arrival the row decides")
    # The complement reverses the order like a minus sign, but also has one for the smallest int64.
    bids = BookSide.sorted(~checked_row("bid prices", bid_prices), bid_quantities, bid_ranks, "bid")
    offers = BookSide.sorted(
        checked_row("offer prices", offer_prices), offer_quantities, offer_ranks, "offer"
    )

    volume = _crossing(bids, offers)
    bid_fills, bid_sequence = bids.serve(volume, ties)
    offer_fills, offer_sequence = offers.serve(volume, ties)
    if volume == 0:
        return Clearing(0, None, None, None, bid_fills, offer_fills, bid_sequence, offer_sequence)
    low, high = offers.key_at(volume), ~bids.key_at(volume)
    if volume < bids.total:  # the best bid with energy left must not want more at this price
        low = max(low, ~bids.key_at(volume + 1))
    if volume < offers.total:  # nor the best offer with energy left
        high = min(high, offers.key_at(volume + 1))
    assert low <= high, (low, high)  # a bug here must stop the auction
    return Clearing(
        volume,
        (low + high) // 2,
        low,
        high,
        bid_fills,
        offer_fills,
        bid_sequence,
        offer_sequence,
    )


def welfare_nano(clearing: Clearing, bid_prices: Int64Array, offer_prices: Int64Array) -> int:
    """Sum what a clearing is worth to its parties: the buyers' limits less the sellers'.

    Parameters
    ----------
    clearing : Clearing
        The result for the book whose prices follow.
    bid_prices, offer_prices : ndarray of int64
        The limit prices it was cleared with. [micro/kWh]

    Returns
    -------
    int
        Exact: a Wh at one micro/kWh is worth one nano-unit, a thousandth of a micro. [nano]
    """
    bids, offers = clearing.bid_sequence, clearing.offer_sequence
    return exact_dot(clearing.bid_fills[bids], bid_prices[bids]) - exact_dot(
        clearing.offer_fills[offers], offer_prices[offers]
    )


def share_pro_rata(quantities: Int64Array, total: int) -> Int64Array:
    """Share a total in proportion to quantities, exactly, by largest remainder.

    Parameters
    ----------
    quantities : ndarray of int64
        What each asks for, positive; the earlier wins among equal remainders. [Wh]
    total : int
        What there is, 0 to the sum of ``quantities``. [Wh]

    Returns
    -------
    ndarray of int64
        Shares that sum to ``total``, none above its quantity. [Wh]
    """
    whole = int(quantities.sum())
    if int(quantities.max(initial=0)) * total <= INT64_MAX:
        shares, remainders = np.divmod(quantities * total, whole)
    else:
        # Quotient and remainder are below 2**63 again: only the product needs Python's integers.
        products = quantities.astype(object) * total
        shares = (products // whole).astype(np.int64)
        remainders = (products % whole).astype(np.int64)
    # Fewer Wh are left than there are remainders above zero, and a share with a remainder is below
    # its quantity, so one more Wh always fits.
    left = total - int(shares.sum())
    shares[np.argsort(-remainders, kind="stable")[:left]] += 1
    return shares


@dataclass(frozen=True, eq=False)
class BookSide:
    """One side of a book, most eager first. A smaller key is more eager."""

    order: Int64Array
    keys: Int64Array
    quantities: Int64Array
    cumulative: Int64Array

    @classmethod
    def sorted(
        cls,
        keys: Int64Array,
        quantities: Int64Array,
        ranks: Int64Array | None,
        name: str,
    ) -> BookSide:
        _check_quantities(name, keys, quantities)
        if ranks is None:
            order = np.argsort(keys, kind="stable")
        else:
            if checked_row(f"{name} ranks", ranks).shape != keys.shape:
                raise ValueError(f"{len(keys)} {name} prices but {len(ranks)} ranks")
            order = np.lexsort((ranks, keys))
            before, after = order[:-1], order[1:]
            if ((keys[before] == keys[after]) & (ranks[before] == ranks[after])).any():
                raise ValueError(f"{name} ranks must differ where the price is the same")
        ranked = quantities[order]
        return cls(order, keys[order], ranked, np.cumsum(ranked))

    @property
    def total(self) -> int:
        return int(self.cumulative[-1]) if len(self.cumulative) else 0

    def key_at(self, wh: int) -> int:
        """The key of the order that holds the ``wh``-th Wh, counted from 1."""
        return int(self.keys[np.searchsorted(self.cumulative, wh)])

    def serve(self, volume: int, ties: Ties) -> tuple[Int64Array, Int64Array]:
        """Give ``volume`` to the most eager: fills by row of the book, and the rows that trade."""
        fills = np.zeros_like(self.quantities)
        if volume == 0:
            return fills, self.order[:0]
        end = int(np.searchsorted(self.cumulative, volume)) + 1
        if ties is Ties.PRO_RATA:
            level = self.keys[end - 1]
            start = int(np.searchsorted(self.keys, level, side="left"))
            end = int(np.searchsorted(self.keys, level, side="right"))
        else:
            start = end - 1
        served = self.quantities[:end].copy()
        before = int(self.cumulative[start - 1]) if start else 0
        served[start:] = share_pro_rata(served[start:], volume - before)
        sequence = self.order[:end]
        fills[sequence] = served
        return fills, sequence[served > 0]


def _crossing(bids: BookSide, offers: BookSide) -> int:
    """Return the largest volume at which every Wh has a bid at or above its offer. [Wh]"""

    def is_left_out(row: int) -> bool:
        before = int(bids.cumulative[row]) - int(bids.quantities[row])
        return before >= offers.total or ~int(bids.keys[row]) < offers.key_at(before + 1)

    trading = bisect_left(range(len(bids.keys)), True, key=is_left_out)
    if trading == 0:
        return 0
    limit = ~int(bids.keys[trading - 1])
    affordable = int(np.searchsorted(offers.keys, limit, side="right"))
    return min(int(bids.cumulative[trading - 1]), int(offers.cumulative[affordable - 1]))


def checked_row(name: str, values: Int64Array) -> Int64Array:
    """Return an array that is one row of int64, or say that it is not."""
    if values.dtype != np.int64 or values.ndim != 1:
        raise ValueError(f"{name} must be one row of int64, not {values.ndim}-d {values.dtype}")
    return values


def _check_quantities(name: str, keys: Int64Array, quantities: Int64Array) -> None:
    if checked_row(f"{name} quantities", quantities).shape != keys.shape:
        raise ValueError(f"{len(keys)} {name} prices but {len(quantities)} quantities")
    if int(quantities.min(initial=1)) <= 0:
        raise ValueError(f"{name} quantities must be positive")
    # Halves of 32 bits cannot overflow while they are added up, whatever the quantities.
    total = (int((quantities >> 32).sum()) << 32) + int((quantities & 0xFFFFFFFF).sum())
    if total > QUANTITY_SUM_MAX_WH:
        raise ValueError(f"{name} quantities sum to {total} Wh, above {QUANTITY_SUM_MAX_WH}")


def exact_dot(quantities: Int64Array, prices: Int64Array) -> int:
    """Sum quantities times prices, exactly: in Python's integers where int64 could be too small."""
    largest = max(int(prices.max(initial=0)), -int(prices.min(initial=0)))
    if largest * int(quantities.sum()) <= INT64_MAX:  # then no partial sum can pass it either
        return int(quantities @ prices)
    return int(np.dot(quantities.astype(object), prices.astype(object)))

"""One zone's orders as two sorted sides, and what they want at a price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from marketplace.domain.clearing import INT64_MAX, BookSide, Int64Array, checked_row

BoolArray = npt.NDArray[np.bool_]

INT64_MIN: Final = -INT64_MAX - 1


@dataclass(frozen=True, eq=False)
class ZoneSide:
    """The bids or the offers of a zone. ``rows`` are where its orders stand in the whole book."""

    is_bid: bool
    rows: Int64Array
    book: BookSide
    # Energy times key of the orders before each place, and of all; object where int64 is too small.
    products: npt.NDArray[np.int64] | npt.NDArray[np.object_]

    @classmethod
    def of(
        cls,
        *,
        is_bid: bool,
        rows: Int64Array,
        prices: Int64Array,
        quantities: Int64Array,
        ranks: Int64Array | None,
    ) -> ZoneSide:
        """Sort a side; bids by the complement of their price, so that a smaller key is eager."""
        name = "bid" if is_bid else "offer"
        keys = ~checked_row(f"{name} prices", prices) if is_bid else prices
        book = BookSide.sorted(keys, quantities, ranks, name)
        largest = max(int(keys.max(initial=0)), -int(keys.min(initial=0)))
        is_small = largest * book.total <= INT64_MAX
        factors = book.keys if is_small else book.keys.astype(object)
        products = np.concatenate(([0], np.cumsum(factors * book.quantities)))
        return cls(is_bid, rows, book, products)

    def key(self, price: int) -> int:
        """Return the key of a price."""
        return ~price if self.is_bid else price

    def before(self, key: int, *, and_at: bool) -> tuple[int, int]:
        """Return the energy, and energy times key, of the orders more eager than ``key``."""
        if key < INT64_MIN or key > INT64_MAX:
            count = 0 if key < INT64_MIN else len(self.book.keys)
        else:
            count = int(np.searchsorted(self.book.keys, key, side="right" if and_at else "left"))
        return (int(self.book.cumulative[count - 1]) if count else 0), int(self.products[count])

    def wanted(self, price: int, *, and_at: bool) -> int:
        """Return the energy that a price leaves better off, ``and_at`` also just as well. [Wh]"""
        return self.before(self.key(price), and_at=and_at)[0]

    def gain(self, price: int) -> int:
        """Return what the orders are worth to their owners at a price, at best. [nano]"""
        key = self.key(price)
        energy, product = self.before(key, and_at=False)
        return key * energy - product

    def last_price(self, volume: int) -> int | None:
        """Return the limit of the last order served with ``volume``, None for none."""
        return self.key(self.book.key_at(volume)) if volume else None

    def next_price(self, volume: int) -> int | None:
        """Return the limit of the best order with energy left after ``volume``, None for none."""
        return self.key(self.book.key_at(volume + 1)) if volume < self.book.total else None


@dataclass(frozen=True, eq=False)
class ZoneBook:
    """Both sides of a zone."""

    bids: ZoneSide
    offers: ZoneSide

    def gain(self, price: int) -> int:
        """Return what trading at a price is worth to all orders, at best: convex in the price."""
        return self.bids.gain(price) + self.offers.gain(price)


def zone_books(
    zones: int,
    *,
    zone: Int64Array,
    is_bid: BoolArray,
    prices: Int64Array,
    quantities: Int64Array,
    ranks: Int64Array | None,
) -> list[ZoneBook]:
    """Split a book by zone and sort each side, in O(n log n).

    Parameters
    ----------
    zones : int
        How many zones there are.
    zone : ndarray of int64
        The zone of each order, from 0.
    is_bid : ndarray of bool
        Whether it is a bid, else an offer.
    prices, quantities : ndarray of int64
        Limits [micro/kWh] and energies [Wh].
    ranks : ndarray of int64, optional
        Order among equal prices; default is the row.

    Returns
    -------
    list of ZoneBook
        One a zone.
    """
    # 16 bits sort by counting; as many zones as that hold every network that can be written down.
    place = (zone * 2 + ~is_bid).astype(np.uint16 if zones < 2**15 else np.int64)
    order = np.argsort(place, kind="stable")
    ends = np.searchsorted(place[order], np.arange(2 * zones + 1))

    def side(number: int) -> ZoneSide:
        rows = order[ends[number] : ends[number + 1]]
        return ZoneSide.of(
            is_bid=number % 2 == 0,
            rows=rows,
            prices=prices[rows],
            quantities=quantities[rows],
            ranks=None if ranks is None else ranks[rows],
        )

    return [ZoneBook(side(2 * number), side(2 * number + 1)) for number in range(zones)]

"""The book of one interval: readings, limits, fills and prices, enough to recompute its money.

Stored with each clearing, so that the past recomputes identically whatever changed since. The
canonical bytes are JSON with sorted keys and integers as strings; they are what is hashed.
"""

import json
import zlib
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from marketplace.domain.market_part import LatePlaces, MarketPart, amended_part

Int64Array = npt.NDArray[np.int64]

# Readings repeat digits, not words: the fastest level already finds most of what there is.
_COMPRESSION_LEVEL = 1


@dataclass(frozen=True, eq=False)
class IntervalBook:
    """Positions as columns in the order of the meters' codes. [Wh] and [micro/kWh]

    Attributes
    ----------
    price : int or None
        Clearing price; None when nothing was traded, or where there is no one price.
    retail, feed_in, platform_fee : int
        Tariffs and fee of the interval.
    metering_point_ids, account_ids : ndarray of int64, shape (n,)
        Who, and the ledger account of their metered energy.
    import_wh, export_wh : ndarray of int64, shape (n,)
        Readings at the grid connection.
    offer_ids, request_ids : ndarray of int64, shape (n,)
        The standing terms that made the orders; 0 where there was no order.
    sell_limits, buy_limits : ndarray of int64, shape (n,)
        Their limit prices; 0 where there was no order.
    sold_wh, bought_wh : ndarray of int64, shape (n,)
        What the auction filled.
    left_out_ids : ndarray of int64
        Metering points kept out of the auction because their member is over the credit limit.
    missing_ids : ndarray of int64
        Metering points without a reading; they have no row here.
    market : MarketPart or None
        What form 2 has besides; None for form 1, whose bytes do not mention it.
    """

    price: int | None
    retail: int
    feed_in: int
    platform_fee: int
    metering_point_ids: Int64Array
    account_ids: Int64Array
    import_wh: Int64Array
    export_wh: Int64Array
    offer_ids: Int64Array
    request_ids: Int64Array
    sell_limits: Int64Array
    buy_limits: Int64Array
    sold_wh: Int64Array
    bought_wh: Int64Array
    left_out_ids: Int64Array
    missing_ids: Int64Array
    market: MarketPart | None = None

    @property
    def volume_wh(self) -> int:
        """Energy that the auction traded. [Wh]"""
        return int(self.sold_wh.sum())

    def canonical_bytes(self) -> bytes:
        """Return the one way to write this book down."""
        # By hand: nothing in it needs JSON's escapes, and to look for them costs most of the time.
        names = _FIELDS if self.market is not None else _FIELDS_OF_FORM_1
        written = ",".join(f'"{name}":{_written(getattr(self, name))}' for name in names)
        return f"{{{written}}}".encode()

    @classmethod
    def unpacked(cls, packed: bytes) -> "IntervalBook":
        """Read a book back from storage."""
        document = json.loads(zlib.decompress(packed))
        market = document.pop("market", None)
        columns: dict[str, Any] = {name: _read(value) for name, value in document.items()}
        if market is not None:
            columns["market"] = MarketPart.read(market)
        return cls(**columns)

    def amended(self, late: "LateReadings") -> "IntervalBook":
        """Return this book with late readings taken over and every fill as it was.

        The pool's trades stand; who comes late meets the grid with the difference.
        """
        import_wh, export_wh = self.import_wh.copy(), self.export_wh.copy()
        known = np.isin(late.metering_point_ids, self.metering_point_ids)
        order = np.argsort(self.metering_point_ids, kind="stable")
        found = np.searchsorted(
            self.metering_point_ids, late.metering_point_ids[known], sorter=order
        )
        at = order[found]
        import_wh[at], export_wh[at] = late.import_wh[known], late.export_wh[known]
        new = ~known
        nothing = np.zeros(int(new.sum()), dtype=np.int64)
        bought, sold = late.filled(new)
        return replace(
            self,
            metering_point_ids=_appended(self.metering_point_ids, late.metering_point_ids[new]),
            account_ids=_appended(self.account_ids, late.account_ids[new]),
            import_wh=_appended(import_wh, late.import_wh[new]),
            export_wh=_appended(export_wh, late.export_wh[new]),
            offer_ids=_appended(self.offer_ids, nothing),
            request_ids=_appended(self.request_ids, nothing),
            sell_limits=_appended(self.sell_limits, nothing),
            buy_limits=_appended(self.buy_limits, nothing),
            sold_wh=_appended(self.sold_wh, sold),
            bought_wh=_appended(self.bought_wh, bought),
            missing_ids=np.setdiff1d(self.missing_ids, late.metering_point_ids),
            market=self._amended_part(late, at, known),
        )

    def _amended_part(
        self, late: "LateReadings", at: Int64Array, known: npt.NDArray[np.bool_]
    ) -> MarketPart | None:
        if self.market is None or late.places is None:
            return self.market
        bought, sold = late.filled(~known)
        return amended_part(
            self.market,
            import_wh=self.import_wh,
            export_wh=self.export_wh,
            known_at=at,
            known=known,
            new_bought=bought,
            new_sold=sold,
            places=late.places,
        )


_FIELDS = tuple(sorted(each.name for each in fields(IntervalBook)))
_FIELDS_OF_FORM_1 = tuple(name for name in _FIELDS if name != "market")


@dataclass(frozen=True, eq=False)
class LateReadings:
    """Readings that came after the correction deadline, as columns. [Wh]

    ``bought_wh`` and ``sold_wh`` are what the auction of a forward interval filled, and ``places``
    is given in form 2.
    """

    metering_point_ids: Int64Array
    account_ids: Int64Array
    import_wh: Int64Array
    export_wh: Int64Array
    bought_wh: Int64Array | None = None
    sold_wh: Int64Array | None = None
    places: LatePlaces | None = field(default=None, repr=False)

    def filled(self, rows: npt.NDArray[np.bool_]) -> tuple[Int64Array, Int64Array]:
        """Return what the auction filled for some rows: bought and sold. [Wh]"""
        nothing = np.zeros(int(rows.sum()), dtype=np.int64)
        return (
            nothing if self.bought_wh is None else self.bought_wh[rows],
            nothing if self.sold_wh is None else self.sold_wh[rows],
        )


def pack(canonical: bytes) -> bytes:
    """Compress a book's canonical bytes for storage."""
    return zlib.compress(canonical, _COMPRESSION_LEVEL)


def _appended(values: Int64Array, more: Int64Array) -> Int64Array:
    return np.concatenate([values, more])


def _written(value: Int64Array | MarketPart | int | None) -> str:
    if isinstance(value, MarketPart):
        return value.written()
    if isinstance(value, np.ndarray):
        numbers = '","'.join(map(str, value.tolist()))
        return f'["{numbers}"]' if numbers else "[]"
    return "null" if value is None else f'"{value}"'


def _read(value: str | list[str] | None) -> Int64Array | int | None:
    if isinstance(value, list):
        return np.array(list(map(int, value)), dtype=np.int64)
    return None if value is None else int(value)

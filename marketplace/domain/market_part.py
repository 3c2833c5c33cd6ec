"""What the book of an interval of form 2 has besides, so that its money follows from it alone.

``docs/market.md`` is the specification. The rows of the logged document are made from this, and
what no row says (local fees, trades) is kept so that nothing has to be looked up again.
"""

import json
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from marketplace.domain.clearing import Int64Array

Deviation = Literal["dual_price", "single_price", "own"]


def nothing() -> Int64Array:
    """Return a column without rows."""
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class MarketPart:
    """Columns beside those of the book, in the order of its positions. [Wh] and [micro/kWh]

    Attributes
    ----------
    pricing : str
        How the pool is priced.
    deviation : str or None
        What forward trades that were not kept are settled by; None in metered mode.
    zones, prices : tuple, length z
        The rule set's zones, and the pool's price in each; None where there is none.
    link_from, link_to, link_fees, sent, received : ndarray of int64, shape (l,)
        The rule set's links: indices of zones, fee, and what flowed.
    levels : tuple of str
        Names of voltage levels that ``level_of`` points to.
    zone_of, level_of : ndarray of int64, shape (n,)
        Indices into ``zones`` and ``levels``.
    weights, estimated : ndarray of int64, shape (n,)
        Weight of a share; 1 where a reading is an estimate.
    local_fees : ndarray of int64, shape (n,)
        Grid fee on energy from a position's own zone.
    match_agreements, match_sellers, match_buyers, match_wh, match_prices, match_fees : ndarray
        What agreements moved, in the order of the stages: numbers, metering points, energy, price
        and the buyer's grid fee.
    by_trades : bool
        Whether money follows from single trades; otherwise the trade columns are empty.
    trade_sellers, trade_buyers, trade_wh, trade_prices : ndarray of int64, shape (t,)
        The pool's trades, by metering point.
    trade_given, trade_taken : ndarray of int64, shape (t,)
        What seller and buyer laid on a trade; both are ``trade_wh`` in metered mode.
    absent_ids, absent_accounts, absent_zones, absent_bought, absent_sold : ndarray of int64
        Metering points that traded ahead and have no position, and what the auction filled.
    settled_count : int or None
        After the correction deadline: how many positions were in the book that stands.
    settled_import, settled_export : ndarray of int64
        And what was settled of each position then; empty before.
    """

    pricing: str
    deviation: Deviation | None
    zones: tuple[str, ...]
    prices: tuple[int | None, ...]
    link_from: Int64Array
    link_to: Int64Array
    link_fees: Int64Array
    sent: Int64Array
    received: Int64Array
    levels: tuple[str, ...]
    zone_of: Int64Array
    level_of: Int64Array
    weights: Int64Array
    estimated: Int64Array
    local_fees: Int64Array
    match_agreements: Int64Array
    match_sellers: Int64Array
    match_buyers: Int64Array
    match_wh: Int64Array
    match_prices: Int64Array
    match_fees: Int64Array
    by_trades: bool
    trade_sellers: Int64Array
    trade_buyers: Int64Array
    trade_wh: Int64Array
    trade_prices: Int64Array
    trade_given: Int64Array
    trade_taken: Int64Array
    absent_ids: Int64Array
    absent_accounts: Int64Array
    absent_zones: Int64Array
    absent_bought: Int64Array
    absent_sold: Int64Array
    settled_count: int | None
    settled_import: Int64Array
    settled_export: Int64Array

    @property
    def is_forward(self) -> bool:
        """Whether the pool traded before delivery."""
        return self.deviation is not None

    def prices_of_zones(self) -> Int64Array:
        """Return each zone's price; 0 where it has none. [micro/kWh]"""
        return np.array([price or 0 for price in self.prices], dtype=np.int64)

    def written(self) -> str:
        """Return the one way to write this down, as JSON with sorted keys."""
        document = {each.name: _written(getattr(self, each.name)) for each in fields(self)}
        return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def read(cls, document: dict[str, Any]) -> Self:
        """Read back what `written` wrote."""
        columns: dict[str, Any] = {}
        for name, value in document.items():
            if name in ("zones", "levels"):
                columns[name] = tuple(value)
            elif name == "prices":
                columns[name] = tuple(None if each is None else int(each) for each in value)
            elif name in ("pricing", "deviation"):
                columns[name] = value
            elif name == "by_trades":
                columns[name] = value == "1"
            elif name == "settled_count":
                columns[name] = None if value is None else int(value)
            else:
                columns[name] = np.array(list(map(int, value)), dtype=np.int64)
        return cls(**columns)


@dataclass(frozen=True, eq=False)
class LatePlaces:
    """Where metering points that come late are, row by row of their readings."""

    zones: tuple[str, ...]
    levels: tuple[str, ...]
    weights: Int64Array
    estimated: Int64Array
    local_fees: Int64Array


def amended_part(
    part: MarketPart,
    *,
    import_wh: Int64Array,
    export_wh: Int64Array,
    known_at: Int64Array,
    known: npt.NDArray[np.bool_],
    new_bought: Int64Array,
    new_sold: Int64Array,
    places: LatePlaces,
) -> MarketPart:
    """Return a book's part with positions that came late at the end; what was settled stands.

    Parameters
    ----------
    import_wh, export_wh : ndarray of int64, shape (n,)
        Readings of the book that is amended.
    known_at : ndarray of int64
        Rows of the book that the known ones of the late readings have.
    known : ndarray of bool
        Which of the late readings have a row.
    new_bought, new_sold : ndarray of int64
        What the auction filled for the others.
    places : LatePlaces
        Of all late readings.
    """
    new = np.flatnonzero(~known)
    levels = (*part.levels, *(places.levels[row] for row in new.tolist()))
    if part.settled_count is None:
        part = replace(
            part,
            settled_count=len(import_wh),
            settled_import=import_wh,
            settled_export=export_wh,
        )
    # Whoever has traded ahead was settled as if all of it had been kept, unless by own deviation.
    kept = part.deviation in ("dual_price", "single_price")
    estimated = part.estimated.copy()
    estimated[known_at] = places.estimated[known]
    zones = np.array([part.zones.index(places.zones[row]) for row in new.tolist()], dtype=np.int64)
    return replace(
        part,
        levels=levels,
        zone_of=np.concatenate([part.zone_of, zones]),
        level_of=np.concatenate([part.level_of, len(part.levels) + np.arange(len(new))]),
        weights=np.concatenate([part.weights, places.weights[new]]),
        estimated=np.concatenate([estimated, places.estimated[new]]),
        local_fees=np.concatenate([part.local_fees, places.local_fees[new]]),
        settled_import=np.concatenate([part.settled_import, new_bought * kept]),
        settled_export=np.concatenate([part.settled_export, new_sold * kept]),
    )


def _written(value: object) -> object:
    if isinstance(value, np.ndarray):
        return list(map(str, value.tolist()))
    if isinstance(value, tuple):
        return [str(each) if isinstance(each, int) else each for each in value]
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value) if isinstance(value, int) else value

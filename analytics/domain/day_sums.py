"""From readings and trades to what members and flows come to, many intervals at once.

Everything is an array over intervals and metering points (or members), so that a city's day takes
a fraction of a second. ``docs/units.md`` says what each sum is.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from marketplace.domain.money import signed_amounts_micro

Int64Array = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# Kinds of trades, as `TradeRows.kinds` has them.
AGREED: Final = 1
ORDERED: Final = 2
MEMBER_SUMS: Final = (
    "interval_count",
    "import_wh",
    "export_wh",
    "bought_wh",
    "sold_wh",
    "agreed_bought_wh",
    "agreed_sold_wh",
    "grid_import_wh",
    "grid_export_wh",
    "alone_micro",
    "alone_sale_micro",
    "platform_fee_micro",
    "agreed_sold_alone_micro",
    "agreed_bought_alone_micro",
)


@dataclass(frozen=True, eq=False)
class Places:
    """Where metering points belong, in their order: index of the member, index of the group."""

    members: Int64Array
    groups: Int64Array
    member_count: int
    group_count: int

    def by_member(self, values: Int64Array) -> Int64Array:
        """Add up columns of metering points to columns of members."""
        if not values.shape[1]:
            return values
        order = np.argsort(self.members, kind="stable")
        if self.member_count == len(order):
            return values[:, order]
        firsts = np.searchsorted(self.members[order], np.arange(self.member_count))
        sums: Int64Array = np.add.reduceat(values[:, order], firsts, axis=1)
        return sums


@dataclass(frozen=True, eq=False)
class Terms:
    """What applies to each interval. [micro/kWh]

    ``by_own`` and ``by_reading`` say how what was traded ahead and not kept is settled; neither is
    true where nothing is traded ahead.
    """

    retail: Int64Array
    feed_in: Int64Array
    fee: Int64Array
    by_own: Flags
    by_reading: Flags


@dataclass(frozen=True, eq=False)
class ReadingRows:
    """Readings; intervals and points are indices. [Wh]"""

    intervals: Int64Array
    points: Int64Array
    import_wh: Int64Array
    export_wh: Int64Array


@dataclass(frozen=True, eq=False)
class TradeRows:
    """Trades; intervals and points are indices. [Wh], [micro/kWh]"""

    intervals: Int64Array
    sellers: Int64Array
    buyers: Int64Array
    wh: Int64Array
    delivered_wh: Int64Array
    prices: Int64Array
    kinds: Int64Array


@dataclass(frozen=True, eq=False)
class Override:
    """Energies of an interval that its book knows better, for some members. [Wh]"""

    interval: int
    members: Int64Array
    bought_wh: Int64Array
    sold_wh: Int64Array
    grid_import_wh: Int64Array
    grid_export_wh: Int64Array


@dataclass(frozen=True, eq=False)
class _Side:
    """What metering points bought, or sold, in each interval. [Wh]"""

    agreed: Int64Array
    pool: Int64Array
    delivered: Int64Array

    @classmethod
    def of(cls, trades: TradeRows, points: Int64Array, shape: tuple[int, int]) -> "_Side":
        at = trades.intervals * shape[1] + points
        agreed = trades.kinds == AGREED

        def summed(rows: Flags, values: Int64Array) -> Int64Array:
            sums = np.zeros(shape[0] * shape[1], dtype=np.int64)
            np.add.at(sums, at[rows], values[rows])
            return sums.reshape(shape)

        return cls(
            summed(agreed, trades.wh),
            summed(~agreed, trades.wh),
            summed(~agreed, trades.delivered_wh),
        )

    def paid(self, by_own: Flags) -> Int64Array:
        """Return what the pool's price was paid on."""
        return np.where(by_own, self.delivered, self.pool)

    def with_grid(self, metered: Int64Array, by_own: Flags, by_reading: Flags) -> Int64Array:
        """Return what is left of readings for the grid."""
        left = metered - self.agreed
        kept = np.where(by_reading, np.minimum(left, self.pool), self.pool)
        return left - np.where(by_own, self.delivered, kept)


@dataclass(eq=False)
class DaySums:
    """What the intervals given so far came to, by member and by flow between groups.

    Attributes
    ----------
    members : dict of str to ndarray of int64, shape (m,)
        The columns named by ``MEMBER_SUMS``.
    unknown : list of (interval, member)
        Who traded in which interval and has no reading there: what the grid alone would have come
        to is not known.
    """

    places: Places
    members: dict[str, Int64Array] = field(init=False)
    unknown: list[tuple[int, int]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        """Begin with nothing."""
        count = self.places.member_count
        self.members = {name: np.zeros(count, dtype=np.int64) for name in MEMBER_SUMS}
        # The grid is the group after the last one.
        size = (self.places.group_count + 1) ** 2
        self._flow_wh = np.zeros(size, dtype=np.int64)
        self._flow_micro = np.zeros(size, dtype=np.int64)
        self._from_points = np.zeros(0, dtype=np.int64)
        self._to_points = np.zeros(0, dtype=np.int64)

    def add(
        self,
        first: int,
        terms: Terms,
        readings: ReadingRows,
        trades: TradeRows,
        overrides: list[Override],
    ) -> None:
        """Add some intervals; ``first`` is the index that the first of them has in the day."""
        shape = len(terms.retail), len(self.places.members)
        import_wh, export_wh, metered = _dense(readings, shape)
        bought, sold = (_Side.of(trades, at, shape) for at in (trades.buyers, trades.sellers))
        ordered = self._ordered(trades, shape)
        by_own, by_reading = (
            each[:, None] & ordered[:, self.places.members]
            for each in (terms.by_own, terms.by_reading)
        )
        columns = {
            "interval_count": metered.astype(np.int64),
            "import_wh": import_wh,
            "export_wh": export_wh,
            "bought_wh": bought.agreed + bought.paid(by_own),
            "sold_wh": sold.agreed + sold.paid(by_own),
            "agreed_bought_wh": bought.agreed,
            "agreed_sold_wh": sold.agreed,
            "grid_import_wh": bought.with_grid(import_wh, by_own, by_reading) * metered,
            "grid_export_wh": sold.with_grid(export_wh, by_own, by_reading) * metered,
            "platform_fee_micro": -_priced(bought.paid(by_own), terms.fee),
        }
        sums = {name: self.places.by_member(values) for name, values in columns.items()}
        for each in overrides:
            for name in ("bought_wh", "sold_wh", "grid_import_wh", "grid_export_wh"):
                sums[name][each.interval, each.members] = getattr(each, name)
        self._add_members(first, terms, sums)
        self._add_trades(trades)
        self._add_grid(terms, import_wh, export_wh, bought, sold)

    def flows(self) -> Int64Array:
        """Return flows that carried anything, as columns.

        Returns
        -------
        ndarray of int64, shape (6, n)
            From group, to group, energy, value, metering points it came from and went to; the grid
            is the group after the last one. [Wh], [micro]
        """
        found = np.flatnonzero((self._flow_wh != 0) | (self._flow_micro != 0))
        count = len(self.places.members)
        counts = [
            np.bincount(points // count, minlength=len(self._flow_wh))[found]
            for points in (self._from_points, self._to_points)
        ]
        groups = self.places.group_count + 1
        return np.stack(
            [found // groups, found % groups, self._flow_wh[found], self._flow_micro[found]]
            + [each.astype(np.int64) for each in counts]
        )

    def _ordered(self, trades: TradeRows, shape: tuple[int, int]) -> Flags:
        """Return which members have traded ahead in which interval."""
        ordered = np.zeros((shape[0], self.places.member_count), dtype=np.bool_)
        rows = trades.kinds == ORDERED
        for points in (trades.sellers, trades.buyers):
            ordered[trades.intervals[rows], self.places.members[points[rows]]] = True
        return ordered

    def _add_members(self, first: int, terms: Terms, sums: dict[str, Int64Array]) -> None:
        known = sums["interval_count"] > 0
        sums["interval_count"] = known.astype(np.int64)
        sales = _priced(sums["export_wh"], terms.feed_in)
        sums["alone_sale_micro"] = sales
        sums["alone_micro"] = sales - _priced(sums["import_wh"], terms.retail)
        sums["agreed_sold_alone_micro"] = _priced(sums["agreed_sold_wh"], terms.feed_in)
        sums["agreed_bought_alone_micro"] = _priced(sums["agreed_bought_wh"], terms.retail)
        for name in MEMBER_SUMS:
            self.members[name] += sums[name].sum(axis=0)
        trading = (sums["bought_wh"] != 0) | (sums["sold_wh"] != 0)
        rows, members = np.nonzero(trading & ~known)
        self.unknown += zip((rows + first).tolist(), members.tolist(), strict=True)

    def _add_trades(self, trades: TradeRows) -> None:
        groups = self.places.groups
        flows = self._flow(groups[trades.sellers], groups[trades.buyers])
        values = signed_amounts_micro(trades.delivered_wh, trades.prices)
        np.add.at(self._flow_wh, flows, trades.delivered_wh)
        np.add.at(self._flow_micro, flows, values)
        self._count(flows, trades.delivered_wh != 0, trades.sellers, trades.buyers)

    def _add_grid(
        self,
        terms: Terms,
        import_wh: Int64Array,
        export_wh: Int64Array,
        bought: _Side,
        sold: _Side,
    ) -> None:
        grid, groups = self.places.group_count, self.places.groups
        everywhere = np.full(len(groups), grid)
        points = np.arange(len(groups))
        for metered, side, prices, flows in (
            (import_wh, bought, terms.retail, self._flow(everywhere, groups)),
            (export_wh, sold, terms.feed_in, self._flow(groups, everywhere)),
        ):
            energy = metered - side.agreed - side.delivered
            np.add.at(self._flow_wh, flows, energy.sum(axis=0))
            np.add.at(self._flow_micro, flows, _priced(energy, prices).sum(axis=0))
            self._count(flows, (energy != 0).any(axis=0), points, points)

    def _flow(self, origin: Int64Array, target: Int64Array) -> Int64Array:
        flows: Int64Array = origin * (self.places.group_count + 1) + target
        return flows

    def _count(
        self, flows: Int64Array, moved: Flags, origins: Int64Array, targets: Int64Array
    ) -> None:
        """Note which metering points anything came from and went to, once each."""
        count = len(self.places.members)
        self._from_points = np.union1d(self._from_points, (flows * count + origins)[moved])
        self._to_points = np.union1d(self._to_points, (flows * count + targets)[moved])


def _dense(readings: ReadingRows, shape: tuple[int, int]) -> tuple[Int64Array, Int64Array, Flags]:
    import_wh, export_wh = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    metered = np.zeros(shape, dtype=np.bool_)
    at = readings.intervals, readings.points
    import_wh[at], export_wh[at], metered[at] = readings.import_wh, readings.export_wh, True
    return import_wh, export_wh, metered


def _priced(energy: Int64Array, prices: Int64Array) -> Int64Array:
    """Price energies of intervals, one row each, at the price of each interval."""
    repeated = np.repeat(prices, energy.shape[1])
    return signed_amounts_micro(energy.reshape(-1), repeated).reshape(energy.shape)


def spread_of(saved: Int64Array, alone: Int64Array) -> tuple[list[int], int | None]:
    """Return how savings are spread over members: deciles, and the Gini coefficient.

    Parameters
    ----------
    saved, alone : ndarray of int64, shape (n,)
        What each member was better by, and what the grid alone would have come to. [micro]

    Returns
    -------
    deciles : list of int
        Savings over the size of what the grid alone comes to, in millionths, at 10 % … 90 % of the
        members that it comes to anything for: the lowest value that as many members do not pass.
        Empty where there is none.
    gini : int or None
        Of savings above zero, others counted as zero, in millionths; None where nobody has any.
    """
    told = alone != 0
    ratios = sorted(
        saved_micro * 1_000_000 // abs(alone_micro)
        for saved_micro, alone_micro in zip(saved[told].tolist(), alone[told].tolist(), strict=True)
    )
    deciles = (
        [ratios[-(-len(ratios) * tenth // 10) - 1] for tenth in range(1, 10)] if ratios else []
    )
    gains = sorted(max(0, each) for each in saved.tolist())
    total, count = sum(gains), len(gains)
    if not total:
        return deciles, None
    weighted = sum((2 * rank - count - 1) * gain for rank, gain in enumerate(gains, start=1))
    return deciles, weighted * 1_000_000 // (count * total)

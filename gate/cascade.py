"""The rule by which a trip is told: at the finest level whose cell is large and mixed enough.

Cells of coarser levels hold only what was left over, so no cell is a total of others, nothing can
be subtracted, and a cell that is absent says "below the minimum, or none".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from gate.areas import Areas
from gate.policy import Policy
from gate.spill import Int64Array
from gate.trip_rows import QUARTER_BITS, BoolArray, packed, unpacked

QUARTERS_A_DAY: Final = 96
_QUARTERS_OF: Final = {"quarter": 1, "hour": 4, "3-hours": 12, "6-hours": 24, "day": 96}
_DAYS: Final = (1 << QUARTER_BITS) // QUARTERS_A_DAY + 1


@dataclass(frozen=True)
class Cells:
    """Cells of one level that may be shown.

    Attributes
    ----------
    level : int
        Index into the policy's levels.
    key : ndarray of int64
        Packed: quarter of the period's start, numbers of both areas at this level, kept values.
    trips : ndarray of int64
    """

    level: int
    key: Int64Array
    trips: Int64Array


@dataclass(frozen=True)
class Told:
    """What a set of rows came to: cells by level, and how many rows fell to which rule at last.

    ``left`` are the indexes of those that fell.
    """

    cells: tuple[Cells, ...]
    left: Int64Array
    lost: int
    lost_small: int
    lost_few_people: int
    lost_dominated: int


class Periods:
    """Where periods of a wall clock start, in quarters of an hour since 1970."""

    def __init__(self) -> None:
        days = np.arange(_DAYS, dtype=np.int64).view("datetime64[D]")
        self._day_start = {
            unit: days.astype(f"datetime64[{code}]").astype("datetime64[D]").astype(np.int64)
            for unit, code in (("month", "M"), ("year", "Y"))
        }

    def start(self, quarter: Int64Array, period: str) -> Int64Array:
        """Return the quarter that the period around each quarter starts with."""
        if period in _QUARTERS_OF:
            length = _QUARTERS_OF[period]
            return quarter // length * length
        days: Int64Array = self._day_start[period][quarter // QUARTERS_A_DAY]
        return days * QUARTERS_A_DAY

    def end(self, start_quarter: Int64Array, period: str) -> Int64Array:
        """Return the quarter that follows each period; ``start_quarter`` is where it starts."""
        if period in _QUARTERS_OF:
            return start_quarter + _QUARTERS_OF[period]
        # Whatever the period's length, this falls into the next one.
        far = start_quarter + QUARTERS_A_DAY * {"month": 31, "year": 366}[period]
        return self.start(far, period)


class Cascade:
    """A policy's levels over given areas, ready to be used on bucket after bucket.

    Parameters
    ----------
    policy : Policy
    areas : Areas
        Nested, see `gate.areas`.
    counts_people : bool
        Whether rows say who it was.
    """

    def __init__(self, policy: Policy, areas: Areas, *, counts_people: bool) -> None:
        self._policy = policy
        self._counts_people = counts_people
        self._periods = Periods()
        numbered = [areas.numbered(level.area) for level in policy.levels]
        self.area_names: list[list[str]] = [names for names, _ in numbered]
        self._area_of = [numbers for _, numbers in numbered]

    def cell(self, key: Int64Array, level: int) -> Int64Array:
        """Return the packed cell of each row at a level."""
        quarter, a, b, kept = unpacked(key)
        start = self._periods.start(quarter, self._policy.levels[level].period)
        area = self._area_of[level]
        return packed(start, area[a], area[b], kept)

    def tell(self, key: Int64Array, person: Int64Array) -> Told:
        """Assign rows to cells, finest level first.

        Parameters
        ----------
        key, person : ndarray of int64, shape (n,)
            Packed rows, and hashes of people, 0 for nobody. Rows of a cell must be complete.
        """
        who = self.numbered(person)
        cells, left = [], np.arange(len(key))
        small = few = dominated = np.zeros(0, bool)
        for level in range(len(self._policy.levels)):
            if not len(key):
                break
            cell = self.cell(key, level)
            order = np.argsort(cell)
            cell, key, who, left = cell[order], key[order], who[order], left[order]
            starts = np.flatnonzero(np.concatenate(([True], cell[1:] != cell[:-1])))
            trips = np.diff(np.append(starts, len(cell)))
            small, few, dominated = self.fails(trips, who)
            shown = ~(small | few | dominated)
            cells.append(Cells(level, cell[starts[shown]], trips[shown]))
            rest = np.repeat(~shown, trips)
            key, who, left = key[rest], who[rest], left[rest]
            small, few, dominated = (
                np.repeat(each, trips)[rest] for each in (small, few, dominated)
            )
        return Told(
            cells=tuple(cells),
            left=left,
            lost=len(key),
            lost_small=int(small.sum()),
            lost_few_people=int(few.sum()),
            lost_dominated=int(dominated.sum()),
        )

    def numbered(self, person: Int64Array) -> Int64Array:
        """Return people numbered from 1, and 0 for nobody; all 0 where people are not counted."""
        if not self._counts_people or not len(person):
            return np.zeros(len(person), np.int64)
        who = np.unique(person, return_inverse=True)[1] + 1
        who[person == 0] = 0
        return who

    def fails(self, trips: Int64Array, who: Int64Array) -> tuple[BoolArray, BoolArray, BoolArray]:
        """Return which groups are too small, of too few people, or mostly of one person.

        Parameters
        ----------
        trips : ndarray of int64
            Rows of each group.
        who : ndarray of int64
            Of each row, group after group: numbers of people from 1, 0 for nobody.
        """
        policy = self._policy
        small = trips < policy.minimum_group
        none = np.zeros(len(trips), bool)
        if not self._counts_people or not (~small).any():
            return small, none, none
        # Only cells that are large enough are looked into.
        looked = np.repeat(~small, trips)
        number = np.repeat(np.cumsum(~small) - 1, trips)[looked]
        width = int(who.max()) + 1
        pairs = np.sort(number * width + who[looked])
        starts = np.flatnonzero(np.concatenate(([True], pairs[1:] != pairs[:-1])))
        rows = np.diff(np.append(starts, len(pairs)))
        somebody = pairs[starts] % width > 0
        number, rows = pairs[starts][somebody] // width, rows[somebody]
        people = np.bincount(number, minlength=int((~small).sum()))
        most = np.zeros(len(people), np.int64)
        np.maximum.at(most, number, rows)
        few, dominated = none.copy(), none.copy()
        few[~small] = people < policy.minimum_distinct
        dominated[~small] = most * 100 > policy.dominance_percent * trips[~small]
        return small, few, dominated & ~few


def joined(told: Sequence[Told]) -> tuple[Told, Int64Array, Int64Array, Int64Array]:
    """Put buckets together.

    Returns
    -------
    Told
        The sums; its cells are in the arrays, and whose rows fell is forgotten.
    level, key, trips : ndarray of int64
        All cells, in no order yet.
    """
    parts = [cells for each in told for cells in each.cells]
    empty = np.zeros(0, np.int64)
    sums = Told(
        cells=(),
        left=empty,
        lost=sum(each.lost for each in told),
        lost_small=sum(each.lost_small for each in told),
        lost_few_people=sum(each.lost_few_people for each in told),
        lost_dominated=sum(each.lost_dominated for each in told),
    )
    return (
        sums,
        np.concatenate([empty, *(np.full(len(c.key), c.level, np.int64) for c in parts)]),
        np.concatenate([empty, *(cells.key for cells in parts)]),
        np.concatenate([empty, *(cells.trips for cells in parts)]),
    )

"""True totals of a table of one level: how many trips began and ended in an area and period.

A total less the cells that are shown is the sum of what is hidden in its line, so it is told only
where that sum is of enough trips and people itself, of two cells at least, and where no hidden cell
of the table can be computed from all totals together (`gate.totals`).
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from gate.cascade import Cascade
from gate.flows import COUNT_COLUMN, write_csv
from gate.policy import Policy
from gate.sink import Sink
from gate.spill import Int64Array, Spill, buckets_of, mixed
from gate.totals import BoolArray, hide_bridges
from gate.trip_rows import QUARTER_SECONDS, TripRows, packed, unpacked

TOTALS_PART: Final = "totals.csv"
SIDES: Final = ("from", "to")
LINE_COLUMNS: Final = ("period_start", "side", "area")


@dataclass(frozen=True)
class LineTotals:
    """Totals that may be told. ``line`` is packed: period's start, number of the area, kept."""

    side: Int64Array
    line: Int64Array
    trips: Int64Array

    def area_texts(self, cascade: Cascade) -> set[str]:
        """Return the names of the areas."""
        return {cascade.area_names[0][n] for n in np.unique(unpacked(self.line)[1]).tolist()}


class Leftovers:
    """Rows of cells that are not shown, by the two lines of the table that each is in."""

    def __init__(self, cascade: Cascade, stack: ExitStack, *, bucket_count: int) -> None:
        self._cascade = cascade
        self._spills = [
            stack.enter_context(Spill(bucket_count=bucket_count, width=2)) for _ in SIDES
        ]
        self._cells: list[tuple[Int64Array, Int64Array]] = []

    def add(self, key: Int64Array, person: Int64Array) -> None:
        """Take the rows of a bucket that no cell told."""
        cell = self._cascade.cell(key, 0)
        self._cells.append(np.unique(cell, return_counts=True))
        for spill, line in zip(self._spills, lines_of(cell), strict=True):
            bucket = buckets_of(mixed(line.view(np.uint64)), spill.bucket_count)
            spill.add(bucket, np.stack((line, person), axis=1))

    def totals(self, shown: Int64Array, trips: Int64Array) -> LineTotals:
        """Return the totals that may be told beside the cells that are shown."""
        hidden = [key for key, _ in self._cells], [count for _, count in self._cells]
        cell = np.concatenate([shown, *hidden[0]])
        count = np.concatenate([trips, *hidden[1]])
        is_hidden = np.arange(len(cell)) >= len(shown)
        names, numbers, totals, secret = [], [], [], []
        for side, line in enumerate(lines_of(cell)):
            distinct, number = np.unique(line, return_inverse=True)
            inside = np.bincount(number[is_hidden], minlength=len(distinct))
            names.append(distinct)
            numbers.append(number)
            totals.append(np.bincount(number, weights=count).astype(np.int64))
            secret.append((inside == 1) | np.isin(distinct, self._failing(side)))
        hide_bridges(numbers[0], numbers[1], is_hidden, secret[0], secret[1])
        told = [~each for each in secret]
        return LineTotals(
            side=np.concatenate([np.full(int(t.sum()), n, np.int64) for n, t in enumerate(told)]),
            line=np.concatenate([name[t] for name, t in zip(names, told, strict=True)]),
            trips=np.concatenate([total[t] for total, t in zip(totals, told, strict=True)]),
        )

    def _failing(self, side: int) -> Int64Array:
        """Return the lines whose hidden rows together are no group that may be told."""
        found = [np.zeros(0, np.int64)]
        for rows in self._spills[side].buckets():
            if len(rows):
                order = np.argsort(rows[:, 0])
                line, who = rows[order, 0], self._cascade.numbered(rows[order, 1])
                starts = np.flatnonzero(np.concatenate(([True], line[1:] != line[:-1])))
                trips = np.diff(np.append(starts, len(line)))
                fails: BoolArray = np.any(self._cascade.fails(trips, who), axis=0)
                found.append(line[starts[fails]])
        return np.concatenate(found)


def lines_of(cell: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Return the line of each cell on both sides: where its trips began, and where they ended."""
    quarter, a, b, kept = unpacked(cell)
    none = np.zeros_like(a)
    return packed(quarter, a, none, kept), packed(quarter, b, none, kept)


def totals_columns(policy: Policy) -> list[str]:
    """Return the names of the columns of ``totals.csv``, in order."""
    return [*LINE_COLUMNS, *policy.keep_columns, COUNT_COLUMN]


def write_totals(totals: LineTotals, cascade: Cascade, rows: TripRows, out: Sink) -> None:
    """Write the part, ordered by period, side, area and kept values."""
    quarter, area, _, kept = unpacked(totals.line)
    texts = rows.kept_texts(kept)
    ranks = [np.unique(each, return_inverse=True)[1] for each in reversed(texts)]
    order = np.lexsort((*ranks, area, totals.side, quarter))
    names = np.array(cascade.area_names[0], object)
    columns = [
        pa.array((quarter[order] * QUARTER_SECONDS).view("datetime64[s]")),
        pa.array([SIDES[side] for side in totals.side[order].tolist()], pa.string()),
        pa.array(names[area[order]].tolist(), pa.string()),
        *(pa.array([each[n] for n in order.tolist()], pa.string()) for each in texts),
        pa.array(totals.trips[order]),
    ]
    batch = pa.RecordBatch.from_arrays(columns, names=totals_columns(rows.policy))
    with closing(out.add_part(TOTALS_PART, "text/csv")) as part:
        write_csv(iter([batch]), part)

"""How many rows stand alone to somebody who knows some of their columns: before and after."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from gate.spill import Int64Array, Spill, buckets_of, mixed

SMALL: Final = 5


@dataclass(frozen=True)
class Uniqueness:
    """Rows by the size of the group they are in, for somebody who knows ``known``.

    ``alone``: nobody else looks the same. ``below_5`` and ``below_minimum`` include them. [row]
    """

    known: tuple[str, ...]
    rows: int
    alone: int
    below_5: int
    below_minimum: int

    def as_json(self, step: int) -> dict[str, Any]:
        """Return JSON values, each rounded to a multiple of ``step``.

        Exact numbers of rows that are not shown would be totals of true data.
        """
        return {
            "known": list(self.known),
            "rows": rounded(self.rows, step),
            "alone": rounded(self.alone, step),
            "below_5": rounded(self.below_5, step),
            "below_minimum": rounded(self.below_minimum, step),
        }


def rounded(count: int, step: int) -> int:
    """Return the nearest multiple of ``step``."""
    return (count + step // 2) // step * step


def of_groups(known: Sequence[str], sizes: Int64Array, minimum: int) -> Uniqueness:
    """Return the figures for groups of these sizes."""
    return Uniqueness(
        known=tuple(known),
        rows=int(sizes.sum()),
        alone=int(sizes[sizes < 2].sum()),
        below_5=int(sizes[sizes < SMALL].sum()),
        below_minimum=int(sizes[sizes < minimum].sum()),
    )


def group_sizes(values: Int64Array) -> Int64Array:
    """Return how often each distinct value stands there."""
    if not len(values):
        return np.zeros(0, np.int64)
    ordered = np.sort(values)
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    return np.diff(np.append(starts, len(ordered)))


class RowGroups:
    """Counts, over a whole file in flat memory, how often each combination of columns occurs.

    Combinations are compared by 64-bit hashes seeded anew for every run; among 2.5 million rows
    two different ones meet with a chance of 2 in 10**7.

    Parameters
    ----------
    known : tuple of str
        Roles, as `gate.trip_rows.TripBatch.known` names them.
    bucket_count : int

    Attributes
    ----------
    spill : Spill
        What holds the hashes; closing it is the caller's.
    """

    def __init__(self, known: tuple[str, ...], *, bucket_count: int) -> None:
        self.known = known
        self.spill = Spill(bucket_count=bucket_count, width=1)
        self._seed = np.uint64(secrets.randbits(64) | 1)

    def add(self, columns: Mapping[str, npt.NDArray[np.uint64]]) -> None:
        """Count the rows of a batch."""
        values = np.full(len(columns[self.known[0]]), self._seed)
        for role in self.known:
            values = mixed(values ^ columns[role])
        bucket = buckets_of(values, self.spill.bucket_count)
        self.spill.add(bucket, values.view(np.int64)[:, None])

    def counted(self, minimum: int) -> Uniqueness:
        """Return the figures."""
        parts = [
            of_groups(self.known, group_sizes(rows[:, 0]), minimum) for rows in self.spill.buckets()
        ]
        return Uniqueness(
            known=self.known,
            rows=sum(each.rows for each in parts),
            alone=sum(each.alone for each in parts),
            below_5=sum(each.below_5 for each in parts),
            below_minimum=sum(each.below_minimum for each in parts),
        )

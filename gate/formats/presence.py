"""Which detector has a value for which interval: one byte each, whatever order the rows have."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from gate.errors import Refused, gettext_noop
from gate.formats.values import BoolArray, Float64Array, Int64Array
from gate.profile import PPM

# 3,000 detectors for a year of quarters of an hour, and room for gaps.
CELLS_MAX = 128 << 20


@dataclass
class Presence:
    """A table of detectors by intervals, grown as rows come.

    The length of an interval is the most frequent distance between the times of the first piece;
    times that don't fit its grid are turned away.
    """

    name: str
    step_s: int = 0
    sites: dict[str, int] = field(default_factory=dict)
    _phase_s: int = 0
    _first: int = 0
    _seen: npt.NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 0), np.uint8))
    _sums: Float64Array = field(default_factory=lambda: np.zeros(0))

    def add(
        self, sites: npt.NDArray[np.object_], seconds: Int64Array, values: Float64Array
    ) -> BoolArray:
        """Take usable rows; return which of them fit the grid."""
        if len(seconds) == 0:
            return np.zeros(0, bool)
        if self.step_s == 0:
            self._find_step(seconds)
        fits: BoolArray = (seconds - self._phase_s) % max(self.step_s, 1) == 0
        if self.step_s == 0 or not fits.any():
            return fits
        codes = self._codes(sites[fits])
        slots = (seconds[fits] - self._phase_s) // self.step_s
        self._grow(int(slots.min()), int(slots.max()))
        columns = slots - self._first
        np.add.at(self._seen, (codes, columns), 1)
        # A byte that ran over would read as absent.
        self._seen[codes, columns] = np.maximum(self._seen[codes, columns], 1)
        self._sums += np.bincount(codes, weights=values[fits], minlength=len(self._sums))
        return fits

    def _find_step(self, seconds: Int64Array) -> None:
        steps = np.diff(np.unique(seconds))
        if len(steps):
            lengths, often = np.unique(steps, return_counts=True)
            self.step_s = int(lengths[often.argmax()])
            self._phase_s = int(seconds.min()) % self.step_s

    def _codes(self, sites: npt.NDArray[np.object_]) -> Int64Array:
        names, index = np.unique(sites.astype(str), return_inverse=True)
        known = [self.sites.setdefault(str(name), len(self.sites)) for name in names]
        codes: Int64Array = np.array(known, np.int64)[index]
        return codes

    def _grow(self, low: int, high: int) -> None:
        """Make room for new detectors and intervals, twice what is needed now."""
        rows, columns = self._seen.shape
        if columns == 0:
            self._first = low
        first, end = min(low, self._first), max(high + 1, self._first + columns)
        if rows >= len(self.sites) and first == self._first and end - first <= columns:
            return
        if len(self.sites) * (end - first) > CELLS_MAX:
            raise Refused(
                "counts-sparse",
                gettext_noop("{sites} detectors over {slots} intervals are too many to check"),
                self.name,
                gettext_noop("Split the file by year, and look for a wrong date."),
                sites=len(self.sites),
                slots=end - first,
            )
        more_rows = rows if rows >= len(self.sites) else len(self.sites) * 5 // 4
        seen = np.zeros((more_rows, end - first), np.uint8)
        at = self._first - first
        seen[:rows, at : at + columns] = self._seen
        self._seen, self._first = seen, first
        self._sums = np.concatenate([self._sums, np.zeros(more_rows - len(self._sums))])

    def span(self) -> tuple[int, int] | None:
        """Return the first begin and the last end of an interval with a value. [s of UTC]"""
        there = np.flatnonzero(self._seen.any(axis=0))
        if len(there) == 0:
            return None
        first, last = int(there[0]) + self._first, int(there[-1]) + self._first
        return (
            first * self.step_s + self._phase_s,
            (last + 1) * self.step_s + self._phase_s,
        )

    def totals(self) -> tuple[int, int]:
        """Return the present and the expected values: every detector, first to last interval."""
        there = np.flatnonzero(self._seen.any(axis=0))
        if len(there) == 0:
            return 0, 0
        return int((self._seen > 0).sum()), len(self.sites) * int(there[-1] - there[0] + 1)

    def completeness_ppm(self) -> int | None:
        present, expected = self.totals()
        return present * PPM // expected if expected else None

    def gaps(self) -> tuple[tuple[str, int, int], ...]:
        """Return detectors that lack values, worst first: name, present, expected."""
        _, expected = self.totals()
        each = expected // max(len(self.sites), 1)
        present = (self._seen > 0).sum(axis=1)
        found = [(site, int(present[code]), each) for site, code in self.sites.items()]
        return tuple(
            sorted((one for one in found if one[1] < each), key=lambda one: one[1:] + one[:1])
        )

    def doubles(self) -> int:
        """Return how many rows came for a detector and interval that had one."""
        extra = np.maximum(self._seen.astype(np.int16) - 1, 0)
        return int(extra.sum())

    def silent(self) -> list[str]:
        return [site for site, code in self.sites.items() if self._sums[code] == 0]

    def sum_of_all(self) -> int:
        return int(self._sums.sum())

"""What a forecast is mixed from: simple looks into the past, each a forecast of its own.

Time is cut into blocks of 24 hours that end where the forecast begins; block ``d`` of a history
has one value per slot of the day. A forecast *lead* blocks ahead of what is known may look at
blocks up to ``d - lead`` only, and every function here keeps to that.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Int8Array = NDArray[np.int8]

WEEK: Final = 7
MONTH: Final = 28
LEADS_MAX: Final = WEEK
# last, week, median of a week, mean and median of four weeks, of the weekday, of the kind of day
LEVELS: Final = 7
DAY_KINDS: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """What is known when a forecast is made.

    Attributes
    ----------
    values : ndarray of float64, shape (series, blocks, slots)
        Oldest block first; NaN where nothing is known.
    day_kinds : ndarray of int8, shape (blocks + leads, slots)
        0 for a slot of a working day, 1 for one of a weekend, in civil time.
    weather : ndarray of float64, shape (kinds, blocks + leads, slots)
        Irradiance, temperature, or whatever moves the values; measured up to now, forecast from
        there on. No kinds where there is none.
    """

    values: FloatArray
    day_kinds: Int8Array
    weather: FloatArray

    @property
    def blocks(self) -> int:
        """How many blocks are known."""
        return int(self.values.shape[1])


class Experts:
    """The looks into one history, made once and asked for many targets."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.values = np.ascontiguousarray(history.values.swapaxes(0, 1))
        self.weather = np.ascontiguousarray(history.weather.swapaxes(0, 1))

    # What only a mix needs is made when it is first asked for.

    @cached_property
    def _median_7(self) -> FloatArray:
        return _trailing(self.values, WEEK)

    @cached_property
    def _median_28(self) -> FloatArray:
        return _trailing(self.values, MONTH)

    @cached_property
    def _mean_28(self) -> FloatArray:
        return _trailing_mean(self.values, MONTH)

    @cached_property
    def _median_of_kind(self) -> list[FloatArray]:
        kinds = self.history.day_kinds[: len(self.values), None, :]
        return [
            _trailing(np.where(kinds == kind, self.values, np.nan), MONTH)
            for kind in range(DAY_KINDS)
        ]

    @cached_property
    def _usual_weather(self) -> FloatArray:
        return _trailing(self.weather, MONTH)

    @cached_property
    def _weather_scale(self) -> FloatArray:
        return _scale(np.nanstd, self.history.weather)

    @cached_property
    def scale(self) -> FloatArray:
        """Mean size of each series, 1 where it is nothing, shape (series,)."""
        return _scale(np.nanmean, np.abs(self.history.values))

    def last(self, block: int, lead: int) -> FloatArray:
        """Return the same slots of the last block known, shape (series, slots)."""
        return self._at(self.values, block - lead)

    def week(self, block: int, lead: int) -> FloatArray:
        """Return the same slots a week before, shape (series, slots)."""
        assert lead <= WEEK
        return self._at(self.values, block - WEEK)

    def looks(self, block: int, lead: int) -> FloatArray:
        """Return every look at a target, shape (series, slots, looks); NaN only without a past."""
        known = block - lead
        levels = np.stack(
            [
                self.last(block, lead),
                self.week(block, lead),
                self._at(self._median_7, known),
                self._at(self._mean_28, known),
                self._at(self._median_28, known),
                self._of_weekday(block, lead),
                self._of_kind(block, known),
            ],
            axis=-1,
        )
        usual = levels[..., 4:5]
        levels = np.where(np.isnan(levels), usual, levels)
        return np.concatenate([levels, *self._departures(block, lead)], axis=-1)

    def _departures(self, block: int, lead: int) -> list[FloatArray]:
        """Return what is unusual: the last day's level, and the weather of the target."""
        last, usual = self.last(block, lead), self._at(self._median_28, block - lead)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            level = np.nanmean(last - usual, axis=1, keepdims=True)
        found = [np.broadcast_to(np.nan_to_num(level), last.shape)[..., None]]
        if self.weather.shape[1]:
            unusual = self.weather[block] - self._at(self._usual_weather, block - lead)
            unusual = np.nan_to_num(unusual / self._weather_scale[:, None])
            found.append(unusual.T[None] * self.scale[:, None, None])
        return found

    def _of_weekday(self, block: int, lead: int) -> FloatArray:
        weeks = [block - WEEK * n for n in range(1, MONTH // WEEK + 1) if WEEK * n >= lead]
        return _median(np.stack([self._at(self.values, week) for week in weeks]))

    def _of_kind(self, block: int, known: int) -> FloatArray:
        kinds = self.history.day_kinds[block]
        of_kind = [self._at(each, known) for each in self._median_of_kind]
        chosen: FloatArray = np.where(kinds[None] == 0, of_kind[0], of_kind[1])
        return chosen

    @staticmethod
    def _at(blocks: FloatArray, at: int) -> FloatArray:
        if 0 <= at < len(blocks):
            found: FloatArray = blocks[at]
            return found
        return np.full(blocks.shape[1:], np.nan)


def _trailing(values: FloatArray, length: int) -> FloatArray:
    """Return the median of the last ``length`` blocks up to each block, what is missing apart."""
    if not values.size:
        return values
    return np.stack(
        [_median(values[max(0, at - length + 1) : at + 1]) for at in range(len(values))]
    )


def _trailing_mean(values: FloatArray, length: int) -> FloatArray:
    known = np.cumsum(~np.isnan(values), axis=0, dtype=np.float64)
    total = np.cumsum(np.nan_to_num(values), axis=0)
    known[length:] -= known[:-length].copy()
    total[length:] -= total[:-length].copy()
    return np.divide(total, known, out=np.full_like(total, np.nan), where=known > 0)


def _median(values: FloatArray) -> FloatArray:
    """Return the median along the first axis without NaN; NaN where there is nothing else.

    `numpy.nanmedian` gives the same, many times slower: one sort does for all.
    """
    ordered = np.sort(values, axis=0)  # NaN goes last
    known = (~np.isnan(values)).sum(axis=0)
    low, high = np.maximum(known - 1, 0) // 2, known // 2
    high = np.minimum(high, np.maximum(known - 1, 0))
    below, above = (np.take_along_axis(ordered, at[None], axis=0)[0] for at in (low, high))
    middle: FloatArray = (below + above) / 2
    return middle


def _scale(of: Callable[..., FloatArray], values: FloatArray) -> FloatArray:
    """Return a number for the size of each series that nothing is ever divided by zero with."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a series without any value
        size = of(values, axis=(1, 2)) if len(values) else np.ones(0)
    return np.where(size > 0, size, 1.0)

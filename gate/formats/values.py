"""Cells as numbers, times and text: what is missing and what can't be read are told apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Int64Array = npt.NDArray[np.int64]
Float64Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
# All offsets in use change at quarters of an hour.
QUARTER_S = 900
DAY_S = 86_400
QUARTERS_OF_DAY = DAY_S // QUARTER_S
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 -- of wall clocks, which have no zone
TIME = r"^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?(Z|[+-]\d{2}:?\d{2})?$"
OFFSET = r"(Z|[+-]\d{2}:?\d{2})$"
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$"


@dataclass(frozen=True)
class Numbers:
    """Values, and where they are missing or can't be read; those hold zero."""

    values: Float64Array
    missing: BoolArray
    bad: BoolArray


@dataclass(frozen=True)
class Times:
    """Wall-clock or UTC seconds since 1970, and where they are missing or can't be read. [s]"""

    values: Int64Array
    missing: BoolArray
    bad: BoolArray
    is_utc: bool


def as_text(column: pa.Array) -> pa.Array:
    """Return the cells as text; a dictionary is unfolded, numbers are written out."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type):
        return column
    return pc.cast(column, pa.string(), safe=False)


def as_numbers(column: pa.Array) -> Numbers:
    """Return the cells as numbers; "nan" and "inf" can't be read."""
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        missing = _mask(pc.is_null(column))
        values = pc.fill_null(pc.cast(column, pa.float64(), safe=False), 0).to_numpy()
        bad = ~np.isfinite(values)
        return Numbers(np.where(bad, 0, values), missing, bad)
    text = pc.utf8_trim_whitespace(as_text(column))
    missing = _mask(pc.fill_null(pc.equal(text, ""), True))
    is_number = pc.fill_null(pc.match_substring_regex(text, NUMBER), False)
    # No array of NumPy's goes back to pyarrow: that would import pandas, a second of work.
    values = pc.cast(pc.if_else(is_number, text, "0"), pa.float64())
    values = values.to_numpy(zero_copy_only=False)
    good = _mask(is_number)
    bad = ~good & ~missing | ~np.isfinite(values)
    return Numbers(np.where(bad, 0, values), missing, bad)


def as_times(column: pa.Array) -> Times:
    """Return the cells as seconds: of UTC where they say an offset, else of a wall clock.

    ISO 8601 is read, with a space or T, to the microsecond (cut to whole seconds).
    """
    if pa.types.is_timestamp(column.type):
        is_utc = column.type.tz is not None
        seconds = _seconds(pc.cast(column, pa.timestamp("us", column.type.tz), safe=False))
        missing = _mask(pc.is_null(column))
        return Times(seconds, missing, np.zeros_like(missing), is_utc)
    text = as_text(column)
    missing = _mask(pc.fill_null(pc.equal(text, ""), True))
    first = pc.drop_null(text.slice(0, 1000))
    is_utc = bool(len(first) and pc.match_substring_regex(first, OFFSET)[0].as_py() is True)
    type_ = pa.timestamp("us", "UTC" if is_utc else None)
    try:
        parsed = pc.cast(text, type_) if not missing.any() else None
    except pa.ArrowInvalid:
        parsed = None
    if parsed is None:
        parsed = _parsed_one_by_one(text, type_)
    seconds = _seconds(parsed)
    bad = _mask(pc.is_null(parsed)) & ~missing
    return Times(seconds, missing, bad, is_utc)


def _parsed_one_by_one(text: pa.Array, type_: pa.DataType) -> pa.Array:
    """Return times, null where a cell is none; slow only where a cell has an impossible date."""
    shaped = pc.match_substring_regex(text, TIME)
    offset = pc.match_substring_regex(text, OFFSET)
    fits = pc.and_(shaped, offset if type_.tz else pc.invert(offset))
    likely = pc.if_else(pc.fill_null(fits, False), text, pa.scalar(None, pa.string()))
    try:
        return pc.cast(likely, type_)
    except pa.ArrowInvalid:
        return pa.array([_time_or_none(cell) for cell in likely.to_pylist()], type_)


def _time_or_none(cell: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(cell) if cell else None
    except ValueError:
        return None


def _seconds(times: pa.Array) -> Int64Array:
    micro = pc.fill_null(pc.cast(times, pa.int64()), 0).to_numpy(zero_copy_only=False)
    seconds: Int64Array = micro // 1_000_000
    return seconds


def _mask(array: pa.Array) -> BoolArray:
    mask: BoolArray = array.to_numpy(zero_copy_only=False).astype(bool)
    return mask


@dataclass
class WallClock:
    """Wall-clock seconds of one zone as UTC, with the hours of the changes of clocks."""

    zone: ZoneInfo
    _days: dict[int, int | None] = field(default_factory=dict)

    def to_utc(self, local_s: Int64Array) -> tuple[Int64Array, BoolArray, BoolArray]:
        """Return UTC seconds, where the wall clock skips that time, and where it shows it twice.

        A time that is shown twice is taken for its first; a skipped one as if the clock had not
        been changed yet.
        """
        days, index = np.unique(local_s // DAY_S, return_inverse=True)
        offsets_of_day = [self._offset_of_day(int(day)) for day in days]
        offsets = np.array([one or 0 for one in offsets_of_day], np.int64)[index]
        skipped, twice = np.zeros(len(local_s), bool), np.zeros(len(local_s), bool)
        changing = np.array([one is None for one in offsets_of_day], bool)[index]
        if changing.any():
            quarters, where = np.unique(local_s[changing] // QUARTER_S, return_inverse=True)
            found = [self._looked_up(int(quarter)) for quarter in quarters]
            offsets[changing] = np.array([one[0] for one in found], np.int64)[where]
            skipped[changing] = np.array([one[1] for one in found], bool)[where]
            twice[changing] = np.array([one[2] for one in found], bool)[where]
        return local_s - offsets, skipped, twice

    def _offset_of_day(self, day: int) -> int | None:
        """Return a day's offset, or None for a day on which the clocks may change."""
        if day not in self._days:
            begin = self._looked_up(day * QUARTERS_OF_DAY)
            end = self._looked_up((day + 1) * QUARTERS_OF_DAY)
            self._days[day] = begin[0] if begin == end and not any(begin[1:]) else None
        return self._days[day]

    def _looked_up(self, quarter: int) -> tuple[int, bool, bool]:
        try:
            wall = EPOCH + timedelta(seconds=quarter * QUARTER_S)
            first = wall.replace(tzinfo=self.zone, fold=0)
            second = wall.replace(tzinfo=self.zone, fold=1)
            back = first.astimezone(UTC).astimezone(self.zone).replace(tzinfo=None)
        except (OverflowError, ValueError):
            return 0, False, False
        one, other = first.utcoffset(), second.utcoffset()
        assert one is not None and other is not None
        return int(one.total_seconds()), back != wall, back == wall and one != other


def iso(utc_s: int) -> str:
    """Return a UTC second as ISO 8601 with a Z."""
    return (datetime.fromtimestamp(utc_s, UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")

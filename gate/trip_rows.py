"""Trips of any source as arrays: wall-clock times, numbers of places, hashes of who it was."""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gate.areas import PLACES_MAX, Place
from gate.errors import Refused, gettext_noop
from gate.formats.values import Times, as_text, as_times
from gate.policy import Policy
from gate.spill import Int64Array

BoolArray = npt.NDArray[np.bool_]
QUARTER_SECONDS: Final = 900
# Bits of a row packed into 63: quarter of an hour since 1970 (until 2089), two places, the rest.
QUARTER_BITS, PLACE_BITS, KEPT_BITS = 22, 16, 9
KEPT_VALUES_MAX: Final = 50
HASHES_MAX: Final = 200_000
# What people write when they leave a person's field empty.
NOBODY: Final = frozenset({"", "nil", "null", "none", "n/a", "na", "-", "0"})


def packed(quarter: Int64Array, a: Int64Array, b: Int64Array, kept: Int64Array) -> Int64Array:
    """Return rows or cells as one number each; it orders by time first."""
    return (((quarter << PLACE_BITS | a) << PLACE_BITS | b) << KEPT_BITS) | kept


def unpacked(key: Int64Array) -> tuple[Int64Array, Int64Array, Int64Array, Int64Array]:
    """Return quarter, from, to and kept of packed rows or cells."""
    place, kept = (1 << PLACE_BITS) - 1, (1 << KEPT_BITS) - 1
    to_shift = KEPT_BITS
    from_shift = to_shift + PLACE_BITS
    return (
        key >> (from_shift + PLACE_BITS),
        (key >> from_shift) & place,
        (key >> to_shift) & place,
        key & kept,
    )


@dataclass(frozen=True)
class TripBatch:
    """Rows that can be published, all arrays of one length.

    ``key`` is packed, ``person`` a hash (0: nobody); ``known`` are hashes of exact columns, by
    role, to tell how unique the rows were.
    """

    key: Int64Array
    person: Int64Array
    known: Mapping[str, npt.NDArray[np.uint64]]


@dataclass
class TripRows:
    """Turns batches of a table into `TripBatch`, and keeps what it met on the way.

    Parameters
    ----------
    roles
        Role to column: start, end, from, to, maybe person, vehicle.
    person_column
        Whose values count as people; empty: there is none.
    places
        Name to number. Without a table of stations it grows with what the trips name.
    """

    policy: Policy
    roles: Mapping[str, str]
    person_column: str
    places: dict[str, int]
    grows: bool
    source: str
    rows: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    _kept: list[dict[str, int]] = field(default_factory=list)
    _combinations: dict[tuple[int, ...], int] = field(default_factory=dict)
    _hashes: dict[str, int] = field(default_factory=dict)
    _secret: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    def __post_init__(self) -> None:
        self._zone = ZoneInfo(self.policy.zone)
        self._kept = [{} for _ in self.policy.keep_columns]

    def read(self, batch: pa.RecordBatch) -> TripBatch:
        """Return what of a batch can be published at all; the rest is counted by reason."""
        self.rows += batch.num_rows
        start = self._times(batch, "start")
        end = self._times(batch, "end")
        a, b = self._place_numbers(batch, "from"), self._place_numbers(batch, "to")
        quarter = start.values // QUARTER_SECONDS
        has_time = ~(start.missing | start.bad) & (quarter >= 0) & (quarter < 1 << QUARTER_BITS)
        has_end = ~(end.missing | end.bad)
        ends_late = ~has_end | (end.values >= start.values)
        has_places = (a >= 0) & (b >= 0)
        self.left_out["no-time"] += int((~has_time).sum())
        self.left_out["ends-before-it-starts"] += int((has_time & ~ends_late).sum())
        self.left_out["unknown-place"] += int((has_time & ends_late & ~has_places).sum())
        ok = has_time & ends_late & has_places
        kept = self._kept_numbers(batch)
        person = self._hashed(batch, self.person_column)
        known = {
            "start": start.values.view(np.uint64),
            "end": end.values.view(np.uint64),
            "from": a.view(np.uint64),
            "to": b.view(np.uint64),
        }
        if self.person_column:
            known["person"] = person.view(np.uint64)
        vehicle = self.roles.get("vehicle", "")
        if vehicle and vehicle != self.person_column:
            known["vehicle"] = self._hashed(batch, vehicle).view(np.uint64)
        key = packed(quarter, a, b, kept)
        if ok.all():
            return TripBatch(key, person, known)
        return TripBatch(key[ok], person[ok], {role: each[ok] for role, each in known.items()})

    def kept_texts(self, numbers: Int64Array) -> list[list[str]]:
        """Return the values of each kept column for packed numbers of combinations."""
        by_number = {number: parts for parts, number in self._combinations.items()}
        names = [list(values) for values in self._kept]
        return [
            [names[column][by_number[number][column]] for number in numbers.tolist()]
            for column in range(len(names))
        ]

    def _times(self, batch: pa.RecordBatch, role: str) -> Times:
        """Return seconds of the wall clock of the policy's zone."""
        column = batch.column(self.roles[role])
        if self.policy.time_format and not pa.types.is_timestamp(column.type):
            text = as_text(column)
            parsed = pc.strptime(text, format=self.policy.time_format, unit="s", error_is_null=True)
            column = parsed.cast(pa.timestamp("s"))
        times = as_times(column)
        if not times.is_utc:
            return times
        quarters, index = np.unique(times.values // QUARTER_SECONDS, return_inverse=True)
        offsets = [self._offset_s(quarter * QUARTER_SECONDS) for quarter in quarters.tolist()]
        wall = times.values + np.array(offsets, np.int64)[index]
        return Times(wall, times.missing, times.bad, is_utc=False)

    def _offset_s(self, utc_s: int) -> int:
        try:
            offset = datetime.fromtimestamp(utc_s, UTC).astimezone(self._zone).utcoffset()
        except (OverflowError, ValueError, OSError):
            return 0  # far outside; the row is left out for its time
        return 0 if offset is None else int(offset.total_seconds())

    def _place_numbers(self, batch: pa.RecordBatch, role: str) -> Int64Array:
        """Return the number of each place, -1 where it is missing or unknown."""
        names, index = _distinct(batch.column(self.roles[role]))
        return np.array([self._place_number(name) for name in names], np.int64)[index]

    def _place_number(self, name: str) -> int:
        name = name.strip()
        if self.grows and name and name not in self.places:
            check_label(name, self.source)
            if len(self.places) >= PLACES_MAX:
                raise Refused(
                    "too-many-places",
                    gettext_noop("more than {limit} places"),
                    self.source,
                    gettext_noop("Name stations or zones, not single coordinates."),
                    limit=PLACES_MAX,
                )
            self.places[name] = len(self.places)
        return self.places.get(name, -1)

    def _kept_numbers(self, batch: pa.RecordBatch) -> Int64Array:
        if not self._kept:
            return np.zeros(batch.num_rows, np.int64)
        columns = []
        for column, values in zip(self.policy.keep_columns, self._kept, strict=True):
            names, index = _distinct(batch.column(column))
            for name in names:
                if name not in values:
                    check_label(name, self.source)
                    values[name] = len(values)
            if len(values) > KEPT_VALUES_MAX:
                raise too_varied(column, self.source)
            columns.append(np.array([values[name] for name in names], np.int64)[index])
        rows, index = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
        numbers = []
        for row in rows.tolist():
            numbers.append(self._combinations.setdefault(tuple(row), len(self._combinations)))
        if len(self._combinations) > 1 << KEPT_BITS:
            raise too_varied(", ".join(self.policy.keep_columns), self.source)
        return np.array(numbers, np.int64)[index.reshape(-1)]

    def _hashed(self, batch: pa.RecordBatch, column: str) -> Int64Array:
        """Return a keyed hash of each value, 0 for nobody; the key is of this run only."""
        if not column:
            return np.zeros(batch.num_rows, np.int64)
        names, index = _distinct(batch.column(column))
        if len(self._hashes) > HASHES_MAX:
            self._hashes.clear()
        return np.array([self._hash(f"{column}={name}", name) for name in names], np.int64)[index]

    def _hash(self, known_as: str, name: str) -> int:
        value = self._hashes.get(known_as)
        if value is None:
            if name.strip().lower() in NOBODY:
                value = 0
            else:
                digest = hashlib.blake2b(known_as.encode(), digest_size=8, key=self._secret)
                value = int.from_bytes(digest.digest(), "big", signed=True) or 1
            self._hashes[known_as] = value
        return value


def _distinct(column: pa.Array) -> tuple[list[str], Int64Array]:
    """Return the distinct values as text, and which of them stands in each row."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode(null_encoding="encode")
    index = column.indices
    names = ["" if each is None else _as_name(each) for each in column.dictionary.to_pylist()]
    if index.null_count:
        names.append("")
        index = pc.fill_null(index, len(names) - 1)
    return names or [""], index.to_numpy(zero_copy_only=False).astype(np.int64)


def _as_name(value: object) -> str:
    """Return a cell as text; a column of whole numbers with gaps was stored as floats."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def check_label(text: str, source: str) -> None:
    """Refuse a name that would be published and that a spreadsheet would run, or nobody can read.

    Raises
    ------
    Refused
        ``label-unusable``; the message does not repeat the name.
    """
    is_number = text.lstrip("+-").replace(".", "", 1).isdigit()
    if len(text) > 80 or not text.isprintable() or (text[:1] in "=+-@" and text and not is_number):
        raise Refused(
            "label-unusable",
            gettext_noop("a name of a place or of a kept column can't be published"),
            source,
            gettext_noop("Use up to 80 printable characters that don't start with = + - or @."),
        )


def too_varied(column: str, source: str) -> Refused:
    """Return the error for a column that is no small set of kinds."""
    return Refused(
        "kept-column-varied",
        gettext_noop("the column {column} has more than {limit} values and can't be kept"),
        source,
        gettext_noop("Keep only columns of few kinds, or write them coarser."),
        column=column,
        limit=KEPT_VALUES_MAX,
    )


def as_places(rows: Sequence[tuple[str, float, float]]) -> tuple[Place, ...]:
    """Return one place for each name, where it stood first: a moved station stays in its area."""
    places: dict[str, Place] = {}
    for name, latitude, longitude in rows:
        if name not in places:
            micro = round(latitude * 1_000_000), round(longitude * 1_000_000)
            places[name] = Place(name, *micro)
    return tuple(places.values())

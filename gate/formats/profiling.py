"""Profiles of columns and places, piece by piece; not for columns about people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import h3
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gate.formats.values import as_numbers, as_text
from gate.profile import CELLS_MAX, DISTINCT_MAX, Cell, Column

# About 460 m across: a neighbourhood's stops are apart, a city's are a few hundred cells.
CELL_LEVEL = 8
MICRO = 1_000_000


@dataclass
class ColumnProfiler:
    """One column's profile. A column of text is called a number while all its cells are some."""

    name: str
    meaning: str = ""
    type: str = ""
    nulls: int = 0
    _least: str | None = None
    _greatest: str | None = None
    _low: float | None = None
    _high: float | None = None
    _is_number: bool = True
    _distinct: set[str] | None = field(default_factory=set)

    def add(self, column: pa.Array) -> None:
        """Take one more piece."""
        self.type = self.type or type_name(column.type)
        text = as_text(column)
        if pa.types.is_string(column.type):
            empty = pc.equal(text, "")
            text = pc.if_else(pc.fill_null(empty, True), pa.scalar(None, pa.string()), text)
        self.nulls += text.null_count
        if text.null_count == len(text):
            return
        extremes = pc.min_max(text).as_py()
        self._least = min(self._least or extremes["min"], extremes["min"])
        self._greatest = max(self._greatest or extremes["max"], extremes["max"])
        self._add_numbers(column)
        if self._distinct is not None:
            self._distinct.update(pc.unique(text.drop_null()).to_pylist())
            if len(self._distinct) > DISTINCT_MAX:
                self._distinct = None

    def _add_numbers(self, column: pa.Array) -> None:
        if not self._is_number or pa.types.is_timestamp(column.type):
            self._is_number = False
            return
        numbers = as_numbers(column)
        if numbers.bad.any():
            self._is_number = False
            return
        present = numbers.values[~numbers.missing]
        if len(present):
            low, high = float(present.min()), float(present.max())
            self._low = low if self._low is None else min(self._low, low)
            self._high = high if self._high is None else max(self._high, high)

    def column(self) -> Column:
        """Return the profile of all pieces."""
        is_number = self._is_number and self._low is not None and self._high is not None
        type_ = "number" if is_number and self.type == "text" else self.type
        return Column(
            name=self.name,
            type=type_,
            nulls=self.nulls,
            least=f"{self._low:.12g}" if is_number else _short(self._least),
            greatest=f"{self._high:.12g}" if is_number else _short(self._greatest),
            distinct=None if self._distinct is None else len(self._distinct),
            meaning=self.meaning,
        )


@dataclass
class TableProfiler:
    """All columns of a table; ``roles`` (role to column) gives known columns their meaning."""

    names: list[str]
    roles: Mapping[str, str]
    _columns: list[ColumnProfiler] = field(default_factory=list)

    def __post_init__(self) -> None:
        meanings = {column: role for role, column in self.roles.items()}
        self._columns = [ColumnProfiler(one, meanings.get(one, "")) for one in self.names]

    def add(self, batch: pa.RecordBatch) -> None:
        for profiler, column in zip(self._columns, batch.columns, strict=True):
            profiler.add(column)

    def columns(self) -> tuple[Column, ...]:
        return tuple(one.column() for one in self._columns)


@dataclass(frozen=True)
class Extent:
    """Where things are: [microdegree], and how many stand in each cell."""

    bbox: tuple[int, int, int, int] | None
    cells: tuple[Cell, ...]


def extent_of(points: Iterable[tuple[float, float]]) -> Extent:
    """Return box and cells of (latitude, longitude) pairs that are possible. [degree]

    A place at 0/0 is one that nobody entered; it would stretch the box to the Gulf of Guinea.
    """
    good = [one for one in points if is_place(*one)]
    if not good:
        return Extent(None, ())
    array = np.rint(np.array(good) * MICRO).astype(np.int64)
    (south, west), (north, east) = array.min(axis=0).tolist(), array.max(axis=0).tolist()
    found = Counter(h3.latlng_to_cell(lat, lon, CELL_LEVEL) for lat, lon in good)
    most = sorted(found.items(), key=lambda one: (-one[1], one[0]))[:CELLS_MAX]
    cells = tuple(Cell(cell=cell, count=count) for cell, count in sorted(most))
    return Extent((west, south, east, north), cells)


def is_place(lat: float, lon: float) -> bool:
    """Return whether this can be where something stands."""
    return abs(lat) <= 90 and abs(lon) <= 180 and (lat, lon) != (0, 0)


def type_name(type_: pa.DataType) -> str:
    """Return a plain word for a column's type."""
    if pa.types.is_dictionary(type_):
        return type_name(type_.value_type)
    for name, fits in (
        ("number", pa.types.is_integer),
        ("number", pa.types.is_floating),
        ("time", pa.types.is_timestamp),
        ("date", pa.types.is_date),
        ("yes or no", pa.types.is_boolean),
    ):
        if fits(type_):
            return name
    return "text"


def _short(text: str | None) -> str | None:
    return None if text is None else text[:80]

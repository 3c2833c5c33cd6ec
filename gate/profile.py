"""What a data set holds, in numbers: columns, coverage in space and time, completeness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

DISTINCT_MAX = 1000
CELLS_MAX = 2000
PPM = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: its values as text, so that the profile stays JSON with no floats.

    ``distinct`` stops at `DISTINCT_MAX`; None where it wasn't counted. ``least`` and ``greatest``
    are None for columns about people. ``meaning`` is a key of `gate.meanings.MEANINGS`, or empty.
    """

    name: str
    type: str
    nulls: int = 0
    least: str | None = None
    greatest: str | None = None
    distinct: int | None = None
    meaning: str = ""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """An H3 cell of the coverage map, and how many records or stations stand in it."""

    cell: str
    count: int


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What a data set holds.

    Attributes
    ----------
    rows
        Records, as read and counted. [1]
    columns
        Of a table; of GTFS none: see ``entities``.
    bbox
        West, south, east, north; None where nothing has a place. [microdegree]
    start, end
        Half-open period covered, UTC as ISO 8601, or None.
    zone
        Name of the time zone in whose days the period is meant.
    resolution_s
        Length of one value; 0 for single events. [s]
    completeness_ppm
        Present out of expected values; None where nothing says what is expected. [ppm]
    cells
        The coverage map, by cell, at most `CELLS_MAX`.
    entities
        Countable things by name: stations, routes, stops, trips, detectors, capacity…
    gaps
        Present and expected values by detector, worst first; at most 100.
    """

    rows: int = 0
    columns: tuple[Column, ...] = ()
    bbox: tuple[int, int, int, int] | None = None
    start: str | None = None
    end: str | None = None
    zone: str = "UTC"
    resolution_s: int = 0
    completeness_ppm: int | None = None
    cells: tuple[Cell, ...] = ()
    entities: Mapping[str, int] = field(default_factory=dict)
    gaps: tuple[tuple[str, int, int], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the profile as JSON values; coverage cells under ``coverage``."""
        said = asdict(self)
        said["columns"] = [
            {"min": column.pop("least"), "max": column.pop("greatest"), **column}
            for column in said["columns"]
        ]
        said["bbox"] = list(self.bbox) if self.bbox else None
        if self.zone == "UTC":
            del said["zone"]
        said["coverage"] = list(said.pop("cells"))
        said["entities"] = dict(sorted(self.entities.items()))
        said["gaps"] = [list(gap) for gap in self.gaps]
        return said

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Profile:
        rest = {
            key: said[key]
            for key in ("rows", "start", "end", "resolution_s", "completeness_ppm", "entities")
        }
        bbox = said["bbox"]
        return cls(
            **rest,
            zone=said.get("zone", "UTC"),
            columns=tuple(
                Column(
                    least=column["min"],
                    greatest=column["max"],
                    **{key: value for key, value in column.items() if key not in ("min", "max")},
                )
                for column in said["columns"]
            ),
            bbox=None if bbox is None else (bbox[0], bbox[1], bbox[2], bbox[3]),
            cells=tuple(Cell(**cell) for cell in said["coverage"]),
            gaps=tuple((gap[0], gap[1], gap[2]) for gap in said["gaps"]),
        )

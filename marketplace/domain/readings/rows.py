"""Readings that come as rows of a message rather than lines of a file, checked alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from marketplace.domain.readings.cells import (
    ENERGY_MAX_WH,
    INTERVAL_MINUTES,
    CellInvalid,
    checked_name,
    checked_start,
    quoted,
)
from marketplace.domain.readings.file import ReadingsFile, ReadingsInvalid

SOURCE: Final = "readings"


class ReadingRow(NamedTuple):
    """One reading as somebody sends it; ``start`` is ISO 8601 with offset. [Wh]

    ``quality`` is how it came about, as the model's `Quality`; 0: it was measured.
    """

    meter: str
    start: str
    import_wh: int
    export_wh: int
    quality: int = 0


def readings_of_rows(*, minutes: int, rows: Sequence[ReadingRow]) -> ReadingsFile:
    """Check rows and return them as columns.

    Parameters
    ----------
    minutes : int
        Length of every interval. [min]
    rows : sequence of ReadingRow

    Returns
    -------
    ReadingsFile
        Its ``lines`` count the rows from 1.

    Raises
    ------
    ReadingsInvalid
        Names the first bad row, counted from 1, or 0 for all of them.
    """
    if minutes not in INTERVAL_MINUTES:
        raise ReadingsInvalid(
            SOURCE, 0, f"minutes is {minutes}", "use intervals of 5, 15, 30 or 60 minutes"
        )
    if not rows:
        raise ReadingsInvalid(SOURCE, 0, "there are no readings", "send one at least")
    starts: dict[str, int] = {}
    first_of: dict[tuple[str, int], int] = {}
    kept: list[tuple[str, int, int, int, int, int]] = []
    for number, row in enumerate(rows, start=1):
        try:
            name = checked_name(row.meter)
            if row.start not in starts:
                starts[row.start] = checked_start(row.start, minutes)
            _check_energy("import_wh", row.import_wh)
            _check_energy("export_wh", row.export_wh)
        except CellInvalid as problem:
            raise ReadingsInvalid(SOURCE, number, problem.what, problem.remedy) from problem
        start = starts[row.start]
        first = first_of.setdefault((name, start), number)
        if first == number:
            kept.append((name, start, row.import_wh, row.export_wh, number, row.quality))
        elif rows[first - 1][2:] != row[2:]:
            what = f"meter {quoted(name)} at {row.start} has other values than in row {first - 1}"
            raise ReadingsInvalid(SOURCE, number, what, "keep the one row that is right")
    return _columns(minutes, kept, repeated=len(rows) - len(kept))


def _check_energy(column: str, value: int) -> None:
    if value < 0:
        raise CellInvalid(
            f"{column} is {value}, negative",
            "write energy to the grid as export_wh and from it as import_wh",
        )
    if value > ENERGY_MAX_WH:
        raise CellInvalid(
            f"{column} is above {ENERGY_MAX_WH}", "check the unit: energies are in Wh"
        )


def _columns(
    minutes: int, kept: list[tuple[str, int, int, int, int, int]], *, repeated: int
) -> ReadingsFile:
    meters = sorted({row[0] for row in kept})
    rank = {name: position for position, name in enumerate(meters)}
    numbers = np.array([row[1:] for row in kept], dtype=np.int64)
    return ReadingsFile(
        meters=tuple(meters),
        meter_index=np.array([rank[row[0]] for row in kept], dtype=np.int32),
        start_epoch_s=numbers[:, 0],
        minutes=minutes,
        import_wh=numbers[:, 1],
        export_wh=numbers[:, 2],
        lines=numbers[:, 3].astype(np.int32),
        repeated=repeated,
        quality=numbers[:, 4],
    )

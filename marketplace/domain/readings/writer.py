"""Write a readings file, in pieces, so that a city's day need not fit in memory as text."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Final

import numpy as np

from marketplace.domain.readings.cells import EPOCH
from marketplace.domain.readings.file import COLUMNS, Int32Array, Int64Array

ROWS_PER_PIECE: Final = 50_000


def write_readings(
    path: Path,
    *,
    meters: Sequence[str],
    meter_index: Int32Array,
    start_epoch_s: Int64Array,
    minutes: int,
    import_wh: Int64Array,
    export_wh: Int64Array,
    offset: timedelta = timedelta(0),
) -> None:
    """Write rows in the order given; `read_readings` takes the file back unchanged.

    Parameters
    ----------
    path : Path
        Replaced if it exists.
    meters : sequence of str
        Names by index.
    meter_index : ndarray of int32, shape (n,)
        Position of each row's meter in ``meters``.
    start_epoch_s : ndarray of int64, shape (n,)
        Start of each interval. [s since 1970-01-01 UTC]
    minutes : int
        Length of every interval. [min]
    import_wh, export_wh : ndarray of int64, shape (n,)
        Energy from and to the grid. [Wh]
    offset : timedelta, default 0
        Offset from UTC in which the starts are written.

    Raises
    ------
    ValueError
        If the arrays differ in length.
    """
    columns = (meter_index, start_epoch_s, import_wh, export_wh)
    if len({len(column) for column in columns}) != 1:
        raise ValueError("the columns of a readings file must be equally long")
    written = timezone(offset)
    starts: dict[int, str] = {
        int(second): _text(int(second), written) for second in np.unique(start_epoch_s)
    }
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for first in range(0, len(meter_index), ROWS_PER_PIECE):
            index, start, imported, exported = (
                column[first : first + ROWS_PER_PIECE].tolist() for column in columns
            )
            rows.writerows(
                (meters[i], starts[s], minutes, to_home, to_grid)
                for i, s, to_home, to_grid in zip(index, start, imported, exported, strict=True)
            )


def _text(epoch_s: int, written: timezone) -> str:
    moment: datetime = EPOCH + timedelta(seconds=epoch_s)
    return moment.astimezone(written).isoformat()

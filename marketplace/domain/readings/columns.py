"""Checked readings as columns, and the error that refuses them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Int32Array = NDArray[np.int32]
Int64Array = NDArray[np.int64]

# Directions that a row speaks of, as bits.
KNOWS_IMPORT, KNOWS_EXPORT = 1, 2


class ReadingsInvalid(ValueError):
    """A file that cannot be taken: where, what is wrong, what to do. Line 0 is the whole file."""

    def __init__(self, file: str, line: int, what: str, remedy: str) -> None:
        place = f"{file}:{line}" if line else file
        super().__init__(f"{place}: {what}; {remedy}")
        self.file = file
        self.line = line
        self.what = what
        self.remedy = remedy


@dataclass(frozen=True, slots=True, eq=False)
class ReadingsFile:
    """The rows of a file in its order, repeated rows left out.

    Attributes
    ----------
    meters : tuple of str
        Names, sorted by code point, each once.
    meter_index : ndarray of int32, shape (n,)
        Position in ``meters`` of each row.
    start_epoch_s : ndarray of int64, shape (n,)
        Start of the interval. [s since 1970-01-01 UTC]
    minutes : int
        Length of every interval. [min]
    import_wh, export_wh : ndarray of int64, shape (n,)
        Energy from and to the grid at the connection. [Wh]
    lines : ndarray of int32, shape (n,)
        Line of each row in the file, counted from 1.
    repeated : int
        Rows left out because the same reading stands on an earlier line.
    quality : ndarray of int64, shape (n,), optional
        How each reading came about, as the model's `Quality`; absent: all were measured.
    knows : ndarray of int64, shape (n,), optional
        Which directions each row speaks of, as bits; absent: of both. Of the other one it says
        nothing, and its energy is 0 here.
    """

    meters: tuple[str, ...]
    meter_index: Int32Array
    start_epoch_s: Int64Array
    minutes: int
    import_wh: Int64Array
    export_wh: Int64Array
    lines: Int32Array
    repeated: int
    quality: Int64Array | None = None
    knows: Int64Array | None = None

    def __len__(self) -> int:
        return len(self.lines)

"""Sums of values by key, in the order of given keys."""

import numpy as np
import numpy.typing as npt

Int64Array = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def rows_of(keys: Int64Array, ids: Int64Array) -> tuple[Int64Array, Flags]:
    """Return where keys stand among distinct ids, in any order, and whether they do at all."""
    if not len(ids):
        return np.zeros(len(keys), dtype=np.int64), np.zeros(len(keys), dtype=np.bool_)
    order = np.argsort(ids, kind="stable")
    at = np.searchsorted(ids, keys, sorter=order)
    rows = order[np.minimum(at, len(order) - 1)]
    return rows, ids[rows] == keys


def summed_by(ids: Int64Array, keys: Int64Array, values: Int64Array) -> Int64Array:
    """Sum values by key, for each id; keys that are no id are left aside."""
    sums = np.zeros(len(ids), dtype=np.int64)
    if len(keys):
        rows, found = rows_of(keys, ids)
        np.add.at(sums, rows[found], values[found])
    return sums

"""Totals that are published of true data: which of them must be hidden with the small cells.

The gate's own tables have no such totals: sums of shown cells say nothing of hidden ones, so there
is nothing to solve for. This is for tables that come with totals, and the audit of both.

In a table of rows and columns whose totals are public, take the hidden cells as edges between
their row and their column. A hidden cell can be computed exactly if and only if its edge is a
bridge [1]_, so totals are hidden until no hidden cell is one. Hiding a second cell in each line,
as is often done, is not enough.

References
----------
.. [1] D. Gusfield, "A graph theoretic approach to statistical data security," SIAM J. Comput.,
   vol. 17, no. 3, pp. 552-571, 1988.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gate.spill import Int64Array

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Hidden:
    """What must not be shown of a table.

    Attributes
    ----------
    cells : ndarray of bool, shape (n,)
    row_totals, column_totals : ndarray of bool
        By number of the row or column.
    grand_total : bool
    """

    cells: BoolArray
    row_totals: BoolArray
    column_totals: BoolArray
    grand_total: bool


def hide(row: Int64Array, column: Int64Array, count: Int64Array, *, minimum: int) -> Hidden:
    """Hide small cells, and the totals by which they could be computed.

    Parameters
    ----------
    row, column : ndarray of int64, shape (n,)
        Numbers of the lines of each cell, from 0.
    count : ndarray of int64, shape (n,)
        What it holds, positive; a cell that is absent holds nothing, and is known to.
    minimum : int
        The least count that may be shown, also as a difference.
    """
    cells = count < minimum
    shape = int(row.max(initial=-1)) + 1, int(column.max(initial=-1)) + 1
    rows = _too_telling(row, count, cells, shape[0], minimum)
    columns = _too_telling(column, count, cells, shape[1], minimum)
    hide_bridges(row, column, cells, rows, columns)
    # A grand total completes the totals of one side, so it goes with the first that is hidden.
    return Hidden(cells, rows, columns, grand_total=bool(rows.any() or columns.any()))


def hide_bridges(
    row: Int64Array, column: Int64Array, cells: BoolArray, rows: BoolArray, columns: BoolArray
) -> None:
    """Hide more totals, until no hidden cell can be computed from those that are left.

    Parameters
    ----------
    row, column : ndarray of int64, shape (n,)
        Numbers of the lines of each cell; several tables at once have lines of their own.
    cells : ndarray of bool, shape (n,)
        Which are hidden.
    rows, columns : ndarray of bool
        Which totals are hidden, by number of the line; changed in place.
    """
    while True:
        told = determined(row, column, cells, Hidden(cells, rows, columns, grand_total=False))
        if not len(told):
            return
        rows[row[told]] = True
        columns[column[told]] = True


def determined(
    row: Int64Array, column: Int64Array, hidden_cells: BoolArray, hidden: Hidden
) -> Int64Array:
    """Return the hidden cells that anybody can compute from what is shown.

    A hidden total takes its equation away: it is an edge from its line to a ground.
    """
    edges = np.flatnonzero(hidden_cells)
    row_count, column_count = len(hidden.row_totals), len(hidden.column_totals)
    ground = row_count + column_count
    grounded = np.concatenate(
        [
            np.flatnonzero(hidden.row_totals),
            row_count + np.flatnonzero(hidden.column_totals),
        ]
    )
    one = np.concatenate([row[edges], grounded]).tolist()
    other = [*(row_count + column[edges]).tolist(), *[ground] * len(grounded)]
    found = [edge for edge in bridges(one, other, ground + 1) if edge < len(edges)]
    return edges[found]


def bridges(one: Sequence[int], other: Sequence[int], size: int) -> list[int]:
    """Return the edges without which a graph falls apart; edges may be parallel.

    Parameters
    ----------
    one, other : sequence of int
        Both ends of each edge.
    size : int
        Number of nodes.
    """
    near: list[list[tuple[int, int]]] = [[] for _ in range(size)]
    for edge, (a, b) in enumerate(zip(one, other, strict=True)):
        near[a].append((b, edge))
        near[b].append((a, edge))
    seen, low = [-1] * size, [0] * size
    time, found = 0, []
    for root in range(size):
        if seen[root] >= 0:
            continue
        seen[root] = low[root] = time
        time += 1
        path = [(root, -1, iter(near[root]))]
        while path:
            node, came_by, rest = path[-1]
            for following, edge in rest:
                if edge == came_by:
                    continue
                if seen[following] < 0:
                    seen[following] = low[following] = time
                    time += 1
                    path.append((following, edge, iter(near[following])))
                    break
                low[node] = min(low[node], seen[following])
            else:
                path.pop()
                if path:
                    parent = path[-1][0]
                    low[parent] = min(low[parent], low[node])
                    if low[node] > seen[parent]:
                        found.append(came_by)
    return found


def _too_telling(
    line: Int64Array, count: Int64Array, hidden: BoolArray, lines: int, minimum: int
) -> BoolArray:
    """Return totals that are small, or from which one cell or a small sum could be taken."""
    total = np.bincount(line, weights=count, minlength=lines)
    cells = np.bincount(line[hidden], minlength=lines)
    inside = np.bincount(line[hidden], weights=count[hidden], minlength=lines)
    telling: BoolArray = (total < minimum) | ((cells > 0) & ((cells < 2) | (inside < minimum)))
    return telling

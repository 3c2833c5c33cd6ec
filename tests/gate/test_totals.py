"""Whatever is published of a table, no hidden cell can be computed from it."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.totals import Hidden, bridges, determined, hide


def solvable(
    row: list[int], column: list[int], count: list[int], hidden: Hidden, *, with_grand: bool
) -> list[int]:
    """Return the hidden cells that linear algebra fixes: elimination over the fractions."""
    unknown = [n for n, is_hidden in enumerate(hidden.cells.tolist()) if is_hidden]
    equations = [
        [Fraction(lines[n] == number) for n in unknown]
        for lines, totals in ((row, hidden.row_totals), (column, hidden.column_totals))
        for number, is_hidden in enumerate(totals.tolist())
        if not is_hidden
    ]
    if with_grand:
        equations.append([Fraction(1)] * len(unknown))
    rank = 0
    for at in range(len(unknown)):
        pivot = next((i for i in range(rank, len(equations)) if equations[i][at]), None)
        if pivot is None:
            continue
        equations[rank], equations[pivot] = equations[pivot], equations[rank]
        lead = equations[rank][at]
        equations[rank] = [value / lead for value in equations[rank]]
        for i, other in enumerate(equations):
            if i != rank and other[at]:
                equations[i] = [
                    a - other[at] * b for a, b in zip(other, equations[rank], strict=True)
                ]
        rank += 1
    fixed = [[n for n, value in zip(unknown, eq, strict=True) if value] for eq in equations]
    return sorted(cells[0] for cells in fixed if len(cells) == 1)


tables = st.dictionaries(
    st.tuples(st.integers(0, 4), st.integers(0, 4)), st.integers(1, 9), min_size=1, max_size=16
)


@given(tables, st.integers(2, 6))
def test_no_hidden_cell_follows_from_what_is_shown(
    table: dict[tuple[int, int], int], minimum: int
) -> None:
    row, column = [a for a, _ in table], [b for _, b in table]
    count = list(table.values())
    arrays = (np.array(row), np.array(column), np.array(count))
    hidden = hide(*arrays, minimum=minimum)

    shown_grand = not hidden.grand_total
    assert solvable(row, column, count, hidden, with_grand=shown_grand) == []
    # The bridge test finds exactly what algebra finds, also where totals were not hidden.
    nothing = Hidden(
        hidden.cells,
        np.zeros_like(hidden.row_totals),
        np.zeros_like(hidden.column_totals),
        grand_total=False,
    )
    by_bridges = sorted(determined(*arrays[:2], hidden.cells, nothing).tolist())
    assert by_bridges == solvable(row, column, count, nothing, with_grand=True)


def test_two_hidden_cells_in_a_line_are_not_always_enough() -> None:
    # A path of hidden cells: every line in its middle hides two, and yet all are known.
    row, column = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 2, 2])
    cells = np.ones(5, bool)
    shown = Hidden(cells, np.zeros(3, bool), np.zeros(3, bool), grand_total=False)

    assert len(determined(row, column, cells, shown)) == 5
    assert bridges([0, 1, 2], [1, 2, 0], 3) == []
    assert sorted(bridges([0, 1, 1], [1, 2, 2], 3)) == [0]


@pytest.mark.parametrize("minimum", [5, 10])
def test_dense_tables_keep_most_totals(minimum: int) -> None:
    rng = np.random.default_rng(3)
    row, column = np.divmod(np.arange(900), 30)
    count = rng.geometric(0.03, 900)
    hidden = hide(row, column, count, minimum=minimum)

    assert hidden.cells.any()
    assert hidden.row_totals.mean() < 0.5

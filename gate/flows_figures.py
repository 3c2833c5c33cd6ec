"""Figures of a table of counts, from the table itself: levels, and how alone a trip is in it."""

from __future__ import annotations

from typing import Any

import numpy as np

from gate.flows import COUNT_COLUMN, Flows
from gate.policy import Policy
from gate.report import LevelShare
from gate.spill import Int64Array
from gate.uniqueness import Uniqueness, of_groups


def level_shares(policy: Policy, level: Int64Array, trips: Int64Array) -> tuple[LevelShare, ...]:
    """Return trips and cells told at each level of a policy."""
    return tuple(
        LevelShare(
            each.period, each.area, int(trips[level == index].sum()), int((level == index).sum())
        )
        for index, each in enumerate(policy.levels)
    )


def uniqueness_after(flows: Flows, minimum: int) -> Uniqueness:
    """Return how alone the trips of a table are, by all its columns, from the table itself."""
    names = sorted({name for level in flows.areas for name in level})
    number = {name: index for index, name in enumerate(names)}
    rows = zip(
        flows.level.tolist(),
        flows.start_quarter.tolist(),
        (number[flows.areas[lv][a]] for lv, a in zip(flows.level, flows.from_area, strict=True)),
        (number[flows.areas[lv][b]] for lv, b in zip(flows.level, flows.to_area, strict=True)),
        *flows.kept,
        strict=True,
    )
    sizes: dict[tuple[Any, ...], int] = {}
    for row, count in zip(rows, flows.trips.tolist(), strict=True):
        sizes[row] = sizes.get(row, 0) + count
    known = [name for name in flows.columns if name != COUNT_COLUMN]
    return of_groups(known, np.array(list(sizes.values()), np.int64), minimum)

"""Figures of a table of counts, from the table itself: levels, and how alone a trip is in it."""

from __future__ import annotations

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
    _, a, b = flows.area_texts()
    kept = [np.unique(each, return_inverse=True)[1] for each in flows.kept]
    columns = np.stack((flows.level, flows.start_quarter, a, b, *kept), axis=1)
    order = np.lexsort(columns.T)
    ordered = columns[order]
    starts = np.flatnonzero(np.concatenate(([True], (ordered[1:] != ordered[:-1]).any(axis=1))))
    sizes = np.add.reduceat(flows.trips[order], starts)
    known = [name for name in flows.columns if name != COUNT_COLUMN]
    return of_groups(known, sizes, minimum)

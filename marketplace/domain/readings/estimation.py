"""Readings that did not come by the deadline, estimated by rule from the meter's own past.

``previous_week`` takes the same interval of the week before, or of the nearest of four weeks that
has a reading. ``profile`` takes the mean of the same time of day on days of the same kind (workday
or weekend) in the four weeks before. Only readings that are no estimates count, so that estimates
never feed on themselves; a meter without any stays missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Int64Array = NDArray[np.int64]
Rule = Literal["none", "previous_week", "profile"]
RULES: Final = ("previous_week", "profile")
HISTORY_DAYS: Final = 28


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Readings of the moments that `history_starts` names.

    Attributes
    ----------
    moment : ndarray of int64, shape (n,)
        Position of each reading's start among those moments.
    metering_point : ndarray of int64, shape (n,)
    import_wh, export_wh : ndarray of int64, shape (n,)
        [Wh]
    """

    moment: Int64Array
    metering_point: Int64Array
    import_wh: Int64Array
    export_wh: Int64Array


@dataclass(frozen=True, slots=True, eq=False)
class Estimates:
    """One estimate per metering point, in ascending order of them. [Wh]"""

    metering_point: Int64Array
    import_wh: Int64Array
    export_wh: Int64Array


def history_starts(rule: Rule, starts_at: datetime, zone: ZoneInfo) -> list[datetime]:
    """Return the starts of the intervals that an estimate looks at, the nearest first.

    The wall clock counts: across a change of the clock it is the same hour of the day. A time that
    the clock leaps over has no interval and is left out.
    """
    local = starts_at.astimezone(zone)
    step = 7 if rule == "previous_week" else 1
    found = []
    for days in range(step, HISTORY_DAYS + 1, step):
        wall = local.replace(tzinfo=None) - timedelta(days=days)
        if rule == "profile" and (wall.weekday() < 5) != (local.weekday() < 5):
            continue
        moment = wall.replace(tzinfo=zone, fold=local.fold).astimezone(UTC)
        if moment.astimezone(zone).replace(tzinfo=None) == wall:
            found.append(moment)
    return found


def estimate(rule: Rule, history: History) -> Estimates:
    """Estimate one interval of every metering point that has a history.

    Parameters
    ----------
    rule : str
        ``previous_week``: the nearest reading as it is. ``profile``: the mean, a half to the even
        Wh.
    history : History
    """
    points, index = np.unique(history.metering_point, return_inverse=True)
    if rule == "profile":
        count = np.bincount(index, minlength=len(points)).astype(np.int64)
        return Estimates(
            points,
            _mean(history.import_wh, index, count),
            _mean(history.export_wh, index, count),
        )
    order = np.lexsort((history.moment, index))
    nearest = order[np.searchsorted(index[order], np.arange(len(points)))]
    return Estimates(points, history.import_wh[nearest], history.export_wh[nearest])


def _mean(energy: Int64Array, index: Int64Array, count: Int64Array) -> Int64Array:
    total = np.zeros(len(count), dtype=np.int64)
    np.add.at(total, index, energy)
    whole, rest = np.divmod(total, count)
    up = (2 * rest > count) | ((2 * rest == count) & (whole % 2 == 1))
    return np.asarray(whole + up, dtype=np.int64)

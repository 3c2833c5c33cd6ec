"""How many delivery intervals a meter is expected to report on a civil day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

FAR: Final = 10**12


class IntervalLength(NamedTuple):
    """From when on delivery intervals are so long."""

    effective_from: datetime
    minutes: int


def expected_intervals(
    start: datetime,
    end: datetime,
    *,
    lengths: Sequence[IntervalLength],
    active_from: datetime,
    active_until: datetime | None,
    now: datetime,
) -> int:
    """Return how many delivery intervals of [start, end) should have a reading by now.

    Parameters
    ----------
    start, end : datetime
        A civil day of 23, 24 or 25 hours, or any other period.
    lengths : sequence of IntervalLength
        In order of time; before the first there are no intervals.
    active_from, active_until : datetime
        When the meter reports: an interval counts if it starts then.
    now : datetime
        An interval that has not ended yet is not expected.
    """
    total = 0
    for index, (effective_from, minutes) in enumerate(lengths):
        later = lengths[index + 1].effective_from if index + 1 < len(lengths) else None
        length_s = minutes * 60
        first_s = max(_s(start), _s(effective_from), _s(active_from))
        ended_s = _s(now - timedelta(seconds=length_s)) + 1
        end_s = min(_s(end), _s(later), _s(active_until), ended_s)
        total += max(0, -(-end_s // length_s) + first_s // -length_s)
    return total


def _s(moment: datetime | None) -> int:
    return FAR if moment is None else int(moment.timestamp())

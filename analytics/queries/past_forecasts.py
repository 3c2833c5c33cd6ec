"""What would have been expected in the past: each block from what was known the day before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from analytics.domain.forecast import Method, as_it_was_expected
from analytics.queries.history import BLOCKS_MAX, Window, read_meters
from marketplace.queries.meter_history import find_first_interval_start, find_latest_reading
from marketplace.queries.pages import Place

LEAD = 1


@dataclass(frozen=True)
class PastExpectation:
    """What one interval was metered as, and what would have been expected of it. [Wh]"""

    starts_at: datetime
    ends_at: datetime
    export_wh: int
    import_wh: int
    expected_export_wh: int
    expected_import_wh: int


def list_past_expectations(
    *, place: Place, metering_point_id: int, days: int, methods: Sequence[Method]
) -> list[PastExpectation]:
    """Return the last days of a meter, interval by interval, with what would have been expected.

    Parameters
    ----------
    days : int
        Blocks of 24 hours at most; fewer where the past is shorter.
    methods : sequence of Method
        Of the export and of the import: what the meter's forecasts are made by now.

    Returns
    -------
    list of PastExpectation
        Intervals that have a reading and of which something could have been expected.
    """
    latest = find_latest_reading(community_id=place.community_id)
    first = find_first_interval_start(community_id=place.community_id)
    if latest is None or first is None:
        return []
    window = Window(
        community_id=place.community_id,
        zone=place.zone,
        origin=latest.ends_at,
        minutes=latest.minutes,
        blocks=min(BLOCKS_MAX, -(-(latest.ends_at - first) // timedelta(days=1))),
        leads=LEAD,
    )
    no_weather = np.empty((0, window.blocks + LEAD, window.slots))
    histories = read_meters(window, metering_point_ids=[metering_point_id], weather=no_weather)
    expected = [
        each[0] for each in as_it_was_expected(*histories, lead=LEAD, blocks=days, methods=methods)
    ]
    blocks = expected[0].shape[0]
    metered = [history.values[0, window.blocks - blocks :] for history in histories]
    figures = np.stack([each.ravel() for each in (*metered, *expected)])
    start = window.origin - timedelta(days=blocks)
    step = timedelta(minutes=window.minutes)
    known = np.flatnonzero(~np.isnan(figures).any(axis=0))
    whole = np.rint(figures[:, known]).astype(np.int64).T.tolist()
    return [
        PastExpectation(start + step * at, start + step * (at + 1), *row)
        for at, row in zip(known.tolist(), whole, strict=True)
    ]

"""The profile of a table of counts: of what is published, never of the trips behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from gate.areas import Areas
from gate.cascade import Periods
from gate.flows import COUNT_COLUMN, Flows
from gate.policy import PERIOD_SECONDS
from gate.profile import CELLS_MAX, Cell, Column, Profile
from gate.trip_rows import QUARTER_SECONDS

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 -- of wall clocks, which have no zone


def profile_of(flows: Flows, areas: Areas) -> Profile:
    """Return the profile; its map counts the shown trips by the area they began in."""
    seconds = [PERIOD_SECONDS[level.period] for level in flows.policy.levels]
    shown = sorted({int(level) for level in flows.level})
    starts = flows.start_quarter * QUARTER_SECONDS
    periods = Periods()
    ends = max(
        int(periods.end(flows.start_quarter[flows.level == level], period).max())
        for level, period in ((each, flows.policy.levels[each].period) for each in shown)
    )
    shown_areas, _, _ = flows.area_texts()
    return Profile(
        rows=len(flows.trips),
        columns=_columns(flows),
        bbox=bbox_of(areas),
        start=_utc(int(starts.min()), flows.policy.zone),
        end=_utc(ends * QUARTER_SECONDS, flows.policy.zone),
        resolution_s=min(seconds[level] for level in shown),
        cells=_map(flows),
        entities={
            "stations": len(areas.places),
            "areas": len(shown_areas),
            "trips": int(flows.trips.sum()),
        },
    )


def bbox_of(areas: Areas) -> tuple[int, int, int, int] | None:
    """Return west, south, east, north of all stations. [microdegree]"""
    lats = [each.latitude for each in areas.places if each.latitude is not None]
    lons = [each.longitude for each in areas.places if each.longitude is not None]
    return (min(lons), min(lats), max(lons), max(lats)) if lats and lons else None


def _columns(flows: Flows) -> tuple[Column, ...]:
    levels = flows.policy.levels
    at = [levels[index] for index in sorted({int(level) for level in flows.level})]
    starts = np.datetime_as_string(
        (np.sort(flows.start_quarter)[[0, -1]] * QUARTER_SECONDS).view("datetime64[s]")
    )
    texts: dict[str, Sequence[str]] = {
        "period": [level.period for level in at],
        "area_level": [level.area for level in at],
        **dict(zip(flows.policy.keep_columns, flows.kept, strict=True)),
    }
    found = [
        Column(
            name="period_start",
            type="timestamp",
            least=str(starts[0]),
            greatest=str(starts[1]),
            meaning="period_start",
        )
    ]
    for name in flows.columns[1:-1]:
        values = set(texts.get(name, ()))
        found.append(
            Column(
                name=name,
                type="text",
                least=min(values, default=None),
                greatest=max(values, default=None),
                distinct=len(values) or None,
                meaning="kept" if name in flows.policy.keep_columns else name,
            )
        )
    found.append(
        Column(
            name=COUNT_COLUMN,
            type="integer",
            least=str(int(flows.trips.min())),
            greatest=str(int(flows.trips.max())),
            meaning=COUNT_COLUMN,
        )
    )
    return tuple(found)


def _map(flows: Flows) -> tuple[Cell, ...]:
    """Return trips by H3 cell of their begin; a place without a cell is not on the map."""
    counts: Counter[str] = Counter()
    for index, level in enumerate(flows.policy.levels):
        if level.area.startswith("h3-"):
            here = flows.level == index
            sums = np.bincount(flows.from_area[here], weights=flows.trips[here])
            for number, trips in enumerate(sums.tolist()):
                if trips:
                    counts[flows.areas[index][number]] += int(trips)
    most = sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:CELLS_MAX]
    return tuple(Cell(cell=cell, count=count) for cell, count in sorted(most))


def _utc(wall_s: int, zone: str) -> str:
    wall = (_EPOCH + timedelta(seconds=wall_s)).replace(tzinfo=ZoneInfo(zone))
    return wall.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

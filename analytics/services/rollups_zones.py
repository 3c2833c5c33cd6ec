"""Add interval rollups up to the hours and the day of each zone, and of all zones together."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, Final

from analytics.models import DayRollup, IntervalRollup, ZoneDay, ZoneHour
from marketplace.queries.rollups_days import DayInterval

COMMUNITY: Final = 0  # the zone that is all of them
_SUMS: Final = (
    "import_wh",
    "export_wh",
    "bought_wh",
    "sold_wh",
    "grid_import_wh",
    "grid_export_wh",
    "priced_wh",
    "priced_micro",
)
_SECONDS_AN_HOUR: Final = 3600


def write_zones(day: DayRollup, intervals: Sequence[DayInterval]) -> None:
    """Replace the hours and the day of every zone by what the given intervals come to."""
    ZoneDay.objects.filter(community_id=day.community_id, day=day.day).delete()
    ZoneHour.objects.filter(
        community_id=day.community_id, starts_at__gte=day.starts_at, starts_at__lt=day.ends_at
    ).delete()
    known = {each.id: each for each in intervals}
    zones = _by_zone(
        IntervalRollup.objects.filter(interval_id__in=list(known)).order_by("starts_at", "zone_id")
    )
    days, hours = [], []
    for zone_id, rows in zones.items():
        same = {"community_id": day.community_id, "zone_id": zone_id}
        days.append(
            ZoneDay(**same, day=day.day, **_energies(rows, known), **_extremes(rows, known))
        )
        by_hour: dict[datetime, list[_Row]] = defaultdict(list)
        for row in rows:
            by_hour[_hour_of(known[row.interval_id], day)].append(row)
        hours += [
            ZoneHour(**same, starts_at=at, **_energies(some, known)) for at, some in by_hour.items()
        ]
    ZoneDay.objects.bulk_create(days)
    ZoneHour.objects.bulk_create(hours)


class _Row:
    """An interval of a zone, or of all zones together."""

    def __init__(self, first: IntervalRollup) -> None:
        self.interval_id = first.interval_id
        self.meter_count = 0
        self.prices: list[int] = []
        self.sums = dict.fromkeys(_SUMS, 0)

    def add(self, rollup: IntervalRollup) -> None:
        self.meter_count += rollup.meter_count
        if rollup.price_micro_per_kwh is not None:
            self.prices.append(rollup.price_micro_per_kwh)
        for name in _SUMS:
            self.sums[name] += getattr(rollup, name)


def _by_zone(rollups: Iterable[IntervalRollup]) -> dict[int, list[_Row]]:
    """Return the rows of each zone in order of time, and those of the community."""
    zones: dict[int, dict[int, _Row]] = defaultdict(dict)
    for rollup in rollups:
        for zone_id in (COMMUNITY, rollup.zone_id):
            rows = zones[zone_id]
            if rollup.interval_id not in rows:
                rows[rollup.interval_id] = _Row(rollup)
            rows[rollup.interval_id].add(rollup)
    return {zone_id: list(rows.values()) for zone_id, rows in zones.items()}


def _hour_of(interval: DayInterval, day: DayRollup) -> datetime:
    """Return the beginning of the hour, counted from midnight: clocks may be 30 minutes off UTC."""
    hours = (interval.starts_at - day.starts_at) // timedelta(hours=1)
    return day.starts_at + timedelta(hours=hours)


def _energies(rows: Sequence[_Row], known: Mapping[int, DayInterval]) -> dict[str, Any]:
    intervals = [known[row.interval_id] for row in rows]
    return {
        "interval_count": len(rows),
        "meters_min": min(row.meter_count for row in rows),
        **{name: sum(row.sums[name] for row in rows) for name in _SUMS},
        "retail_micro_per_kwh": _mean([each.retail_micro_per_kwh for each in intervals]),
        "feed_in_micro_per_kwh": _mean([each.feed_in_micro_per_kwh for each in intervals]),
    }


def _extremes(rows: Sequence[_Row], known: Mapping[int, DayInterval]) -> dict[str, int | None]:
    prices = [price for row in rows for price in row.prices]
    return {
        "price_min_micro_per_kwh": min(prices, default=None),
        "price_max_micro_per_kwh": max(prices, default=None),
        "peak_import_w": max(_power(row, "grid_import_wh", known) for row in rows),
        "peak_alone_w": max(_power(row, "import_wh", known) for row in rows),
    }


def _power(row: _Row, name: str, known: Mapping[int, DayInterval]) -> int:
    """Return the mean power of an interval. [W]"""
    interval = known[row.interval_id]
    seconds = int((interval.ends_at - interval.starts_at).total_seconds())
    return round(Fraction(row.sums[name] * _SECONDS_AN_HOUR, seconds))


def _mean(values: Sequence[int]) -> int:
    return round(Fraction(sum(values), len(values)))

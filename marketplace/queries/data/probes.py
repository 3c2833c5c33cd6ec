"""What the hall measured of feeds: single looks, days, and what a period comes to."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import Count, Q, Sum

from marketplace.domain.data.service import Measured
from marketplace.models import ProbeDay, ProbeResult


@dataclass(frozen=True)
class LookLine:
    """One look of the hall at a feed."""

    at: datetime
    is_up: bool
    is_valid: bool
    latency_ms: int | None
    age_s: int | None
    record_count: int | None
    completeness_ppm: int | None
    error_count: int | None
    problem: str
    findings: list[dict[str, Any]]


@dataclass(frozen=True)
class DayLine:
    """The looks of one day (UTC), added up; means are None where nothing was measured."""

    day: date
    look_count: int
    up_count: int
    valid_count: int
    age_mean_s: int | None
    age_max_s: int | None
    latency_mean_ms: int | None
    latency_max_ms: int | None
    completeness_ppm: int | None


def list_days(*, product_id: int, since: date) -> list[DayLine]:
    """Return the days since a date on which the hall looked at a feed, the oldest first."""
    found = ProbeDay.objects.filter(product=product_id, day__gte=since).order_by("day")
    return [_day_line(day) for day in found]


def list_looks(
    *, product_id: int, start: datetime, end: datetime, limit: int = 2000
) -> list[LookLine]:
    """Return the looks of a period, the latest first: evidence, as they were stored."""
    found = ProbeResult.objects.filter(product=product_id, at__gte=start, at__lt=end)
    return [
        LookLine(
            one.at,
            one.is_up,
            one.is_valid,
            one.latency_ms,
            one.age_s,
            one.record_count,
            one.completeness_ppm,
            one.error_count,
            one.problem,
            one.findings,
        )
        for one in found.order_by("-at")[:limit]
    ]


def get_measured(*, product_id: int, start: datetime, end: datetime, max_age_s: int) -> Measured:
    """Return what the looks of a period come to against a promised age.

    Parameters
    ----------
    start, end : datetime
        The period, half-open.
    max_age_s : int
        The promised age; 0: none is promised, and no answer counts as young enough. [s]
    """
    up = Q(is_up=True)
    sums = ProbeResult.objects.filter(product=product_id, at__gte=start, at__lt=end).aggregate(
        look_count=Count("id"),
        up_count=Count("id", filter=up),
        fresh_count=Count("id", filter=up & Q(age_s__lte=max_age_s)),
        valid_count=Count("id", filter=up & Q(is_valid=True)),
        completeness_count=Count("id", filter=up & Q(completeness_ppm__isnull=False)),
        completeness_sum_ppm=Sum("completeness_ppm", filter=up),
    )
    return Measured(**{name: int(value or 0) for name, value in sums.items()})


def _day_line(day: ProbeDay) -> DayLine:
    return DayLine(
        day.day,
        day.look_count,
        day.up_count,
        day.valid_count,
        day.age_sum_s // day.dated_count if day.dated_count else None,
        day.age_max_s if day.dated_count else None,
        day.latency_sum_ms // day.up_count if day.up_count else None,
        day.latency_max_ms if day.up_count else None,
        day.completeness_sum_ppm // day.completeness_count if day.completeness_count else None,
    )

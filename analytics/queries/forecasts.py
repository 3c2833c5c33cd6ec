"""Read forecasts: a subject's next days, and what meters are expected to send and draw."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from analytics.domain.forecast import Method
from analytics.models import Forecast

Kind = Forecast.Kind

# The latest forecast of each meter, one element of its array. Arrays count from 1.
_OF_INTERVAL = """
SELECT DISTINCT ON (f.subject_id, f.kind) f.subject_id, f.kind,
    f.expected[1 + (extract(epoch FROM %(start)s - r.starts_at) / 60 / r.interval_minutes)::int]
FROM analytics_forecast f
JOIN analytics_forecastrun r ON r.id = f.run_id
WHERE r.community_id = %(community)s AND f.kind IN (1, 2)
ORDER BY f.subject_id, f.kind, r.id DESC
"""


@dataclass(frozen=True)
class Expected:
    """What is expected of one interval; None where there is no past to look at."""

    starts_at: datetime
    ends_at: datetime
    expected: int | None
    low: int | None
    high: int | None


@dataclass(frozen=True)
class Quality:
    """How the forecast of one block of 24 hours was made, and how wrong such forecasts were."""

    starts_at: datetime
    method: Method
    error: int | None
    naive_error: int | None
    points: int

    @property
    def skill(self) -> float | None:
        """Share of the naive forecast's error that is saved; None where nothing was measured."""
        if self.error is None or not self.naive_error:
            return None
        return 1 - self.error / self.naive_error


@dataclass(frozen=True)
class SubjectForecast:
    """The latest forecast of a meter or zone. [Wh] or [micro/kWh]"""

    starts_at: datetime
    made_at: datetime
    minutes: int
    intervals: tuple[Expected, ...]
    qualities: tuple[Quality, ...]

    def between(self, start: datetime, end: datetime) -> list[Expected]:
        """Return the intervals that start in ``[start, end)``."""
        return [each for each in self.intervals if start <= each.starts_at < end]


def find_energy_forecast(
    *, metering_point_id: int
) -> tuple[SubjectForecast, SubjectForecast] | None:
    """Return what a meter is expected to export and to import; None before the first forecast."""
    export = _find(Kind.EXPORT, metering_point_id)
    import_ = _find(Kind.IMPORT, metering_point_id)
    if export is None or import_ is None or export.starts_at != import_.starts_at:
        return None
    return export, import_


def find_price_forecast(*, zone_id: int) -> SubjectForecast | None:
    """Return the prices expected in a zone; None before the first forecast."""
    return _find(Kind.PRICE, zone_id)


def expected_surplus_wh(
    *, metering_point_id: int, starts: Sequence[datetime]
) -> tuple[list[int | None], list[int | None]]:
    """Return what a meter is expected to export and import in the intervals that start then.

    Returns
    -------
    tuple of list
        Export and import; None where nothing is forecast. [Wh]
    """
    found = find_energy_forecast(metering_point_id=metering_point_id)
    if found is None:
        return [None] * len(starts), [None] * len(starts)
    export, import_ = ({each.starts_at: each.expected for each in side.intervals} for side in found)
    return [export.get(start) for start in starts], [import_.get(start) for start in starts]


def list_expected_surplus(*, community_id: int, starts_at: datetime) -> dict[int, tuple[int, int]]:
    """Return what each meter of a community is expected to export and import in one interval.

    Returns
    -------
    dict
        Export and import by metering point; meters without a forecast are not in it. [Wh]
    """
    with connection.cursor() as cursor:
        cursor.execute(_OF_INTERVAL, {"community": community_id, "start": starts_at})
        known = {(point, kind): wh for point, kind, wh in cursor.fetchall() if wh is not None}
    return {
        point: (wh, known[point, Kind.IMPORT])
        for (point, kind), wh in known.items()
        if kind == Kind.EXPORT and (point, Kind.IMPORT) in known
    }


def _find(kind: Kind, subject_id: int) -> SubjectForecast | None:
    row = (
        Forecast.objects.filter(kind=kind, subject_id=subject_id)
        .select_related("run")
        .order_by("-run")
        .first()
    )
    if row is None:
        return None
    start, step = row.run.starts_at, timedelta(minutes=row.run.interval_minutes)
    return SubjectForecast(
        starts_at=start,
        made_at=row.run.made_at,
        minutes=row.run.interval_minutes,
        intervals=tuple(
            Expected(start + step * at, start + step * (at + 1), *figures)
            for at, figures in enumerate(zip(row.expected, row.low, row.high, strict=True))
        ),
        qualities=tuple(
            Quality(
                starts_at=start + timedelta(days=lead),
                method=Method(method),
                error=row.error[lead],
                naive_error=row.naive_error[lead],
                points=row.points[lead],
            )
            for lead, method in enumerate(row.method)
        ),
    )

"""The gap calendar: per meter and civil day, which readings are there and what they are worth."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import connection
from django.db.models import Min, QuerySet, Sum

from marketplace.domain.civil_day import day_bounds
from marketplace.domain.readings.gap_days import IntervalLength, expected_intervals
from marketplace.models import MeteringPoint, MeterState, ReadingReport, RuleSet
from marketplace.queries.pages import Place

# The current reading of an interval is its highest version.
_COUNTS = """
SELECT metering_point_id, day, count(*), count(*) FILTER (WHERE quality = 1),
    count(*) FILTER (WHERE quality = 2)
FROM (
    SELECT DISTINCT ON (i.id, r.metering_point_id) r.metering_point_id, r.quality,
        (i.starts_at AT TIME ZONE %(zone)s)::date AS day
    FROM marketplace_deliveryinterval i JOIN marketplace_reading r ON r.interval_id = i.id
    WHERE i.community_id = %(community)s AND i.starts_at >= %(start)s AND i.starts_at < %(end)s
        AND r.metering_point_id = ANY(%(points)s)
    ORDER BY i.id, r.metering_point_id, r.version DESC
) AS current
GROUP BY metering_point_id, day
"""


@dataclass(frozen=True)
class Meter:
    """A metering point and when it is active."""

    id: int
    code: str
    active_from: datetime
    active_until: datetime | None


@dataclass(frozen=True)
class GapDay:
    """One civil day of one meter, in delivery intervals."""

    day: date
    expected: int
    present: int
    estimated: int
    substituted: int

    @property
    def missing(self) -> int:
        """Intervals that ended and have no reading."""
        return max(0, self.expected - self.present)

    @property
    def state(self) -> str:
        """One word for a style: off, full, estimated, partial or empty."""
        if not self.expected and not self.present:
            return "off"
        if not self.present:
            return "empty"
        if self.missing:
            return "partial"
        return "estimated" if self.estimated else "full"


@dataclass(frozen=True)
class MeterDays:
    """A meter's days of one month."""

    metering_point_id: int
    code: str
    days: list[GapDay]

    @property
    def missing(self) -> int:
        """Missing intervals of all days."""
        return sum(day.missing for day in self.days)

    @property
    def estimated(self) -> int:
        """Estimated intervals of all days."""
        return sum(day.estimated for day in self.days)

    @property
    def expected(self) -> int:
        """Expected intervals of all days."""
        return sum(day.expected for day in self.days)


@dataclass(frozen=True)
class ReportLine:
    """A file of readings and what it lacked."""

    source: str
    format: str
    notes: list[str]
    expected: int
    present: int
    estimated: int
    substituted: int
    new: int
    corrected: int
    longest_gaps: list[tuple[str, datetime, int, str]]
    received_at: datetime

    @property
    def missing(self) -> int:
        """Missing intervals between each meter's first and last moment."""
        return self.expected - self.present


def list_meter_days(
    *, place: Place, points: Sequence[Meter], first: date, last: date, now: datetime
) -> list[MeterDays]:
    """Return the calendar of some meters of one community for the days from first to last.

    Rows are counted by the database; what is expected follows from the rule sets, the meters'
    active time and the length of the civil day.
    """
    zone = place.zone
    counts: dict[tuple[int, date], tuple[int, int, int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNTS,
            {
                "zone": place.timezone,
                "community": place.community_id,
                "start": day_bounds(first, zone)[0],
                "end": day_bounds(last, zone)[1],
                "points": [point.id for point in points],
            },
        )
        for point_id, day, present, estimated, substituted in cursor.fetchall():
            counts[point_id, day] = (present, estimated, substituted)
    lengths = [
        IntervalLength(effective_from, minutes)
        for effective_from, minutes in RuleSet.objects.filter(community=place.community_id)
        .order_by("effective_from")
        .values_list("effective_from", "document__interval_minutes")
    ]
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    bounds = {day: day_bounds(day, zone) for day in days}
    return [
        MeterDays(
            point.id,
            point.code,
            [
                GapDay(
                    day,
                    expected_intervals(
                        *bounds[day],
                        lengths=lengths,
                        active_from=point.active_from,
                        active_until=point.active_until,
                        now=now,
                    ),
                    *counts.get((point.id, day), (0, 0, 0)),
                )
                for day in days
            ],
        )
        for point in points
    ]


def list_meters_after(*, community_id: int, after: str, limit: int) -> list[Meter]:
    """Return the next metering points of a community in order of their codes."""
    found = MeteringPoint.objects.filter(community=community_id, code__gt=after)
    return _meters(found.order_by("code")[:limit])


def find_meter(*, community_id: int, metering_point_id: int) -> Meter | None:
    """Return a metering point of a community; None if it is not of it."""
    found = MeteringPoint.objects.filter(community=community_id, id=metering_point_id)
    return next(iter(_meters(found)), None)


def list_own_meters(*, participant_id: int) -> list[Meter]:
    """Return a member's metering points."""
    found = MeteringPoint.objects.filter(site__participant=participant_id)
    return _meters(found.order_by("code"))


@dataclass(frozen=True)
class OwnGap:
    """Readings of a member's meters that are missing of late, and since which day."""

    missing_count: int
    since: date


def find_own_gap(*, participant_id: int) -> OwnGap | None:
    """Return what is missing of a member's readings of the last weeks; None if nothing is."""
    found = MeterState.objects.filter(
        metering_point__site__participant=participant_id, gap_since__isnull=False
    ).aggregate(missing=Sum("missing_count"), since=Min("gap_since"))
    return OwnGap(found["missing"], found["since"]) if found["since"] else None


def _meters(found: QuerySet[MeteringPoint]) -> list[Meter]:
    return [Meter(*row) for row in found.values_list("id", "code", "active_from", "active_until")]


def list_reading_reports(*, community_id: int, limit: int) -> list[ReportLine]:
    """Return the newest files of readings of a community, each with its longest gaps."""
    rows = ReadingReport.objects.filter(community=community_id).order_by("-id")[:limit]
    return [
        ReportLine(
            source=row.source,
            format=row.format,
            notes=list(row.notes),
            expected=row.expected_count,
            present=row.present_count,
            estimated=row.estimated_count,
            substituted=row.substituted_count,
            new=row.new_count,
            corrected=row.corrected_count,
            longest_gaps=[
                (meter, datetime.fromtimestamp(start_s, UTC), count, why)
                for meter, start_s, count, why in row.gaps[:5]
            ],
            received_at=row.received_at,
        )
        for row in rows
    ]

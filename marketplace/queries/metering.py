"""Communities, their metering points and readings, as far as somebody's roles reach."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import OuterRef, Subquery

from marketplace.models import Community, MeteringPoint, Reading, RuleSet
from marketplace.queries.identity import names_of
from marketplace.queries.pages import get_minimum_group_size
from marketplace.queries.reach import Reach

# Every reading has a first version, whatever corrected it since.
_SMALL_INTERVALS = """
SELECT i.id
FROM unnest(%s::bigint[], %s::bigint[]) AS c(id, minimum)
JOIN marketplace_deliveryinterval i ON i.community_id = c.id
WHERE i.id = ANY(%s::bigint[]) AND c.minimum > (
    SELECT count(*) FROM (
        SELECT FROM marketplace_reading r
        WHERE r.interval_id = i.id AND r.version = 1 LIMIT c.minimum) AS known)
"""


@dataclass(frozen=True)
class CommunityLine:
    """A community with the rules in force."""

    id: int
    name: str
    local_name: str
    timezone: str
    currency: str
    interval_minutes: int | None
    rules_version: int | None
    rules_sha256: str | None


@dataclass(frozen=True)
class MeteringPointLine:
    """A metering point and where it is."""

    id: int
    code: str
    community_id: int
    participant_id: int
    site: str
    zone: str
    active_from: datetime
    active_until: datetime | None


@dataclass(frozen=True)
class ReadingLine:
    """The current reading of an interval. [Wh]"""

    metering_point_id: int
    interval_id: int
    starts_at: datetime
    ends_at: datetime
    import_wh: int
    export_wh: int
    quality: str
    version: int
    received_at: datetime

    @property
    def id(self) -> int:
        """Place in the order of time. [s since 1970-01-01 UTC]"""
        return int(self.starts_at.timestamp())


def list_communities(
    *, reach: Reach, now: datetime, before_id: int | None, limit: int
) -> list[CommunityLine]:
    """Return the communities within reach, newest first."""
    in_force = RuleSet.objects.filter(community=OuterRef("pk"), effective_from__lte=now).order_by(
        "-effective_from"
    )
    found = Community.objects.filter(id__in=reach.watched).annotate(
        rules_minutes=Subquery(in_force.values("document__interval_minutes")[:1]),
        rules_version=Subquery(in_force.values("version")[:1]),
        rules_sha256=Subquery(in_force.values("sha256")[:1]),
    )
    if before_id is not None:
        found = found.filter(id__lt=before_id)
    return [
        CommunityLine(
            id=each.id,
            name=each.name,
            local_name=each.local_name,
            timezone=each.timezone,
            currency=each.currency,
            interval_minutes=each.rules_minutes,
            rules_version=each.rules_version,
            rules_sha256=each.rules_sha256,
        )
        for each in found.order_by("-id")[:limit]
    ]


def list_metering_points(
    *,
    reach: Reach,
    community_id: int | None,
    participant_id: int | None,
    before_id: int | None,
    limit: int,
) -> list[MeteringPointLine]:
    """Return the metering points within reach, newest first."""
    found = MeteringPoint.objects.filter(reach.of_participants("site__participant"))
    if community_id is not None:
        found = found.filter(community_id=community_id)
    if participant_id is not None:
        found = found.filter(site__participant_id=participant_id)
    if before_id is not None:
        found = found.filter(id__lt=before_id)
    points = list(found.select_related("site__participant", "site__zone").order_by("-id")[:limit])
    names = names_of(point.site.participant for point in points)
    return [
        MeteringPointLine(
            id=point.id,
            code=point.code,
            community_id=point.community_id,
            participant_id=point.site.participant_id,
            site=point.site.label or names[point.site.participant_id],
            zone=point.site.zone.code,
            active_from=point.active_from,
            active_until=point.active_until,
        )
        for point in points
    ]


def find_metering_point(*, reach: Reach, metering_point_id: int) -> MeteringPointLine | None:
    """Return a metering point within reach; None if there is none."""
    rows = list_metering_points(
        reach=reach,
        community_id=None,
        participant_id=None,
        before_id=metering_point_id + 1,
        limit=1,
    )
    return rows[0] if rows and rows[0].id == metering_point_id else None


def list_readings(
    *,
    metering_point_id: int,
    start: datetime | None,
    end: datetime | None,
    before: datetime | None,
    limit: int,
) -> list[ReadingLine]:
    """Return the current readings of one metering point, newest first.

    Of intervals that start in ``[start, end)``, and before a moment if given.
    """
    newer = (
        Reading.objects.filter(
            interval=OuterRef("interval"), metering_point=OuterRef("metering_point")
        )
        .order_by("-version")
        .values("version")[:1]
    )
    community = MeteringPoint.objects.filter(id=metering_point_id).values("community_id")
    found = Reading.objects.filter(
        metering_point_id=metering_point_id,
        # By the community's intervals and then by key, since readings have no index by meter.
        interval__community__in=community,
        version=Subquery(newer),
    )
    for condition, moment in (("gte", start), ("lt", end), ("lt", before)):
        if moment is not None:
            found = found.filter(**{f"interval__starts_at__{condition}": moment})
    rows = found.order_by("-interval__starts_at").values_list(
        "metering_point_id",
        "interval_id",
        "interval__starts_at",
        "interval__ends_at",
        "import_wh",
        "export_wh",
        "quality",
        "version",
        "batch__received_at",
    )
    return [
        ReadingLine(*row[:6], Reading.Quality(row[6]).name.lower(), *row[7:])
        for row in rows[:limit]
    ]


def list_small_intervals(
    *, interval_ids: Collection[int], community_ids: Collection[int], now: datetime
) -> frozenset[int]:
    """Return the intervals with readings of fewer meters than a published figure must cover.

    Of each interval no more readings are counted than it takes to know.
    """
    minima = {
        community_id: get_minimum_group_size(community_id=community_id, now=now)
        for community_id in community_ids
    }
    with connection.cursor() as cursor:
        cursor.execute(_SMALL_INTERVALS, [list(minima), list(minima.values()), list(interval_ids)])
        return frozenset(interval_id for (interval_id,) in cursor.fetchall())

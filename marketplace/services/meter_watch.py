"""Watch over meters: what each sent by day, and how complete its last weeks are.

A day is added up again whenever its readings or clearings have changed, by one statement over its
own rows; lists and detectors then read a row for each meter and day.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from marketplace.domain.civil_day import day_bounds
from marketplace.models import Community, MeterDay, WatchedDay

# What lists speak of, and how long days are kept. [days]
WINDOW_DAYS: Final = 30
KEPT_DAYS: Final = 62

# Of the days that have intervals: changes whenever a reading or a clearing of one does. A day with
# an open interval changes with each batch that comes in.
_SIGNATURES = """
SELECT (i.starts_at AT TIME ZONE %(zone)s)::date AS day,
    count(*) || '/' || sum(i.revision) || '/' || count(*) FILTER (WHERE i.has_news)
        || '/' || CASE WHEN bool_or(i.state = 1) THEN %(batch)s ELSE '' END
        || '/' || %(points)s
FROM marketplace_deliveryinterval i
WHERE i.community_id = %(community)s AND i.starts_at >= %(start)s AND i.ends_at <= %(now)s
GROUP BY 1 ORDER BY 1
"""

# Everything is added up by hashing, nothing is sorted: a city's day is a million readings. Energies
# have 30 bits, so a pair of them is one number. Different pairs are counted at least: by a bit for
# each remainder, which is enough to tell a life from a stuck meter.
_ADD_UP = """
INSERT INTO marketplace_meterday AS known (
    community_id, metering_point_id, day, expected_count, reading_count, estimated_count,
    import_wh, export_wh, night_export_wh, peak_wh, distinct_count, profile
)
WITH chosen AS MATERIALIZED (
    SELECT id, starts_at, extract(hour FROM starts_at AT TIME ZONE %(zone)s) AS hour,
        1 + extract(epoch FROM starts_at - %(start)s)::bigint AS slot
    FROM marketplace_deliveryinterval
    WHERE community_id = %(community)s AND starts_at >= %(start)s AND starts_at < %(end)s
        AND ends_at <= %(now)s
), corrected AS MATERIALIZED (
    SELECT c.id AS interval_id, r.metering_point_id, max(r.version) AS version
    FROM chosen c CROSS JOIN LATERAL (
        -- By interval, in this order: versions alone have no index.
        SELECT metering_point_id, version FROM marketplace_reading
        WHERE interval_id = c.id AND version > 1 OFFSET 0
    ) r GROUP BY 1, 2
), sums AS (
    SELECT r.metering_point_id, count(*) AS readings,
        count(*) FILTER (WHERE r.quality = 1) AS estimated,
        sum(r.import_wh)::bigint AS import_wh, sum(r.export_wh)::bigint AS export_wh,
        coalesce(sum(r.export_wh) FILTER (WHERE c.hour >= 22 OR c.hour < 4), 0)::bigint AS night_wh,
        max(greatest(r.import_wh, r.export_wh)) AS peak_wh,
        CASE WHEN min(r.import_wh) = max(r.import_wh) AND min(r.export_wh) = max(r.export_wh)
            THEN 1 ELSE greatest(2, bit_count(bit_or(
                1::bigint << (((r.import_wh << 30 | r.export_wh) %% 61 + 61) %% 61)::int
            )::bit(64))) END AS distincts,
        bit_xor(hashint8extended(r.import_wh << 30 | r.export_wh, c.slot))::text AS profile
    FROM chosen c JOIN marketplace_reading r ON r.interval_id = c.id
    LEFT JOIN corrected k
        ON k.interval_id = r.interval_id AND k.metering_point_id = r.metering_point_id
    WHERE r.version = coalesce(k.version, 1)
    GROUP BY r.metering_point_id
), span AS (SELECT count(*) AS number, min(starts_at) AS first, max(starts_at) AS last FROM chosen)
SELECT %(community)s, p.id, %(day)s,
    CASE WHEN p.active_from <= span.first AND (p.active_until IS NULL OR p.active_until > span.last)
        THEN span.number
        ELSE (SELECT count(*) FROM chosen c WHERE c.starts_at >= p.active_from
            AND (p.active_until IS NULL OR c.starts_at < p.active_until)) END,
    coalesce(s.readings, 0), coalesce(s.estimated, 0), coalesce(s.import_wh, 0),
    coalesce(s.export_wh, 0), coalesce(s.night_wh, 0), coalesce(s.peak_wh, 0),
    coalesce(s.distincts, 0), coalesce(s.profile, '')
FROM span, marketplace_meteringpoint p
LEFT JOIN sums s ON s.metering_point_id = p.id
WHERE p.community_id = %(community)s AND span.number > 0
    AND p.active_from <= span.last AND (p.active_until IS NULL OR p.active_until > span.first)
ORDER BY p.id
ON CONFLICT (metering_point_id, day) DO UPDATE SET
    expected_count = EXCLUDED.expected_count, reading_count = EXCLUDED.reading_count,
    estimated_count = EXCLUDED.estimated_count, import_wh = EXCLUDED.import_wh,
    export_wh = EXCLUDED.export_wh, night_export_wh = EXCLUDED.night_export_wh,
    peak_wh = EXCLUDED.peak_wh, distinct_count = EXCLUDED.distinct_count,
    profile = EXCLUDED.profile
"""

# The last reading: of the newest day with any, the last interval that has one of the meter's.
_STATES = """
INSERT INTO marketplace_meterstate (
    metering_point_id, community_id, last_reading_at, expected_count, missing_count,
    estimated_count, gap_since, computed_at
)
SELECT p.id, p.community_id, last.ends_at, coalesce(sums.expected, 0), coalesce(sums.missing, 0),
    coalesce(sums.estimated, 0), sums.gap_since, %(now)s
FROM marketplace_meteringpoint p
LEFT JOIN (
    SELECT metering_point_id, sum(expected_count) AS expected,
        sum(greatest(expected_count - reading_count, 0)) AS missing,
        sum(estimated_count) AS estimated,
        min(day) FILTER (WHERE reading_count < expected_count) AS gap_since,
        max(day) FILTER (WHERE reading_count > 0) AS last_day
    FROM marketplace_meterday
    WHERE community_id = %(community)s AND day > %(after)s GROUP BY metering_point_id
) sums ON sums.metering_point_id = p.id
LEFT JOIN LATERAL (
    SELECT i.ends_at FROM marketplace_deliveryinterval i
    JOIN marketplace_reading r ON r.interval_id = i.id AND r.metering_point_id = p.id
    WHERE i.community_id = p.community_id
        AND i.starts_at >= (sums.last_day::timestamp AT TIME ZONE %(zone)s)
        AND i.starts_at < ((sums.last_day + 1)::timestamp AT TIME ZONE %(zone)s)
    ORDER BY i.starts_at DESC LIMIT 1
) last ON true
WHERE p.community_id = %(community)s
ORDER BY p.id
ON CONFLICT (metering_point_id) DO UPDATE SET
    last_reading_at = coalesce(EXCLUDED.last_reading_at, marketplace_meterstate.last_reading_at),
    expected_count = EXCLUDED.expected_count, missing_count = EXCLUDED.missing_count,
    estimated_count = EXCLUDED.estimated_count, gap_since = EXCLUDED.gap_since,
    computed_at = EXCLUDED.computed_at
"""


@dataclass(frozen=True)
class DirtyDay:
    """A civil day that has changed since it was looked at."""

    day: date
    signature: str


def list_dirty_days(*, community_id: int, now: datetime) -> list[DirtyDay]:
    """Return the days of the last weeks of the market that changed, in order.

    The weeks end with the last interval that has ended, so that a trial with readings of last
    summer is looked at as well.
    """
    community = Community.objects.get(id=community_id)
    newest = (
        community.intervals.filter(ends_at__lte=now)
        .order_by("-starts_at")
        .values_list("starts_at", flat=True)
        .first()
    )
    if newest is None:
        return []
    zone = ZoneInfo(community.timezone)
    first = newest.astimezone(zone).date() - timedelta(days=WINDOW_DAYS - 1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0)::text FROM marketplace_readingbatch")
        batch = cursor.fetchone()[0]
        cursor.execute(
            "SELECT count(*)::text || '.' || count(active_until) FROM marketplace_meteringpoint"
            " WHERE community_id = %s",
            [community_id],
        )
        points = cursor.fetchone()[0]
        cursor.execute(
            _SIGNATURES,
            {
                "zone": community.timezone,
                "batch": batch,
                "points": points,
                "community": community_id,
                "start": day_bounds(first, zone)[0],
                "now": now,
            },
        )
        found = [DirtyDay(*row) for row in cursor.fetchall()]
    known = dict(WatchedDay.objects.filter(community=community_id).values_list("day", "signature"))
    return [each for each in found if known.get(each.day) != each.signature]


@transaction.atomic
def add_up_day(*, community_id: int, day: date, now: datetime) -> None:
    """Add up what each meter sent on a day; a second time replaces the first."""
    community = Community.objects.get(id=community_id)
    start, end = day_bounds(day, ZoneInfo(community.timezone))
    with connection.cursor() as cursor:
        cursor.execute(
            _ADD_UP,
            {
                "zone": community.timezone,
                "community": community_id,
                "day": day,
                "start": start,
                "end": end,
                "now": now,
            },
        )


@transaction.atomic
def refresh_states(*, community_id: int, now: datetime) -> None:
    """Bring every meter's row of the operator's list up to date, and forget old days."""
    community = Community.objects.get(id=community_id)
    newest = MeterDay.objects.filter(community=community_id).order_by("-day").first()
    if newest is None:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _STATES,
            {
                "community": community_id,
                "zone": community.timezone,
                "after": newest.day - timedelta(days=WINDOW_DAYS),
                "now": now,
            },
        )
    old = newest.day - timedelta(days=KEPT_DAYS)
    MeterDay.objects.filter(community=community_id, day__lt=old).delete()
    WatchedDay.objects.filter(community=community_id, day__lt=old).delete()


def note_watched(*, community_id: int, dirty: DirtyDay, now: datetime) -> None:
    """Note that a day was looked at, as it was before: what changed since makes it due again."""
    WatchedDay.objects.bulk_create(
        [
            WatchedDay(
                community_id=community_id,
                day=dirty.day,
                signature=dirty.signature,
                watched_at=now,
            )
        ],
        update_conflicts=True,
        unique_fields=["community", "day"],
        update_fields=["signature", "watched_at"],
    )

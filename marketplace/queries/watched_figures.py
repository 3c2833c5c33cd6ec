"""What detectors are given of a day: set-based reads of its own rows."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from marketplace.domain.civil_day import day_bounds
from marketplace.domain.surveillance import (
    CANCEL_MINUTES,
    CONSTANT_READINGS_MIN,
    COPIED_DISTINCT_MIN,
    NIGHT_EXPORT_WH_MIN,
    PEAK_W_MIN,
    Cancelling,
    HourPrice,
    MeterFigures,
    Trades,
)
from marketplace.models import ProbeDay

_PAST_DAYS = 28

_PRICES = """
SELECT coalesce(z.key, ''), (i.starts_at AT TIME ZONE %(zone)s)::date,
    extract(hour FROM i.starts_at AT TIME ZONE %(zone)s)::int,
    coalesce(z.value::bigint, c.price_micro_per_kwh)
FROM marketplace_deliveryinterval i
JOIN marketplace_clearing c ON c.interval_id = i.id AND c.revision = i.revision
LEFT JOIN LATERAL jsonb_each_text(c.prices) z ON true
WHERE i.community_id = %(community)s AND i.starts_at >= %(start)s AND i.starts_at < %(end)s
    AND coalesce(z.value::bigint, c.price_micro_per_kwh) IS NOT NULL
"""

# Agreements are what two have signed to do with each other: nothing unusual about it.
_TRADES = """
WITH pair AS MATERIALIZED (
    SELECT ss.participant_id AS seller, bs.participant_id AS buyer,
        sum(coalesce(t.delivered_wh, t.quantity))::bigint AS wh
    FROM marketplace_deliveryinterval i
    JOIN marketplace_match t ON t.interval_id = i.id AND t.revision = i.revision
    JOIN marketplace_meteringpoint sp ON sp.id = t.seller_point_id
    JOIN marketplace_site ss ON ss.id = sp.site_id
    JOIN marketplace_meteringpoint bp ON bp.id = t.buyer_point_id
    JOIN marketplace_site bs ON bs.id = bp.site_id
    WHERE i.community_id = %(community)s AND i.starts_at >= %(start)s AND i.starts_at < %(end)s
        AND t.agreement_id IS NULL
    GROUP BY 1, 2
)
SELECT 1, seller, 0, sum(wh)::bigint, 0 FROM pair GROUP BY seller
UNION ALL SELECT 2, buyer, 0, sum(wh)::bigint, 0 FROM pair GROUP BY buyer
UNION ALL SELECT 3, a.seller, a.buyer, a.wh, b.wh
FROM pair a JOIN pair b ON b.seller = a.buyer AND b.buyer = a.seller
WHERE a.seller <= a.buyer AND a.wh > 0
ORDER BY 1, 2, 3
"""

# Only meters of which a detector could find something; the figures of the others stay where they
# are. A profile that another meter of the day has as well, or this one had the day before.
_METERS = """
WITH today AS MATERIALIZED (
    SELECT * FROM marketplace_meterday WHERE community_id = %(community)s AND day = %(day)s
), twin AS (
    SELECT profile, min(metering_point_id) AS first_id, count(*) AS number FROM today
    WHERE distinct_count >= %(distincts)s GROUP BY profile HAVING count(*) > 1
)
SELECT t.metering_point_id, s.participant_id, t.reading_count, t.distinct_count,
    t.import_wh + t.export_wh, t.peak_wh, t.night_export_wh,
    EXISTS (
        SELECT FROM marketplace_productiondevice d WHERE d.metering_point_id = t.metering_point_id
            AND d.technology <> 'solar' AND d.active_from < %(end)s
            AND (d.active_until IS NULL OR d.active_until > %(start)s)
    ),
    CASE WHEN twin.number IS NOT NULL AND twin.first_id <> t.metering_point_id
            THEN (SELECT code FROM marketplace_meteringpoint WHERE id = twin.first_id)
        WHEN y.profile = t.profile AND t.profile <> '' THEN %(yesterday)s::text ELSE '' END,
    past.peaks
FROM today t
JOIN marketplace_meteringpoint p ON p.id = t.metering_point_id
JOIN marketplace_site s ON s.id = p.site_id
LEFT JOIN twin ON twin.profile = t.profile
LEFT JOIN marketplace_meterday y
    ON y.metering_point_id = t.metering_point_id AND y.day = %(yesterday)s
LEFT JOIN LATERAL (
    SELECT array_agg(m.peak_wh) AS peaks FROM marketplace_meterday m
    WHERE m.metering_point_id = t.metering_point_id AND m.day < %(day)s AND m.reading_count > 0
        AND t.peak_wh >= %(peak_wh)s
) past ON true
WHERE twin.number IS NOT NULL OR (y.profile = t.profile AND t.profile <> '')
    OR (t.distinct_count = 1 AND t.reading_count >= %(constant)s)
    OR t.night_export_wh >= %(night_wh)s OR t.peak_wh >= %(peak_wh)s
ORDER BY t.metering_point_id
"""

_CANCELLED = """
WITH late AS (
    SELECT o.participant_id, o.interval_id, count(*) AS number, sum(o.quantity_wh)::bigint AS wh
    FROM marketplace_deliveryinterval i
    JOIN marketplace_auction a ON a.interval_id = i.id
    JOIN marketplace_order o ON o.interval_id = i.id
    WHERE i.community_id = %(community)s AND i.starts_at >= %(start)s AND i.starts_at < %(end)s
        AND o.ended_at < a.closed_at
        AND o.ended_at >= a.closed_at - make_interval(mins => %(minutes)s)
        AND o.ended_at IS DISTINCT FROM o.expires_at
    GROUP BY 1, 2
)
SELECT l.participant_id, l.interval_id, l.number, l.wh,
    (SELECT sum(quantity_wh)::bigint FROM marketplace_order b WHERE b.interval_id = l.interval_id)
FROM late l ORDER BY 2, 1
"""


@dataclass(frozen=True)
class WatchedDayFigures:
    """Everything that the detectors look at on one day of a community."""

    prices: list[HourPrice]
    past_prices: dict[tuple[str, int], list[int]]
    trades: Trades
    meters: list[MeterFigures]
    cancellings: list[Cancelling]


def read_day(*, community_id: int, timezone: str, day: date) -> WatchedDayFigures:
    """Read a day for the detectors; what meters sent has been added up before."""
    zone = ZoneInfo(timezone)
    start, end = day_bounds(day, zone)
    span: dict[str, Any] = {"community": community_id, "zone": timezone, "start": start, "end": end}
    prices, past = _prices(span, day, day_bounds(day - timedelta(days=_PAST_DAYS), zone)[0])
    return WatchedDayFigures(prices, past, _trades(span), _meters(span, day), _cancellings(span))


def list_looked_at_feeds(*, day: date) -> list[tuple[int, int, int]]:
    """Return feeds with the looks of a day (UTC), and how many found it up and valid."""
    rows = ProbeDay.objects.filter(day=day).order_by("product")
    return list(rows.values_list("product_id", "look_count", "valid_count"))


def _prices(
    span: dict[str, Any], day: date, since: datetime
) -> tuple[list[HourPrice], dict[tuple[str, int], list[int]]]:
    today: list[HourPrice] = []
    past: dict[tuple[str, int], list[int]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_PRICES, {**span, "start": since})
        for zone, civil_day, hour, price in cursor.fetchall():
            if civil_day == day:
                today.append(HourPrice(zone, hour, price))
            else:
                past[zone, hour].append(price)
    return today, past


def _trades(span: dict[str, Any]) -> Trades:
    sold: dict[int, int] = {}
    bought: dict[int, int] = {}
    both: list[tuple[int, int, int, int]] = []
    with connection.cursor() as cursor:
        cursor.execute(_TRADES, span)
        for what, first, second, there, back in cursor.fetchall():
            if what == 1:
                sold[first] = there
            elif what == 2:
                bought[first] = there
            else:
                both.append((first, second, there, back))
    return Trades(sold, bought, both)


def _meters(span: dict[str, Any], day: date) -> list[MeterFigures]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM min(ends_at - starts_at))::int"
            " FROM marketplace_deliveryinterval WHERE community_id = %(community)s"
            " AND starts_at >= %(start)s AND starts_at < %(end)s",
            span,
        )
        seconds = cursor.fetchone()[0] or 3600
        cursor.execute(
            _METERS,
            {
                **span,
                "day": day,
                "yesterday": day - timedelta(days=1),
                "distincts": COPIED_DISTINCT_MIN,
                "constant": CONSTANT_READINGS_MIN,
                "night_wh": NIGHT_EXPORT_WH_MIN,
                "peak_wh": PEAK_W_MIN * seconds // 3600,
            },
        )
        rows = cursor.fetchall()
    return [
        MeterFigures(
            metering_point_id=row[0],
            participant_id=row[1],
            reading_count=row[2],
            distinct_count=row[3],
            total_wh=row[4],
            peak_w=row[5] * 3600 // seconds,
            night_export_wh=row[6],
            works_at_night=row[7],
            copied_from=row[8],
            past_peaks_w=[wh * 3600 // seconds for wh in row[9] or ()],
        )
        for row in rows
    ]


def _cancellings(span: dict[str, Any]) -> list[Cancelling]:
    with connection.cursor() as cursor:
        cursor.execute(_CANCELLED, {**span, "minutes": CANCEL_MINUTES})
        return [Cancelling(*row) for row in cursor.fetchall()]

"""Every figure that pages, files and APIs show: energies, flows, money and the market's health.

Over whole civil days figures come from the rollups of days, so that a year costs little; what
sticks out at either end of a time is added up from intervals. What somebody may not see in detail
is not decided here, see `analytics.queries.disclosed`.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from django.db import connection
from django.db.models import Avg, Count, Exists, F, Min, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from analytics.domain.figures import (
    Basis,
    Energies,
    EnergyBucket,
    Flow,
    LinkTotals,
    MarketHealth,
    MemberTotals,
    Peak,
    SavingsSpread,
)
from analytics.models import (
    DayRollup,
    FlowDay,
    LinkDay,
    MarketRollup,
    MemberDay,
    SavingsMonth,
    ZoneDay,
)

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
_MONEY: Final = (
    "interval_count",
    "import_wh",
    "export_wh",
    "bought_wh",
    "sold_wh",
    "grid_import_wh",
    "grid_export_wh",
    "pool_sale_micro",
    "grid_sale_micro",
    "pool_purchase_micro",
    "grid_purchase_micro",
    "other_micro",
    "alone_micro",
    "platform_fee_micro",
    "agreed_micro",
    "grid_fee_micro",
    "alone_sale_micro",
    "agreed_sold_alone_micro",
    "agreed_bought_alone_micro",
)
_HEALTH_SUMS: Final = (
    "offered_wh",
    "wanted_wh",
    "traded_wh",
    "agreed_wh",
    "value_micro",
    "lost_wh",
    "rent_micro",
    "missing_count",
    "left_out_count",
)
_ENERGIES = """
WITH day AS MATERIALIZED (
    SELECT day, starts_at, ends_at,
           starts_at >= %(start)s AND ends_at <= %(end)s AS is_whole
    FROM analytics_dayrollup
    WHERE community_id = %(community)s AND starts_at < %(end)s AND ends_at > %(start)s
), part AS (
    SELECT z.zone_id, z.interval_count, z.meters_min, {columns}
    FROM day JOIN analytics_zoneday z ON z.community_id = %(community)s AND z.day = day.day
    WHERE day.is_whole AND z.zone_id {zones}
    UNION ALL
    SELECT edge.zone_id, count(*), min(edge.meters), {edge_sums}
    FROM (
        SELECT {edge_zone} AS zone_id, sum(i.meter_count) AS meters, {interval_sums}
        FROM day JOIN analytics_intervalrollup i ON i.community_id = %(community)s
            AND i.starts_at >= greatest(day.starts_at, %(start)s)
            AND i.starts_at < least(day.ends_at, %(end)s)
        WHERE NOT day.is_whole AND {edge_filter}
        GROUP BY i.interval_id{edge_group}
    ) AS edge
    GROUP BY edge.zone_id
)
SELECT zone_id, sum(interval_count)::bigint, coalesce(min(meters_min), 0)::bigint, {part_sums}
FROM part GROUP BY zone_id ORDER BY zone_id
"""
_HOURS = """
SELECT h.starts_at, h.starts_at + interval '1 hour', d.day, h.interval_count, h.meters_min,
       {columns}, h.retail_micro_per_kwh, h.feed_in_micro_per_kwh
FROM analytics_dayrollup d CROSS JOIN LATERAL (
    SELECT * FROM analytics_zonehour z
    WHERE z.community_id = %(community)s AND z.zone_id = %(zone)s
        AND z.starts_at >= greatest(d.starts_at, %(start)s)
        AND z.starts_at < least(d.ends_at, %(end)s) OFFSET 0
) AS h
WHERE d.community_id = %(community)s AND d.starts_at < %(end)s AND d.ends_at > %(start)s
ORDER BY h.starts_at
"""


def get_energies(
    *, community_id: int, start: datetime, end: datetime, zone_id: int = 0
) -> Energies:
    """Return the energies of intervals that start in ``[start, end)``; zone 0 is the community."""
    of = _scope(community_id, zone_id)
    found = _energies(community_id, start, end, f"= {int(zone_id)}")
    if not found:
        return Energies(of, start, end, 0, 0, *([0] * len(_SUMS)))
    _, *values = found[0]
    return Energies(of, start, end, *values)


def list_zone_energies(*, community_id: int, start: datetime, end: datetime) -> list[Energies]:
    """Return the energies of each zone that has any rollup in ``[start, end)``."""
    return [
        Energies(f"zone:{zone_id}", start, end, *values)
        for zone_id, *values in _energies(community_id, start, end, "<> 0")
    ]


def list_days(
    *, community_id: int, start: datetime, end: datetime, zone_id: int = 0
) -> list[EnergyBucket]:
    """Return the civil days within ``[start, end)`` that have anything settled, in order."""
    rows = (
        ZoneDay.objects.filter(
            community_id=community_id,
            zone_id=zone_id,
            day__in=_whole_days(community_id, start, end).values("day"),
        )
        .annotate(at=_of_day("starts_at"), until=_of_day("ends_at"))
        .order_by("day")
        .values_list(
            *("at", "until", "day", "interval_count", "meters_min", *_SUMS),
            *("retail_micro_per_kwh", "feed_in_micro_per_kwh"),
        )
    )
    return [_bucket(_scope(community_id, zone_id), row) for row in rows]


def list_hours(
    *, community_id: int, start: datetime, end: datetime, zone_id: int = 0
) -> list[EnergyBucket]:
    """Return the clock hours that start in ``[start, end)`` and have anything settled, in order."""
    columns = ", ".join(f"h.{name}" for name in _SUMS)
    with connection.cursor() as cursor:
        cursor.execute(
            _HOURS.format(columns=columns),
            {"community": community_id, "zone": zone_id, "start": start, "end": end},
        )
        return [_bucket(_scope(community_id, zone_id), row) for row in cursor.fetchall()]


def list_flows(*, community_id: int, start: datetime, end: datetime) -> list[Flow]:
    """Return who delivered to whom over the civil days within ``[start, end)``.

    How many metering points a flow came from and went to is that of its smallest day.
    """
    ends = ("from_zone_id", "from_group", "to_zone_id", "to_group")
    rows = (
        FlowDay.objects.filter(
            community_id=community_id,
            day__in=_whole_days(community_id, start, end).values("day"),
        )
        .values(*ends)
        .annotate(
            energy=_sum("wh"),
            value=_sum("value_micro"),
            fewest_from=Min("from_count"),
            fewest_to=Min("to_count"),
        )
        .order_by(*ends)
    )
    return [
        Flow(*row) for row in rows.values_list(*ends, "energy", "value", "fewest_from", "fewest_to")
    ]


def list_links(*, community_id: int, start: datetime, end: datetime) -> list[LinkTotals]:
    """Return what went over each link over the civil days within ``[start, end)``."""
    ends = ("from_zone_id", "to_zone_id")
    rows = (
        LinkDay.objects.filter(
            community_id=community_id,
            day__in=_whole_days(community_id, start, end).values("day"),
        )
        .values(*ends)
        .annotate(
            sent=_sum("sent_wh"),
            received=_sum("received_wh"),
            limit=_sum("limit_wh"),
            unlimited=Count("id", filter=Q(limit_wh__isnull=True)),
            minutes=_sum("congested_minutes"),
            rent=_sum("rent_micro"),
        )
        .order_by(*ends)
    )
    return [
        LinkTotals(
            of=f"community:{community_id}",
            start=start,
            end=end,
            from_zone_id=row["from_zone_id"],
            to_zone_id=row["to_zone_id"],
            sent_wh=int(row["sent"]),
            received_wh=int(row["received"]),
            limit_wh=None if row["unlimited"] else int(row["limit"]),
            congested_minutes=int(row["minutes"]),
            rent_micro=int(row["rent"]),
        )
        for row in rows
    ]


def get_market_health(*, community_id: int, start: datetime, end: datetime) -> MarketHealth:
    """Return how the market of intervals that start in ``[start, end)`` did.

    Concentration is the mean over intervals that traded, weighted by what they traded.
    """
    found = MarketRollup.objects.filter(
        community_id=community_id, starts_at__gte=start, starts_at__lt=end
    ).aggregate(
        intervals=Count("interval_id"),
        congested=Sum(F("ends_at") - F("starts_at"), filter=Q(congested_links__gt=0)),
        sellers=Avg("seller_count"),
        buyers=Avg("buyer_count"),
        hhi_of_sellers=Sum(F("seller_hhi") * F("traded_wh"))
        / Sum("traded_wh", filter=Q(seller_hhi__isnull=False, traded_wh__gt=0)),
        hhi_of_buyers=Sum(F("buyer_hhi") * F("traded_wh"))
        / Sum("traded_wh", filter=Q(buyer_hhi__isnull=False, traded_wh__gt=0)),
        **{f"sum_of_{name}": _sum(name) for name in _HEALTH_SUMS},
    )
    congested = found["congested"]
    return MarketHealth(
        of=f"community:{community_id}",
        start=start,
        end=end,
        interval_count=found["intervals"],
        congested_minutes=int(congested.total_seconds()) // 60 if congested else 0,
        seller_hhi=_whole(found["hhi_of_sellers"]),
        buyer_hhi=_whole(found["hhi_of_buyers"]),
        sellers_mean=found["sellers"],
        buyers_mean=found["buyers"],
        **{name: int(found[f"sum_of_{name}"]) for name in _HEALTH_SUMS},
    )


def get_member_totals(*, participant_id: int, start: datetime, end: datetime) -> MemberTotals:
    """Return a member over the civil days within ``[start, end)``."""
    found = _member_days(participant_id, start, end).aggregate(
        **{f"sum_of_{name}": _sum(name) for name in _MONEY}
    )
    return MemberTotals(
        f"member:{participant_id}", start, end, *(int(found[f"sum_of_{name}"]) for name in _MONEY)
    )


def list_member_days(
    *, participant_id: int, start: datetime, end: datetime
) -> list[tuple[date, MemberTotals]]:
    """Return a member's civil days within ``[start, end)`` that have anything settled, in order."""
    rows = (
        _member_days(participant_id, start, end)
        .annotate(at=_of_day("starts_at"), until=_of_day("ends_at"))
        .order_by("day")
    )
    return [
        (day, MemberTotals(f"member:{participant_id}", at, until, *values))
        for day, at, until, *values in rows.values_list("day", "at", "until", *_MONEY)
    ]


def list_savings(*, community_id: int, month: date) -> list[SavingsSpread]:
    """Return how a civil month's savings are spread: over all members, then over each group."""
    rows = SavingsMonth.objects.filter(community_id=community_id, month=month).order_by("group")
    return [
        SavingsSpread(
            month=row.month,
            group=row.group,
            member_count=row.member_count,
            trading_count=row.trading_count,
            gaining_count=row.gaining_count,
            saved_micro=row.saved_micro,
            alone_micro=row.alone_micro,
            deciles_ppm=tuple(row.deciles_ppm),
            gini_ppm=row.gini_ppm,
        )
        for row in rows
    ]


def get_basis(*, community_id: int, start: datetime, end: datetime) -> Basis:
    """Return what the figures of the civil days that touch ``[start, end)`` were made from."""
    days = DayRollup.objects.filter(
        community_id=community_id, starts_at__lt=end, ends_at__gt=start
    ).values_list(
        *("computed_at", "interval_count", "settled_count", "final_count", "missing_count"),
        *("rule_set_ids", "is_seeded"),
    )
    made = [day for day in days if day[0] is not None]
    return Basis(
        as_of=max((day[0] for day in made), default=None),
        interval_count=sum(day[1] for day in made),
        settled_count=sum(day[2] for day in made),
        final_count=sum(day[3] for day in made),
        missing_count=sum(day[4] for day in made),
        rule_set_ids=tuple(sorted({each for day in made for each in day[5]})),
        seeded_count=sum(day[6] for day in made),
    )


def get_peak(*, community_id: int, start: datetime, end: datetime, zone_id: int = 0) -> Peak | None:
    """Return the highest power drawn on the civil days within ``[start, end)``; None without."""
    days = ZoneDay.objects.filter(
        community_id=community_id,
        zone_id=zone_id,
        day__in=_whole_days(community_id, start, end).values("day"),
    )
    with_market = days.order_by("-peak_import_w", "day").values_list("peak_import_w", "day").first()
    alone = days.order_by("-peak_alone_w", "day").values_list("peak_alone_w", "day").first()
    if with_market is None or alone is None:
        return None
    return Peak(_scope(community_id, zone_id), start, end, *with_market, *alone)


def _scope(community_id: int, zone_id: int) -> str:
    return f"zone:{zone_id}" if zone_id else f"community:{community_id}"


def _whole_days(community_id: int, start: datetime, end: datetime) -> "QuerySet[DayRollup]":
    return DayRollup.objects.filter(
        community_id=community_id, starts_at__gte=start, ends_at__lte=end
    )


def _member_days(participant_id: int, start: datetime, end: datetime) -> "QuerySet[MemberDay]":
    days = DayRollup.objects.filter(
        community_id=OuterRef("community_id"),
        day=OuterRef("day"),
        starts_at__gte=start,
        ends_at__lte=end,
    )
    return MemberDay.objects.filter(Exists(days), participant_id=participant_id)


def _energies(
    community_id: int, start: datetime, end: datetime, zones: str
) -> Sequence[tuple[int, ...]]:
    """Return zone, intervals, fewest meters and sums; ``zones`` is a condition on the zone."""
    of_community = zones == "= 0"
    statement = _ENERGIES.format(
        zones=zones,
        columns=", ".join(f"z.{name}" for name in _SUMS),
        edge_zone="0" if of_community else "i.zone_id",
        edge_group="" if of_community else ", i.zone_id",
        edge_filter="true" if of_community else f"i.zone_id {zones}",
        interval_sums=", ".join(f"sum(i.{name}) AS {name}" for name in _SUMS),
        edge_sums=", ".join(f"sum(edge.{name})" for name in _SUMS),
        part_sums=", ".join(f"sum({name})::bigint" for name in _SUMS),
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, {"community": community_id, "start": start, "end": end})
        found: list[tuple[int, ...]] = cursor.fetchall()
    return found


def _bucket(of: str, row: Sequence[object]) -> EnergyBucket:
    at, until, day, *values, retail, feed_in = row
    return EnergyBucket(at, day, Energies(of, at, until, *values), retail, feed_in)  # type: ignore[arg-type]  # a row has what the statement names


def _of_day(name: str) -> Subquery:
    day = DayRollup.objects.filter(community_id=OuterRef("community_id"), day=OuterRef("day"))
    return Subquery(day.values(name)[:1])


def _sum(name: str) -> Coalesce:
    return Coalesce(Sum(name), 0)


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)

"""Figures for planners and the public: those of `analytics.queries.figures` that may be shown.

Planners see days as they were released, the public months as they were published. What would show
too few members is not in either, and comes back as None or is left out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from django.db.models import BigIntegerField, Count, F, Func, Max, Min, QuerySet, Sum

from analytics.domain.disclosure import Audience
from analytics.domain.figures import (
    Basis,
    Energies,
    EnergyBucket,
    Flow,
    LinkTotals,
    MarketHealth,
    Peak,
    SavingsSpread,
)
from analytics.domain.shown_flows import ShownFlows, added_up
from analytics.models import DayRollup, ReleasedDay, ReleasedEnergies
from analytics.queries import publications
from marketplace.queries.pages_community import list_zone_names

_SUMS: Final = (
    *("import_wh", "export_wh", "bought_wh", "sold_wh", "grid_import_wh", "grid_export_wh"),
    *("priced_wh", "priced_micro"),
)
_HEALTH_SUMS: Final = (
    *("interval_count", "offered_wh", "wanted_wh", "traded_wh", "agreed_wh", "value_micro"),
    *("lost_wh", "rent_micro", "congested_minutes", "missing_count", "left_out_count"),
)


@dataclass(frozen=True, slots=True)
class Withheld:
    """What of a time is not shown, and why.

    Attributes
    ----------
    hidden_days : int
        Released days of which not even the community's sum may be shown.
    waiting_days : int
        Days with corrections that are about too few members so far.
    zone_ids : tuple of int
        Zones that do not stand alone on every released day.
    hidden_hours : int
        Hours that are only in their day's sum.
    """

    hidden_days: int
    waiting_days: int
    zone_ids: tuple[int, ...]
    hidden_hours: int


def get_energies(
    *, community_id: int, start: datetime, end: datetime, zone_id: int = 0, audience: Audience
) -> Energies | None:
    """Return the energies of the shown days within ``[start, end)``; zone 0 is the community.

    Its start and end are those of the days that it covers.
    """
    if audience is Audience.PUBLIC:
        return publications.get_energies(
            community_id=community_id, start=start, end=end, zone_id=zone_id
        )
    found = _energies(_days(community_id, start, end).filter(zone_id=zone_id))
    return found[0] if found else None


def list_zone_energies(
    *, community_id: int, start: datetime, end: datetime, audience: Audience
) -> list[Energies]:
    """Return the energies of each zone that stands alone, of the days on which it does."""
    if audience is Audience.PUBLIC:
        return publications.list_zone_energies(community_id=community_id, start=start, end=end)
    return _energies(_days(community_id, start, end).exclude(zone_id=0))


def list_days(
    *, community_id: int, start: datetime, end: datetime, zone_id: int = 0, audience: Audience
) -> list[EnergyBucket]:
    """Return the shown civil days within ``[start, end)``, in order."""
    if audience is Audience.PUBLIC:
        return publications.list_days(
            community_id=community_id, start=start, end=end, zone_id=zone_id
        )
    return _buckets(_days(community_id, start, end).filter(zone_id=zone_id))


def list_hours(
    *, community_id: int, start: datetime, end: datetime, zone_id: int = 0, audience: Audience
) -> list[EnergyBucket]:
    """Return the shown clock hours within ``[start, end)``, in order; the public sees none."""
    if audience is Audience.PUBLIC:
        return []
    hours = ReleasedEnergies.objects.filter(
        community_id=community_id,
        is_hour=True,
        starts_at__gte=start,
        starts_at__lt=end,
        zone_id=zone_id,
    )
    return _buckets(hours)


def list_flows(
    *, community_id: int, start: datetime, end: datetime, audience: Audience
) -> list[Flow]:
    """Return who delivered to whom over the shown days within ``[start, end)``.

    Zone -1 with an empty group is everybody who must not stand alone, an empty group of a zone all
    of its members; the grid is zone 0.
    """
    if audience is Audience.PUBLIC:
        return publications.list_flows(community_id=community_id, start=start, end=end)
    return added_up(list_shown_flows(community_id=community_id, start=start, end=end))


def list_shown_flows(*, community_id: int, start: datetime, end: datetime) -> list[ShownFlows]:
    """Return the flows of each released day within ``[start, end)``, with their groups."""
    return [
        ShownFlows(
            frozenset((zone, group) for zone, group in told[0]),
            tuple(Flow(*row) for row in told[1]),
        )
        for told in _released(community_id, start, end).values_list("flows", flat=True)
        if told
    ]


def list_links(
    *, community_id: int, start: datetime, end: datetime, audience: Audience
) -> list[LinkTotals]:
    """Return what went over each link between zones that stand alone; none for the public."""
    if audience is Audience.PUBLIC:
        return []
    found: dict[tuple[int, int], list[list[int | None]]] = {}
    for links in _released(community_id, start, end).values_list("links", flat=True):
        for source, sink, *values in links:
            found.setdefault((source, sink), []).append(values)
    return [
        LinkTotals(
            f"community:{community_id}",
            start,
            end,
            *ends,
            sent_wh=_sum(rows, 0),
            received_wh=_sum(rows, 1),
            limit_wh=None if any(row[2] is None for row in rows) else _sum(rows, 2),
            congested_minutes=_sum(rows, 3),
            rent_micro=_sum(rows, 4),
        )
        for ends, rows in sorted(found.items())
    ]


def get_market_health(
    *, community_id: int, start: datetime, end: datetime, audience: Audience
) -> MarketHealth | None:
    """Return how the market did on the shown days; None without any, and for the public."""
    if audience is Audience.PUBLIC:
        return None
    released = _released(community_id, start, end).values_list("health", flat=True)
    days = [day for day in released if day is not None]
    if not days:
        return None
    return MarketHealth(
        of=f"community:{community_id}",
        start=start,
        end=end,
        seller_hhi=_whole(_mean(days, "seller_hhi", "traded_wh")),
        buyer_hhi=_whole(_mean(days, "buyer_hhi", "traded_wh")),
        sellers_mean=_mean(days, "sellers_mean", "interval_count"),
        buyers_mean=_mean(days, "buyers_mean", "interval_count"),
        **{name: sum(day[name] for day in days) for name in _HEALTH_SUMS},
    )


def get_peak(
    *, community_id: int, start: datetime, end: datetime, zone_id: int = 0, audience: Audience
) -> Peak | None:
    """Return the highest power drawn on the shown days; None without any, and for the public."""
    if audience is Audience.PUBLIC:
        return None
    days = [
        (day, import_w, alone_w)
        for day, peaks in _released(community_id, start, end).values_list("day", "peaks")
        for zone, import_w, alone_w in peaks
        if zone == zone_id
    ]
    if not days:
        return None
    highest, alone = max(days, key=lambda each: each[1]), max(days, key=lambda each: each[2])
    of = f"zone:{zone_id}" if zone_id else f"community:{community_id}"
    return Peak(of, start, end, highest[1], highest[0], alone[2], alone[0])


def list_savings(*, community_id: int, month: date, audience: Audience) -> list[SavingsSpread]:
    """Return how a month's savings are spread, as published; groups too small are left out."""
    return publications.list_savings(community_id=community_id, month=month)


def get_basis(*, community_id: int, start: datetime, end: datetime, audience: Audience) -> Basis:
    """Return what the figures of the shown days within ``[start, end)`` were made from."""
    if audience is Audience.PUBLIC:
        return publications.get_basis(community_id=community_id, start=start, end=end)
    released = _released(community_id, start, end)
    days = list(
        released.values_list(
            *("released_at", "interval_count", "settled_count", "missing_count", "rule_set_ids")
        )
    )
    # Whether corrections may still come is known anew each day, and says nothing of anybody.
    final = DayRollup.objects.filter(community_id=community_id, day__in=released.values("day"))
    return Basis(
        as_of=max((day[0] for day in days), default=None),
        interval_count=sum(day[1] for day in days),
        settled_count=sum(day[2] for day in days),
        final_count=final.aggregate(count=Sum("final_count"))["count"] or 0,
        missing_count=sum(day[3] for day in days),
        rule_set_ids=tuple(sorted({each for day in days for each in day[4]})),
    )


def list_withheld(*, community_id: int, start: datetime, end: datetime) -> Withheld:
    """Return what of the released days within ``[start, end)`` planners are not shown."""
    released = ReleasedDay.objects.filter(
        community_id=community_id, starts_at__gte=start, ends_at__lte=end
    )
    days = list(released.values_list("is_hidden", "waits_since", "hidden_hours"))
    shown = sum(not hidden for hidden, _, _ in days)
    zones = _days(community_id, start, end).exclude(zone_id=0).values_list("zone_id")
    known = dict(zones.annotate(count=Count("id")))
    every = list_zone_names(community_id=community_id)
    return Withheld(
        hidden_days=len(days) - shown,
        waiting_days=sum(waits is not None for _, waits, _ in days),
        zone_ids=tuple(sorted(zone for zone in every if known.get(zone, 0) < shown)),
        hidden_hours=sum(len(hours) for _, _, hours in days),
    )


def get_released_days(*, community_id: int) -> tuple[date, date] | None:
    """Return the first and last civil day that planners are shown; None without any."""
    found = ReleasedDay.objects.filter(community_id=community_id, is_hidden=False).aggregate(
        first=Min("day"), last=Max("day")
    )
    return (found["first"], found["last"]) if found["first"] else None


def _released(community_id: int, start: datetime, end: datetime) -> "QuerySet[ReleasedDay]":
    return ReleasedDay.objects.filter(
        community_id=community_id, is_hidden=False, starts_at__gte=start, ends_at__lte=end
    ).order_by("day")


def _days(community_id: int, start: datetime, end: datetime) -> "QuerySet[ReleasedEnergies]":
    return ReleasedEnergies.objects.filter(
        community_id=community_id, is_hour=False, starts_at__gte=start, ends_at__lte=end
    )


def _energies(found: "QuerySet[ReleasedEnergies]") -> list[Energies]:
    sums = {f"sum_of_{name}": Sum(name) for name in _SUMS}
    rows: Iterable[tuple[Any, ...]] = (
        found.values("community_id", "zone_id")
        .annotate(
            first=Min("starts_at"),
            last=Max("ends_at"),
            intervals=Sum("interval_count"),
            meters=Min("meters_min"),
            **sums,
        )
        .order_by("zone_id")
        .values_list(
            *("community_id", "zone_id", "first", "last", "intervals", "meters"), *sums.keys()
        )
    )
    return [
        Energies(
            f"zone:{zone}" if zone else f"community:{of}",
            first,
            last,
            *(int(value) for value in values),
        )
        for of, zone, first, last, *values in rows
    ]


def _buckets(found: "QuerySet[ReleasedEnergies]") -> list[EnergyBucket]:
    rows = (
        found.annotate(start_s=_seconds("starts_at"), end_s=_seconds("ends_at"))
        .order_by("starts_at")
        .values_list(
            *("community_id", "zone_id", "day", "start_s", "end_s", "retail_micro_per_kwh"),
            *("feed_in_micro_per_kwh", "interval_count", "meters_min", *_SUMS),
        )
    )
    return [
        EnergyBucket(
            start := datetime.fromtimestamp(start_s, UTC),
            day,
            Energies(
                f"zone:{zone}" if zone else f"community:{of}",
                start,
                datetime.fromtimestamp(end_s, UTC),
                *values,
            ),
            retail,
            feed_in,
        )
        for of, zone, day, start_s, end_s, retail, feed_in, *values in rows
    ]


def _seconds(name: str) -> Func:
    """Return a moment as seconds: a year has 8,760 hours, and text costs most of reading them."""
    return Func(
        F(name),
        template="EXTRACT(EPOCH FROM %(expressions)s)::bigint",
        output_field=BigIntegerField(),
    )


def _sum(rows: Sequence[Sequence[int | None]], index: int) -> int:
    return sum(row[index] or 0 for row in rows)


def _mean(days: Sequence[dict[str, Any]], name: str, weight: str) -> float | None:
    known = [(day[name], day[weight]) for day in days if day[name] is not None]
    total = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / total if total else None


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)

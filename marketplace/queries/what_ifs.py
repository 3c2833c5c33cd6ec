"""What-ifs as pages and files show them, and how large groups of members are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, QuerySet

from marketplace.domain.billing.month import month_bounds
from marketplace.domain.civil_day import day_bounds
from marketplace.domain.what_if.figures import ALL, Side
from marketplace.domain.what_if.spread import Spread
from marketplace.models import (
    Clearing,
    Community,
    DeliveryInterval,
    MeteringPoint,
    Reading,
    RuleSet,
    WhatIf,
    WhatIfDay,
)
from marketplace.queries.intervals import IS_BOOKED


@dataclass(frozen=True)
class GroupSizes:
    """How many members there are: in all, by zone and by voltage level."""

    members: int
    zones: dict[str, int]
    levels: dict[str, int]


@dataclass(frozen=True)
class WhatIfLine:
    """A what-if in a list; ``is_released`` where it tells of released revisions only."""

    id: int
    community_id: int
    first_day: date
    last_day: date
    change: dict[str, Any]
    asked_at: datetime
    interval_count: int
    done_count: int
    computed_at: datetime | None
    failed_at: datetime | None
    is_released: bool

    @property
    def is_open(self) -> bool:
        """Whether it is still being computed."""
        return self.computed_at is None and self.failed_at is None


@dataclass(frozen=True)
class RulesLine:
    """A rule set of the period: as it was and as it was changed."""

    version: int
    sha256: str
    changed_sha256: str


@dataclass(frozen=True)
class Sides:
    """What happened, and what might have."""

    actual: Side
    changed: Side


@dataclass(frozen=True)
class WhatIfAnswer:
    """A finished what-if.

    Attributes
    ----------
    total, days : Sides, list of (date, Sides)
        Of the period and of each civil day that has settled intervals.
    zones : tuple of str
        Codes of the zones that may be shown; none where one is smaller than the minimum.
    is_forward : bool
        Whether there was trading before delivery.
    is_outdated : bool
        Whether intervals of the period were cleared again since.
    """

    line: WhatIfLine
    start: datetime
    end: datetime
    rules: tuple[RulesLine, ...]
    total: Sides
    days: list[tuple[date, Sides]]
    zones: tuple[str, ...]
    spread: Spread
    roof_count: int
    is_forward: bool
    is_outdated: bool

    def without_zones(self) -> "WhatIfAnswer":
        """Return the answer for somebody who may not see zones."""
        return replace(self, zones=())


def settled_intervals_between(
    *, community: Community, first_day: date, last_day: date
) -> "QuerySet[DeliveryInterval]":
    """Return the settled intervals of civil days, both included; not run yet."""
    zone = ZoneInfo(community.timezone)
    start, _ = day_bounds(first_day, zone)
    _, end = day_bounds(last_day, zone)
    return DeliveryInterval.objects.filter(
        IS_BOOKED, community=community, starts_at__gte=start, starts_at__lt=end
    )


def list_roofs(*, community: Community, month: date) -> list[int]:
    """Return the metering points that exported anything in a civil month, as settled."""
    start, end = month_bounds(month, ZoneInfo(community.timezone))
    exported = Reading.objects.filter(
        interval__in=DeliveryInterval.objects.filter(
            IS_BOOKED, community=community, starts_at__gte=start, starts_at__lt=end
        ),
        export_wh__gt=0,
    )
    return sorted(exported.values_list("metering_point_id", flat=True).distinct())


def get_minimum(community_id: int) -> int:
    """Return the smallest group that a community's rules ever let be published."""
    sizes = RuleSet.objects.filter(community=community_id).values_list(
        "document__minimum_group_size", flat=True
    )
    return max(sizes, default=1)


def get_group_sizes(*, community_id: int) -> GroupSizes:
    """Return how many members there are in all, by zone and by voltage level."""
    points = MeteringPoint.objects.filter(community=community_id).order_by()

    def sizes(path: str) -> dict[str, int]:
        counted = points.values_list(path).annotate(n=Count("site__participant", distinct=True))
        return dict(counted)

    members = points.aggregate(n=Count("site__participant", distinct=True))["n"]
    return GroupSizes(members, sizes("site__zone__code"), sizes("voltage_level"))


def list_what_ifs(*, community_id: int, is_released: bool, limit: int = 20) -> list[WhatIfLine]:
    """Return the newest what-ifs of a community: of released revisions, or of the latest."""
    found = WhatIf.objects.filter(
        community=community_id, revisions__isnull=not is_released
    ).order_by("-id")
    return [_line(each) for each in found[:limit]]


def find_what_if(*, what_if_id: int, community_ids: Sequence[int]) -> WhatIfLine | None:
    """Return a what-if of one of some communities; None if there is no such."""
    found = WhatIf.objects.filter(id=what_if_id, community__in=community_ids).first()
    return None if found is None else _line(found)


def get_answer(*, what_if_id: int) -> WhatIfAnswer:
    """Return a finished what-if with its days added up."""
    found = WhatIf.objects.select_related("community").get(id=what_if_id, computed_at__isnull=False)
    total, days = Sides(Side(), Side()), []
    rows = WhatIfDay.objects.filter(what_if=found, interval_count__gt=0).order_by("day")
    for day, figures in rows.values_list("day", "figures"):
        sides = Sides(Side.read(figures["actual"]), Side.read(figures["changed"]))
        total.actual.add(sides.actual)
        total.changed.add(sides.changed)
        days.append((day, sides))
    intervals = settled_intervals_between(
        community=found.community, first_day=found.first_day, last_day=found.last_day
    )
    zone = ZoneInfo(found.community.timezone)
    return WhatIfAnswer(
        line=_line(found),
        start=day_bounds(found.first_day, zone)[0],
        end=day_bounds(found.last_day, zone)[1],
        rules=tuple(
            RulesLine(each["version"], each["sha256"], each["changed_sha256"])
            for each in found.rules
        ),
        total=total,
        days=days,
        zones=_shown_zones(found.community_id, total.actual),
        spread=Spread.read(found.spread or {}),
        roof_count=max((len(each["new"]) for each in found.roofs.values()), default=0),
        is_forward=any(each["is_forward"] for each in found.rules),
        is_outdated=Clearing.objects.filter(interval__in=intervals).count() != found.clearing_count,
    )


def _shown_zones(community_id: int, actual: Side) -> tuple[str, ...]:
    """Return the zones if all of them are large enough: one that is left out follows from the rest.

    Counted as members and as metering points with a reading, whichever is fewer.
    """
    minimum, sizes = get_minimum(community_id), get_group_sizes(community_id=community_id).zones
    zones = [zone for zone in actual.zones if zone != ALL]
    fewest = [
        min(sizes.get(zone, 0), actual.zones[zone]["meters_min"])
        for zone in zones
        if actual.zones[zone]["meters_min"] or sizes.get(zone, 0)
    ]
    return tuple(zones) if len(zones) > 1 and all(each >= minimum for each in fewest) else ()


def _line(found: WhatIf) -> WhatIfLine:
    return WhatIfLine(
        id=found.pk,
        community_id=found.community_id,
        first_day=found.first_day,
        last_day=found.last_day,
        change=found.change,
        asked_at=found.asked_at,
        interval_count=found.interval_count,
        done_count=found.done_count,
        computed_at=found.computed_at,
        failed_at=found.failed_at,
        is_released=found.revisions is not None,
    )

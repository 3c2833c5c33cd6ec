"""Open demand as sellers see it: groups of wishes, with figures only where they are many."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from statistics import median_low
from typing import Any

from django.db.models import QuerySet

from marketplace.domain.data.wishes import (
    DEMAND_MINIMUM,
    DemandGroup,
    cell_of,
)
from marketplace.models import DataWish


@dataclass(frozen=True)
class DemandLine:
    """A group of open wishes.

    Attributes
    ----------
    buyer_count : int or None
        None: fewer than `DEMAND_MINIMUM`, so that nothing more is said.
    median_limit_micro : int or None
        The lower middle of what they would pay. [micro]
    finest_s : int or None
        The finest resolution that somebody asks for. [s]
    """

    group: DemandGroup
    buyer_count: int | None
    median_limit_micro: int | None
    finest_s: int | None


def list_open_demand() -> list[DemandLine]:
    """Return all groups of open wishes, those with most buyers first."""
    members: dict[DemandGroup, list[DataWish]] = defaultdict(list)
    for wish in DataWish.objects.filter(state=DataWish.State.OPEN).order_by("id"):
        members[group_of(wish)].append(wish)
    lines = [_line(group, wishes) for group, wishes in members.items()]
    return sorted(lines, key=lambda line: (-(line.buyer_count or 0), line.group))


def wishes_of_group(group: DemandGroup) -> QuerySet[DataWish]:
    """Return the open wishes behind a group."""
    alike = DataWish.objects.filter(
        state=DataWish.State.OPEN, format=group.format, kind=group.kind, currency=group.currency
    )
    return alike.filter(id__in=[wish.id for wish in alike if group_of(wish) == group])


def group_of(wish: DataWish) -> DemandGroup:
    """Return the group a wish is counted in: by the middle of its area and its first month."""
    longitude: Any = wish.longitude
    latitude: Any = wish.latitude
    period: Any = wish.period
    first: date = period.lower
    return DemandGroup(
        format=wish.format,
        kind=wish.kind,
        currency=wish.currency,
        cell_longitude=cell_of(longitude.lower, longitude.upper),
        cell_latitude=cell_of(latitude.lower, latitude.upper),
        month=first.replace(day=1),
    )


def _line(group: DemandGroup, wishes: Iterable[DataWish]) -> DemandLine:
    limits: dict[int, int] = {}
    finest: list[int] = []
    for wish in wishes:
        # A buyer counts once, with the most that they would pay.
        limits[wish.buyer_id] = max(limits.get(wish.buyer_id, 0), wish.limit_price_micro)
        finest.append(wish.resolution_s)
    if len(limits) < DEMAND_MINIMUM:
        return DemandLine(group, None, None, None)
    return DemandLine(group, len(limits), median_low(limits.values()), min(finest))

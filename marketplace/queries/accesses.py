"""Who looked at a member's own data."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from marketplace.models import Access, MeteringPoint
from marketplace.queries.identity import names_of


@dataclass(frozen=True)
class AccessLine:
    """An office that looked at one thing on one day; ``viewer`` is empty once it was erased."""

    id: int
    viewer: str
    role: str
    what: str
    way: str
    count: int
    first_at: datetime
    last_at: datetime


def list_accesses(
    *, participant_id: int, before_id: int | None = None, limit: int = 50
) -> list[AccessLine]:
    """Return who looked at a member's data, the latest first."""
    rows = Access.objects.filter(participant=participant_id).select_related("viewer")
    if before_id is not None:
        rows = rows.filter(id__lt=before_id)
    found = list(rows.order_by("-id")[:limit])
    names = names_of(each.viewer for each in found)
    return [
        AccessLine(
            each.pk,
            names[each.viewer_id],
            each.viewer_role,
            each.what,
            each.way,
            each.count,
            each.first_at,
            each.last_at,
        )
        for each in found
    ]


def get_owners(*, metering_point_ids: Collection[int]) -> set[int]:
    """Return whose metering points these are."""
    points = MeteringPoint.objects.filter(id__in=metering_point_ids)
    return set(points.values_list("site__participant_id", flat=True))

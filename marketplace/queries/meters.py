"""The operator's list of meters: the last reading, gaps and completeness, the device behind it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.db.models import OuterRef, Q, QuerySet, Subquery

from marketplace.models import MeteringPoint, ProductionDevice
from marketplace.queries.identity import names_of

# What a list may be narrowed to.
SHOWN: Final = ("all", "gaps", "silent", "estimated", "without_device")


@dataclass(frozen=True)
class MeterLine:
    """A metering point as the operator sees it; counts are of the last weeks, in intervals.

    ``expected_count`` is None before anybody looked at the meter.
    """

    id: int
    code: str
    zone: str
    participant_id: int
    member: str
    active_until: datetime | None
    last_reading_at: datetime | None
    expected_count: int | None
    missing_count: int
    estimated_count: int
    gap_since: date | None
    technology: str
    capacity_w: int | None

    @property
    def completeness(self) -> float | None:
        """Share of the expected readings that are there; None where none were expected."""
        if not self.expected_count:
            return None
        return 1 - self.missing_count / self.expected_count


def list_meters(
    *, community_id: int, search: str, shown: str, after: str, limit: int
) -> list[MeterLine]:
    """Return the next meters of a community in order of their codes.

    Parameters
    ----------
    search : str
        Part of a code, or a member's number; names are sealed and cannot be searched.
    shown : str
        One of `SHOWN`; another is as ``all``.
    after : str
        The last code of the page before; empty for the first page.
    """
    rows = list(_found(community_id, search, shown).filter(code__gt=after).order_by("code")[:limit])
    names = names_of(row.site.participant for row in rows)
    return [_line(row, names[row.site.participant_id]) for row in rows]


def iterate_meters(*, community_id: int, search: str, shown: str) -> Iterator[MeterLine]:
    """Yield all meters of a list without their members' names, in order of their codes."""
    found = _found(community_id, search, shown).order_by("code")
    for row in found.iterator(chunk_size=2_000):
        yield _line(row, "")


def count_meters(*, community_id: int, search: str, shown: str) -> int:
    """Return how many meters a list has."""
    return _found(community_id, search, shown).count()


def _found(community_id: int, search: str, shown: str) -> QuerySet[MeteringPoint]:
    device = ProductionDevice.objects.filter(metering_point=OuterRef("pk"), active_until=None)
    found = (
        MeteringPoint.objects.filter(community=community_id)
        .select_related("site__participant", "site__zone", "watched")
        .annotate(
            technology=Subquery(device.values("technology")[:1]),
            capacity_w=Subquery(device.values("capacity_w")[:1]),
        )
    )
    if search:
        wanted = Q(code__icontains=search)
        if search.isascii() and search.isdigit() and len(search) < 19:
            wanted |= Q(site__participant=int(search))
        found = found.filter(wanted)
    match shown:
        case "gaps":
            return found.filter(watched__missing_count__gt=0)
        case "silent":
            return found.filter(watched__last_reading_at__isnull=True, active_until__isnull=True)
        case "estimated":
            return found.filter(watched__estimated_count__gt=0)
        case "without_device":
            return found.filter(technology__isnull=True)
        case _:
            return found


def _line(row: MeteringPoint, member: str) -> MeterLine:
    state = getattr(row, "watched", None)
    return MeterLine(
        id=row.id,
        code=row.code,
        zone=row.site.zone.name,
        participant_id=row.site.participant_id,
        member=member,
        active_until=row.active_until,
        last_reading_at=state.last_reading_at if state else None,
        expected_count=state.expected_count if state else None,
        missing_count=state.missing_count if state else 0,
        estimated_count=state.estimated_count if state else 0,
        gap_since=state.gap_since if state else None,
        technology=getattr(row, "technology", None) or "",
        capacity_w=getattr(row, "capacity_w", None),
    )

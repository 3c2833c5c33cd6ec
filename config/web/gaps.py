"""The gap calendar: a member's own meters, and for an operator those of a community."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from config.web.accesses import note
from config.web.days import render_in
from config.web.personas import place_or_404, use_persona
from marketplace.domain.accesses import AccessKind
from marketplace.domain.billing.month import read_month
from marketplace.queries import gaps
from marketplace.queries.accesses import get_owners
from marketplace.queries.pages import Persona, Place, get_market_days, list_places

METERS_PER_PAGE = 20
REPORTS_SHOWN = 10


@dataclass(frozen=True)
class Month:
    """A calendar month, and the ones beside it as addresses name them."""

    first: date
    last: date

    @classmethod
    def of(cls, day: date) -> "Month":
        """Return the month of a day."""
        return cls(day.replace(day=1), day.replace(day=monthrange(day.year, day.month)[1]))

    @property
    def previous(self) -> str:
        """The month before."""
        return f"{self.first - timedelta(days=1):%Y-%m}"

    @property
    def next(self) -> str:
        """The month after."""
        return f"{self.last + timedelta(days=1):%Y-%m}"

    @property
    def name(self) -> str:
        """The month as an address names it."""
        return f"{self.first:%Y-%m}"

    @property
    def leading(self) -> range:
        """Empty cells of the first week, which begins on Monday."""
        return range(self.first.weekday())


@dataclass(frozen=True)
class Calendar:
    """A meter's month in weeks from Monday to Sunday; None where a week has days of another."""

    meter: gaps.MeterDays
    weeks: list[list[gaps.GapDay | None]]

    @classmethod
    def of(cls, meter: gaps.MeterDays) -> "Calendar":
        """Lay a month out."""
        cells: list[gaps.GapDay | None] = [None] * meter.days[0].day.weekday()
        cells += meter.days
        cells += [None] * (-len(cells) % 7)
        return cls(meter, [cells[at : at + 7] for at in range(0, len(cells), 7)])


@require_safe
def member_gaps(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Show which readings of my own meters are there, estimated or missing."""
    persona = use_persona(request, participant_id, "household", "enterprise")
    place = place_or_404(persona)
    points = gaps.list_own_meters(participant_id=persona.participant_id)
    return _calendars(request, persona, place, points)


@require_safe
def operator_meter_gaps(
    request: HttpRequest, participant_id: int, community_id: int, metering_point_id: int
) -> HttpResponse:
    """Show one meter of a community that the operator runs."""
    persona = use_persona(request, participant_id, "operator")
    place = _operated(persona, community_id)
    point = gaps.find_meter(community_id=community_id, metering_point_id=metering_point_id)
    if point is None:
        raise Http404
    owners = get_owners(metering_point_ids=[point.id])
    note(persona, owners, AccessKind.READINGS, now=timezone.now())
    return _calendars(request, persona, place, [point])


@require_safe
def operator_gaps(request: HttpRequest, participant_id: int, community_id: int) -> HttpResponse:
    """Show all meters of a community by day, and what the last files of readings lacked."""
    persona = use_persona(request, participant_id, "operator")
    place = _operated(persona, community_id)
    now = timezone.now()
    month = _asked_month(request, place, now)
    # No meter's code has a NUL, and the database takes none.
    after = request.GET.get("after", "").replace("\0", "")
    points = gaps.list_meters_after(
        community_id=community_id, after=after, limit=METERS_PER_PAGE + 1
    )
    shown = points[:METERS_PER_PAGE]
    owners = get_owners(metering_point_ids=[point.id for point in shown])
    note(persona, owners, AccessKind.READINGS, now=now)
    meters = gaps.list_meter_days(
        place=place, points=shown, first=month.first, last=month.last, now=now
    )
    context = {
        "persona": persona,
        "month": month,
        "meters": meters,
        "days": [day.day for day in meters[0].days] if meters else [],
        "after": after,
        "next_after": shown[-1].code if len(points) > METERS_PER_PAGE else "",
        "reports": gaps.list_reading_reports(community_id=community_id, limit=REPORTS_SHOWN),
    }
    return render_in(request, place, "gaps/community.html", context)


def _calendars(
    request: HttpRequest, persona: Persona, place: Place, points: list[gaps.Meter]
) -> HttpResponse:
    now = timezone.now()
    month = _asked_month(request, place, now)
    meters = gaps.list_meter_days(
        place=place, points=points, first=month.first, last=month.last, now=now
    )
    context = {
        "persona": persona,
        "month": month,
        "calendars": [Calendar.of(meter) for meter in meters],
        # A week to take the names of its days from: one that began on a Monday.
        "week": [date(2024, 1, 1) + timedelta(days=number) for number in range(7)],
    }
    return render_in(request, place, "gaps/meter.html", context)


def _operated(persona: Persona, community_id: int) -> Place:
    places = [persona.place] if persona.place else list_places()
    for place in places:
        if place.community_id == community_id:
            return place
    raise Http404


def _asked_month(request: HttpRequest, place: Place, now: datetime) -> Month:
    """Return the month a request asks for, else the last one with intervals."""
    if (asked := read_month(request.GET.get("month", ""))) is not None:
        return Month.of(asked)
    known = get_market_days(place=place)
    return Month.of(known.last if known else now.astimezone(place.zone).date())

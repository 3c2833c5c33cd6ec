"""The operator's meters: a list to search, narrow and take home, worst gaps at hand."""

import csv
from dataclasses import dataclass
from io import StringIO
from typing import Final

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from config.web.accesses import note
from config.web.days import render_in
from config.web.operator_pages.home import places_of
from config.web.personas import use_persona
from config.web.statements import csv_answer
from marketplace.domain.accesses import AccessKind, AccessWay
from marketplace.domain.spreadsheet import plain_text
from marketplace.queries import meters
from marketplace.queries.operations import get_meter_gaps
from marketplace.queries.pages import Persona, Place

PER_PAGE: Final = 50
CHOICES: Final[dict[str, str | Promise]] = {
    "all": gettext_lazy("All meters"),
    "gaps": gettext_lazy("With gaps"),
    "silent": gettext_lazy("Never heard of"),
    "estimated": gettext_lazy("With estimates"),
    "without_device": gettext_lazy("Without a production device"),
}
COLUMNS: Final = (
    "meter",
    "zone",
    "member",
    "last_reading_at",
    "expected",
    "missing",
    "estimated",
    "gap_since",
    "technology",
    "capacity_w",
)


@dataclass(frozen=True)
class Asked:
    """Which meters a request asks for."""

    place: Place
    search: str
    shown: str
    after: str

    @classmethod
    def of(cls, request: HttpRequest, persona: Persona) -> "Asked":
        """Read a request's address; a community that is not the operator's does not exist."""
        places = {str(place.community_id): place for place in places_of(persona)}
        if not places:
            raise Http404
        wanted = request.GET.get("community", "") or next(iter(places))
        if wanted not in places:
            raise Http404
        shown = request.GET.get("show", "all")
        return cls(
            places[wanted],
            # No meter's code has a NUL, and the database takes none.
            request.GET.get("search", "").replace("\0", "").strip()[:80],
            shown if shown in CHOICES else "all",
            request.GET.get("after", "").replace("\0", "")[:200],
        )


@require_safe
def operator_meters(request: HttpRequest, participant_id: int) -> HttpResponse:
    """List the metering points of a community with what their last weeks lack."""
    persona = use_persona(request, participant_id, "operator")
    now = timezone.now()
    asked = Asked.of(request, persona)
    wanted = {"community_id": asked.place.community_id}
    found = meters.list_meters(
        **wanted, search=asked.search, shown=asked.shown, after=asked.after, limit=PER_PAGE + 1
    )
    shown = found[:PER_PAGE]
    note(persona, {line.participant_id for line in shown}, AccessKind.METER, now=now)
    context: dict[str, object] = {
        "persona": persona,
        "asked": asked,
        "places": places_of(persona),
        "choices": CHOICES.items(),
        "gaps": get_meter_gaps(places=[asked.place]),
        "count": meters.count_meters(**wanted, search=asked.search, shown=asked.shown),
        "meters": shown,
        "next_after": shown[-1].code if len(found) > PER_PAGE else "",
        "now": now,
    }
    return render_in(request, asked.place, "operator/meters.html", context)


@require_safe
def operator_meters_csv(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Hand out the whole list; members by their numbers, as files travel."""
    persona = use_persona(request, participant_id, "operator")
    asked = Asked.of(request, persona)
    lines = list(
        meters.iterate_meters(
            community_id=asked.place.community_id, search=asked.search, shown=asked.shown
        )
    )
    members = {line.participant_id for line in lines}
    note(persona, members, AccessKind.METER, now=timezone.now(), way=AccessWay.FILE)
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_row(line) for line in lines)
    return csv_answer(text.getvalue(), "meters")


def _row(line: meters.MeterLine) -> list[object]:
    is_known = line.expected_count is not None
    return [
        plain_text(line.code),
        plain_text(line.zone),
        line.participant_id,
        line.last_reading_at.isoformat() if line.last_reading_at else "",
        line.expected_count if is_known else "",
        line.missing_count if is_known else "",
        line.estimated_count if is_known else "",
        line.gap_since or "",
        line.technology,
        line.capacity_w or "",
    ]

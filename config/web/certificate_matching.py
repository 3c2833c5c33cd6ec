"""How far certificates cover a member's consumption, hour by hour: picture, table, file."""

import csv
import io

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from config.web.certificate_cards import clock_card, map_card
from config.web.certificate_days import clock_of, days_of
from config.web.certificates import chosen_month
from config.web.days import render_in
from config.web.personas import place_or_404, use_persona
from config.web.signing import MEMBER_ROLES
from marketplace.queries.certificate_hours import list_certified_hours, score_of


@require_safe
def matching(request: HttpRequest, participant_id: int) -> HttpResponse:
    """The score of a month with its hours."""
    persona = use_persona(request, participant_id, *MEMBER_ROLES)
    place = place_or_404(persona)
    chosen = chosen_month(request, place, timezone.now())
    hours = list_certified_hours(
        participant_id=participant_id, zone=place.timezone, start=chosen.start, end=chosen.end
    )
    context: dict[str, object] = {
        "persona": persona,
        "chosen": chosen,
        "score": score_of(hours),
    }
    if hours:
        context["clock"] = clock_card(clock_of(hours, place.zone))
        context["map"] = map_card(days_of(hours, place.zone))
    return render_in(request, place, "certificates/matching.html", context)


@require_safe
def matching_file(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Hand out the hours of a month as CSV. [Wh]"""
    persona = use_persona(request, participant_id, *MEMBER_ROLES)
    place = place_or_404(persona)
    chosen = chosen_month(request, place, timezone.now())
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["hour", "used_wh", "cancelled_wh", "held_wh", "matched_wh"])
    for hour in list_certified_hours(
        participant_id=participant_id, zone=place.timezone, start=chosen.start, end=chosen.end
    ):
        start = hour.starts_at.astimezone(place.zone).isoformat()
        figures = (hour.used_wh, hour.cancelled_wh, hour.held_wh, hour.matched_wh)
        writer.writerow([start, *figures])
    answer = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    name = f"matching-{participant_id}-{chosen.name}.csv"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer

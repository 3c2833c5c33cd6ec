"""The planner's page: flows and prices over time, self-sufficiency, data; aggregates only."""

from datetime import timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from config.web.community import get_community_period
from config.web.days import chosen_day
from config.web.personas import use_persona
from marketplace.domain.civil_day import day_bounds
from marketplace.queries.pages import list_places

PERIODS = (1, 7)


@require_safe
def planner(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Every community the planner watches over a day or a week."""
    persona = use_persona(request, participant_id, "planner")
    now = timezone.now()
    places = [persona.place] if persona.place else list_places()
    asked = request.GET.get("days", "")
    days = int(asked) if asked in map(str, PERIODS) else PERIODS[-1]
    periods = []
    chosen = None
    for place in places:
        own = chosen_day(request, place, now)
        chosen = chosen if chosen is not None and chosen.day >= own.day else own
        start, _end = day_bounds(own.day - timedelta(days=days - 1), place.zone)
        with timezone.override(place.zone):
            periods.append(get_community_period(place, start, own.end, now))
    context = {
        "persona": persona,
        "periods": periods,
        "chosen": chosen,
        "days": days,
        "choices": PERIODS,
    }
    return render(request, "pages/planner.html", context)

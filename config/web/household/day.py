"""One day of a household, interval by interval, with its money step by step."""

from datetime import date

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from analytics.domain.money_steps import money_steps
from analytics.queries.figures import list_member_days
from config.web.days import day_near, render_in
from config.web.household.waterfalls import changes_of, saved_sentence, waterfall_card
from config.web.member import day_figures
from config.web.personas import place_or_404, use_persona


@require_safe
def day(request: HttpRequest, participant_id: int, day: str) -> HttpResponse:
    """Show one civil day; the picker's choice leads to the day's own address."""
    persona = use_persona(request, participant_id, "household")
    place = place_or_404(persona)
    asked = _read(request.GET.get("day", "")) or _read(day)
    if asked is None:
        raise Http404
    chosen = day_near(asked, place, timezone.now())
    if chosen.day.isoformat() != day:
        return redirect("household_day", participant_id, chosen.day.isoformat())
    days = list_member_days(participant_id=participant_id, start=chosen.start, end=chosen.end)
    context = day_figures(persona, place, chosen)
    if days:
        steps = money_steps(days[0][1])
        context |= {
            "figures": days[0][1],
            "card": waterfall_card(
                key="steps",
                title=saved_sentence(steps.saved_micro, place.currency),
                alone_micro=steps.alone_micro,
                changes=changes_of(steps),
                net_micro=steps.net_micro,
                currency=place.currency,
                note=_("As booked. Down is good: less to pay."),
            ),
        }
    return render_in(request, place, "household/day.html", context)


def _read(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None

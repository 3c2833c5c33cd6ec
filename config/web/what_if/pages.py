"""The planner's and operator's what-ifs: ask, watch the progress, read the answer side by side."""

from dataclasses import dataclass

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe
from django.views.decorators.vary import vary_on_headers

from analytics.domain.figures import Energies
from analytics.queries.disclosed import get_released_days
from config.web.city.cards import moment_words
from config.web.days import render_in
from config.web.personas import use_persona
from config.web.signing import translated
from config.web.what_if.cards import cards_of, measures
from config.web.what_if.form import WhatIfForm
from config.web.what_if.seen import seen_by, shown_to
from config.web.what_if.words import change_words, method_words, note_of
from marketplace.domain.civil_day import day_bounds
from marketplace.domain.what_if.figures import ALL
from marketplace.errors import Invalid, MarketplaceError
from marketplace.queries.pages import MarketDays, Persona, Place, get_market_days, list_places
from marketplace.queries.rule_sets import get_rules_in_force
from marketplace.queries.what_ifs import (
    WhatIfAnswer,
    WhatIfLine,
    find_what_if,
    get_answer,
    list_what_ifs,
)
from marketplace.services.what_ifs import ask_for_what_if

ROLES = ("planner", "operator")


@dataclass(frozen=True)
class Row:
    """A what-if in the list."""

    line: WhatIfLine
    words: list[str]
    url: str


@require_http_methods(["GET", "HEAD", "POST"])
def what_if(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Show the form and what was asked before; take a question."""
    persona = use_persona(request, participant_id, *ROLES)
    places = _places(persona)
    place = _chosen(places, request.GET.get("community", ""))
    if place is None:
        raise Http404
    days = _known_days(persona, place)
    document = get_rules_in_force(community_id=place.community_id, now=timezone.now())
    has_links = bool(document.get("links"))
    draws_lots = persona.role == "operator"
    form: WhatIfForm | None = None
    if request.method == "POST":
        form = WhatIfForm(request.POST, has_links=has_links, draws_lots=draws_lots)
        if form.is_valid() and (asked := _asked(persona, place, form)):
            return redirect("what_if_answer", participant_id, asked)
    elif days is not None:
        form = WhatIfForm.days_before(
            days.last, has_links=has_links, draws_lots=draws_lots, first=days.first
        )
    lines = list_what_ifs(community_id=place.community_id, is_released=persona.role != "operator")
    context: dict[str, object] = {
        "persona": persona,
        "places": places,
        "form": form,
        "days": days,
        "rows": [_row(persona, place, line) for line in lines],
    }
    return render_in(request, place, "what_if/ask.html", context)


@require_safe
@vary_on_headers("HX-Request")
def what_if_answer(request: HttpRequest, participant_id: int, what_if_id: int) -> HttpResponse:
    """Show how far a what-if is, then its answer."""
    persona = use_persona(request, participant_id, *ROLES)
    line, place = _found(persona, what_if_id)
    context: dict[str, object] = {
        "persona": persona,
        "line": line,
        "words": change_words(line.change, place.currency),
        "again": f"{reverse('what_if', args=[participant_id])}?community={place.community_id}",
    }
    if line.computed_at is not None:
        answer = shown_to(persona.role, place, get_answer(what_if_id=what_if_id))
        note = note_of(answer, moment_words(line.computed_at.astimezone(place.zone)))
        cards = cards_of(answer, place.currency, note)
        context |= {
            "answer": answer,
            "actual": _energies(place, answer),
            "changed": answer.total.changed.zones[ALL],
            "measures": measures(answer, place.currency),
            "cards": [(card, f"{request.path}/{card.key}.csv") for card in cards],
            "method": method_words(
                line.change, is_forward=answer.is_forward, roof_count=answer.roof_count
            ),
        }
    is_fragment = bool(request.headers.get("HX-Request"))
    template = "what_if/state.html" if is_fragment else "what_if/answer.html"
    return render_in(request, place, template, context)


@require_safe
def what_if_file(
    request: HttpRequest, participant_id: int, what_if_id: int, key: str
) -> HttpResponse:
    """Return one chart's figures as a table."""
    persona = use_persona(request, participant_id, *ROLES)
    line, place = _found(persona, what_if_id)
    if line.computed_at is None:
        raise Http404
    answer = shown_to(persona.role, place, get_answer(what_if_id=what_if_id))
    for card in cards_of(answer, place.currency, ""):
        if card.key == key:
            return HttpResponse(
                card.as_csv(),
                content_type="text/csv; charset=utf-8",
                headers={
                    "Content-Disposition": f'attachment; filename="what-if-{what_if_id}-{key}.csv"'
                },
            )
    raise Http404


def _places(persona: Persona) -> list[Place]:
    return [persona.place] if persona.place else list_places()


def _chosen(places: list[Place], asked: str) -> Place | None:
    named = [place for place in places if str(place.community_id) == asked]
    return next(iter([*named, *places]), None)


def _known_days(persona: Persona, place: Place) -> MarketDays | None:
    """Return between which days somebody may ask."""
    if persona.role == "operator":
        return get_market_days(place=place)
    released = get_released_days(community_id=place.community_id)
    return MarketDays(*released) if released else None


def _asked(persona: Persona, place: Place, form: WhatIfForm) -> int | None:
    """Ask; return the what-if, or None when the form says what is wrong."""
    first, last = form.cleaned_data["first_day"], form.cleaned_data["last_day"]
    try:
        asked = ask_for_what_if(
            community_id=place.community_id,
            asked_by_id=persona.participant_id,
            first_day=first,
            last_day=last,
            change=form.change(),
            seen=seen_by(persona.role, place, first, last),
            now=timezone.now(),
        )
    except Invalid as refusal:
        form.place_error(refusal.field, translated(refusal))
        return None
    except MarketplaceError as refusal:
        form.add_error(None, translated(refusal))
        return None
    return asked.pk


def _found(persona: Persona, what_if_id: int) -> tuple[WhatIfLine, Place]:
    places = {each.community_id: each for each in _places(persona)}
    line = find_what_if(what_if_id=what_if_id, community_ids=list(places))
    if line is None or not (line.is_released or persona.role == "operator"):
        raise Http404
    return line, places[line.community_id]


def _energies(place: Place, answer: WhatIfAnswer) -> Energies:
    """Return what happened as the figure that it is everywhere, over the days it covers."""
    figures = answer.total.actual.zones[ALL]
    names = (
        *("interval_count", "meters_min", "import_wh", "export_wh", "bought_wh", "sold_wh"),
        *("grid_import_wh", "grid_export_wh"),
    )
    days = [day for day, _sides in answer.days]
    return Energies(
        of=f"community:{place.community_id}",
        start=day_bounds(days[0], place.zone)[0],
        end=day_bounds(days[-1], place.zone)[1],
        priced_wh=figures["pool_wh"],
        priced_micro=figures["pool_micro"],
        **{name: figures[name] for name in names},
    )


def _row(persona: Persona, place: Place, line: WhatIfLine) -> Row:
    return Row(
        line,
        change_words(line.change, place.currency),
        reverse("what_if_answer", args=[persona.participant_id, line.id]),
    )

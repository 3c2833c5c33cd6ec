"""The planner's pages and their files: a choice of days and community, cards, how to cite them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext, gettext_lazy
from django.views.decorators.http import require_safe

from config.web.city import equity, flows, health, methods, mobility, overview, prices
from config.web.city.cards import CityCard, Section
from config.web.city.chosen import KINDS, Chosen, choose
from config.web.city.look import Look, sum_of
from config.web.kept import kept
from config.web.personas import use_persona
from marketplace.queries.pages import Persona, list_places

NAMES: Final[dict[str, Promise]] = {
    "city": gettext_lazy("City"),
    "prices": gettext_lazy("Prices"),
    "flows": gettext_lazy("Flows"),
    "equity": gettext_lazy("Community"),
    "mobility": gettext_lazy("Mobility"),
    "health": gettext_lazy("Market health"),
    "methods": gettext_lazy("Methods and data"),
}
HEADS: Final[dict[str, Promise]] = {
    "city": gettext_lazy("The city at a glance"),
    "prices": gettext_lazy("Prices of energy and data"),
    "flows": gettext_lazy("Flows of energy and data"),
    "equity": gettext_lazy("What communities gain, and who gains it"),
    "mobility": gettext_lazy("Mobility beside energy"),
    "health": gettext_lazy("Health of the market"),
    "methods": gettext_lazy("Methods and data"),
}
PERIODS: Final[dict[str, Promise]] = {
    "day": gettext_lazy("Day"),
    "week": gettext_lazy("Week"),
    "month": gettext_lazy("Month"),
    "year": gettext_lazy("Year"),
    "own": gettext_lazy("From … to"),
}
REPORTS: Final = (("html", "HTML"), ("pdf", "PDF"), ("csv", "CSV"), ("parquet", "Parquet"))
DRAWN_ANEW_DAYS: Final = 62
KEPT_S: Final = 300
OF_ONE: Final[dict[str, Callable[[Look], list[Section]]]] = {
    "prices": prices.sections,
    "flows": flows.sections,
    "equity": equity.sections,
    "mobility": mobility.sections,
    "health": health.sections,
}


@dataclass(frozen=True)
class Tab:
    """Another page about the same choice."""

    name: str
    label: Promise
    url: str


@require_safe
def planner(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Show the city at a glance: of one community, or of all of them."""
    persona = use_persona(request, participant_id, "planner")
    looks, chosen = _looks(request, persona, of_one=False)
    context = _frame(request, persona, "city", chosen, looks)
    if chosen is not None:
        tabs: list[Tab] = context["tabs"]

        def parts() -> dict[str, Any]:
            return {
                "chosen": chosen,
                "place": chosen.place,
                "totals": sum_of(looks),
                "lines": [(look.place, look.energies) for look in looks],
                "facts": overview.facts(looks),
                "parts": [
                    (
                        _linked(persona, "city", chosen, section),
                        [tab for tab in tabs if tab.name in overview.CLOSER[section.key]],
                    )
                    for section in overview.sections(looks)
                ],
            }

        context["parts"] = _drawn(
            "city/overview.html", persona, "city", chosen, looks=looks, parts=parts
        )
    return _answer(request, "city/page.html", looks, context)


@require_safe
def city_page(request: HttpRequest, participant_id: int, page: str) -> HttpResponse:
    """Show one subject closer, of one community."""
    persona = use_persona(request, participant_id, "planner")
    looks, chosen = _looks(request, persona, of_one=True)
    context = _frame(request, persona, page, chosen, looks)
    if chosen is not None:

        def parts() -> dict[str, Any]:
            sections = OF_ONE[page](looks[0])
            return {"sections": [_linked(persona, page, chosen, each) for each in sections]}

        context["parts"] = _drawn(
            "city/sections.html", persona, page, chosen, looks=looks, parts=parts
        )
    return _answer(request, "city/page.html", looks, context)


@require_safe
def methods_page(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Show what each figure means, what it is made from, and how to cite and take it."""
    persona = use_persona(request, participant_id, "planner")
    looks, chosen = _looks(request, persona, of_one=True)
    context = _frame(request, persona, "methods", chosen, looks)
    if chosen is not None:
        look = looks[0]
        context |= {
            "look": look,
            "definitions": methods.list_definitions(look),
            "sources": methods.list_mobility_sources(),
            "carbon_sources": look.intensities.sources,
            "forms": REPORTS,
        }
    return _answer(request, "city/methods.html", looks, context)


@require_safe
def city_file(request: HttpRequest, participant_id: int, page: str, key: str) -> HttpResponse:
    """Return the figures of one chart as a table, the very ones that the page shows."""
    persona = use_persona(request, participant_id, "planner")
    looks, chosen = _looks(request, persona, of_one=page != "city")
    if chosen is None or (page != "city" and page not in OF_ONE):
        raise Http404
    with timezone.override(looks[0].place.zone):
        found = overview.sections(looks) if page == "city" else OF_ONE[page](looks[0])
        card = next((each for part in found for each in part.cards if each.key == key), None)
    if card is None:
        raise Http404
    place = looks[0].place.community_id if len(looks) == 1 else "all"
    name = f"{page}-{key}-{place}-{chosen.first}-{chosen.last}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(card.as_csv(), content_type="text/csv; charset=utf-8", headers=headers)


def _looks(
    request: HttpRequest, persona: Persona, *, of_one: bool
) -> tuple[list[Look], Chosen | None]:
    places = [persona.place] if persona.place else list_places()
    now = timezone.now()
    chosen = choose(request.GET, places, now, of_one=of_one)
    if chosen is None:
        return [], None
    return [Look(place, chosen, now) for place in chosen.shown], chosen


def _frame(
    request: HttpRequest,
    persona: Persona,
    page: str,
    chosen: Chosen | None,
    looks: Sequence[Look],
) -> dict[str, Any]:
    """Return what all pages have: their choice, the other pages, how to cite."""
    query = f"?{chosen.query}" if chosen else ""
    context: dict[str, Any] = {
        "persona": persona,
        "page": page,
        "name": NAMES[page],
        "heading": HEADS[page],
        "chosen": chosen,
        "kinds": [(kind, PERIODS[kind]) for kind in KINDS],
        "tabs": [
            Tab(name, label, address(persona.participant_id, name) + query)
            for name, label in NAMES.items()
        ],
        "links": [
            (gettext("What if"), reverse("what_if", args=[persona.participant_id])),
        ],
        "may_be_all": page == "city",
    }
    if chosen is not None:
        path = address(persona.participant_id, page)
        context["place"] = chosen.place
        context["withheld"] = [(look.place, look.withheld, look.zone_names) for look in looks]
        context["cited"] = methods.cite(looks, f"{settings.SITE_URL}{path}?{chosen.cited}")
    return context


def address(participant_id: int, page: str) -> str:
    """Return the address of a page."""
    return reverse("planner" if page == "city" else f"city_{page}", args=[participant_id])


def _linked(
    persona: Persona, page: str, chosen: Chosen, section: Section
) -> tuple[Section, list[tuple[CityCard, str]]]:
    """Return a part with the address of each chart's file."""
    return section, [
        (
            card,
            reverse("city_file", args=[persona.participant_id, page, card.key])
            + f"?{chosen.cited}",
        )
        for card in section.cards
    ]


def _drawn(
    template: str,
    persona: Persona,
    page: str,
    chosen: Chosen,
    *,
    looks: Sequence[Look],
    parts: Callable[[], dict[str, Any]],
) -> str:
    """Return the parts of a page; those of a long time are drawn once for some minutes.

    Each hour of a year stands behind them, and they change with releases, which they are kept
    under; only what the data market says is as old as they are.
    """

    def draw() -> str:
        with timezone.override(looks[0].place.zone):
            return render_to_string(template, {"currency": looks[0].currency, **parts()})

    if chosen.day_count <= DRAWN_ANEW_DAYS:
        return draw()
    releases = [(look.basis, look.withheld) for look in looks]
    of = (page, persona.participant_id, get_language(), chosen.query, chosen.cited, releases)
    return kept("city", *of, seconds=KEPT_S, make=draw)


def _answer(
    request: HttpRequest, template: str, looks: Sequence[Look], context: dict[str, Any]
) -> HttpResponse:
    if not looks:
        return render(request, template, context)
    with timezone.override(looks[0].place.zone):
        return render(request, template, {"currency": looks[0].currency, **context})

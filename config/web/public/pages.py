"""Pages for everybody: the front door, the city's public figures, how to check the log."""

from typing import Any, Final

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from analytics.domain.published import added_energies
from analytics.queries.publications import list_publications
from config.api.open.tables import COLUMNS
from config.web.chart_cards import ChartCard
from config.web.public.cards import (
    days_card,
    flows_card,
    hours_card,
    month_words,
    prices_card,
    zones_card,
)
from config.web.public.months import Month, average_day, best_told, list_months

# With fewer hours of a day that may be shown, its days tell more.
HOURS_ENOUGH: Final = 18


def front_door(request: HttpRequest) -> HttpResponse:
    """Say what this is, with the newest public figures; for who is not signed in."""
    months = list_months()
    newest = [each for each in months if each.first == months[0].first]
    energies = [each.energies for each in newest if each.energies]
    pictured = best_told(newest) if newest else None
    context = {
        "months": newest,
        "month_words": month_words(newest[0].first) if newest else "",
        "city": added_energies("city", energies),
        "pictured": pictured.place if pictured else None,
        "chart": _picture(pictured) if pictured else None,
        "communities": len({each.line.community_id for each in months}),
    }
    return render(request, "public/front.html", context)


@login_not_required
@require_safe
def figures(request: HttpRequest) -> HttpResponse:
    """Show one community's published month; the newest unless another one is asked for."""
    months = list_months()
    month = _chosen(request, months)
    context: dict[str, Any] = {
        "month": month,
        "places": {each.line.community_id: each.place for each in months},
        "licence": settings.OPEN_DATA_LICENCE,
        "attribution": settings.OPEN_DATA_ATTRIBUTION,
        "site": settings.SITE_URL,
    }
    if month is not None:
        of_place = [each for each in months if each.line.community_id == month.line.community_id]
        lines = list_publications(community_id=month.line.community_id)
        cards = [hours_card(month), days_card(month), prices_card(month), flows_card(month)]
        if len(month.zone_names) > 1:
            cards.append(zones_card(month))
        context |= {
            "month_words": month_words(month.first),
            "choices": [(f"{each.first:%Y-%m}", month_words(each.first)) for each in of_place],
            "chosen": f"{month.first:%Y-%m}",
            "cards": [(card.chart, _table_of(card.key)) for card in cards],
            "tables": list(COLUMNS),
            "revisions": [each for each in lines if each.month == month.first],
            "withheld": month.document["withheld"],
            "minimum": month.document["minimum_group_size"],
            "savings": month.savings[0] if month.savings else None,
        }
    return render(request, "public/figures.html", context)


@login_not_required
@require_safe
def about(request: HttpRequest) -> HttpResponse:
    """Say what the hall is, how a sale goes, and what its words mean."""
    return render(request, "public/about.html")


@login_not_required
@require_safe
def check(request: HttpRequest) -> HttpResponse:
    """Say, step by step, how anybody checks the log, a receipt and a published figure."""
    lines = list_publications()
    return render(
        request,
        "public/check.html",
        {"line": lines[0] if lines else None, "site": settings.SITE_URL},
    )


def _chosen(request: HttpRequest, months: list[Month]) -> Month | None:
    """Return the month that the address names.

    Raises
    ------
    Http404
        If it names one that was not published.
    """
    asked = {key: request.GET[key] for key in ("community", "month") if request.GET.get(key)}
    found = [
        each
        for each in months
        if str(each.line.community_id) == asked.get("community", str(each.line.community_id))
    ]
    exact = [each for each in found if f"{each.first:%Y-%m}" == asked.get("month")]
    if exact or found:
        # Another community may not have the month that was looked at: its newest is shown.
        return (exact or found)[0]
    if asked:
        raise Http404
    return None


def _picture(month: Month) -> ChartCard:
    """Return an average day where most of its hours may be shown, else the days of the month."""
    known = sum(hour.bought_wh is not None for hour in average_day(month))
    return (hours_card(month) if known >= HOURS_ENOUGH else days_card(month)).chart


def _table_of(key: str) -> str:
    return {"hours": "hours", "flows": "flows"}.get(key, "days")

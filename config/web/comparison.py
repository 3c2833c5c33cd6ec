"""A past month under each pricing: one's own result, and for the operator everybody's."""

from dataclasses import dataclass
from datetime import date

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods
from django.views.decorators.vary import vary_on_headers

from config.web.days import render_in
from config.web.personas import place_or_404, use_persona
from config.web.signing import translated
from marketplace.domain.billing.month import month_after, month_before, month_of, read_month
from marketplace.domain.pricing_comparison import ACTUAL, GRID_ONLY
from marketplace.errors import MarketplaceError
from marketplace.queries.pages import Persona, Place, get_market_days, list_places
from marketplace.queries.pricing_comparison import (
    ComparisonState,
    PartyLine,
    PricingLine,
    find_comparison,
    get_comparison_table,
    list_own_pricings,
)
from marketplace.services.pricing_comparison import ask_for_comparison

ROLES = ("household", "enterprise", "operator")
PRICING_NAMES = {
    "actual": _("As it was booked"),
    "grid_only": _("The grid alone, no market"),
    "uniform": _("One clearing price"),
    "pay_as_bid": _("Pay as bid"),
    "mid_market": _("Middle of the tariffs"),
    "supply_demand_ratio": _("By supply and demand"),
    "sharing_static": _("Shared by fixed keys"),
    "sharing_dynamic": _("Shared by consumption"),
}
PARTY_NAMES = {
    "supplier": _("Supplier"),
    "platform": _("Platform"),
    "grid": _("Grid operator"),
    "pool": _("Community pool"),
    "rounding": _("Rounding"),
}


@dataclass(frozen=True)
class OwnPricing:
    """A pricing of a member's month as the page shows it; differences are gains. [micro]"""

    name: str
    pricing: str
    net_micro: int
    against_actual_micro: int
    against_grid_micro: int


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def comparison(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Show a month under each pricing; computed in the background when somebody asks."""
    persona = use_persona(request, participant_id, *ROLES)
    place = _place(request, persona)
    month, first, last = _month(request, place)
    if request.method == "POST":
        try:
            ask_for_comparison(community_id=place.community_id, month=month, now=timezone.now())
        except MarketplaceError as refusal:
            messages.error(request, translated(refusal))
        address = reverse("comparison", args=[participant_id])
        return redirect(f"{address}?month={month:%Y-%m}&community={place.community_id}")
    found = find_comparison(place=place, month=month)
    context: dict[str, object] = {
        "persona": persona,
        "month": month,
        "previous": month_before(month) if month > first else None,
        "next": month_after(month) if month < last else None,
        "found": found,
        "places": _places(persona),
        **_figures(persona, found),
    }
    is_fragment = bool(request.headers.get("HX-Request"))
    template = "pages/comparison_figures.html" if is_fragment else "pages/comparison.html"
    return render_in(request, place, template, context)


def _place(request: HttpRequest, persona: Persona) -> Place:
    """Return a member's community; an operator's is the one asked for, else the first."""
    places = _places(persona)
    if not places:
        return place_or_404(persona)
    asked = request.GET.get("community")
    return next((place for place in places if str(place.community_id) == asked), places[0])


def _places(persona: Persona) -> list[Place]:
    """Return the communities that an operator may choose from; nobody else has a choice."""
    return list_places() if persona.role == "operator" and persona.place is None else []


def _month(request: HttpRequest, place: Place) -> tuple[date, date, date]:
    """Return the month that is asked for, the last one if none is, and the ends of the choice."""
    known = get_market_days(place=place)
    if known is None:
        raise Http404
    first, last = month_of(known.first), month_of(known.last)
    asked = read_month(request.GET.get("month", "")) or last
    return min(max(asked, first), last), first, last


def _figures(persona: Persona, found: ComparisonState | None) -> dict[str, object]:
    if found is None or found.computed_at is None:
        return {}
    if persona.role == "operator":
        table = get_comparison_table(comparison_id=found.id)
        return {
            "columns": [PRICING_NAMES[pricing] for pricing in table.pricings],
            "parties": [(_party(line), line.nets_micro) for line in table.lines],
            "sums": table.sums_micro,
        }
    lines = list_own_pricings(comparison_id=found.id, participant_id=persona.participant_id)
    own = _own_pricings(lines)
    others = [line for line in own if line.pricing not in (ACTUAL, GRID_ONLY)]
    return {
        "lines": own,
        "booked": next((line for line in own if line.pricing == ACTUAL), None),
        "best": max(others, key=lambda line: line.net_micro, default=None),
    }


def _own_pricings(lines: list[PricingLine]) -> list[OwnPricing]:
    alone = next((line.net_micro for line in lines if line.pricing == GRID_ONLY), 0)
    return [
        OwnPricing(
            name=str(PRICING_NAMES[line.pricing]),
            pricing=line.pricing,
            net_micro=line.net_micro,
            against_actual_micro=line.against_actual_micro,
            against_grid_micro=line.net_micro - alone,
        )
        for line in lines
    ]


def _party(line: PartyLine) -> str:
    if line.party == "member":
        return line.name or str(_("An erased member"))
    return str(PARTY_NAMES[line.party])

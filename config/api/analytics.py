"""The city's analytics over HTTP, for planners and operators: figures that were released to them.

The same figures as the planner's pages show, by the same reads. What would show too few members is
left out; figures of a day come once it is over.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api.analytics_out import (
    AnswerOut,
    CarbonOut,
    EnergiesOut,
    FlowOut,
    LinkOut,
    MarketHealthOut,
    PeakOut,
    PriceOut,
    SavingsOut,
)
from config.web.city.chosen import LONGEST, Chosen
from config.web.city.look import Look
from marketplace.api.asked import DayField, asked_for, id_field, reach_of
from marketplace.errors import N_, Invalid
from marketplace.queries.pages import list_places

ROLES: Final = ("planner", "operator")
GRAINS: Final = ("total", "day", "hour")


class Asked(serializers.Serializer[Any]):
    """Which community and civil days."""

    community = id_field("The community.", required=True)
    first = DayField(help_text="First civil day.")
    last = DayField(help_text="Last civil day, included.")


class GrainAsked(Asked):
    """The same, and how finely."""

    zone = id_field("Only this zone; without it, the community.")
    by = serializers.ChoiceField(choices=GRAINS, default="day", help_text="How finely.")


@dataclass(frozen=True)
class Figures:
    """What an address answers: how it reads, and the form of a figure."""

    name: str
    read: Callable[[Look, dict[str, Any]], Any]
    out: type[serializers.Serializer[Any]]
    asked: type[Asked] = Asked
    many: bool = True


def _energies(look: Look, asked: dict[str, Any]) -> list[Any]:
    if asked["by"] != "total":
        return [each.energies for each in look.buckets(asked["by"], asked["zone"] or 0)]
    community = [] if look.energies is None or asked["zone"] else [look.energies]
    zones = [each for each in look.zones if asked["zone"] in (None, int(each.of[5:]))]
    return [*community, *zones]


def _prices(look: Look, asked: dict[str, Any]) -> list[Any]:
    grain = "day" if asked["by"] == "total" else asked["by"]
    return list(look.buckets(grain, asked["zone"] or 0))


FIGURES: Final = (
    Figures("energies", _energies, EnergiesOut, GrainAsked),
    Figures("prices", _prices, PriceOut, GrainAsked),
    Figures("flows", lambda look, _asked: look.flows, FlowOut),
    Figures("links", lambda look, _asked: look.links, LinkOut),
    Figures("health", lambda look, _asked: look.health, MarketHealthOut, many=False),
    Figures("savings", lambda look, _asked: look.savings, SavingsOut),
    Figures("carbon", lambda look, _asked: look.carbon, CarbonOut, many=False),
    Figures("peaks", lambda look, _asked: look.peak, PeakOut, many=False),
)


def _view(figures: Figures) -> type[APIView]:
    """Return the view of a subject with its description."""
    name = f"{figures.name.capitalize()}Analytics"
    fields: dict[str, Any] = dict(AnswerOut().get_fields())
    fields["figures"] = figures.out(many=True) if figures.many else figures.out(allow_null=True)

    @extend_schema(
        parameters=[figures.asked],
        responses=inline_serializer(name, fields),
        operation_id=f"analytics_{figures.name}",
        summary=(figures.out.__doc__ or "").partition("\n")[0],
        description=__doc__,
    )
    def get(_self: APIView, request: Request) -> Response:
        return _answer(request, figures)

    return type(name, (APIView,), {"get": get, "__doc__": figures.out.__doc__})


def _answer(request: Request, figures: Figures) -> Response:
    """Return the figures of a community's civil days that were released to planners."""
    asked = asked_for(request, figures.asked)
    look = _look(request, asked)
    found = figures.read(look, asked)
    basis = {
        "community_id": look.place.community_id,
        "currency": look.currency,
        "first": look.chosen.first,
        "last": look.chosen.last,
        "minimum_group_size": look.minimum,
        "basis": look.basis,
        "rule_sets": look.rule_sets,
    }
    if figures.many:
        told: Any = figures.out(found, many=True).data
    else:
        told = None if found is None else figures.out(found).data
    return Response({**AnswerOut(basis).data, "figures": told})


VIEWS: Final = {figures.name: _view(figures) for figures in FIGURES}


def _look(request: Request, asked: dict[str, Any]) -> Look:
    """Return what is asked for, to a planner or operator of the community; else it is not there."""
    place = next((each for each in list_places() if each.community_id == asked["community"]), None)
    reaches = any(
        persona.role in ROLES
        and (persona.place is None or persona.place.community_id == asked["community"])
        for persona in reach_of(request).personas
    )
    if place is None or not reaches:
        raise Http404
    first, last = asked["first"], asked["last"]
    if first > last:
        raise Invalid("last", N_("The last day is before the first."))
    if last - first > LONGEST:
        raise Invalid("last", N_("Ask for three years at most."))
    chosen = Chosen([place], place, "own", first, last, None)
    return Look(place, chosen, timezone.now())

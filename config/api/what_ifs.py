"""What-ifs over HTTP: ask what a past period would have come to, and read the answer."""

from typing import Any

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.web.what_if.seen import seen_by, shown_to
from marketplace.api.asked import DayField, asked_for, id_field
from marketplace.api.callers import personas_of
from marketplace.api.idempotency import idempotent
from marketplace.domain.what_if.figures import ALL, ENERGIES, MONEY, Side
from marketplace.errors import N_, NotFound
from marketplace.queries.pages import Persona, Place, list_places
from marketplace.queries.what_ifs import (
    Sides,
    WhatIfAnswer,
    WhatIfLine,
    find_what_if,
    get_answer,
    list_what_ifs,
)
from marketplace.services.what_ifs import ask_for_what_if

_ROLES = ("operator", "planner")


class WhatIfIn(serializers.Serializer[Any]):
    """A question. ``change`` may have these keys, each at most once; empty: what happened.

    ``preset`` (name) or ``rules`` (a whole rule set), ``pricing``, ``retail_tariff`` and
    ``feed_in_tariff`` (bands as in a rule set), ``retail_percent``, ``feed_in_percent``,
    ``platform_fee_micro_per_kwh``, ``grid_fee_micro_per_kwh``, ``link_fee_micro_per_kwh``,
    ``link_limit_percent``, ``solar_percent``, ``roofs_percent``, ``seed``.
    """

    community = id_field("Whose past.", required=True)
    first_day = DayField(help_text="First civil day.")
    last_day = DayField(help_text="Last civil day, included; at most 92 days.")
    change = serializers.DictField(help_text="What is different.")


class WhatIfsAsked(serializers.Serializer[Any]):
    """Of which community."""

    community = id_field("The community.", required=True)


class WhatIfOut(serializers.Serializer[Any]):
    """A what-if and how far it is."""

    id = serializers.IntegerField()
    first_day = serializers.DateField()
    last_day = serializers.DateField()
    change = serializers.DictField()
    asked_at = serializers.DateTimeField()
    interval_count = serializers.IntegerField()
    done_count = serializers.IntegerField()
    computed_at = serializers.DateTimeField(allow_null=True)
    failed_at = serializers.DateTimeField(allow_null=True)


class SideOut(serializers.Serializer[Any]):
    """Sums of one side: energies of the community [Wh], and what parties received less paid."""

    energies = serializers.DictField(child=serializers.IntegerField())
    money = serializers.DictField(child=serializers.IntegerField(), help_text="[micro]")
    zones = serializers.DictField(help_text="Energies by zone, where zones may be shown.")


class SidesOut(serializers.Serializer[Any]):
    """What happened, and what might have; nothing of the latter was settled."""

    actual = SideOut()
    what_if = SideOut()


class DayOut(SidesOut):
    """A civil day."""

    day = serializers.DateField()


class SpreadOut(serializers.Serializer[Any]):
    """Members by what would change for them; null where a group would have been too small."""

    member_count = serializers.IntegerField()
    minimum = serializers.IntegerField()
    gaining = serializers.IntegerField(allow_null=True)
    losing = serializers.IntegerField(allow_null=True)
    same = serializers.IntegerField(allow_null=True)
    group_size = serializers.IntegerField()
    means_micro = serializers.ListField(child=serializers.IntegerField(), allow_null=True)


class RulesOut(serializers.Serializer[Any]):
    """A rule set of the time, as it was and as it was changed."""

    version = serializers.IntegerField()
    sha256 = serializers.CharField()
    changed_sha256 = serializers.CharField()


class WhatIfAnswerOut(WhatIfOut):
    """A what-if with its answer; null until it is computed."""

    total = SidesOut(allow_null=True)
    days = DayOut(many=True)
    spread = SpreadOut(allow_null=True)
    rules = RulesOut(many=True)
    is_outdated = serializers.BooleanField(help_text="Readings were corrected since.")


class WhatIfsOut(serializers.Serializer[Any]):
    """The newest what-ifs of a community."""

    results = WhatIfOut(many=True)


class WhatIfList(APIView):
    """What-ifs of a community."""

    @extend_schema(operation_id="what_ifs_list", parameters=[WhatIfsAsked], responses=WhatIfsOut)
    def get(self, request: Request) -> Response:
        """List the newest what-ifs of a community that you plan for or operate."""
        asked = asked_for(request, WhatIfsAsked)
        persona, place = _asker(request, asked["community"])
        lines = list_what_ifs(
            community_id=place.community_id, is_released=persona.role != "operator"
        )
        return Response(WhatIfsOut({"results": lines}).data)

    @extend_schema(request=WhatIfIn, responses={201: WhatIfOut})
    @idempotent
    def post(self, request: Request) -> Response:
        """Ask what a past period would have come to; the same question has the same answer."""
        form = WhatIfIn(data=request.data)
        form.is_valid(raise_exception=True)
        given = form.validated_data
        persona, place = _asker(request, given["community"])
        asked = ask_for_what_if(
            community_id=place.community_id,
            asked_by_id=persona.participant_id,
            first_day=given["first_day"],
            last_day=given["last_day"],
            change=given["change"],
            seen=seen_by(persona.role, place, given["first_day"], given["last_day"]),
            now=timezone.now(),
        )
        line = find_what_if(what_if_id=asked.pk, community_ids=[place.community_id])
        return Response(WhatIfOut(line).data, status=status.HTTP_201_CREATED)


class WhatIfDetail(APIView):
    """One what-if."""

    @extend_schema(responses=WhatIfAnswerOut)
    def get(self, request: Request, what_if_id: int) -> Response:
        """Return a what-if with its answer, as soon as there is one."""
        askers = _askers(request)
        communities = [place.community_id for _persona, place in askers]
        line = find_what_if(what_if_id=what_if_id, community_ids=communities)
        if line is None:
            raise Http404
        for persona, place in askers:
            is_theirs = place.community_id == line.community_id
            if is_theirs and (line.is_released or persona.role == "operator"):
                return Response(WhatIfAnswerOut(_answer(persona, place, line)).data)
        raise Http404


def _askers(request: Request) -> list[tuple[Persona, Place]]:
    """Return in whose name the caller may ask about which community; operators first."""
    own = [each for each in personas_of(request) if each.role in _ROLES]
    return [
        (persona, place)
        for persona in sorted(own, key=lambda each: _ROLES.index(each.role))
        for place in ([persona.place] if persona.place else list_places())
    ]


def _asker(request: Request, community_id: int) -> tuple[Persona, Place]:
    for persona, place in _askers(request):
        if place.community_id == community_id:
            return persona, place
    raise NotFound(N_("There is no such community of yours."))


def _answer(persona: Persona, place: Place, line: WhatIfLine) -> dict[str, Any]:
    shape: dict[str, Any] = {
        **dict(WhatIfOut(line).data),
        "total": None,
        "days": [],
        "spread": None,
        "rules": [],
        "is_outdated": False,
    }
    if line.computed_at is None:
        return shape
    answer = shown_to(persona.role, place, get_answer(what_if_id=line.id))
    return {
        **shape,
        "total": _sides(answer.total, answer),
        "days": [{"day": day, **_sides(sides, answer)} for day, sides in answer.days],
        "spread": answer.spread,
        "rules": answer.rules,
        "is_outdated": answer.is_outdated,
    }


def _sides(sides: Sides, answer: WhatIfAnswer) -> dict[str, Any]:
    return {"actual": _side(sides.actual, answer), "what_if": _side(sides.changed, answer)}


def _side(side: Side, answer: WhatIfAnswer) -> dict[str, Any]:
    def energies(zone: str) -> dict[str, int]:
        return {name: side.zones[zone][name] for name in (*ENERGIES, "peak_import_w")}

    return {
        "energies": energies(ALL),
        "money": {name: side.money[name] for name in MONEY},
        "zones": {zone: energies(zone) for zone in answer.zones},
    }

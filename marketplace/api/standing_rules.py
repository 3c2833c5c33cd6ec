"""Standing rules: sell surplus at or above, buy deficit at or below a price."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.api.asked import (
    MomentField,
    asked_for,
    id_field,
    note_points_seen,
    point_of,
    reach_of,
)
from marketplace.api.idempotency import idempotent
from marketplace.api.paging import PAGE_PARAMETERS, page_of, pages
from marketplace.domain.accesses import AccessKind
from marketplace.domain.money import PRICE_MAX_MICRO_PER_KWH
from marketplace.queries.metering import (
    MeteringPointLine,
    list_metering_points,
)
from marketplace.queries.pages_rules import RuleVersion, list_rule_versions
from marketplace.services.standing import set_standing_rule


def _limit(text: str) -> serializers.IntegerField:
    return serializers.IntegerField(
        min_value=-PRICE_MAX_MICRO_PER_KWH,
        max_value=PRICE_MAX_MICRO_PER_KWH,
        allow_null=True,
        help_text=text,
    )


class StandingRuleIn(serializers.Serializer[Any]):
    """The rule from now on."""

    sell_at_or_above_micro_per_kwh = _limit("null draws the rule set's default.")
    buy_at_or_below_micro_per_kwh = _limit("null draws the rule set's default.")
    is_paused = serializers.BooleanField(default=False)
    valid_until = MomentField(allow_null=True, default=None, help_text="null: further notice.")


class RuleVersionOut(serializers.Serializer[Any]):
    """A version of a rule; versions are never edited."""

    version = serializers.IntegerField()
    sell_at_or_above_micro_per_kwh = serializers.IntegerField(allow_null=True)
    buy_at_or_below_micro_per_kwh = serializers.IntegerField(allow_null=True)
    is_paused = serializers.BooleanField()
    valid_from = serializers.DateTimeField()
    valid_until = serializers.DateTimeField(allow_null=True)


class StandingRuleOut(serializers.Serializer[Any]):
    """The rule of a metering point: the version in force, and all of them, newest first."""

    metering_point_id = serializers.IntegerField()
    code = serializers.CharField()
    current = RuleVersionOut(allow_null=True)
    history = RuleVersionOut(many=True)


class StandingRulesAsked(serializers.Serializer[Any]):
    """Which rules."""

    community = id_field("Only this community.")
    participant = id_field("Only this participant.")


class StandingRuleList(APIView):
    """Standing rules."""

    @extend_schema(
        operation_id="standing_rules_list",
        parameters=[*PAGE_PARAMETERS, StandingRulesAsked],
        responses=pages(StandingRuleOut),
    )
    def get(self, request: Request) -> Response:
        """List the standing rules of your metering points, with their history."""
        asked, reach, now = (
            asked_for(request, StandingRulesAsked),
            reach_of(request),
            timezone.now(),
        )
        versions: dict[int, list[RuleVersion]] = {}

        def fetch(before_id: int | None, limit: int) -> list[MeteringPointLine]:
            points = list_metering_points(
                reach=reach,
                community_id=asked["community"],
                participant_id=asked["participant"],
                before_id=before_id,
                limit=limit,
            )
            note_points_seen(reach, points, AccessKind.RULE)
            versions.update(list_rule_versions(metering_point_ids=[point.id for point in points]))
            return points

        return page_of(
            request, fetch, lambda point: _rule_body(point, versions.get(point.id, []), now)
        )


class StandingRuleDetail(APIView):
    """The standing rule of one metering point."""

    @extend_schema(responses=StandingRuleOut)
    def get(self, request: Request, metering_point_id: int) -> Response:
        """Show a standing rule with its history."""
        point = _point(request, metering_point_id)
        return _rule_of(point)

    @extend_schema(request=StandingRuleIn, responses=StandingRuleOut)
    @idempotent
    def put(self, request: Request, metering_point_id: int) -> Response:
        """Set your rule from now on. What has started follows the version before."""
        point = _point(request, metering_point_id)
        if point.participant_id not in reach_of(request).own_ids:
            # An operator sees the rule; only its owner may change what it buys and sells at.
            raise PermissionDenied("Only its owner sets a standing rule.")
        form = StandingRuleIn(data=request.data)
        form.is_valid(raise_exception=True)
        set_standing_rule(
            metering_point_id=point.id,
            sell_at_or_above_micro_per_kwh=form.validated_data["sell_at_or_above_micro_per_kwh"],
            buy_at_or_below_micro_per_kwh=form.validated_data["buy_at_or_below_micro_per_kwh"],
            is_paused=form.validated_data["is_paused"],
            valid_until=form.validated_data["valid_until"],
            now=timezone.now(),
        )
        return _rule_of(point)


def _point(request: Request, metering_point_id: int) -> MeteringPointLine:
    return point_of(request, metering_point_id, AccessKind.RULE)


def _rule_of(point: MeteringPointLine) -> Response:
    versions = list_rule_versions(metering_point_ids=[point.id]).get(point.id, [])
    return Response(_rule_body(point, versions, timezone.now()))


def _rule_body(
    point: MeteringPointLine, versions: list[RuleVersion], now: datetime
) -> dict[str, Any]:
    current = next((each for each in versions if each.is_in_force(now)), None)
    values = {
        "metering_point_id": point.id,
        "code": point.code,
        "current": current,
        "history": versions,
    }
    return dict(StandingRuleOut(values).data)

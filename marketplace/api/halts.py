"""Trading halts: members read them, operators order and lift them."""

from typing import Any

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.api.asked import MomentField, asked_for, id_field, reach_of
from marketplace.api.callers import personas_of
from marketplace.api.idempotency import idempotent
from marketplace.errors import N_, NotFound
from marketplace.queries.order_book import HaltLine, list_halts
from marketplace.services.halts import halt_trading, lift_halt


class HaltIn(serializers.Serializer[Any]):
    """A halt from now on."""

    community = id_field("Where trading stops.", required=True)
    reason = serializers.CharField(max_length=500, help_text="Public, and logged for ever.")
    until = MomentField(required=False, allow_null=True, help_text="null: until it is lifted.")


class HaltOut(serializers.Serializer[Any]):
    """A halt of trading."""

    id = serializers.IntegerField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField()
    is_in_force = serializers.BooleanField()


class HaltsOut(serializers.Serializer[Any]):
    """The newest halts of a community."""

    results = HaltOut(many=True)


class HaltsAsked(serializers.Serializer[Any]):
    """Whose halts."""

    community = id_field("The community.", required=True)


class HaltList(APIView):
    """Halts of a community."""

    @extend_schema(operation_id="halts_list", parameters=[HaltsAsked], responses=HaltsOut)
    def get(self, request: Request) -> Response:
        """List the newest halts of a community of yours, newest first."""
        asked = asked_for(request, HaltsAsked)
        if asked["community"] not in reach_of(request).watched:
            raise NotFound(N_("There is no such community of yours."))
        halts = list_halts(community_id=asked["community"], now=timezone.now())
        return Response(HaltsOut({"results": halts}).data)

    @extend_schema(request=HaltIn, responses={201: HaltOut})
    @idempotent
    def post(self, request: Request) -> Response:
        """Stop trading in a community that you operate: orders can only be cancelled."""
        form = HaltIn(data=request.data)
        form.is_valid(raise_exception=True)
        community_id, now = form.validated_data["community"], timezone.now()
        if community_id not in reach_of(request).operated:
            raise NotFound(N_("There is no such community of yours."))
        halt = halt_trading(
            community_id=community_id,
            operator_id=_operator_of(request, community_id),
            reason=form.validated_data["reason"],
            until=form.validated_data.get("until"),
            now=now,
        )
        return Response(_shape(_found(community_id, halt.id)), status=status.HTTP_201_CREATED)


class HaltLift(APIView):
    """Letting trading go on."""

    @extend_schema(request=None, responses=HaltOut)
    @idempotent
    def post(self, request: Request, halt_id: int) -> Response:
        """Lift a halt in a community that you operate."""
        now = timezone.now()
        for community_id in sorted(reach_of(request).operated):
            if any(halt.id == halt_id for halt in list_halts(community_id=community_id, now=now)):
                operator_id = _operator_of(request, community_id)
                lift_halt(halt_id=halt_id, operator_id=operator_id, now=now)
                return Response(_shape(_found(community_id, halt_id)))
        raise Http404


def _operator_of(request: Request, community_id: int) -> int:
    """Return in whose name the caller operates a community: one may operate several."""
    return next(
        persona.participant_id
        for persona in personas_of(request)
        if persona.role == "operator"
        and (persona.place is None or persona.place.community_id == community_id)
    )


def _found(community_id: int, halt_id: int) -> HaltLine:
    halts = list_halts(community_id=community_id, now=timezone.now())
    return next(halt for halt in halts if halt.id == halt_id)


def _shape(halt: HaltLine) -> dict[str, Any]:
    return dict(HaltOut(halt).data)

"""Agreements: contracts, gifts and nominated partners, signed by both sides."""

from typing import Any

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.api.asked import MomentField, asked_for, id_field, member_of, reach_of
from marketplace.api.idempotency import idempotent
from marketplace.domain.agreement_text import KINDS, MOST_PARTNERS
from marketplace.domain.money import PRICE_MAX_MICRO_PER_KWH
from marketplace.errors import N_, Invalid
from marketplace.queries.agreements import (
    AgreementLine,
    find_agreement,
    find_point_by_code,
    list_agreements,
)
from marketplace.queries.metering import find_metering_point
from marketplace.queries.pages import Persona
from marketplace.services.agreement_checks import MAXIMUM_WH
from marketplace.services.agreements import (
    accept_agreement,
    close_proposal,
    draft_agreement,
    draft_end,
    end_agreement,
    propose_agreement,
)


class AgreementIn(serializers.Serializer[Any]):
    """A proposal of one of your metering points to another member's."""

    kind = serializers.ChoiceField(choices=[(kind, kind) for kind in KINDS])
    side = serializers.ChoiceField(
        choices=[("seller", "seller"), ("buyer", "buyer")], help_text="Yours."
    )
    metering_point = id_field("Yours.", required=True)
    other_meter = serializers.CharField(
        max_length=200, help_text="Code of the other member's metering point."
    )
    price_micro_per_kwh = serializers.IntegerField(
        min_value=-PRICE_MAX_MICRO_PER_KWH,
        max_value=PRICE_MAX_MICRO_PER_KWH,
        allow_null=True,
        default=None,
        help_text="A contract's; of a partner null is the middle of the tariffs.",
    )
    maximum_wh = serializers.IntegerField(
        min_value=1,
        max_value=MAXIMUM_WH,
        allow_null=True,
        default=None,
        help_text="Per interval; null: no limit.",
    )
    rank = serializers.IntegerField(
        min_value=1,
        max_value=MOST_PARTNERS,
        allow_null=True,
        default=None,
        help_text="A partner's.",
    )
    valid_from = MomentField()
    valid_until = MomentField(allow_null=True, default=None, help_text="null: further notice.")


class AgreementOut(serializers.Serializer[Any]):
    """An agreement as you see it, with the text that both sign."""

    id = serializers.IntegerField()
    state = serializers.ChoiceField(
        choices=[(state, state) for state in ("proposed", "agreed", "ended", "closed")]
    )
    kind = serializers.ChoiceField(choices=[(kind, kind) for kind in KINDS])
    side = serializers.ChoiceField(choices=[("seller", "seller"), ("buyer", "buyer")])
    waits_for_you = serializers.BooleanField()
    own_meter = serializers.CharField()
    other_meter = serializers.CharField()
    price_micro_per_kwh = serializers.IntegerField(allow_null=True)
    maximum_wh = serializers.IntegerField(allow_null=True)
    rank = serializers.IntegerField(allow_null=True)
    valid_from = serializers.DateTimeField()
    valid_until = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    body = serializers.CharField()
    sha256 = serializers.CharField()
    log_key = serializers.CharField()


class AgreementsAsked(serializers.Serializer[Any]):
    """Whose agreements."""

    participant = id_field("Needed where you act for several.")


class AgreementList(APIView):
    """Agreements of a member."""

    @extend_schema(
        operation_id="agreements_list",
        parameters=[AgreementsAsked],
        responses=AgreementOut(many=True),
    )
    def get(self, request: Request) -> Response:
        """List your agreements and proposals, the latest first; 200 at most."""
        lines = list_agreements(participant_id=_member(request).participant_id)
        return Response([_body(line) for line in lines])

    @extend_schema(request=AgreementIn, responses={201: AgreementOut})
    @idempotent
    def post(self, request: Request) -> Response:
        """Propose an agreement, signed for you; it counts when the other side has signed."""
        form = AgreementIn(data=request.data)
        form.is_valid(raise_exception=True)
        asked, now = form.validated_data, timezone.now()
        point = find_metering_point(
            reach=reach_of(request), metering_point_id=asked["metering_point"]
        )
        if point is None:
            raise Http404
        if point.participant_id not in reach_of(request).own_ids:
            raise PermissionDenied("Only its owner makes agreements for a metering point.")
        other = find_point_by_code(community_id=point.community_id, code=asked["other_meter"])
        if other is None:
            raise Invalid("other_meter", N_("No meter of this number takes part here."))
        is_seller = asked["side"] == "seller"
        text = draft_agreement(
            kind=asked["kind"],
            seller_point_id=point.id if is_seller else other,
            buyer_point_id=other if is_seller else point.id,
            price_micro_per_kwh=asked["price_micro_per_kwh"],
            maximum_wh=asked["maximum_wh"],
            rank=asked["rank"],
            valid_from=asked["valid_from"],
            valid_until=asked["valid_until"],
            now=now,
        )
        made = propose_agreement(
            text=text, participant_id=point.participant_id, signature=None, now=now
        )
        return Response(_body(_line(point.participant_id, made.pk)), status=status.HTTP_201_CREATED)


class AgreementDetail(APIView):
    """One agreement."""

    @extend_schema(parameters=[AgreementsAsked], responses=AgreementOut)
    def get(self, request: Request, agreement_id: int) -> Response:
        """Show an agreement with the text that both sign."""
        return Response(_body(_line(_member(request).participant_id, agreement_id)))


class AgreementAccept(APIView):
    """The other side's signature."""

    @extend_schema(parameters=[AgreementsAsked], request=None, responses=AgreementOut)
    @idempotent
    def post(self, request: Request, agreement_id: int) -> Response:
        """Sign a proposal that waits for you; the hall signs in your name."""
        member_id = _owner(request)
        accept_agreement(
            agreement_id=agreement_id,
            participant_id=member_id,
            signature=None,
            now=timezone.now(),
        )
        return Response(_body(_line(member_id, agreement_id)))


class AgreementClose(APIView):
    """No agreement."""

    @extend_schema(parameters=[AgreementsAsked], request=None, responses=AgreementOut)
    @idempotent
    def post(self, request: Request, agreement_id: int) -> Response:
        """Withdraw your proposal, or decline another's."""
        member_id = _owner(request)
        close_proposal(agreement_id=agreement_id, participant_id=member_id, now=timezone.now())
        return Response(_body(_line(member_id, agreement_id)))


class AgreementEnding(APIView):
    """The end of an agreement."""

    @extend_schema(parameters=[AgreementsAsked], request=None, responses=AgreementOut)
    @idempotent
    def post(self, request: Request, agreement_id: int) -> Response:
        """End an agreement from the next interval on; the hall signs in your name."""
        member_id, now = _owner(request), timezone.now()
        end = draft_end(agreement_id=agreement_id, participant_id=member_id, now=now)
        end_agreement(
            agreement_id=agreement_id, participant_id=member_id, end=end, signature=None, now=now
        )
        return Response(_body(_line(member_id, agreement_id)))


def _member(request: Request) -> Persona:
    asked = asked_for(request, AgreementsAsked)
    return member_of(reach_of(request), asked["participant"])


def _owner(request: Request) -> int:
    """Return the member to act for; who may only read does not sign."""
    member_id = _member(request).participant_id
    if member_id not in reach_of(request).own_ids:
        raise PermissionDenied("Only the two sides sign an agreement.")
    return member_id


def _line(participant_id: int, agreement_id: int) -> AgreementLine:
    line = find_agreement(participant_id=participant_id, agreement_id=agreement_id)
    if line is None:
        raise Http404
    return line


def _body(line: AgreementLine) -> dict[str, Any]:
    text = line.text
    values = {
        "id": line.id,
        "state": line.state,
        "kind": text.kind,
        "side": "seller" if line.is_seller else "buyer",
        "waits_for_you": line.is_mine_to_sign,
        "own_meter": line.own_meter,
        "other_meter": line.other_meter,
        "price_micro_per_kwh": text.price_micro_per_kwh,
        "maximum_wh": text.maximum_wh,
        "rank": text.rank,
        "valid_from": text.valid_from,
        "valid_until": text.valid_until,
        "ended_at": line.ended_at,
        "body": text.body().decode(),
        "sha256": line.sha256,
        "log_key": line.log_key,
    }
    return dict(AgreementOut(values).data)

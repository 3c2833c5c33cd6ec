"""Certificates of origin over HTTP: your bundles, their use, and the operator's devices."""

from datetime import datetime
from typing import Any

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.api.asked import (
    MemberPeriodIn,
    MomentField,
    asked_for,
    id_field,
    member_of,
    reach_of,
)
from marketplace.api.callers import own_ids
from marketplace.api.idempotency import idempotent
from marketplace.api.paging import PAGE_PARAMETERS, page_of, pages
from marketplace.domain.civil_day import FIRST_MOMENT, LAST_MOMENT
from marketplace.models import ProductionDevice
from marketplace.queries.certificate_hours import list_certified_hours, score_of
from marketplace.queries.certificate_pages import (
    BundleLine,
    CancellationLine,
    get_cancellation,
    list_bundles,
    list_cancellations,
)
from marketplace.services.certificate_use import (
    TEXT_MAX,
    Choice,
    cancel_certificates,
    hand_over_certificates,
)
from marketplace.services.production_devices import CAPACITY_MAX_W, NewDevice, register_devices

WH_MAX = 10**15
HOURS_DAYS_MAX = 400


class BundlesAsked(MemberPeriodIn):
    """Bundles of a period in one state."""

    state = serializers.ChoiceField(choices=["active", "cancelled", "withdrawn"], required=False)


class BundleOut(serializers.Serializer[Any]):
    """A bundle: certificates `first_wh` to before `last_wh` of an interval's exported Wh."""

    id = serializers.IntegerField()
    interval_id = serializers.IntegerField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    device_id = serializers.IntegerField()
    technology = serializers.ChoiceField(choices=ProductionDevice.Technology.choices)
    zone = serializers.CharField()
    first_wh = serializers.IntegerField()
    last_wh = serializers.IntegerField()
    wh = serializers.IntegerField()
    bundle_state = serializers.ChoiceField(
        source="state", choices=["active", "cancelled", "withdrawn"]
    )
    cancellation_id = serializers.UUIDField(allow_null=True)


class ChoiceIn(serializers.Serializer[Any]):
    """Which certificates: the earliest first, all of them without `wh`."""

    participant = id_field("Whose.", required=True)
    start = MomentField(help_text="Of intervals that start then or later.")
    end = MomentField(help_text="And before then.")
    technology = serializers.ChoiceField(
        choices=ProductionDevice.Technology.choices, required=False
    )
    bundle = id_field("Only of this bundle.")
    wh = serializers.IntegerField(min_value=1, max_value=WH_MAX, required=False)


class HandOverIn(ChoiceIn):
    """Certificates for another member."""

    receiver = id_field("The receiver's participant number.", required=True)


class HandOverOut(serializers.Serializer[Any]):
    """What was handed over. Its document is logged under `key`."""

    key = serializers.CharField()
    wh = serializers.IntegerField()


class CancellationIn(ChoiceIn):
    """Certificates to use up."""

    purpose = serializers.CharField(max_length=TEXT_MAX, help_text="Public for ever.")
    beneficiary = serializers.CharField(max_length=TEXT_MAX, help_text="Public for ever.")
    by_hour = serializers.BooleanField(
        default=False, help_text="Only what covers your own consumption of the same hour."
    )


class CancellationOut(serializers.Serializer[Any]):
    """A cancellation; its public statement is at `/certificates/{public_id}/`."""

    public_id = serializers.UUIDField()
    key = serializers.CharField(help_text="Of the logged document.")
    wh = serializers.IntegerField()
    cancelled_at = serializers.DateTimeField()
    purpose = serializers.CharField()
    beneficiary = serializers.CharField()
    sha256 = serializers.CharField(help_text="Of the statement's text.")


class HourOut(serializers.Serializer[Any]):
    """An hour of a member. [Wh]"""

    starts_at = serializers.DateTimeField()
    used_wh = serializers.IntegerField()
    cancelled_wh = serializers.IntegerField()
    held_wh = serializers.IntegerField()
    matched_wh = serializers.IntegerField()


class MatchingOut(serializers.Serializer[Any]):
    """How far certificates cover consumption; scores in 0..1, null without consumption."""

    score = serializers.FloatField(allow_null=True)
    possible = serializers.FloatField(allow_null=True)
    used_wh = serializers.IntegerField()
    matched_wh = serializers.IntegerField()
    hours = HourOut(many=True)


class DeviceIn(serializers.Serializer[Any]):
    """A production device."""

    meter = serializers.CharField(max_length=200)
    technology = serializers.ChoiceField(choices=ProductionDevice.Technology.choices)
    capacity_w = serializers.IntegerField(min_value=1, max_value=CAPACITY_MAX_W)
    commissioned_on = serializers.DateField()


class DevicesIn(serializers.Serializer[Any]):
    """Devices of one community, registered all or none."""

    community = id_field("Which community.", required=True)
    active_from = MomentField(help_text="Export is certified from here on.")
    devices = DeviceIn(many=True, allow_empty=False)


class DevicesOut(serializers.Serializer[Any]):
    """How many were registered."""

    registered = serializers.IntegerField()


class BundleList(APIView):
    """Bundles."""

    @extend_schema(parameters=[*PAGE_PARAMETERS, BundlesAsked], responses=pages(BundleOut))
    def get(self, request: Request) -> Response:
        """List a member's bundles, newest first."""
        asked = asked_for(request, BundlesAsked)
        member = member_of(reach_of(request), asked["participant"])

        def fetch(before_id: int | None, limit: int) -> list[BundleLine]:
            return list_bundles(
                participant_id=member.participant_id,
                start=asked["start"] or FIRST_MOMENT,
                end=asked["end"] or LAST_MOMENT,
                state=asked["state"],
                before_id=before_id,
                limit=limit,
            )

        return page_of(request, fetch, lambda line: dict(BundleOut(line).data))


class HandOverList(APIView):
    """Certificates from hand to hand."""

    @extend_schema(request=HandOverIn, responses={201: HandOverOut})
    @idempotent
    def post(self, request: Request) -> Response:
        """Give certificates of yours to another member of the community."""
        asked = _checked(HandOverIn, request)
        event = hand_over_certificates(
            participant_id=asked["participant"],
            receiver_id=asked["receiver"],
            choice=_choice(asked),
            now=timezone.now(),
        )
        told = {"key": f"certificates:{event.id}", "wh": event.quantity_wh}
        return Response(told, status=status.HTTP_201_CREATED)


class CancellationList(APIView):
    """Certificates used up."""

    @extend_schema(parameters=[MemberPeriodIn], responses=CancellationOut(many=True))
    def get(self, request: Request) -> Response:
        """List a member's newest cancellations."""
        asked = asked_for(request, MemberPeriodIn)
        member = member_of(reach_of(request), asked["participant"])
        lines = list_cancellations(participant_id=member.participant_id)
        return Response([cancellation_body(line) for line in lines])

    @extend_schema(request=CancellationIn, responses={201: CancellationOut})
    @idempotent
    def post(self, request: Request) -> Response:
        """Use certificates of yours up for a purpose, once and for ever."""
        asked = _checked(CancellationIn, request)
        done = cancel_certificates(
            participant_id=asked["participant"],
            choice=_choice(asked),
            purpose=asked["purpose"],
            beneficiary=asked["beneficiary"],
            now=timezone.now(),
        )
        line = get_cancellation(public_id=done.public_id)
        assert line is not None, done
        return Response(cancellation_body(line), status=status.HTTP_201_CREATED)


class Matching(APIView):
    """Consumption against certificates."""

    @extend_schema(parameters=[MemberPeriodIn], responses=MatchingOut)
    def get(self, request: Request) -> Response:
        """Compare a member's consumption with certificates of the same hours; at most 400 days."""
        asked = asked_for(request, MemberPeriodIn)
        member = member_of(reach_of(request), asked["participant"])
        place = member.place
        assert place is not None, member  # who has an energy account is in a community
        start, end = _bounded(asked["start"], asked["end"])
        hours = list_certified_hours(
            participant_id=member.participant_id, zone=place.timezone, start=start, end=end
        )
        return Response(MatchingOut({**vars(score_of(hours)), "hours": hours}).data)


class DeviceList(APIView):
    """Production devices."""

    @extend_schema(request=DevicesIn, responses={201: DevicesOut})
    @idempotent
    def post(self, request: Request) -> Response:
        """Register devices, all or none. Operators only."""
        form = DevicesIn(data=request.data)
        form.is_valid(raise_exception=True)
        asked = form.validated_data
        if asked["community"] not in reach_of(request).operated:
            raise PermissionDenied("Only operators register devices.")
        register_devices(
            community_id=asked["community"],
            devices=[NewDevice(**device) for device in asked["devices"]],
            active_from=asked["active_from"],
            now=timezone.now(),
        )
        return Response({"registered": len(asked["devices"])}, status=status.HTTP_201_CREATED)


def cancellation_body(line: CancellationLine) -> dict[str, Any]:
    """Write a cancellation for the API."""
    return dict(CancellationOut(line).data)


def _checked(form: type[ChoiceIn], request: Request) -> dict[str, Any]:
    """Return what a write asks for; only one's own certificates can be used."""
    body = form(data=request.data)
    body.is_valid(raise_exception=True)
    asked: dict[str, Any] = body.validated_data
    if asked["participant"] not in own_ids(request):
        raise Http404
    return asked


def _choice(asked: dict[str, Any]) -> Choice:
    return Choice(
        asked["start"],
        asked["end"],
        technology=asked.get("technology"),
        bundle_id=asked.get("bundle"),
        wh=asked.get("wh"),
        by_hour=asked.get("by_hour", False),
    )


def _bounded(start: datetime | None, end: datetime | None) -> tuple[datetime, datetime]:
    """Return a period that is not too long to be read at once."""
    if start is None or end is None or (end - start).days > HOURS_DAYS_MAX:
        raise serializers.ValidationError(
            {"start": f"Name a start and an end, at most {HOURS_DAYS_MAX} days apart."}
        )
    return start, end

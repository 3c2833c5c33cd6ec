"""Live feeds over HTTP, for their two sides: credentials, what was taken, what was measured.

The files of a feed themselves are given by `marketplace.api.feed_proxy`, to a credential.
"""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.api.asked import PeriodIn, asked_for
from marketplace.api.callers import own_ids
from marketplace.queries.data.feeds import (
    CredentialLine,
    FeedLine,
    find_feed,
    list_credentials,
    list_feeds,
    list_files,
    list_uses,
)
from marketplace.queries.data.probes import LookLine, list_looks
from marketplace.services.data import credentials
from marketplace.services.data.credentials import LABEL_MAX

LOOKS_MAX = 2000
LOOKS_SHOWN = timedelta(days=1)


class FileOut(serializers.Serializer[Any]):
    """A file of the feed, as the hall gives it out."""

    name = serializers.CharField()
    record_count = serializers.IntegerField()
    source_time = serializers.DateTimeField(allow_null=True)
    fetched_at = serializers.DateTimeField()
    changed_at = serializers.DateTimeField()


class FeedOut(serializers.Serializer[Any]):
    """A contract about a live feed."""

    contract_id = serializers.IntegerField()
    product_id = serializers.IntegerField()
    title = serializers.CharField()
    side = serializers.CharField(help_text="buyer or seller: which you are.")
    state = serializers.CharField()
    format = serializers.CharField()
    currency = serializers.CharField()
    price = serializers.DictField(child=serializers.CharField())
    service_level = serializers.DictField(child=serializers.CharField())
    valid_until = serializers.DateTimeField()
    address = serializers.URLField(help_text="Followed by the name of a file, or by events.")
    files = FileOut(many=True)


class CredentialIn(serializers.Serializer[Any]):
    """A credential to be made."""

    used_for = serializers.CharField(default="", allow_blank=True, max_length=LABEL_MAX)


class CredentialOut(serializers.Serializer[Any]):
    """A credential, without its secret."""

    id = serializers.IntegerField()
    used_for = serializers.CharField()
    created_at = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)


class NewCredentialOut(serializers.Serializer[Any]):
    """A credential that was just made: its secret is in this answer and nowhere else."""

    id = serializers.IntegerField()
    secret = serializers.CharField()


class ShortfallOut(serializers.Serializer[Any]):
    """A promise and what was measured of it. [ppm]"""

    promise = serializers.CharField()
    promised_ppm = serializers.IntegerField()
    measured_ppm = serializers.IntegerField(allow_null=True)
    missed_ppm = serializers.IntegerField()


class FeedUseOut(serializers.Serializer[Any]):
    """What was taken in a period, and what it came to."""

    charge_id = serializers.IntegerField()
    charge_state = serializers.CharField()
    period_start = serializers.DateTimeField()
    period_end = serializers.DateTimeField()
    request_count = serializers.IntegerField()
    record_count = serializers.IntegerField()
    counts_records = serializers.BooleanField(help_text="Whether the price counts records.")
    limit = serializers.IntegerField(allow_null=True, help_text="Of what the price counts.")
    held_micro = serializers.IntegerField()
    due_micro = serializers.IntegerField()
    credit_micro = serializers.IntegerField()
    closed_at = serializers.DateTimeField(allow_null=True)
    look_count = serializers.IntegerField()
    shortfalls = ShortfallOut(many=True)


class LookOut(serializers.Serializer[Any]):
    """One look of the hall at the feed."""

    at = serializers.DateTimeField()
    answered = serializers.BooleanField()
    valid = serializers.BooleanField()
    latency_ms = serializers.IntegerField(allow_null=True)
    age_s = serializers.IntegerField(allow_null=True)
    record_count = serializers.IntegerField(allow_null=True)
    completeness_ppm = serializers.IntegerField(allow_null=True)
    error_count = serializers.IntegerField(allow_null=True)
    problem = serializers.CharField(allow_blank=True)


class FeedList(APIView):
    """Your live feeds."""

    @extend_schema(responses=FeedOut(many=True))
    def get(self, request: Request) -> Response:
        """List the live feeds that you buy or sell by contract."""
        lines = list_feeds(participant_ids=own_ids(request))
        return Response([_feed(request, line) for line in lines])


class FeedCredentials(APIView):
    """Credentials of a feed."""

    @extend_schema(responses=CredentialOut(many=True))
    def get(self, request: Request, contract_id: int) -> Response:
        """List the credentials of a feed that you buy."""
        line = _line_or_404(request, contract_id)
        if line.side != "buyer":
            raise Http404
        return Response([_credential(each) for each in list_credentials(contract_id=contract_id)])

    @extend_schema(request=CredentialIn, responses={201: NewCredentialOut})
    def post(self, request: Request, contract_id: int) -> Response:
        """Make a credential; its secret is shown in this answer alone.

        It is no idempotent write: the secret is kept nowhere, so it could not be shown again.
        """
        form = CredentialIn(data=request.data)
        form.is_valid(raise_exception=True)
        made = credentials.make_credential(
            contract_id=contract_id,
            participant_ids=own_ids(request),
            label=form.validated_data["used_for"],
            now=timezone.now(),
        )
        answer = Response({"id": made.id, "secret": made.secret}, status=status.HTTP_201_CREATED)
        answer["Cache-Control"] = "no-store"
        return answer


class CredentialRevocation(APIView):
    """The end of a credential."""

    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request, credential_id: int) -> Response:
        """Revoke a credential for good; it opens nothing from now on."""
        credentials.revoke_credential(
            credential_id=credential_id, participant_ids=own_ids(request), now=timezone.now()
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


class FeedUses(APIView):
    """What was taken from a feed."""

    @extend_schema(responses=FeedUseOut(many=True))
    def get(self, request: Request, contract_id: int) -> Response:
        """List what was taken by a contract of yours, period by period, the latest first."""
        _line_or_404(request, contract_id)
        return Response([asdict(each) for each in list_uses(contract_id=contract_id)])


class FeedLooks(APIView):
    """What the hall measured of a feed."""

    @extend_schema(parameters=[PeriodIn], responses=LookOut(many=True))
    def get(self, request: Request, contract_id: int) -> Response:
        """List the hall's looks at a feed of yours in a period, the latest first, at most 2000.

        Without a period: of the last day.
        """
        line = _line_or_404(request, contract_id)
        asked = asked_for(request, PeriodIn)
        end = asked["end"] or timezone.now()
        start = asked["start"] or max(end - LOOKS_SHOWN, datetime(1970, 1, 2, tzinfo=UTC))
        looks = list_looks(product_id=line.product_id, start=start, end=end, limit=LOOKS_MAX)
        return Response([_look(each) for each in looks])


def _line_or_404(request: Request, contract_id: int) -> FeedLine:
    line = find_feed(contract_id=contract_id, participant_ids=own_ids(request))
    if line is None:
        raise Http404
    return line


def _feed(request: Request, line: FeedLine) -> dict[str, Any]:
    files = list_files(product_id=line.product_id)
    return {
        "contract_id": line.contract_id,
        "product_id": line.product_id,
        "title": line.title,
        "side": line.side,
        "state": line.state,
        "format": line.format,
        "currency": line.currency,
        "price": line.price.text(),
        "service_level": line.level.to_json(),
        "valid_until": line.valid_until,
        "address": request.build_absolute_uri(f"/feeds/{line.product_id}/"),
        "files": [asdict(each) for each in files],
    }


def _credential(line: CredentialLine) -> dict[str, Any]:
    return {
        "id": line.id,
        "used_for": line.label,
        "created_at": line.created_at,
        "revoked_at": line.revoked_at,
    }


def _look(look: LookLine) -> dict[str, Any]:
    return {
        "at": look.at,
        "answered": look.is_up,
        "valid": look.is_valid,
        "latency_ms": look.latency_ms,
        "age_s": look.age_s,
        "record_count": look.record_count,
        "completeness_ppm": look.completeness_ppm,
        "error_count": look.error_count,
        "problem": look.problem,
    }

"""The data market over HTTP. Everything is the caller's own, except the list of open offers."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.api.callers import acting_id, own_ids
from marketplace.api.idempotency import idempotent
from marketplace.api.paging import PAGE_PARAMETERS, page_of, pages
from marketplace.domain.data_matching import DataKind
from marketplace.models import Participant
from marketplace.queries.data_files import (
    MatchLine,
    OfferLine,
    RequestLine,
    list_matches,
    list_open_offers,
    list_own_requests,
)
from marketplace.services import data_files

ROLE = Participant.Role


class TermsIn(serializers.Serializer[Any]):
    """Terms as somebody asks for them."""

    title = serializers.CharField(max_length=200)
    kind = serializers.ChoiceField(choices=[kind.value for kind in DataKind])
    area = serializers.CharField(max_length=100)
    period_start = serializers.CharField(help_text="ISO 8601 with offset, included.")
    period_end = serializers.CharField(help_text="ISO 8601 with offset, excluded.")
    resolution_minutes = serializers.IntegerField(min_value=1)


class OfferTermsIn(TermsIn):
    """Terms as somebody offers them."""

    licence = serializers.CharField(max_length=4000)


class TermsOut(OfferTermsIn):
    """Terms as they stand."""

    currency = serializers.CharField()


class OfferIn(serializers.Serializer[Any]):
    """A file to publish."""

    participant_id = serializers.IntegerField(
        required=False, help_text="Which of your data providers; the first one if absent."
    )
    terms = OfferTermsIn()
    price_micro = serializers.IntegerField(min_value=0, help_text="For the whole; 0 is free.")
    file_name = serializers.CharField(max_length=200)
    content = serializers.CharField(trim_whitespace=False, help_text="The CSV as text.")


class OfferOut(serializers.Serializer[Any]):
    """An offer as everybody signed in sees it."""

    id = serializers.IntegerField()
    terms = TermsOut()
    price_micro = serializers.IntegerField()
    provider_name = serializers.CharField()
    sha256 = serializers.CharField()
    byte_count = serializers.IntegerField()
    row_count = serializers.IntegerField()
    published_at = serializers.DateTimeField()
    is_open = serializers.BooleanField()


class RequestIn(serializers.Serializer[Any]):
    """Data that is wanted."""

    participant_id = serializers.IntegerField(
        required=False, help_text="Which of your enterprises; the first one if absent."
    )
    terms = TermsIn()
    limit_price_micro = serializers.IntegerField(min_value=0, help_text="For the whole.")


class RequestOut(serializers.Serializer[Any]):
    """A request as its buyer sees it."""

    id = serializers.IntegerField()
    terms = TermsOut()
    limit_price_micro = serializers.IntegerField()
    posted_at = serializers.DateTimeField()
    state = serializers.ChoiceField(choices=["open", "matched", "ended"])
    refusal = serializers.CharField(help_text="Why the last hold was refused, if it was.")


class MatchOut(serializers.Serializer[Any]):
    """A match as one of its parties sees it."""

    id = serializers.IntegerField()
    terms = TermsOut()
    price_micro = serializers.IntegerField()
    state = serializers.ChoiceField(
        choices=["matched", "held", "delivered", "settled", "released", "refused"]
    )
    refusal = serializers.CharField()
    is_buyer = serializers.BooleanField()
    counterparty_name = serializers.CharField()
    matched_at = serializers.DateTimeField(allow_null=True)
    deadline_at = serializers.DateTimeField(allow_null=True)
    delivered_at = serializers.DateTimeField(allow_null=True)
    file_name = serializers.CharField()
    sha256 = serializers.CharField()
    byte_count = serializers.IntegerField()
    can_download = serializers.BooleanField()


class OfferList(APIView):
    """What is on offer."""

    @extend_schema(parameters=PAGE_PARAMETERS, responses=pages(OfferOut))
    def get(self, request: Request) -> Response:
        """List the open offers, newest first."""
        now = timezone.now()
        return page_of(
            request,
            lambda before_id, limit: list_open_offers(now=now, before_id=before_id, limit=limit),
            offer_body,
        )

    @extend_schema(request=OfferIn, responses={201: OfferOut})
    @idempotent
    def post(self, request: Request) -> Response:
        """Publish a file of aggregates under its terms."""
        form = OfferIn(data=request.data)
        form.is_valid(raise_exception=True)
        asked = form.validated_data
        now = timezone.now()
        offer = data_files.publish_data_offer(
            participant_id=acting_id(
                request, role=ROLE.DATA_PROVIDER, participant_id=asked.get("participant_id")
            ),
            terms=asked["terms"],
            price_micro=asked["price_micro"],
            file_name=asked["file_name"],
            content=asked["content"].encode(),
            now=now,
        )
        [line] = list_open_offers(now=now, before_id=offer.id + 1, limit=1)
        return Response(offer_body(line), status=status.HTTP_201_CREATED)


class OfferWithdrawal(APIView):
    """The end of an offer."""

    @extend_schema(request=None, responses={204: None})
    @idempotent
    def post(self, request: Request, offer_id: int) -> Response:
        """Withdraw an offer of yours; buyers already matched still get their file."""
        data_files.withdraw_data_offer(
            offer_id=offer_id, participant_ids=own_ids(request), now=timezone.now()
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


class RequestList(APIView):
    """What you asked for."""

    @extend_schema(parameters=PAGE_PARAMETERS, responses=pages(RequestOut))
    def get(self, request: Request) -> Response:
        """List your own requests, newest first."""
        own = own_ids(request)
        return page_of(
            request,
            lambda before_id, limit: list_own_requests(
                participant_ids=own, before_id=before_id, limit=limit
            ),
            request_body,
        )

    @extend_schema(request=RequestIn, responses={201: RequestOut})
    @idempotent
    def post(self, request: Request) -> Response:
        """Ask for data; an open offer that satisfies the terms is matched at once."""
        form = RequestIn(data=request.data)
        form.is_valid(raise_exception=True)
        asked = form.validated_data
        buyer = acting_id(request, role=ROLE.ENTERPRISE, participant_id=asked.get("participant_id"))
        posted = data_files.post_data_request(
            participant_id=buyer,
            terms=asked["terms"],
            limit_price_micro=asked["limit_price_micro"],
            now=timezone.now(),
        )
        return _one_request([buyer], posted.id, status.HTTP_201_CREATED)


class RequestRematch(APIView):
    """Another attempt."""

    @extend_schema(request=None, responses=RequestOut)
    @idempotent
    def post(self, request: Request, request_id: int) -> Response:
        """Try again to match an open request, e.g. after a deposit."""
        own = own_ids(request)
        data_files.rematch_data_request(
            request_id=request_id, participant_ids=own, now=timezone.now()
        )
        return _one_request(own, request_id, status.HTTP_200_OK)


class RequestWithdrawal(APIView):
    """The end of a request."""

    @extend_schema(request=None, responses={204: None})
    @idempotent
    def post(self, request: Request, request_id: int) -> Response:
        """Withdraw a request of yours that has no match."""
        data_files.withdraw_data_request(
            request_id=request_id, participant_ids=own_ids(request), now=timezone.now()
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


class MatchList(APIView):
    """What was matched."""

    @extend_schema(parameters=PAGE_PARAMETERS, responses=pages(MatchOut))
    def get(self, request: Request) -> Response:
        """List the matches in which you buy or sell, newest first."""
        own, now = own_ids(request), timezone.now()
        return page_of(
            request,
            lambda before_id, limit: list_matches(
                participant_ids=own, now=now, before_id=before_id, limit=limit
            ),
            match_body,
        )


class MatchFile(APIView):
    """The file of a match."""

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.BINARY})
    def get(self, request: Request, match_id: int) -> HttpResponse:
        """Download the file you bought. The first download is its delivery: the hold is paid."""
        file = data_files.deliver_data_file(
            match_id=match_id, participant_ids=own_ids(request), now=timezone.now()
        )
        return HttpResponse(
            file.content,
            headers={
                "Content-Type": f"{file.media_type}; charset=utf-8",
                "Content-Disposition": content_disposition_header(True, file.name) or "attachment",
                "Repr-Digest": file.repr_digest,
                "Cache-Control": "private, no-store",
            },
        )


def offer_body(line: OfferLine) -> dict[str, Any]:
    """Write an offer for the API."""
    return dict(OfferOut(_with_terms(line)).data)


def request_body(line: RequestLine) -> dict[str, Any]:
    """Write a request for the API."""
    return dict(RequestOut(_with_terms(line)).data)


def match_body(line: MatchLine) -> dict[str, Any]:
    """Write a match for the API."""
    return dict(MatchOut(_with_terms(line)).data)


def _with_terms(line: OfferLine | RequestLine | MatchLine) -> dict[str, Any]:
    return {**vars(line), "terms": line.terms.document()}


def _one_request(own: Sequence[int], request_id: int, code: int) -> Response:
    [line] = list_own_requests(participant_ids=own, before_id=request_id + 1, limit=1)
    return Response(request_body(line), status=code)

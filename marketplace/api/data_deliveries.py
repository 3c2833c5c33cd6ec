"""Deliveries over HTTP: the texts of the exchange, the ciphertext in ranges, the key."""

import base64
import binascii
from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.api.callers import own_ids
from marketplace.api.file_ranges import ranged_file
from marketplace.api.idempotency import idempotent
from marketplace.api.paging import PAGE_PARAMETERS, page_of, pages
from marketplace.errors import N_, DepositKeyMissing, Invalid
from marketplace.models import DataDelivery
from marketplace.queries.data.deliveries import (
    DeliveryDetail,
    DeliveryLine,
    find_delivery,
    find_package,
    list_deliveries,
    may_fetch,
)
from marketplace.services.data import deliveries, delivery_key
from marketplace.services.data.deposit_key import public_deposit_key
from marketplace.services.data.storage import package_path

STATES = [(each.name.lower(), each.name.lower()) for each in DataDelivery.State]


class DeliveryLineOut(serializers.Serializer[Any]):
    """A delivery in a list."""

    id = serializers.IntegerField()
    contract_id = serializers.IntegerField()
    product_id = serializers.IntegerField()
    version_number = serializers.IntegerField()
    title = serializers.CharField()
    side = serializers.ChoiceField(choices=[("buyer", "buyer"), ("seller", "seller")])
    state = serializers.ChoiceField(choices=STATES)
    problem = serializers.CharField(help_text="Code of what somebody must mend; empty: nothing.")
    price_micro = serializers.IntegerField()
    currency = serializers.CharField()
    waits_until = serializers.DateTimeField(allow_null=True)
    is_whole = serializers.BooleanField(help_text="false: the contract is not what was signed.")


class WrapOut(serializers.Serializer[Any]):
    """A wrap of the package's key and the buyer's text that it is bound to."""

    request = serializers.CharField(help_text="Proof of reception or request of a new wrap.")
    wrap = serializers.CharField(help_text="Base64.")


class DeliveryOut(DeliveryLineOut):
    """A delivery with its texts; what is not there yet is null."""

    contract_sha256 = serializers.CharField()
    contract_state = serializers.CharField()
    manifest_sha256 = serializers.CharField()
    byte_count = serializers.IntegerField(help_text="Of the ciphertext.")
    money = serializers.CharField(help_text="State of the charge.")
    seller_key = serializers.CharField(help_text="Ed25519, in base64, as in the contract.")
    buyer_key = serializers.CharField()
    hall_deposit_key = serializers.CharField(
        help_text="X25519, in base64; empty while the hall has lost it."
    )
    offer_by = serializers.DateTimeField()
    receive_by = serializers.DateTimeField()
    key_by = serializers.DateTimeField()
    window_ends_at = serializers.DateTimeField(allow_null=True)
    origin = serializers.CharField(allow_null=True)
    origin_signature = serializers.CharField(allow_null=True)
    wraps = WrapOut(many=True, help_text="The latest last.")
    can_fetch = serializers.BooleanField()


class SignedIn(serializers.Serializer[Any]):
    """A text of docs/data.md and its Ed25519 signature."""

    body = serializers.CharField(trim_whitespace=False, max_length=8192)
    signature = serializers.CharField(
        default=None,
        allow_null=True,
        help_text="Base64, over the bytes of the text; null where the hall holds your key.",
    )


class OutcomeIn(SignedIn):
    """An acceptance, or a complaint with its evidence."""

    evidence = serializers.CharField(
        required=False, trim_whitespace=False, max_length=2_000_000, help_text="The evidence file."
    )


class TextOut(serializers.Serializer[Any]):
    """A text that is to be signed."""

    body = serializers.CharField()


class WrapOnlyOut(serializers.Serializer[Any]):
    """The key, wrapped for the key that was asked for."""

    wrap = serializers.CharField(help_text="Base64.")


class KeyDepositIn(serializers.Serializer[Any]):
    """A package's key once more, sealed to the hall."""

    sealed_key = serializers.CharField(help_text="Base64.")


class DeliveryList(APIView):
    """What is delivered to you and by you."""

    @extend_schema(
        operation_id="data_deliveries_list",
        parameters=PAGE_PARAMETERS,
        responses=pages(DeliveryLineOut),
    )
    def get(self, request: Request) -> Response:
        """List your deliveries, newest first."""
        own = own_ids(request)
        return page_of(
            request,
            lambda before_id, limit: list_deliveries(
                participant_ids=own, before_id=before_id, limit=limit
            ),
            line_body,
        )


class DeliveryView(APIView):
    """One delivery."""

    @extend_schema(responses=DeliveryOut)
    def get(self, request: Request, delivery_id: int) -> Response:
        """Return a delivery of yours: how far it is, its texts, and the key once it is out."""
        return _answer(request, delivery_id)


class DeliveryManifest(APIView):
    """The manifest that the contract pins."""

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, delivery_id: int) -> HttpResponseBase:
        """Return the manifest's canonical bytes: parts, chunks, root."""
        manifest = _found(request, delivery_id).manifest
        headers = {"Content-Type": "application/json", "ETag": f'"{manifest.sha256}"'}
        return HttpResponse(manifest.to_bytes(), headers=headers)


class DeliveryPackage(APIView):
    """The ciphertext."""

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def get(self, request: Request, delivery_id: int) -> HttpResponseBase:
        """Fetch the package you bought, whole or in ranges; without the key it opens nothing."""
        package = find_package(delivery_id=delivery_id, participant_ids=own_ids(request))
        if package is None:
            raise Http404
        return ranged_file(
            request._request,
            path=package_path(package.folder),
            size=package.byte_count,
            etag=f'"{package.root}"',
            may_go_on=lambda: may_fetch(delivery_id=delivery_id),
            note_sent=lambda count: deliveries.note_served(
                delivery_id=delivery_id, byte_count=count
            ),
        )


class DeliveryOrigin(APIView):
    """The seller's proof of origin."""

    @extend_schema(responses=TextOut)
    def get(self, request: Request, delivery_id: int) -> Response:
        """Return the text that you are to sign as the seller."""
        text = deliveries.draft_origin(
            delivery_id=delivery_id, participant_ids=own_ids(request), now=timezone.now()
        )
        return Response({"body": text.body().decode()})

    @extend_schema(request=SignedIn, responses=DeliveryOut)
    @idempotent
    def post(self, request: Request, delivery_id: int) -> Response:
        """Hand in the signed proof of origin. The same again changes nothing."""
        return _signed_step(request, delivery_id, deliveries.offer)


class DeliveryReception(APIView):
    """The buyer's proof of reception."""

    @extend_schema(request=SignedIn, responses=DeliveryOut)
    @idempotent
    def post(self, request: Request, delivery_id: int) -> Response:
        """Hand in the signed proof of reception: your money moves, then the key is out."""
        return _signed_step(request, delivery_id, deliveries.receive)


class DeliveryAcceptance(APIView):
    """The buyer's word that everything opened."""

    @extend_schema(request=SignedIn, responses=DeliveryOut)
    @idempotent
    def post(self, request: Request, delivery_id: int) -> Response:
        """Accept what you opened."""
        return _signed_step(request, delivery_id, deliveries.accept)


class DeliveryComplaint(APIView):
    """The buyer's complaint about a chunk."""

    @extend_schema(request=OutcomeIn, responses=DeliveryOut)
    @idempotent
    def post(self, request: Request, delivery_id: int) -> Response:
        """Complain with evidence; where it shows the seller's fault, all of the price goes back."""
        form = OutcomeIn(data=request.data)
        form.is_valid(raise_exception=True)
        deliveries.complain(
            delivery_id=delivery_id,
            participant_ids=own_ids(request),
            **_text(form.validated_data),
            evidence=form.validated_data.get("evidence", "").encode(),
            now=timezone.now(),
        )
        return _answer(request, delivery_id)


class DeliveryRewrap(APIView):
    """Another wrap for a buyer who lost the key of the first."""

    @extend_schema(request=SignedIn, responses=WrapOnlyOut)
    @idempotent
    def post(self, request: Request, delivery_id: int) -> Response:
        """Have the key wrapped for another X25519 key of yours; nobody pays again."""
        form = SignedIn(data=request.data)
        form.is_valid(raise_exception=True)
        wrap = delivery_key.rewrap(
            delivery_id=delivery_id,
            participant_ids=own_ids(request),
            **_text(form.validated_data),
            now=timezone.now(),
        )
        return Response({"wrap": _base64(wrap)})


class DeliveryDeposit(APIView):
    """The package's key once more."""

    @extend_schema(request=KeyDepositIn, responses=DeliveryOut)
    @idempotent
    def post(self, request: Request, delivery_id: int) -> Response:
        """Deposit the key again as the seller, after the hall has lost it."""
        form = KeyDepositIn(data=request.data)
        form.is_valid(raise_exception=True)
        delivery_key.deposit_again(
            delivery_id=delivery_id,
            participant_ids=own_ids(request),
            sealed_key=_bytes(form.validated_data["sealed_key"], "sealed_key"),
            now=timezone.now(),
        )
        return _answer(request, delivery_id)


def line_body(line: DeliveryLine) -> dict[str, Any]:
    """Write a delivery of a list for the API."""
    return dict(DeliveryLineOut(vars(line)).data)


def delivery_body(found: DeliveryDetail) -> dict[str, Any]:
    """Write a delivery for the API."""
    wraps = [] if found.wrap is None else [(found.receipt_body or b"", found.wrap)]
    whole = {
        **vars(found.line),
        **vars(found),
        "manifest_sha256": found.manifest.sha256,
        "byte_count": found.manifest.package.cipher_byte_count,
        "seller_key": _base64(found.seller_key),
        "buyer_key": _base64(found.buyer_key),
        "hall_deposit_key": _deposit_key(),
        "origin": None if found.origin_body is None else found.origin_body.decode(),
        "origin_signature": (
            None if found.origin_signature is None else _base64(found.origin_signature)
        ),
        # Only whom it was made for can open a wrap, and the other side has no use for it.
        "wraps": [
            {"request": request.decode(), "wrap": _base64(wrap)}
            for request, wrap in [*wraps, *found.rewraps]
        ]
        if found.line.side == "buyer"
        else [],
        "can_fetch": found.can_fetch,
    }
    return dict(DeliveryOut(whole).data)


def _signed_step(request: Request, delivery_id: int, step: Callable[..., None]) -> Response:
    form = SignedIn(data=request.data)
    form.is_valid(raise_exception=True)
    step(
        delivery_id=delivery_id,
        participant_ids=own_ids(request),
        **_text(form.validated_data),
        now=timezone.now(),
    )
    return _answer(request, delivery_id)


def _answer(request: Request, delivery_id: int) -> Response:
    return Response(delivery_body(_found(request, delivery_id)))


def _found(request: Request, delivery_id: int) -> DeliveryDetail:
    found = find_delivery(delivery_id=delivery_id, participant_ids=own_ids(request))
    if found is None:
        raise Http404
    return found


def _text(given: dict[str, Any]) -> dict[str, Any]:
    signature = given["signature"]
    return {
        "body": given["body"].encode(),
        "signature": None if signature is None else _bytes(signature, "signature"),
    }


def _bytes(text: str, field: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid(field, N_("This is not base64.")) from error


def _deposit_key() -> str:
    try:
        return _base64(public_deposit_key())
    except DepositKeyMissing:
        return ""


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()

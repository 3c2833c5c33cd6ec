"""Versions over HTTP: uploads and home packages as streams, what became of them. All one's own."""

import base64
import binascii
from typing import Any, Final

from django.conf import settings
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.api.callers import own_ids
from marketplace.api.idempotency import idempotent
from marketplace.api.paging import PAGE_PARAMETERS, page_of, pages
from marketplace.api.raw_body import RawParser, pieces_of
from marketplace.errors import N_, Invalid, NotFound
from marketplace.models import DataUpload
from marketplace.queries.data.products import VersionLine, get_version, list_versions
from marketplace.services.data import intake, storage
from marketplace.services.data.deposit_key import public_deposit_key
from marketplace.services.data.feed_versions import begin_feed_version
from marketplace.services.data.quotas import sending_turn, upload_turn

RAW: Final = {"application/octet-stream": OpenApiTypes.BINARY}
UPLOAD_PARAMETERS: Final = [
    OpenApiParameter("role", str, enum=DataUpload.Role.values, description="The data, if absent."),
    OpenApiParameter("file_name", str, description="What errors call it."),
    OpenApiParameter("note", str, description="What is new in this version."),
    OpenApiParameter(
        "confirm", int, enum=[0, 1], description="1: publish what passes the gate unseen."
    ),
]


class VersionOut(serializers.Serializer[Any]):
    """A version as its provider sees it."""

    id = serializers.IntegerField()
    product_id = serializers.IntegerField()
    number = serializers.IntegerField()
    state = serializers.ChoiceField(choices=["working", "ready", "refused"])
    note = serializers.CharField()
    refusal = serializers.DictField()
    progress = serializers.DictField()
    manifest = serializers.CharField(help_text="Canonical JSON; empty before it is ready.")
    manifest_sha256 = serializers.CharField()
    byte_count = serializers.IntegerField()
    row_count = serializers.IntegerField()
    profile = serializers.DictField()
    privacy_report = serializers.DictField()
    findings = serializers.ListField(child=serializers.DictField())
    sample = serializers.DictField()
    gated_at_home = serializers.BooleanField()
    raw_deleted_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    published_at = serializers.DateTimeField(allow_null=True)


class HomeVersionIn(serializers.Serializer[Any]):
    """A package that was gated at home."""

    manifest = serializers.CharField(trim_whitespace=False, help_text="Its bytes as base64.")
    sealed_key = serializers.CharField(help_text="HPKE to the deposit key, as base64.")
    note = serializers.CharField(required=False, allow_blank=True)


class ReceivedOut(serializers.Serializer[Any]):
    """How much of a package is there. [byte]"""

    received = serializers.IntegerField()
    total = serializers.IntegerField()


class DepositKeyOut(serializers.Serializer[Any]):
    """What keys of packages are sealed to."""

    public_key = serializers.CharField(help_text="X25519, 32 bytes as base64.")


class DepositKey(APIView):
    """The hall's deposit key."""

    @extend_schema(responses=DepositKeyOut)
    def get(self, request: Request) -> Response:
        """Return the public half of the key that packages' keys are sealed to."""
        return Response({"public_key": base64.b64encode(public_deposit_key()).decode()})


class Uploads(APIView):
    """Raw files of a product."""

    parser_classes = [RawParser]

    @extend_schema(parameters=UPLOAD_PARAMETERS, request=RAW, responses={201: VersionOut})
    def post(self, request: Request, product_id: int) -> Response:
        """Send a file as the body; it is encrypted as it comes, and destroyed once it is used."""
        own = own_ids(request)
        intake.check_may_upload(product_id=product_id, participant_ids=own)
        with upload_turn(product_id=product_id, participant_ids=own):
            version_id = _taken_in(request, product_id, own)
        return _one_version(own, version_id, status.HTTP_201_CREATED)


class FeedFetch(APIView):
    """The next version of a feed."""

    @extend_schema(request=None, responses={201: VersionOut})
    @idempotent
    def post(self, request: Request, product_id: int) -> Response:
        """Let the hall fetch and validate a feed for its next version."""
        own = own_ids(request)
        version_id = begin_feed_version(
            product_id=product_id, participant_ids=own, now=timezone.now()
        )
        return _one_version(own, version_id, status.HTTP_201_CREATED)


class VersionList(APIView):
    """The versions of one of your products."""

    @extend_schema(parameters=PAGE_PARAMETERS, responses=pages(VersionOut))
    def get(self, request: Request, product_id: int) -> Response:
        """List a product's versions, newest first."""
        own = own_ids(request)
        return page_of(
            request,
            lambda before_id, limit: list_versions(
                product_id=product_id, participant_ids=own, before_id=before_id, limit=limit
            ),
            version_body,
        )


class VersionDetail(APIView):
    """One version."""

    @extend_schema(responses=VersionOut)
    def get(self, request: Request, version_id: int) -> Response:
        """Return a version of yours: how far it is, or what became of it."""
        return _one_version(own_ids(request), version_id, status.HTTP_200_OK)


class VersionStep(APIView):
    """What a provider says of a version that is being made."""

    step = ""

    @extend_schema(request=None, responses=VersionOut)
    @idempotent
    def post(self, request: Request, version_id: int) -> Response:
        """Publish what passed the gate (confirm), gate it again (again), or give up (abandon)."""
        own, now = own_ids(request), timezone.now()
        match self.step:
            case "confirm":
                intake.confirm_version(version_id=version_id, participant_ids=own, now=now)
            case "again":
                intake.look_again(version_id=version_id, participant_ids=own)
            case _:
                intake.abandon_version(version_id=version_id, participant_ids=own, now=now)
        return _one_version(own, version_id, status.HTTP_200_OK)


class HomeVersions(APIView):
    """Packages that were gated at home."""

    @extend_schema(request=HomeVersionIn, responses={201: VersionOut})
    @idempotent
    def post(self, request: Request, product_id: int) -> Response:
        """Begin to send a package: its manifest, and its key sealed to the deposit key."""
        form = HomeVersionIn(data=request.data)
        form.is_valid(raise_exception=True)
        asked, own = form.validated_data, own_ids(request)
        version_id = intake.begin_home_version(
            product_id=product_id,
            participant_ids=own,
            manifest=_bytes_of(asked, "manifest"),
            sealed_key=_bytes_of(asked, "sealed_key"),
            note=asked.get("note", ""),
            now=timezone.now(),
        )
        return _one_version(own, version_id, status.HTTP_201_CREATED)


class HomePackage(APIView):
    """The bytes of a package that was gated at home."""

    parser_classes = [RawParser]

    @extend_schema(responses=ReceivedOut)
    def get(self, request: Request, version_id: int) -> Response:
        """Return how much is there: where to go on."""
        received, total = intake.received_bytes(
            version_id=version_id, participant_ids=own_ids(request)
        )
        return Response({"received": received, "total": total})

    @extend_schema(
        parameters=[OpenApiParameter("offset", int, required=True, description="First byte sent.")],
        request=RAW,
        responses=ReceivedOut,
    )
    def patch(self, request: Request, version_id: int) -> Response:
        """Send the next bytes; what came stays when the connection breaks."""
        own, offset = own_ids(request), request.query_params.get("offset", "")
        if not (offset.isascii() and offset.isdigit() and len(offset) < 19):
            raise Invalid("offset", N_("Say where the bytes begin."))
        _, total = intake.received_bytes(version_id=version_id, participant_ids=own)
        with sending_turn(version_id=version_id, participant_ids=own):
            received = intake.append_home(
                version_id=version_id,
                participant_ids=own,
                offset=int(offset),
                pieces=pieces_of(request, maximum=settings.DATA_UPLOAD_MAX_BYTES),
                now=timezone.now(),
            )
        return Response({"received": received, "total": total})


def _taken_in(request: Request, product_id: int, own: list[int]) -> int:
    """Take a request's body into quarantine and note it; return the id of its version."""
    asked = request.query_params
    came = storage.take_in(pieces_of(request, maximum=settings.DATA_UPLOAD_MAX_BYTES))
    try:
        version_id = intake.add_upload(
            product_id=product_id,
            participant_ids=own,
            upload=came,
            file_name=asked.get("file_name", "upload"),
            role=asked.get("role", DataUpload.Role.DATA),
            note=asked.get("note", ""),
            is_confirmed=asked.get("confirm") == "1",
            now=timezone.now(),
        )
    except BaseException:
        storage.destroy_upload(came.token)
        raise
    return version_id


def version_body(line: VersionLine) -> dict[str, Any]:
    """Write a version for the API."""
    return dict(VersionOut({**vars(line), "manifest": line.manifest.decode()}).data)


def _one_version(own: list[int], version_id: int, code: int) -> Response:
    found = get_version(version_id=version_id, participant_ids=own)
    if found is None:
        raise NotFound(N_("There is no such version of yours."))
    return Response(version_body(found), status=code)


def _bytes_of(asked: dict[str, Any], name: str) -> bytes:
    try:
        return base64.b64decode(asked[name], validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid(name, N_("This is not base64.")) from error

"""Meter readings: read one meter's, write thousands at once."""

from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Literal

import msgspec
import numpy as np
from django.utils import timezone
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.api.asked import PeriodIn, asked_for, id_field, point_of, reach_of
from marketplace.api.callers import caller_id
from marketplace.api.idempotency import idempotent
from marketplace.api.paging import PAGE_PARAMETERS, moment_of, page_of, pages
from marketplace.domain.accesses import AccessKind
from marketplace.domain.readings.file import ReadingsFile
from marketplace.domain.readings.rows import ReadingRow, readings_of_rows
from marketplace.errors import N_, Invalid, NotFound
from marketplace.queries.metering import list_readings
from marketplace.services.readings import import_readings

ROWS_MAX: Final = 10_000
QUALITIES: Final = ("measured", "estimated", "substituted")


class ReadingIn(serializers.Serializer[Any]):
    """One reading."""

    meter = serializers.CharField(help_text="The metering point's code.")
    start = serializers.DateTimeField(help_text="ISO 8601 with offset, on the interval's grid.")
    import_wh = serializers.IntegerField(min_value=0, max_value=10**9)
    export_wh = serializers.IntegerField(min_value=0, max_value=10**9)
    quality = serializers.ChoiceField(
        choices=QUALITIES,
        default="measured",
        help_text="How it came about. Leave out a reading that is missing.",
    )


class ReadingsIn(serializers.Serializer[Any]):
    """Many readings: all are stored, or none."""

    community = serializers.IntegerField()
    minutes = serializers.ChoiceField(choices=[5, 15, 30, 60])
    readings = ReadingIn(many=True, help_text=f"At most {ROWS_MAX}.")


class OneReadingIn(ReadingIn):
    """A single reading."""

    community = serializers.IntegerField()
    minutes = serializers.ChoiceField(choices=[5, 15, 30, 60])


class ReadingOut(serializers.Serializer[Any]):
    """The current reading of an interval."""

    metering_point_id = serializers.IntegerField()
    interval_id = serializers.IntegerField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    import_wh = serializers.IntegerField()
    export_wh = serializers.IntegerField()
    quality = serializers.ChoiceField(choices=QUALITIES)
    version = serializers.IntegerField(help_text="Above 1: it was corrected.")
    received_at = serializers.DateTimeField()


class ImportedOut(serializers.Serializer[Any]):
    """What became of the rows."""

    new = serializers.IntegerField()
    corrected = serializers.IntegerField()
    unchanged = serializers.IntegerField(help_text="Known with the same values.")
    repeated = serializers.IntegerField(help_text="Twice in this request.")


class ReadingsAsked(PeriodIn):
    """Which readings."""

    metering_point = id_field("The metering point.", required=True)


class _Row(msgspec.Struct, forbid_unknown_fields=True):
    meter: str
    start: str
    import_wh: int
    export_wh: int
    quality: Literal["measured", "estimated", "substituted"] = "measured"


class _Bulk(msgspec.Struct, forbid_unknown_fields=True):
    community: int
    minutes: int
    readings: list[_Row]


class _Single(_Row, forbid_unknown_fields=True, kw_only=True):
    community: int
    minutes: int


class ReadingList(APIView):
    """Readings."""

    @extend_schema(parameters=[*PAGE_PARAMETERS, ReadingsAsked], responses=pages(ReadingOut))
    def get(self, request: Request) -> Response:
        """List the current readings of one metering point, newest first."""
        asked = asked_for(request, ReadingsAsked)
        point = point_of(request, asked["metering_point"], AccessKind.READINGS)
        return page_of(
            request,
            lambda before, limit: list_readings(
                metering_point_id=point.id,
                start=asked["start"],
                end=asked["end"],
                before=moment_of(before),
                limit=limit,
            ),
            lambda line: dict(ReadingOut(line).data),
        )

    @extend_schema(
        request=PolymorphicProxySerializer(
            "Readings", [ReadingsIn, OneReadingIn], resource_type_field_name=None
        ),
        responses={201: ImportedOut},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Store one reading, or up to 10,000 at once, of one community.

        Operators write, for the meters of their communities: nobody meters their own bill.
        A reading that is known with other values becomes its next version.
        """
        body, reach = _decoded(request.data), reach_of(request)
        if body.community not in reach.watched:
            raise NotFound(N_("There is no such community of yours."))
        readings = readings_of_rows(
            minutes=body.minutes,
            rows=[
                ReadingRow(
                    row.meter,
                    row.start,
                    row.import_wh,
                    row.export_wh,
                    QUALITIES.index(row.quality),
                )
                for row in body.readings
            ],
        )
        if body.community not in reach.operated:
            raise PermissionDenied("Only operators write readings.")
        now = timezone.now()
        _check_has_ended(readings, now)
        imported = import_readings(
            community_id=body.community,
            readings=readings,
            source=f"api:{caller_id(request)}",
            sha256=sha256(request.body).hexdigest(),
            now=now,
        )
        return Response(ImportedOut(imported).data, status=status.HTTP_201_CREATED)


def _decoded(data: object) -> _Bulk:
    """Return the rows of a body in one step, however many; a row alone is a list of one."""
    try:
        if not isinstance(data, dict) or "readings" in data:
            body = msgspec.convert(data, _Bulk)
        else:
            row = msgspec.convert(data, _Single)
            body = _Bulk(row.community, row.minutes, [row])
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        raise Invalid(path.strip(".`") or "body", what) from error
    if len(body.readings) > ROWS_MAX:
        raise Invalid("readings", N_("Send at most {maximum} readings at once."), maximum=ROWS_MAX)
    return body


def _check_has_ended(readings: ReadingsFile, now: datetime) -> None:
    """Refuse what nobody can have metered yet."""
    ends_s = readings.start_epoch_s + readings.minutes * 60
    early = np.flatnonzero(ends_s > now.timestamp())
    if len(early):
        raise Invalid(
            f"readings[{int(readings.lines[early[0]]) - 1}].start",
            N_("The interval of this reading has not ended yet."),
        )

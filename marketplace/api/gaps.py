"""The gap calendar of one meter: per civil day, which readings are there, estimated or missing."""

from datetime import timedelta
from typing import Any, Final

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.api.asked import asked_for, id_field, point_of
from marketplace.domain.accesses import AccessKind
from marketplace.domain.civil_day import FIRST_DAY, LAST_DAY
from marketplace.errors import N_, Invalid
from marketplace.queries.gaps import find_meter, list_meter_days
from marketplace.queries.pages import list_places

DAYS_MAX: Final = 366


class GapsAsked(serializers.Serializer[Any]):
    """Which days of which meter."""

    metering_point = id_field("The metering point.", required=True)
    first = serializers.DateField(help_text="First civil day of the community.")
    last = serializers.DateField(help_text=f"Last civil day; at most {DAYS_MAX} days.")


class GapDayOut(serializers.Serializer[Any]):
    """One civil day, in delivery intervals."""

    day = serializers.DateField()
    expected = serializers.IntegerField(help_text="Ended by now, while the meter was active.")
    present = serializers.IntegerField()
    estimated = serializers.IntegerField(help_text="Of those that are present.")
    substituted = serializers.IntegerField(help_text="Of those that are present.")
    missing = serializers.IntegerField()


class GapsOut(serializers.Serializer[Any]):
    """The calendar of one meter."""

    metering_point_id = serializers.IntegerField()
    timezone = serializers.CharField()
    days = GapDayOut(many=True)


class GapList(APIView):
    """Gaps in readings."""

    @extend_schema(parameters=[GapsAsked], responses=GapsOut)
    def get(self, request: Request) -> Response:
        """Show the gap calendar of one metering point."""
        asked = asked_for(request, GapsAsked)
        first, last = asked["first"], asked["last"]
        if not FIRST_DAY <= first <= last <= LAST_DAY or last - first >= timedelta(days=DAYS_MAX):
            raise Invalid("last", N_("Ask for at least one day and at most {days}."), days=DAYS_MAX)
        point = point_of(request, asked["metering_point"], AccessKind.READINGS)
        place = next(each for each in list_places() if each.community_id == point.community_id)
        meter = find_meter(community_id=point.community_id, metering_point_id=point.id)
        assert meter is not None
        [found] = list_meter_days(
            place=place, points=[meter], first=first, last=last, now=timezone.now()
        )
        return Response(
            GapsOut(
                {
                    "metering_point_id": found.metering_point_id,
                    "timezone": place.timezone,
                    "days": found.days,
                }
            ).data
        )

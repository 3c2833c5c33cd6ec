"""Who the caller is, and the communities and metering points within reach."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.api.asked import asked_for, id_field, note_points_seen, reach_of
from marketplace.api.callers import caller_id, personas_of
from marketplace.api.paging import PAGE_PARAMETERS, page_of, pages
from marketplace.domain.accesses import AccessKind
from marketplace.models import Participant, User
from marketplace.queries.metering import (
    MeteringPointLine,
    list_communities,
    list_metering_points,
)
from marketplace.services.tokens import renew_token


class RoleOut(serializers.Serializer[Any]):
    """A participant one acts for."""

    participant_id = serializers.IntegerField()
    role = serializers.ChoiceField(choices=Participant.Role.choices)
    name = serializers.CharField()
    community_id = serializers.IntegerField(allow_null=True)
    community = serializers.CharField(allow_null=True)


class MeOut(serializers.Serializer[Any]):
    """The signed-in person."""

    id = serializers.IntegerField()
    email = serializers.EmailField()
    language = serializers.CharField()
    roles = RoleOut(many=True)


class TokenOut(serializers.Serializer[Any]):
    """A token for the header ``Authorization: Token …``; shown once."""

    token = serializers.CharField()


class CommunityOut(serializers.Serializer[Any]):
    """A community with the rules in force."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    local_name = serializers.CharField()
    timezone = serializers.CharField(help_text="IANA name.")
    currency = serializers.CharField()
    interval_minutes = serializers.IntegerField(allow_null=True)
    rules_version = serializers.IntegerField(allow_null=True)
    rules_sha256 = serializers.CharField(allow_null=True)


class MeteringPointOut(serializers.Serializer[Any]):
    """A metering point and where it is."""

    id = serializers.IntegerField()
    code = serializers.CharField(help_text="The meter's name in readings.")
    community_id = serializers.IntegerField()
    participant_id = serializers.IntegerField()
    site = serializers.CharField()
    zone = serializers.CharField()
    active_from = serializers.DateTimeField()
    active_until = serializers.DateTimeField(allow_null=True)


class MeteringPointsAsked(serializers.Serializer[Any]):
    """Which metering points."""

    community = id_field("Only this community.")
    participant = id_field("Only this participant.")


class Me(APIView):
    """The signed-in person."""

    @extend_schema(responses=MeOut)
    def get(self, request: Request) -> Response:
        """Say who is signed in, and for whom they act."""
        person = User.objects.get(pk=caller_id(request))
        roles = [
            {
                "participant_id": each.participant_id,
                "role": each.role,
                "name": each.name,
                "community_id": each.place.community_id if each.place else None,
                "community": each.place.name if each.place else None,
            }
            for each in personas_of(request)
        ]
        values = {
            "id": person.pk,
            "email": person.email,
            "language": person.language,
            "roles": roles,
        }
        return Response(MeOut(values).data)


class MyToken(APIView):
    """The caller's key to the API."""

    @extend_schema(request=None, responses={201: TokenOut})
    def post(self, request: Request) -> Response:
        """Make a new token for programs; the one before it ends."""
        token = renew_token(user_id=caller_id(request))
        return Response({"token": token}, status=status.HTTP_201_CREATED)


class CommunityList(APIView):
    """Communities."""

    @extend_schema(parameters=PAGE_PARAMETERS, responses=pages(CommunityOut))
    def get(self, request: Request) -> Response:
        """List the communities you are a member of, operate or plan for."""
        reach, now = reach_of(request), timezone.now()
        return page_of(
            request,
            lambda before_id, limit: list_communities(
                reach=reach, now=now, before_id=before_id, limit=limit
            ),
            lambda line: dict(CommunityOut(line).data),
        )


class MeteringPointList(APIView):
    """Metering points."""

    @extend_schema(
        parameters=[*PAGE_PARAMETERS, MeteringPointsAsked], responses=pages(MeteringPointOut)
    )
    def get(self, request: Request) -> Response:
        """List your metering points; an operator sees those of the communities they run."""
        asked, reach = asked_for(request, MeteringPointsAsked), reach_of(request)

        def fetch(before_id: int | None, limit: int) -> list[MeteringPointLine]:
            points = list_metering_points(
                reach=reach,
                community_id=asked["community"],
                participant_id=asked["participant"],
                before_id=before_id,
                limit=limit,
            )
            note_points_seen(reach, points, AccessKind.METER)
            return points

        return page_of(request, fetch, lambda line: dict(MeteringPointOut(line).data))

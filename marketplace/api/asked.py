"""What a request asks for in its address: whose, where and when."""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from django.http import Http404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request

from marketplace.api.callers import caller_id
from marketplace.api.rights import right_of
from marketplace.domain.accesses import AccessKind, AccessWay
from marketplace.domain.civil_day import FIRST_DAY, FIRST_MOMENT, LAST_DAY, LAST_MOMENT
from marketplace.errors import N_, Invalid
from marketplace.queries.metering import MeteringPointLine, find_metering_point
from marketplace.queries.pages import Persona
from marketplace.queries.reach import Reach, get_reach
from marketplace.services.accesses import note_access

ID_MAX: Final = 2**63 - 1


def is_possible(moment: datetime) -> bool:
    """Tell whether a moment is one that the market can ever be about."""
    return FIRST_MOMENT < moment <= LAST_MOMENT


class MomentField(serializers.DateTimeField):
    """A moment with its offset from UTC."""

    def enforce_timezone(self, value: datetime) -> datetime:
        """Refuse a time that is not the same moment for everybody."""
        if value.tzinfo is None:
            raise serializers.ValidationError("Write the time with its offset from UTC.")
        if not FIRST_MOMENT <= value <= LAST_MOMENT:
            raise serializers.ValidationError("The years 1970 to 2199 are possible.")
        return value.astimezone(UTC)


class DayField(serializers.DateField):
    """A civil day that the market can ever be about."""

    def to_internal_value(self, value: Any) -> date:
        """Refuse a day that no time zone's calendar need hold."""
        day: date = super().to_internal_value(value)
        if not FIRST_DAY <= day <= LAST_DAY:
            raise serializers.ValidationError("The years 1970 to 2199 are possible.")
        return day


class PeriodIn(serializers.Serializer[Any]):
    """A period, half-open: intervals that start in it."""

    start = MomentField(required=False, help_text="ISO 8601 with offset, included.")
    end = MomentField(required=False, help_text="ISO 8601 with offset, excluded.")


def id_field(text: str, *, required: bool = False) -> serializers.IntegerField:
    """Return a field for the id of something."""
    return serializers.IntegerField(
        min_value=1, max_value=ID_MAX, required=required, help_text=text
    )


class CommunityPeriodIn(PeriodIn):
    """A period in a community."""

    community = id_field("Only this community.")


class MemberPeriodIn(PeriodIn):
    """A period of one member."""

    participant = id_field("Only this participant; needed where you act for several.")


def asked_for(request: Request, form: type[serializers.Serializer[Any]]) -> dict[str, Any]:
    """Return the checked parameters of an address, None for those that were not given."""
    # Plain values: a parameter that was given twice counts the last time.
    query = form(data=request.query_params.dict())
    query.is_valid(raise_exception=True)
    return {name: query.validated_data.get(name) for name in form().get_fields()}


def reach_of(request: Request) -> Reach:
    """Return how far the caller's roles reach."""
    return get_reach(user_id=caller_id(request), right=right_of(request))


def note_seen(
    reach: Reach, participant_ids: Collection[int], *, community_id: int, what: AccessKind
) -> None:
    """Note for members of a community that its operator looked at their own data by the API.

    Nothing is noted of what the caller sees as its owner, or as anybody may.
    """
    operator = reach.find_operator(community_id)
    others = set(participant_ids) - reach.own_ids
    if operator is not None and others:
        note_access(
            participant_ids=others,
            viewer_id=operator.participant_id,
            viewer_role=operator.role,
            what=what,
            way=AccessWay.API,
            now=timezone.now(),
        )


def note_points_seen(reach: Reach, points: Sequence[MeteringPointLine], what: AccessKind) -> None:
    """Note for the owners of metering points that their operator saw what hangs on them."""
    for community_id in {point.community_id for point in points} & reach.operated:
        owners = {each.participant_id for each in points if each.community_id == community_id}
        note_seen(reach, owners, community_id=community_id, what=what)


def point_of(request: Request, metering_point_id: int, what: AccessKind) -> MeteringPointLine:
    """Return a metering point within reach; whose it is will see that an operator looked.

    Raises
    ------
    Http404
        If the caller may not see it, or there is none.
    """
    reach = reach_of(request)
    found = find_metering_point(reach=reach, metering_point_id=metering_point_id)
    if found is None:
        raise Http404
    note_seen(reach, [found.participant_id], community_id=found.community_id, what=what)
    return found


def member_of(reach: Reach, participant_id: int | None) -> Persona:
    """Return the member whose books are asked for: the one named, or the caller's only one.

    Whoever is not the member but their community's operator is noted in the member's list of who
    looked.

    Raises
    ------
    Http404
        If the caller may not read them, or there is no such member.
    Invalid
        If nobody is named and the caller acts for no member, or for several.
    """
    if participant_id is None:
        if len(reach.members) == 1:
            return reach.members[0]
        raise Invalid("participant", N_("Name the participant whose books you want."))
    found = reach.find_persona(participant_id)
    if found is None or found.place is None or found.energy_account_id is None:
        raise Http404
    note_seen(
        reach,
        [found.participant_id],
        community_id=found.place.community_id,
        what=AccessKind.BOOKS,
    )
    return found


def own_member(request: Request, participant_id: int | None) -> Persona:
    """Return the member to act for: operators read others' orders, but place none for them."""
    reach = reach_of(request)
    member = member_of(reach, participant_id)
    if member.participant_id not in reach.own_ids:
        raise Http404
    return member

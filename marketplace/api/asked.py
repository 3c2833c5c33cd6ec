"""What a request asks for in its address: whose, where and when."""

from datetime import UTC, datetime
from typing import Any, Final

from django.http import Http404
from rest_framework import serializers
from rest_framework.request import Request

from marketplace.api.callers import caller_id
from marketplace.domain.civil_day import FIRST_MOMENT, LAST_MOMENT
from marketplace.errors import N_, Invalid
from marketplace.queries.pages import Persona
from marketplace.queries.reach import Reach, get_reach

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
    return get_reach(user_id=caller_id(request))


def member_of(reach: Reach, participant_id: int | None) -> Persona:
    """Return the member whose books are asked for: the one named, or the caller's only one.

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
    return found

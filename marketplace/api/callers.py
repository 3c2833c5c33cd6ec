"""Whom a request of the API acts for."""

from collections.abc import Collection

from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.request import Request

from marketplace.api.rights import right_of
from marketplace.queries.pages import ActsAs, Persona, list_personas


def caller_id(request: Request) -> int:
    """Return the id of the signed-in person."""
    if request.user.pk is None:
        raise NotAuthenticated
    return request.user.pk


def personas_of(request: Request) -> list[Persona]:
    """Return everything the signed-in person may act for, as this request does."""
    right = right_of(request)
    return [each for each in list_personas(user_id=caller_id(request)) if each.may(right)]


def own_ids(request: Request) -> list[int]:
    """Return the participants that the signed-in person may act for."""
    return [persona.participant_id for persona in personas_of(request)]


def acting_id(request: Request, *, role: str, participant_id: int | None = None) -> int:
    """Return the participant of a role to act for: the one named, or the first.

    Raises
    ------
    PermissionDenied
        If the person acts for none, or not for the one named.
    """
    for persona in personas_of(request):
        if persona.role == role and participant_id in (None, persona.participant_id):
            return persona.participant_id
    raise PermissionDenied(f"You act for no such participant in the role {role}.")


def acting_as(request: Request, roles: Collection[str], participant_id: int | None) -> int:
    """Return the participant of any of these roles to act for: the one named, or the first.

    Raises
    ------
    PermissionDenied
        If the person acts for none, or not for the one named.
    """
    for persona in personas_of(request):
        if persona.role in roles and participant_id in (None, persona.participant_id):
            return persona.participant_id
    raise PermissionDenied("You act for no such participant in a role that does this.")


def seat_of(request: Request, participant_id: int) -> ActsAs:
    """Return what the person is among those who act for a participant of theirs."""
    for persona in personas_of(request):
        if persona.participant_id == participant_id:
            return persona.membership
    raise PermissionDenied("You act for no such participant.")

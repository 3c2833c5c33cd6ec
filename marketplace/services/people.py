"""People who sign in, and the participants they act for."""

from django.db import transaction

from marketplace.models import Membership, Participant, User


@transaction.atomic
def add_person(*, email: str, password: str, language: str = "en") -> int:
    """Create a person who signs in by e-mail, or find them as they are; return their id."""
    found = User.objects.filter(email=email.lower()).first()
    if found is None:
        found = User.objects.create_user(email, password, language=language)
    return found.pk


@transaction.atomic
def add_participant(*, role: str, name: str, community_id: int | None = None) -> int:
    """Create a participant without a metering point, or find them by name; return their id."""
    named = Participant.objects.filter(role=role, name=name)
    found = (
        named.filter(community=None)
        if community_id is None
        else named.filter(community=community_id)
    ).first()
    if found is None:
        found = Participant.objects.create(role=role, name=name, community_id=community_id)
    return found.id


@transaction.atomic
def join(*, user_id: int, participant_id: int) -> None:
    """Let a person act for a participant."""
    Membership.objects.get_or_create(user_id=user_id, participant_id=participant_id)

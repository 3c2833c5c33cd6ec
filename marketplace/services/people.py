"""People who sign in, and the participants they act for."""

from django.db import connection, transaction

from marketplace.errors import N_, AlreadyErased
from marketplace.models import Membership, Participant, User
from marketplace.queries.identity import MEMBERSHIPS, NAME, is_erased, names_of
from marketplace.services.identity import create_identities, get_user_key

# Any number that no other service locks; naming is rare and takes turns in the whole hall.
_NAMING_LOCK = 5_201_314_001


@transaction.atomic
def add_person(*, email: str, password: str, language: str = "en") -> int:
    """Create a person who signs in by e-mail, or find them as they are; return their id."""
    found = User.objects.filter(email=email.lower()).first()
    if found is None:
        found = User.objects.create_user(email, password, language=language)
        # At once: made with the first role, keys would have the order of the roles' rows, and who
        # counts both would know without any key who acts for whom.
        get_user_key(user_id=found.pk)
    return found.pk


@transaction.atomic
def add_participant(*, role: str, name: str, community_id: int | None = None) -> int:
    """Create a participant without a metering point, or find them by name; return their id."""
    with connection.cursor() as cursor:
        # Names are sealed, so no constraint can see that two are the same.
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_NAMING_LOCK])
    named = names_of(Participant.objects.filter(role=role, community=community_id))
    for participant_id, known in named.items():
        if known == name:
            return participant_id
    [(slot, key)] = create_identities(count=1)
    return Participant.objects.create(
        role=role,
        community_id=community_id,
        identity_slot=slot,
        sealed_name=key.seal_text(name, purpose=NAME),
    ).id


@transaction.atomic
def join(*, user_id: int, participant_id: int) -> None:
    """Let a person act for a participant.

    Raises
    ------
    AlreadyErased
        If the person or the participant was erased: nobody follows a former member.
    """
    if is_erased(participant_id=participant_id):
        raise AlreadyErased(N_("This member was erased."))
    tag = get_user_key(user_id=user_id).tag(MEMBERSHIPS)
    Membership.objects.get_or_create(user_tag=tag, participant_id=participant_id)

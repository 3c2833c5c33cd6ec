"""Give subjects their identity keys, and take them away: what erasure does."""

from typing import Final

from django.db.models import Max, Model

from marketplace.domain.identity import IdentityKey
from marketplace.errors import N_, AlreadyErased
from marketplace.models import Application, Participant, User
from marketplace.queries.identity import identity_keys

# Every column that names a slot: none of them may get one that another has.
_SLOTS: Final[tuple[tuple[type[Model], str], ...]] = (
    (User, "identity_slot"),
    (Participant, "identity_slot"),
    (Application, "identity_slot"),
)


def create_identities(*, count: int) -> list[tuple[int, IdentityKey]]:
    """Make identity keys for new subjects; return slots with their keys."""
    highest = (
        model._default_manager.aggregate(last=Max(column))["last"] or 0 for model, column in _SLOTS
    )
    keys = identity_keys()
    slots = keys.create(count, beyond=max(highest))
    found = keys.get(slots)
    return [(slot, found[slot]) for slot in slots]


def get_user_key(*, user_id: int) -> IdentityKey:
    """Return a person's identity key; the first time, it is made. Runs in a transaction.

    Raises
    ------
    AlreadyErased
        If the key was destroyed.
    """
    # The person's row is the lock: a person has one key.
    user = User.objects.select_for_update(no_key=True).only("identity_slot").get(pk=user_id)
    if user.identity_slot is None:
        [(user.identity_slot, key)] = create_identities(count=1)
        user.save(update_fields=["identity_slot"])
        return key
    found = identity_keys().get([user.identity_slot]).get(user.identity_slot)
    if found is None:
        raise AlreadyErased(N_("This person was erased."))
    return found

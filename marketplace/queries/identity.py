"""Who somebody is, as far as their identity key still says so."""

from collections.abc import Iterable

from django.conf import settings

from marketplace.domain.identity import IdentityKey, IdentityKeys
from marketplace.models import Participant, User

# Purposes of seals and tags: what serves one says nothing of another.
NAME = "participant name"
MEMBERSHIPS = "memberships"
PERSONA = "persona in use"
WRITES = "writes once answered"


def identity_keys() -> IdentityKeys:
    """Return the store of identity keys that belongs to this database."""
    return IdentityKeys(settings.IDENTITY_KEYS_DIR)


def find_user_key(*, user_id: int) -> IdentityKey | None:
    """Return a person's identity key; None when they have none, or it was destroyed."""
    slots = User.objects.filter(pk=user_id).values_list("identity_slot", flat=True)
    slot = slots.first()
    return None if slot is None else identity_keys().get([slot]).get(slot)


def is_erased(*, participant_id: int) -> bool:
    """Return whether nobody can say any more who a participant is."""
    slot = Participant.objects.values_list("identity_slot", flat=True).get(id=participant_id)
    return not identity_keys().get([slot])


def names_of(participants: Iterable[Participant]) -> dict[int, str]:
    """Return names by participant; that of somebody who was erased is empty."""
    rows = {each.id: each for each in participants}
    keys = identity_keys().get(each.identity_slot for each in rows.values())
    return {
        id_: keys[each.identity_slot].unseal_text(bytes(each.sealed_name), purpose=NAME)
        if each.identity_slot in keys
        else ""
        for id_, each in rows.items()
    }

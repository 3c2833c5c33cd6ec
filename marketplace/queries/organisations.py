"""Who acts for a participant, as its own people may see it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Q, Sum

from marketplace.domain.identity import IdentityKey
from marketplace.domain.organisations import month_start
from marketplace.models import Invitation, Membership, Participant
from marketplace.queries.identity import identity_keys

ALIAS: Final = "alias among colleagues"


@dataclass(frozen=True)
class ColleagueLine:
    """One of those who act for a participant, by the name their colleagues know. [micro]"""

    membership_id: int
    alias: str
    role: str
    limit_micro: int | None
    monthly_limit_micro: int | None
    spent_micro: int


@dataclass(frozen=True)
class InvitationLine:
    """An invitation that nobody accepted yet."""

    id: int
    alias: str
    role: str
    expires_at: datetime


def list_colleagues(*, participant_id: int, now: datetime) -> list[ColleagueLine]:
    """Return everybody who acts for a participant, with what they committed it to this month."""
    rows = (
        Membership.objects.filter(participant=participant_id)
        .annotate(
            spent=Sum("commitments__amount_micro", filter=Q(commitments__at__gte=month_start(now)))
        )
        .order_by("id")
    )
    key = _key(participant_id)
    return [
        ColleagueLine(
            row.id,
            key.unseal_text(bytes(row.sealed_alias), purpose=ALIAS)
            if key is not None and row.sealed_alias is not None
            else "",
            row.role,
            row.limit_micro,
            row.monthly_limit_micro,
            row.spent or 0,
        )
        for row in rows
    ]


def list_invitations(*, participant_id: int, now: datetime) -> list[InvitationLine]:
    """Return the invitations that can still be accepted."""
    key = _key(participant_id)
    rows = Invitation.objects.filter(participant=participant_id, expires_at__gt=now).order_by("id")
    return [
        InvitationLine(
            row.id,
            key.unseal_text(bytes(row.sealed_alias), purpose=ALIAS) if key is not None else "",
            row.role,
            row.expires_at,
        )
        for row in rows
    ]


def _key(participant_id: int) -> IdentityKey | None:
    slot = Participant.objects.values_list("identity_slot", flat=True).get(id=participant_id)
    return identity_keys().get([slot]).get(slot)

"""Who asked to be forgotten, and what still stands between them and the hall."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from ledger.queries import Balance, get_balances, get_units
from marketplace.models import ErasureRequest, Participant
from marketplace.queries.identity import names_of

# A month to answer is what GDPR art. 12(3) grants; PIPL art. 50 says "timely".
DAYS_TO_ANSWER: Final = 30


@dataclass(frozen=True)
class Claim:
    """What is left on an account: money claimed from the hall, or owed to it. [micro]"""

    account_id: int
    unit: str
    posted_micro: int
    held_micro: int


@dataclass(frozen=True)
class ErasureLine:
    """A request to be forgotten that waits."""

    id: int
    participant_id: int
    name: str
    role: str
    community_id: int | None
    asked_at: datetime
    claims: tuple[Claim, ...]

    @property
    def due_at(self) -> datetime:
        """When it must have been answered."""
        return self.asked_at + timedelta(days=DAYS_TO_ANSWER)


def list_claims(*, participant_id: int) -> tuple[Claim, ...]:
    """Return the accounts of a participant that are not even."""
    participant = Participant.objects.get(id=participant_id)
    return _claims([participant])[participant_id]


def find_open_erasure(*, participant_id: int) -> datetime | None:
    """Return when a participant asked to be forgotten, if that still waits."""
    asked = ErasureRequest.objects.filter(participant=participant_id, closed_at__isnull=True)
    return asked.values_list("asked_at", flat=True).first()


def list_open_erasures(*, community_ids: Collection[int], everywhere: bool) -> list[ErasureLine]:
    """Return the requests that wait, the oldest first; ``everywhere``: of no community too."""
    asked = ErasureRequest.objects.filter(closed_at__isnull=True).select_related("participant")
    if not everywhere:
        asked = asked.filter(participant__community__in=community_ids)
    found = list(asked.order_by("id"))
    participants = [each.participant for each in found]
    names, claims = names_of(participants), _claims(participants)
    return [
        ErasureLine(
            each.pk,
            each.participant_id,
            names[each.participant_id],
            each.participant.role,
            each.participant.community_id,
            each.asked_at,
            claims[each.participant_id],
        )
        for each in found
    ]


def _claims(participants: Collection[Participant]) -> dict[int, tuple[Claim, ...]]:
    accounts = {
        each.id: [own for own in (each.energy_account_id, each.wallet_account_id) if own]
        for each in participants
    }
    every = [account for own in accounts.values() for account in own]
    balances, units = get_balances(account_ids=every), get_units(account_ids=every)
    return {
        participant_id: tuple(
            Claim(account, units[account].partition("/")[0], each.posted, each.pending_out)
            for account in own
            if _is_uneven(each := balances[account])
        )
        for participant_id, own in accounts.items()
    }


def _is_uneven(balance: Balance) -> bool:
    return bool(balance.posted or balance.pending_out)

"""Members' credit limits: their own and the rules', what of them is in use, who changed them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from ledger.queries import get_balances
from marketplace.domain.credit import Credit
from marketplace.models import CreditLimitChange, CreditLine, MeteringPoint, Participant
from marketplace.queries.identity import names_of
from marketplace.queries.pages import Place
from marketplace.queries.pages_operator import get_usual_limits


@dataclass(frozen=True)
class MemberCredit:
    """A member with their credit; ``name`` is empty once they were erased."""

    participant_id: int
    name: str
    credit: Credit


@dataclass(frozen=True)
class ChangeLine:
    """A change of a limit: from what to what, why, by which office."""

    before_micro: int | None
    after_micro: int | None
    reason: str
    operator: str
    at: datetime


def list_member_credits(
    *, place: Place, search: str, shown: str, after_id: int, now: datetime, limit: int
) -> list[MemberCredit]:
    """Return members of a community in the order of their numbers.

    Parameters
    ----------
    search : str
        A member's number, or a part of a meter's code; empty: all.
    shown : str
        ``over``: those who owe more than their limit; ``own``: those with a limit of their own.
    """
    found = _members(place).filter(id__gt=after_id)
    if search:
        ids = set(
            MeteringPoint.objects.filter(
                community=place.community_id, code__icontains=search
            ).values_list("site__participant_id", flat=True)
        )
        if search.isascii() and search.isdigit() and len(search) < 19:
            ids.add(int(search))
        found = found.filter(id__in=ids)
    if shown == "own":
        found = found.filter(credit_limit_micro__isnull=False)
    rows = list(found.order_by("id") if shown == "over" else found.order_by("id")[:limit])
    lines = _credits(rows, place, now)
    if shown == "over":
        lines = [(row, credit) for row, credit in lines if credit.is_over][:limit]
    names = names_of(row for row, _ in lines)
    return [MemberCredit(row.pk, names[row.pk], credit) for row, credit in lines]


def find_member_credit(*, participant_id: int, place: Place, now: datetime) -> MemberCredit | None:
    """Return one member of a community; None where there is no such member."""
    rows = list(_members(place).filter(id=participant_id))
    return next(
        (
            MemberCredit(row.pk, names_of([row])[row.pk], credit)
            for row, credit in _credits(rows, place, now)
        ),
        None,
    )


def list_limit_changes(*, participant_id: int, limit: int = 50) -> list[ChangeLine]:
    """Return how a member's limit was changed, the latest first."""
    changes = CreditLimitChange.objects.filter(participant=participant_id)
    rows = list(changes.select_related("operator").order_by("-id")[:limit])
    names = names_of(row.operator for row in rows)
    return [
        ChangeLine(row.before_micro, row.after_micro, row.reason, names[row.operator_id], row.at)
        for row in rows
    ]


def _members(place: Place) -> QuerySet[Participant]:
    return Participant.objects.filter(community=place.community_id, energy_account_id__isnull=False)


def _credits(
    rows: Sequence[Participant], place: Place, now: datetime
) -> list[tuple[Participant, Credit]]:
    usual = get_usual_limits(places=[place], now=now)[place.community_id]
    held_on = dict(
        CreditLine.objects.filter(participant__in=[row.pk for row in rows]).values_list(
            "participant_id", "account_id"
        )
    )
    accounts = [row.energy_account_id for row in rows if row.energy_account_id is not None]
    balances = get_balances(account_ids=[*accounts, *held_on.values()])
    found = []
    for row in rows:
        balance = balances.get(row.energy_account_id or 0)
        line = balances.get(held_on.get(row.pk, 0))
        credit = Credit(
            own_micro=row.credit_limit_micro,
            usual_micro=usual,
            owed_micro=-balance.posted if balance else 0,
            held_micro=line.pending_out if line else 0,
        )
        found.append((row, credit))
    return found

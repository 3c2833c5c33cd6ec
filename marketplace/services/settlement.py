"""Turn clearings into ledger commands, and note the ledger's answers."""

from datetime import datetime

from django.db import transaction

from ledger.domain.commands import Command
from ledger.queries import Answer, get_answers
from ledger.services import submit
from marketplace.domain.interval_book import IntervalBook
from marketplace.domain.settlement import CommunityAccounts, entries_of, transfers_between
from marketplace.models import Clearing, Community, DeliveryInterval, Kind, Settlement
from marketplace.queries.intervals import due_settlement_ids

State = DeliveryInterval.State


def community_accounts(community: Community) -> CommunityAccounts:
    """Return the ledger accounts of a community's own parties."""
    return CommunityAccounts(
        pool=community.pool_account_id,
        supplier=community.supplier_account_id,
        platform=community.platform_account_id,
        rounding=community.rounding_account_id,
    )


def settle_clearings(*, community_id: int, now: datetime, limit: int = 100) -> int:
    """Submit the settlement of clearings that have none yet; return how many."""
    count = 0
    for clearing_id in due_settlement_ids(community_id=community_id, limit=limit):
        count += settle_clearing(clearing_id=clearing_id, now=now)
    return count


@transaction.atomic
def settle_clearing(*, clearing_id: int, now: datetime) -> bool:
    """Submit one clearing's money as one ledger command: what is due less what was posted before.

    Safe to repeat: the settlement row is unique per clearing and the command key per revision.
    """
    clearing = (
        Clearing.objects.select_related("interval__community")
        .filter(id=clearing_id, settlement__isnull=True)
        .first()
    )
    if clearing is None:
        return False
    # The interval's row is the lock of everything that happens to it.
    DeliveryInterval.objects.select_for_update(no_key=True).get(id=clearing.interval_id)
    if Settlement.objects.filter(clearing=clearing).exists():
        return False
    accounts = community_accounts(clearing.interval.community)
    before = (
        Clearing.objects.filter(interval=clearing.interval, revision=clearing.revision - 1)
        .only("book")
        .first()
    )
    transfers = transfers_between(
        entries_of(IntervalBook.unpacked(bytes(before.book)), accounts) if before else None,
        entries_of(IntervalBook.unpacked(bytes(clearing.book)), accounts),
    )
    key = f"settle:{clearing.interval_id}:{clearing.revision}"
    if transfers is not None:
        submit(commands=[Command.of(key, transfers)], submitted_at=now)
    Settlement.objects.create(
        kind=Kind.ENERGY,
        clearing=clearing,
        command_key=None if transfers is None else key,
        state=Settlement.State.BOOKED if transfers is None else Settlement.State.SUBMITTED,
        submitted_at=now,
    )
    if transfers is None:
        _set_settled([clearing.interval_id])
    return True


@transaction.atomic
def note_booked_settlements(*, limit: int = 1000) -> int:
    """Note which submitted settlements the ledger has booked; their intervals are settled."""
    waiting = list(
        Settlement.objects.select_for_update(skip_locked=True, no_key=True)
        .filter(kind=Kind.ENERGY, state=Settlement.State.SUBMITTED)
        .order_by("id")[:limit]
    )
    answers = get_answers(keys=[each.command_key for each in waiting if each.command_key])
    booked = [each for each in waiting if _state_of(each, answers) == "booked"]
    refused = [each for each in waiting if _state_of(each, answers) == "refused"]
    _set_state(booked, Settlement.State.BOOKED)
    # Receivable accounts have no limit, so a refusal is a defect: it stays visible to the operator.
    _set_state(refused, Settlement.State.REFUSED)
    clearings = Clearing.objects.filter(id__in=[each.clearing_id for each in booked])
    _set_settled(list(clearings.values_list("interval_id", flat=True)))
    return len(booked)


def _state_of(settlement: Settlement, answers: dict[str, Answer]) -> str:
    answer = answers.get(settlement.command_key or "")
    return answer.state if answer else "pending"


def _set_state(settlements: list[Settlement], state: Settlement.State) -> None:
    ids = [each.id for each in settlements]
    Settlement.objects.filter(id__in=ids, state=Settlement.State.SUBMITTED).update(state=state)


def _set_settled(interval_ids: list[int]) -> None:
    DeliveryInterval.objects.filter(id__in=interval_ids, state=State.CLEARED).update(
        state=State.SETTLED
    )

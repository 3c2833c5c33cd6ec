"""Turn clearings into ledger commands, and note the ledger's answers."""

from datetime import datetime

from django.db import transaction
from django.db.models import F

from ledger.domain.commands import Command
from ledger.queries import Answer, get_answers, get_attested_block, get_block_numbers
from ledger.services import submit
from marketplace.domain.book_rows import book_key
from marketplace.domain.interval_book import IntervalBook
from marketplace.domain.settlement import (
    CommunityAccounts,
    entries_of,
    settlement_key,
    transfers_between,
)
from marketplace.models import Clearing, Community, DeliveryInterval, RuleSet, Settlement
from marketplace.queries.documents import community_accounts
from marketplace.queries.intervals import due_settlement_ids

State = DeliveryInterval.State


@transaction.atomic
def settle_clearings(*, community_id: int, now: datetime, limit: int = 100) -> int:
    """Submit the money of clearings that have no settlement yet; return how many.

    Each becomes one ledger command: what is due less what earlier revisions posted. Safe to
    repeat: a settlement is unique per clearing and a command key per revision.
    """
    due = due_settlement_ids(community_id=community_id, limit=limit)
    # The interval's row is the lock of everything that happens to it.
    locked = DeliveryInterval.objects.select_for_update(
        skip_locked=True, no_key=True, of=("self",)
    ).filter(clearings__in=due, state=State.CLEARED)
    clearings = list(
        Clearing.objects.filter(
            id__in=due,
            interval__in=list(locked.order_by("id").values_list("id", flat=True)),
            settlement__isnull=True,
        ).order_by("interval__starts_at", "revision")
    )
    accounts = community_accounts(Community.objects.get(id=community_id))
    rules = dict(
        RuleSet.objects.filter(id__in={each.rule_set_id for each in clearings}).values_list(
            "id", "sha256"
        )
    )
    commands = {
        each.id: _command(each, accounts, rules_sha256=rules[each.rule_set_id])
        for each in clearings
    }
    submit(commands=[each for each in commands.values() if each], submitted_at=now)
    Settlement.objects.bulk_create(
        [_settlement(each, commands[each.id], now) for each in clearings]
    )
    _set_settled([each.interval_id for each in clearings if commands[each.id] is None])
    return len(clearings)


def _command(
    clearing: Clearing, accounts: CommunityAccounts, *, rules_sha256: str
) -> Command | None:
    """Return the command that settles a clearing; None if nothing moves."""
    before = (
        Clearing.objects.filter(interval=clearing.interval_id, revision=clearing.revision - 1)
        .only("book")
        .first()
        if clearing.revision > 1
        else None
    )
    transfers = transfers_between(
        entries_of(IntervalBook.unpacked(bytes(before.book)), accounts) if before else None,
        entries_of(IntervalBook.unpacked(bytes(clearing.book)), accounts),
    )
    if transfers is None:
        return None
    return Command.of(
        settlement_key(clearing.interval_id, clearing.revision),
        transfers,
        document=book_key(clearing.interval_id, clearing.revision),
        rules=rules_sha256,
    )


def _settlement(clearing: Clearing, command: Command | None, now: datetime) -> Settlement:
    return Settlement(
        clearing=clearing,
        command_key=command.key if command else None,
        state=Settlement.State.SUBMITTED if command else Settlement.State.BOOKED,
        submitted_at=now,
    )


@transaction.atomic
def note_booked_settlements(*, limit: int = 1000) -> int:
    """Note which submitted settlements the ledger has booked; their intervals are settled."""
    waiting = list(
        Settlement.objects.select_for_update(skip_locked=True, no_key=True)
        .filter(state=Settlement.State.SUBMITTED)
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


@transaction.atomic
def note_sealed_intervals(*, limit: int = 1000) -> int:
    """Note which settled intervals stand in attested blocks, money and book; they are sealed.

    One that has news is left: it is cleared again first.
    """
    attested = get_attested_block()
    if not attested:
        return 0
    waiting = list(
        DeliveryInterval.objects.select_for_update(skip_locked=True, no_key=True)
        .filter(state=State.SETTLED, has_news=False)
        .order_by("id")[:limit]
    )
    latest = Clearing.objects.filter(interval__in=waiting, revision=F("interval__revision"))
    # Where nothing moved there is no money to wait for, but a book.
    keys = {
        interval_id: command_key or book_key(interval_id, revision)
        for interval_id, revision, command_key in latest.values_list(
            "interval_id", "revision", "settlement__command_key"
        )
    }
    blocks = get_block_numbers(keys=list(keys.values()))
    sealed = [id_ for id_, key in keys.items() if key in blocks and blocks[key] <= attested]
    return DeliveryInterval.objects.filter(id__in=sealed, state=State.SETTLED).update(
        state=State.SEALED
    )


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

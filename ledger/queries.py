"""Read the ledger."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Q

from ledger.domain.commands import Int64Array
from ledger.domain.copy_format import packed_columns
from ledger.models import Account, Block, Head, InboxCommand, Transfer

_TRANSFER_COLUMNS = """
COPY (
    SELECT string_agg(
        int8send(k.position - 1) || int8send(t.debit_account_id) || int8send(t.credit_account_id)
            || int8send(t.amount) || int8send(t.code), '')
    FROM unnest(%s::text[]) WITH ORDINALITY AS k(key, position)
    JOIN ledger_inboxcommand c ON c.key = k.key
    JOIN ledger_transfer t ON t.command_id = c.id
    GROUP BY k.position
) TO STDOUT (FORMAT BINARY)
"""


@dataclass(frozen=True)
class Balance:
    """An account as its holder sees it. [minor units]"""

    account_id: int
    posted: int
    pending_out: int
    available: int | None


@dataclass(frozen=True)
class Answer:
    """What became of a command: ``state`` is pending, booked or refused."""

    key: str
    state: str
    refusal: str


@dataclass(frozen=True)
class TransferLine:
    """A transfer as one of its two accounts sees it; ``amount`` is positive when it came in."""

    id: int
    command_key: str
    leg: int
    kind: str
    code: int
    amount: int
    counterparty_account_id: int
    booked_at: datetime


@dataclass(frozen=True)
class WorkerHealth:
    """The settlement worker as the operator sees it."""

    holder: str
    epoch: int
    lease_until: datetime | None
    last_block: int
    last_booked_at: datetime | None
    pending_count: int
    oldest_pending_at: datetime | None
    refused_count: int


def get_balances(*, account_ids: Iterable[int]) -> dict[int, Balance]:
    """Return the balances of accounts by id."""
    return {
        account.id: Balance(account.id, account.balance, account.debits_pending, account.available)
        for account in Account.objects.filter(id__in=list(account_ids))
    }


def get_units(*, account_ids: Iterable[int]) -> dict[int, str]:
    """Return the units that accounts are kept in, by account id."""
    return dict(Account.objects.filter(id__in=list(account_ids)).values_list("id", "unit"))


def get_answers(*, keys: Sequence[str]) -> dict[str, Answer]:
    """Return what became of commands, by key; a key that was never submitted is absent."""
    rows = InboxCommand.objects.filter(key__in=list(keys)).values_list("key", "state", "refusal")
    return {key: Answer(key, InboxCommand.State(state).label, why) for key, state, why in rows}


def list_transfers(
    *, account_ids: Sequence[int], before_id: int | None = None, limit: int | None = 100
) -> list[TransferLine]:
    """Return the newest transfers of one holder's accounts, before a transfer id if given."""
    own = set(account_ids)
    found = Transfer.objects.filter(Q(debit_account__in=own) | Q(credit_account__in=own))
    if before_id is not None:
        found = found.filter(id__lt=before_id)
    found = found.order_by("-id").select_related("command__block").defer("command__body")
    return [_line(transfer, own) for transfer in (found if limit is None else found[:limit])]


def list_transfers_of_commands(
    *, keys: Sequence[str], account_ids: Sequence[int]
) -> list[TransferLine]:
    """Return the transfers of some commands that touch one holder's accounts, in order."""
    own = set(account_ids)
    found = (
        Transfer.objects.filter(command__key__in=list(keys))
        .filter(Q(debit_account__in=own) | Q(credit_account__in=own))
        .order_by("id")
        .select_related("command__block")
        .defer("command__body")
    )
    return [_line(transfer, own) for transfer in found]


def has_waiting_commands() -> bool:
    """Return whether a command waits for its answer; cheap enough to ask all day."""
    return InboxCommand.objects.filter(state=InboxCommand.State.PENDING).exists()


def get_worker_health() -> WorkerHealth:
    """Return who writes, how far, and what waits."""
    head = Head.objects.get()
    pending = InboxCommand.objects.filter(state=InboxCommand.State.PENDING)
    last = Block.objects.order_by("-number").first()
    return WorkerHealth(
        holder=head.holder,
        epoch=head.epoch,
        lease_until=head.lease_until,
        last_block=head.last_block,
        last_booked_at=last.booked_at if last else None,
        pending_count=pending.count(),
        oldest_pending_at=pending.order_by("id").values_list("submitted_at", flat=True).first(),
        refused_count=InboxCommand.objects.filter(state=InboxCommand.State.REFUSED).count(),
    )


def _line(transfer: Transfer, own: set[int]) -> TransferLine:
    incoming = transfer.credit_account_id in own
    block = transfer.command.block
    assert block is not None, transfer.id  # a transfer exists only once its command is booked
    return TransferLine(
        id=transfer.id,
        command_key=transfer.command.key,
        leg=transfer.leg,
        kind=Transfer.Kind(transfer.kind).label,
        code=transfer.code,
        amount=transfer.amount if incoming else -transfer.amount,
        counterparty_account_id=(
            transfer.debit_account_id if incoming else transfer.credit_account_id
        ),
        booked_at=block.booked_at,
    )


def list_transfer_columns(*, keys: Sequence[str]) -> Int64Array:
    """Return the transfers of some commands as columns, in no particular order.

    Returns
    -------
    ndarray of int64, shape (5, n)
        Position of the command in ``keys``, debit account, credit account, amount, code.
    """
    with connection.cursor() as cursor, cursor.copy(_TRANSFER_COLUMNS, [list(keys)]) as copy:
        copy.set_types(["bytea"])
        return packed_columns((piece for (piece,) in copy.rows()), 5)

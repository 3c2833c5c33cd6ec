"""Read the ledger."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Q, QuerySet, Subquery, Window
from django.db.models.functions import RowNumber

from ledger.domain.commands import Int64Array
from ledger.domain.copy_format import packed_columns
from ledger.domain.policy import Policy
from ledger.models import (
    Account,
    Block,
    Checkpoint,
    Cosignature,
    CosignerState,
    Head,
    InboxCommand,
    Objection,
    PublisherState,
    Snapshot,
    Transfer,
)

# The advisory lock of the one that publishes; gone with its session, however that ends.
PUBLISHER_TURN = 7249002

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


def get_block_numbers(*, keys: Sequence[str]) -> dict[str, int]:
    """Return the blocks in which commands were answered, by key; one that waits is absent."""
    answered = InboxCommand.objects.filter(key__in=list(keys), block__isnull=False)
    return dict(answered.values_list("key", "block_id"))


def list_transfers(
    *, account_ids: Sequence[int], before_id: int | None = None, limit: int | None = 100
) -> list[TransferLine]:
    """Return the newest transfers of one holder's accounts, before a transfer id if given."""
    own = set(account_ids)
    found = Transfer.objects.filter(Q(debit_account__in=own) | Q(credit_account__in=own))
    if before_id is not None:
        found = found.filter(id__lt=before_id)
    found = (
        found.order_by("-id")
        .select_related("command__block")
        .defer("command__body", "command__block__entries")
    )
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
        .defer("command__body", "command__block__entries")
    )
    return [_line(transfer, own) for transfer in found]


def has_waiting_commands() -> bool:
    """Return whether a command waits for its answer; cheap enough to ask all day."""
    return InboxCommand.objects.filter(state=InboxCommand.State.PENDING).exists()


def get_worker_health() -> WorkerHealth:
    """Return who writes, how far, and what waits."""
    head = Head.objects.get()
    pending = InboxCommand.objects.filter(state=InboxCommand.State.PENDING)
    last = Block.objects.order_by("-number").defer("entries").first()
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


@dataclass(frozen=True)
class CosignerStatus:
    """How far one cosigner has come. ``behind`` counts entries that it has yet to cosign."""

    name: str
    is_validator: bool
    size: int
    behind: int
    cosigned_at: datetime | None
    problem: str


@dataclass(frozen=True)
class LogStatus:
    """The published log as the operator sees it: what is booked, signed and attested."""

    booked_block: int
    booked_size: int
    signed_block: int
    signed_size: int
    signed_at: datetime | None
    attested_block: int
    attested_size: int
    attested_at: datetime | None
    publisher: str
    is_publishing: bool
    stopped_because: str
    cosigners: tuple[CosignerStatus, ...]
    objection_count: int


@dataclass(frozen=True)
class ObjectionLine:
    """What a validator says is wrong, and its signed text."""

    name: str
    size: int
    leaf_index: int
    code: str
    note: str
    received_at: datetime

    @property
    def explanation(self) -> str:
        """The validator's own line on what is wrong."""
        return self.note.partition("\n\n")[0].rpartition("\n")[2]


def get_attested_block() -> int:
    """Return the last block that a quorum of cosigners has attested, 0 when there is none."""
    newest = _attested().values_list("block_id", flat=True).first()
    return newest or 0


def get_log_status(*, policy: Policy | None = None) -> LogStatus:
    """Return how far the log is booked, signed and attested, and who of a policy is behind."""
    block = Block.objects.order_by("-number").defer("entries").first()
    signed = Checkpoint.objects.order_by("-size").first()
    attested = _attested().first()
    state = PublisherState.objects.get()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
            " WHERE d.datname = current_database() AND l.locktype = 'advisory'"
            " AND l.classid = 0 AND l.objid = %s AND l.granted)",
            [PUBLISHER_TURN],
        )
        is_publishing = cursor.fetchone()[0]
    signed_size = signed.size if signed else 0
    return LogStatus(
        booked_block=block.number if block else 0,
        booked_size=block.log_size if block else 0,
        signed_block=signed.block_id if signed else 0,
        signed_size=signed_size,
        signed_at=signed.signed_at if signed else None,
        attested_block=attested.block_id if attested else 0,
        attested_size=attested.size if attested else 0,
        attested_at=attested.attested_at if attested else None,
        publisher=state.holder,
        is_publishing=is_publishing,
        stopped_because=state.stopped_because,
        cosigners=_cosigners(policy, signed_size),
        objection_count=Objection.objects.count(),
    )


def list_objections(*, limit: int = 100) -> list[ObjectionLine]:
    """Return the newest objections of each validator, newest first: none can hide another's."""
    rank = Window(RowNumber(), partition_by="name", order_by="-id")
    newest = Objection.objects.annotate(rank=rank).filter(rank__lte=limit)
    return [
        ObjectionLine(each.name, each.size, each.leaf_index, each.code, each.note, each.received_at)
        for each in newest.order_by("-id")
    ]


def _attested() -> QuerySet[Checkpoint]:
    return Checkpoint.objects.filter(attested_at__isnull=False).order_by("-size")


def _cosigners(policy: Policy | None, signed_size: int) -> tuple[CosignerStatus, ...]:
    """Return every cosigner of the policy, witnesses first, in the order of the policy."""
    if policy is None or not policy.witnesses:
        return ()
    names = policy.cosigners()
    newest = {
        each.name: each
        for each in Cosignature.objects.order_by("name", "-checkpoint").distinct("name")
    }
    problems = dict(CosignerState.objects.values_list("name", "problem"))
    return tuple(
        CosignerStatus(
            name=name,
            is_validator=name in names.validators,
            size=newest[name].checkpoint_id if name in newest else 0,
            behind=signed_size - (newest[name].checkpoint_id if name in newest else 0),
            cosigned_at=newest[name].received_at if name in newest else None,
            problem=problems.get(name, ""),
        )
        for name in (*names.witnesses, *names.validators)
    )


def get_bodies(*, keys: Sequence[str]) -> dict[str, bytes]:
    """Return the bytes of commands that were booked or logged, by key; others are absent."""
    rows = InboxCommand.objects.filter(key__in=list(keys), state=InboxCommand.State.BOOKED)
    return {key: bytes(body) for key, body in rows.values_list("key", "body")}


def get_pruned_block() -> int:
    """Return the last block that nobody can open any more, 0 when there is none."""
    return Snapshot.objects.order_by("-block").values_list("block_id", flat=True).first() or 0


def list_pruned_keys(*, keys: Sequence[str]) -> list[str]:
    """Return which of these booked commands were pruned: their transfers are kept no more."""
    last = Snapshot.objects.order_by("-block").values("block_id")[:1]
    pruned = InboxCommand.objects.filter(key__in=list(keys), block__lte=Subquery(last))
    booked = pruned.filter(state=InboxCommand.State.BOOKED)
    return list(booked.values_list("key", flat=True)) if keys else []

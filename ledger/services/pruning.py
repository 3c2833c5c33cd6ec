"""End what can be opened of a period: first everybody is told, then it is removed.

Three steps, each of which may be the last before a crash and is done again by the next run: the
period is re-executed, the document ``pruned`` is logged, and once that is attested a snapshot
takes the period's place, in one transaction. Rules: docs/ledger.md, "Pruning and erasure".
"""

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db import connection, transaction
from django.db.models import Sum

from ledger.domain.commands import Posting
from ledger.domain.pruned import Pruned
from ledger.domain.rule_core import AskedCommand, OpenedAccount
from ledger.domain.snapshot import Earlier, StateSnapshot
from ledger.errors import PruningRefused
from ledger.models import Account, Block, Checkpoint, Head, InboxCommand, Snapshot
from ledger.services.book import load_all_accounts
from ledger.services.inbox import submit
from ledger.services.log_state import microseconds
from ledger.services.verification import Rerun, one_state, stored_blocks

# The advisory lock of the one that prunes; gone with its session, however that ends.
PRUNING_TURN = 7249003

_REMOVE = (
    # Nobody books meanwhile; the worker takes this lock first too.
    "SELECT FROM ledger_head FOR UPDATE",
    "ALTER TABLE ledger_transfer DISABLE TRIGGER transfer_append_only",
    "ALTER TABLE ledger_inboxcommand DISABLE TRIGGER inbox_never_rewritten",
    "ALTER TABLE ledger_inboxcommand DISABLE TRIGGER inbox_answered_once",
    "ALTER TABLE ledger_blockseed DISABLE TRIGGER seed_stays",
    # An open hold can still be ended, and is looked up then.
    """
    DELETE FROM ledger_transfer t WHERE id <= %(transfer)s AND NOT (
        kind = 1 AND NOT EXISTS (SELECT FROM ledger_transfer e WHERE e.hold_id = t.id))
    """,
    "DELETE FROM ledger_blockseed WHERE block_id <= %(block)s",
    # The fingerprint of a body that can be guessed would confirm the guess.
    """
    UPDATE ledger_inboxcommand
    SET body = '', fingerprint = sha256(convert_to(key || E'\\n', 'UTF8'))
    WHERE block_id <= %(block)s AND body <> ''
    """,
    "ALTER TABLE ledger_transfer ENABLE TRIGGER transfer_append_only",
    "ALTER TABLE ledger_inboxcommand ENABLE TRIGGER inbox_never_rewritten",
    "ALTER TABLE ledger_inboxcommand ENABLE TRIGGER inbox_answered_once",
    "ALTER TABLE ledger_blockseed ENABLE TRIGGER seed_stays",
)

_BLOCKS_AT_ONCE = 100
# Bodies that may name earlier transfers, found by their bytes.
_NAMING = """
    SELECT key, body FROM ledger_inboxcommand
    WHERE block_id BETWEEN %s AND %s AND (
        position('"corrects":['::bytea IN body) > 0 OR position('"hold":['::bytea IN body) > 0)
"""


@dataclass(frozen=True, eq=False)
class Period:
    """A period that was re-executed, and the state that it ends with.

    Parameters
    ----------
    pruned : Pruned
        Its last block and transfer.
    end : Rerun
        The book after it.
    padding : bytes
        Of the state map.
    """

    pruned: Pruned
    end: Rerun
    padding: bytes


@contextmanager
def only_one() -> Iterator[None]:
    """Let nobody else prune meanwhile.

    Raises
    ------
    PruningRefused
        If somebody else does.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [PRUNING_TURN])
        if not cursor.fetchone()[0]:
            raise PruningRefused("somebody else prunes this ledger now")
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [PRUNING_TURN])


def find_period(*, before: datetime) -> Pruned | None:
    """Return the longest period before a moment that can be pruned, None if there is none.

    It ends with the last attested block that was booked before the moment.
    """
    attested = Checkpoint.objects.filter(attested_at__isnull=False).order_by("-size").first()
    if attested is None:
        return None
    done = Snapshot.objects.order_by("-block").values_list("block_id", flat=True).first() or 0
    found = Block.objects.filter(
        number__gt=done, number__lte=attested.block_id, booked_at__lt=before
    )
    last = found.order_by("-number").values_list("number", flat=True).first()
    if last is None:
        return None
    counted = Block.objects.filter(number__lte=last).aggregate(total=Sum("transfer_count"))
    return Pruned(last, counted["total"])


def execute_period(*, pruned: Pruned, on_block: Callable[[int, int], None] | None = None) -> Period:
    """Re-execute a period from the beginning, or from the last snapshot.

    Raises
    ------
    BookBroken
        If anything in it does not follow: then nothing may be removed.
    """
    with one_state():
        head = Head.objects.get()
        end = Rerun(load_all_accounts(), bytes(head.padding))
        for block in stored_blocks(head):
            end.check_block(block)
            if on_block is not None:
                on_block(block.number, pruned.block)
            if block.number == pruned.block:
                break
    return Period(pruned, end, bytes(head.padding))


def announce(*, pruned: Pruned, now: datetime) -> None:
    """Ask for the document that makes everybody forget the period; safe to repeat."""
    submit(commands=[pruned.document.command(pruned.key)], submitted_at=now)


def announced_in(*, pruned: Pruned) -> int | None:
    """Return the block that has the document, None until it is attested."""
    block = (
        InboxCommand.objects.filter(key=pruned.key, state=InboxCommand.State.BOOKED)
        .values_list("block_id", flat=True)
        .first()
    )
    attested = Checkpoint.objects.filter(attested_at__isnull=False, block__gte=block or 0)
    return block if block is not None and attested.exists() else None


def remove_period(*, period: Period, now: datetime) -> None:
    """Put a snapshot in the place of a period. Needs the rights of the tables' owner.

    Raises
    ------
    PruningRefused
        If the document is not attested yet.
    """
    pruned = period.pruned
    told = announced_in(pruned=pruned)
    if told is None:
        raise PruningRefused(f"document {pruned.key} is not attested yet")
    snapshot = _snapshot(period, _earlier(period, told))
    with transaction.atomic(), connection.cursor() as cursor:
        Snapshot.objects.create(
            block_id=pruned.block,
            last_transfer_id=pruned.transfer_id,
            document_key=pruned.key,
            content=zlib.compress(b"".join(snapshot.lines())),
            made_at=now,
        )
        for statement in _REMOVE:
            cursor.execute(statement, {"block": pruned.block, "transfer": pruned.transfer_id})


def clean_files() -> None:
    """Let the database give removed rows' room back; the seeds' table is written anew."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM FULL ledger_blockseed")
        cursor.execute("VACUUM ledger_transfer, ledger_inboxcommand")


def _snapshot(period: Period, earlier: Earlier) -> StateSnapshot:
    state, log, book = period.end.state, period.end.log, period.end.state.book
    rows = (
        Account.objects.filter(leaf_index__lt=log.frontier.size)
        .order_by("leaf_index")
        .values_list("id", "unit", "overdraft_limit", "salt")
    )
    accounts = [OpenedAccount(id_, unit, limit, bytes(salt)) for id_, unit, limit, salt in rows]
    at = book.positions(np.array([each.account for each in accounts], dtype=np.int64))
    block = Block.objects.defer("entries").get(number=period.pruned.block)
    snapshot = StateSnapshot(
        block=block.number,
        time=microseconds(block.booked_at),
        log_size=block.log_size,
        state_root=bytes(block.state_root),
        next_transfer_id=state.next_transfer_id,
        pruned=book.pruned,
        padding=period.padding,
        accounts=accounts,
        counters=book.counters[:, at],
        holds={name: hold for name, hold in book.holds.items() if hold.is_open},
        earlier=earlier,
    )
    if snapshot.state_map().root() != snapshot.state_root:
        raise PruningRefused(f"the accounts do not lead to the state root of block {block.number}")
    return snapshot


def _earlier(period: Period, told: int) -> Earlier:
    """Return what blocks after a period, up to the one that tells of it, name of it."""
    book = period.end.state.book
    commands: dict[str, tuple[int, int]] = {}
    ended: set[str] = set()
    for name in _named(period.pruned.block, told):
        key = name.partition("/")[0]
        if key in book.booked:
            commands[key] = book.booked[key]
            hold = book.holds.get(name)
            if hold is not None and not hold.is_open:
                ended.add(name)
    return Earlier(period.end.documents, commands, sorted(ended))


def _named(after: int, last: int) -> set[str]:
    """Return every transfer that a command of some blocks names."""
    names: set[str] = set()
    with connection.cursor() as cursor:
        for first in range(after + 1, last + 1, _BLOCKS_AT_ONCE):
            cursor.execute(_NAMING, [first, min(first + _BLOCKS_AT_ONCE - 1, last)])
            for key, body in cursor.fetchall():
                said = AskedCommand(key, bytes(body)).said
                if isinstance(said, Posting):
                    transfers = said.transfers
                    names.update((*(transfers.holds or ()), *(transfers.corrects or ())))
    return names - {""}

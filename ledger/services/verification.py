"""Re-derive the whole book from the commands' bytes, and compare."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from django.db import connection, transaction

from ledger.domain.commands import Int64Array, fingerprint
from ledger.domain.judge import Book, Refusal
from ledger.errors import BookBroken
from ledger.models import Account, Block, Head, InboxCommand
from ledger.services.blocks import decode_counted, table_columns
from ledger.services.book import COUNTERS, load_all_accounts

COLUMNS = (
    "id",
    "command_id",
    "leg",
    "kind",
    "debit_account_id",
    "credit_account_id",
    "amount",
    "code",
    "hold_id",
    "corrects_id",
)
# How a NULL reference is read back: no transfer has this id, and neither does a forged row, which
# would name 0 or a number that somebody thought of.
_NULL = int(np.iinfo(np.int64).min)


@dataclass(frozen=True)
class Verified:
    """What was found to follow from the commands."""

    blocks: int
    commands: int
    refused: int
    transfers: int
    accounts: int


def verify_book(*, on_block: Callable[[int, int], None] | None = None) -> Verified:
    """Re-execute every command from its stored bytes and compare every row with the result.

    Parameters
    ----------
    on_block : callable, optional
        Called with (block, last block) after each block.

    Raises
    ------
    BookBroken
        The message names the first command, transfer, account or block that does not follow.
    """
    with _snapshot():
        head = Head.objects.first()
        if head is None:
            raise BookBroken("the head's row is missing")
        stored = load_all_accounts()
        run = _Run(stored)
        for block in _blocks(head):
            run.check_block(block)
            if on_block is not None:
                on_block(block.number, head.last_block)
        _check_head(head, run)
        _check_commands(run)
        _compare_counters(run.book, stored)
        return Verified(
            head.last_block, run.commands, run.refused, run.next_id - 1, len(stored.ids)
        )


@contextmanager
def _snapshot() -> Iterator[None]:
    """Show one state of the book throughout, while the worker goes on.

    Inside a caller's transaction the state is what that transaction sees.
    """
    is_outermost = not connection.in_atomic_block
    with transaction.atomic():
        if is_outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


class _Run:
    """The book as derived so far, from nothing but accounts and commands."""

    def __init__(self, stored: Book) -> None:
        self.book = Book(
            ids=stored.ids,
            units=stored.units,
            limits=stored.limits,
            counters=np.zeros_like(stored.counters),
        )
        self.used = np.zeros(len(stored.ids), dtype=bool)
        self.next_id, self.commands, self.refused, self.epoch = 1, 0, 0, 0

    def check_block(self, block: Block) -> None:
        """Re-execute a block and compare its transfers, row by row and column by column."""
        first_id = self.next_id
        derived: list[Int64Array] = []
        position = -1
        commands = InboxCommand.objects.filter(block=block).order_by("position")
        for position, command in enumerate(commands.iterator(chunk_size=500)):
            if command.position != position:
                raise BookBroken(f"block {block.number}: no command at position {position}")
            derived.extend(self._check_command(command))
        counts = (position + 1, self.next_id - first_id)
        if (block.command_count, block.transfer_count) != counts:
            raise BookBroken(f"block {block.number}: its counts do not follow from its commands")
        if block.epoch < self.epoch:
            raise BookBroken(f"block {block.number}: its epoch is older than the one before")
        self.epoch = block.epoch
        self.commands += position + 1
        _compare_transfers(derived, first_id, self.next_id)

    def _check_command(self, command: InboxCommand) -> Iterator[Int64Array]:
        """Judge a command again; yield its rows, or nothing where it was rightly refused."""
        body = bytes(command.body)
        if fingerprint(command.key, body) != bytes(command.fingerprint):
            raise BookBroken(f"command {command.key}: its key and bytes have another fingerprint")
        transfers = decode_counted(body, command.transfer_count)
        if transfers is None:
            _compare_answer(command, Refusal.NOT_CANONICAL)
            self.refused += 1
            return
        touched = np.unique(np.concatenate([transfers.debit, transfers.credit]))
        at = self.book.positions(touched)
        if command.refusal == Refusal.ACCOUNT_UNKNOWN and not self.used[at].all():
            # An account that no transfer has touched may have been opened only afterwards.
            self.refused += 1
            return
        refusal = self.book.apply(transfers)
        _compare_answer(command, refusal)
        if refusal is not None:
            self.refused += 1
            return
        self.used[at] = True
        yield np.stack(table_columns(self.book, command.id, transfers, self.next_id), axis=1)
        self.book.register(command.key, transfers, self.next_id)
        self.next_id += len(transfers)


def _blocks(head: Head) -> Iterator[Block]:
    number = 0
    for number, block in enumerate(Block.objects.order_by("number").iterator(), start=1):
        if block.number != number:
            raise BookBroken(f"block {number} is missing")
        yield block
    if number != head.last_block:
        raise BookBroken(f"the head says block {head.last_block}, the last block is {number}")


def _compare_answer(command: InboxCommand, refusal: Refusal | None) -> None:
    state = InboxCommand.State.REFUSED if refusal else InboxCommand.State.BOOKED
    if (command.state, command.refusal) != (state, refusal or ""):
        raise BookBroken(
            f"command {command.key}: answered {command.refusal or 'booked'},"
            f" its bytes say {refusal or 'booked'}"
        )


def _compare_transfers(derived: list[Int64Array], first_id: int, next_id: int) -> None:
    """Compare the rows of a block with those derived; the message names the first wrong one."""
    if not derived:
        return
    expected = np.concatenate(derived)
    for column in (8, 9):
        expected[expected[:, column] == 0, column] = _NULL
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, command_id, leg, kind, debit_account_id, credit_account_id, amount, code,"
            " coalesce(hold_id, %s), coalesce(corrects_id, %s) FROM ledger_transfer"
            " WHERE id >= %s AND id < %s ORDER BY id",
            [_NULL, _NULL, first_id, next_id],
        )
        found = np.array(cursor.fetchall(), dtype=np.int64).reshape(-1, len(COLUMNS))
    missing = np.setdiff1d(expected[:, 0], found[:, 0])
    if len(missing):
        raise BookBroken(f"transfer {missing[0]} is missing")
    wrong = np.argwhere(expected != found)
    if len(wrong):
        row, column = wrong[0].tolist()
        is_, says = (
            "NULL" if value == _NULL else value
            for value in (found[row, column], expected[row, column])
        )
        raise BookBroken(
            f"transfer {expected[row, 0]}: {COLUMNS[column]} is {is_}, its command says {says}"
        )


def _check_head(head: Head, run: _Run) -> None:
    """Nothing may stand in the book beyond what the commands derive."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT min(id) FROM ledger_transfer WHERE id >= %s OR id < 1", [run.next_id]
        )
        extra = cursor.fetchone()[0]
    if extra is not None:
        raise BookBroken(f"transfer {extra} follows from no command")
    if head.last_transfer_id != run.next_id - 1:
        raise BookBroken(
            f"the head says transfer {head.last_transfer_id}, the last one is {run.next_id - 1}"
        )
    if head.epoch < run.epoch:
        raise BookBroken(f"the head says epoch {head.epoch}, the last block says {run.epoch}")


def _check_commands(run: _Run) -> None:
    """Check the commands outside of blocks: waiting with their own bytes, or not at all."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT key FROM ledger_inboxcommand WHERE state = 0 AND"
            " fingerprint <> sha256(convert_to(key || chr(10), 'UTF8') || body) ORDER BY id LIMIT 1"
        )
        row = cursor.fetchone()
    if row is not None:
        raise BookBroken(f"command {row[0]}: its key and bytes have another fingerprint")
    answered = InboxCommand.objects.exclude(state=InboxCommand.State.PENDING)
    if answered.count() != run.commands:
        known = Block.objects.values("number")
        stray = answered.exclude(block__in=known).order_by("id").first()
        raise BookBroken(f"command {stray.key if stray else '?'} is answered but in no block")


def _compare_counters(book: Book, stored: Book) -> None:
    wrong = np.argwhere(book.counters.T != stored.counters.T)
    if len(wrong):
        at, counter = wrong[0].tolist()
        path = Account.objects.values_list("path", flat=True).get(id=int(book.ids[at]))
        raise BookBroken(
            f"account {path}: {COUNTERS[counter]} is {stored.counters[counter, at]},"
            f" its transfers say {book.counters[counter, at]}"
        )

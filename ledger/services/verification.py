"""Re-derive the whole book from the commands' bytes, and compare."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from django.db import connection, transaction

from ledger.domain.commands import Int64Array, Transfers, decode
from ledger.domain.judge import Book, Refusal
from ledger.errors import BookBroken, CommandInvalid
from ledger.models import Account, Block, Head, InboxCommand
from ledger.services.worker import COUNTERS, load_accounts

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


@dataclass(frozen=True)
class Verified:
    """What was found to follow from the commands."""

    blocks: int
    commands: int
    refused: int
    transfers: int
    accounts: int


@transaction.atomic
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
    with connection.cursor() as cursor:
        # One snapshot for the whole verification, while the worker goes on.
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    head = Head.objects.get()
    ids = list(Account.objects.order_by("id").values_list("id", flat=True))
    stored = load_accounts(ids)
    book = Book(
        ids=stored.ids,
        units=stored.units,
        limits=stored.limits,
        counters=np.zeros_like(stored.counters),
    )
    next_id, commands, refused = 1, 0, 0
    for block in _blocks(head):
        answers = list(InboxCommand.objects.filter(block=block).order_by("position"))
        first_id = next_id
        derived: list[Int64Array] = []
        for position, command in enumerate(answers):
            if command.position != position:
                raise BookBroken(
                    f"block {block.number}: no command at position {position}"
                )
            transfers = _re_execute(book, command, next_id)
            if transfers is None:
                refused += 1
                continue
            derived.append(_columns(book, command.id, transfers, next_id))
            next_id += len(transfers)
        commands += len(answers)
        if (block.command_count, block.transfer_count) != (
            len(answers),
            next_id - first_id,
        ):
            raise BookBroken(
                f"block {block.number}: its counts do not follow from its commands"
            )
        _compare_transfers(derived, first_id, next_id)
        if on_block is not None:
            on_block(block.number, head.last_block)
    _check_rest(head, next_id)
    _compare_counters(book, stored)
    return Verified(head.last_block, commands, refused, next_id - 1, len(ids))


def _blocks(head: Head) -> Iterator[Block]:
    number = 0
    for number, block in enumerate(
        Block.objects.order_by("number").iterator(), start=1
    ):
        if block.number != number:
            raise BookBroken(f"block {number} is missing")
        yield block
    if number != head.last_block:
        raise BookBroken(
            f"the head says block {head.last_block}, the last block is {number}"
        )


def _re_execute(book: Book, command: InboxCommand, first_id: int) -> Transfers | None:
    """Judge a command again; return its transfers, or None where it was rightly refused."""
    body = bytes(command.body)
    if sha256(body).digest() != bytes(command.fingerprint):
        raise BookBroken(
            f"command {command.key}: its bytes do not have its fingerprint"
        )
    refusal: Refusal | None
    try:
        transfers = decode(body)
    except CommandInvalid:
        refusal = Refusal.NOT_CANONICAL
    else:
        if len(transfers) != command.transfer_count:
            raise BookBroken(
                f"command {command.key}: its transfer count is not its bytes'"
            )
        book.expect_references([transfers])
        refusal = _apply_to_part(book, transfers)
    state = InboxCommand.State.REFUSED if refusal else InboxCommand.State.BOOKED
    if (command.state, command.refusal) != (state, refusal or ""):
        raise BookBroken(
            f"command {command.key}: answered {command.refusal or 'booked'},"
            f" its bytes say {refusal or 'booked'}"
        )
    if refusal:
        return None
    book.register(command.key, transfers, first_id)
    return transfers


def _apply_to_part(book: Book, transfers: Transfers) -> Refusal | None:
    """Apply a command to the accounts it touches only: a book may hold millions."""
    touched = np.unique(np.concatenate([transfers.debit, transfers.credit]))
    at = np.searchsorted(book.ids, touched)
    at = at[at < len(book.ids)]
    part = Book(
        ids=book.ids[at],
        units=book.units[at],
        limits=book.limits[at],
        counters=book.counters[:, at],
    )
    part.holds, part.transfer_ids = book.holds, book.transfer_ids
    refusal = part.apply(transfers)
    if refusal is None:
        book.counters[:, at] = part.counters
    return refusal


def _columns(
    book: Book, command_id: int, transfers: Transfers, first_id: int
) -> Int64Array:
    """Return a command's transfers as they must stand in the table; 0 for NULL."""
    count = len(transfers)
    legs = np.arange(count, dtype=np.int64)
    references = [
        np.array(
            [book.transfer_ids[name] if name else 0 for name in names], dtype=np.int64
        )
        if names
        else np.zeros(count, dtype=np.int64)
        for names in (transfers.holds, transfers.corrects)
    ]
    return np.stack(
        [
            first_id + legs,
            np.full(count, command_id, dtype=np.int64),
            legs,
            transfers.kinds,
            transfers.debit,
            transfers.credit,
            transfers.amount,
            transfers.code,
            *references,
        ],
        axis=1,
    )


def _compare_transfers(derived: list[Int64Array], first_id: int, next_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, command_id, leg, kind, debit_account_id, credit_account_id, amount, code,"
            " coalesce(hold_id, 0), coalesce(corrects_id, 0) FROM ledger_transfer"
            " WHERE id >= %s AND id < %s ORDER BY id",
            [first_id, next_id],
        )
        found = np.array(cursor.fetchall(), dtype=np.int64).reshape(-1, len(COLUMNS))
    expected = np.concatenate(derived) if derived else found[:0]
    missing = np.setdiff1d(expected[:, 0], found[:, 0])
    if len(missing):
        raise BookBroken(f"transfer {missing[0]} is missing")
    wrong = np.argwhere(expected != found)
    if len(wrong):
        row, column = wrong[0].tolist()
        raise BookBroken(
            f"transfer {expected[row, 0]}: {COLUMNS[column]} is {found[row, column]},"
            f" its command says {expected[row, column]}"
        )


def _check_rest(head: Head, next_id: int) -> None:
    """Nothing may stand in the book beyond what the commands derive."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT min(id) FROM ledger_transfer WHERE id >= %s OR id < 1", [next_id]
        )
        extra = cursor.fetchone()[0]
    if extra is not None:
        raise BookBroken(f"transfer {extra} follows from no command")
    if head.last_transfer_id != next_id - 1:
        raise BookBroken(
            f"the head says transfer {head.last_transfer_id}, the last one is {next_id - 1}"
        )
    stray = (
        InboxCommand.objects.exclude(state=InboxCommand.State.PENDING)
        .filter(block__isnull=True)
        .first()
    )
    if stray is not None:
        raise BookBroken(f"command {stray.key} is answered but in no block")


def _compare_counters(book: Book, stored: Book) -> None:
    wrong = np.argwhere(book.counters != stored.counters)
    if len(wrong):
        counter, at = wrong[0].tolist()
        path = Account.objects.values_list("path", flat=True).get(id=int(book.ids[at]))
        raise BookBroken(
            f"account {path}: {COUNTERS[counter]} is {stored.counters[counter, at]},"
            f" its transfers say {book.counters[counter, at]}"
        )

"""One block: which commands it takes, how they are judged, how it is written."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.db import connection

from ledger.domain.commands import Int64Array, Transfers, decode
from ledger.domain.copy_format import HEADER, TRAILER, copy_rows
from ledger.domain.judge import Book, Refusal
from ledger.errors import CommandInvalid
from ledger.models import InboxCommand
from ledger.services.book import load_book

BLOCK_COMMANDS_MAX = 10_000
BLOCK_TRANSFERS_MAX = 20_000


@dataclass(frozen=True)
class Waiting:
    """A command that has no answer yet."""

    id: int
    key: str
    body: bytes
    transfer_count: int


@dataclass(frozen=True)
class Judged:
    """A command and its answer: the columns of its transfers, or why it was refused."""

    command_id: int
    columns: tuple[Int64Array, ...] | None
    refusal: str

    @property
    def transfer_count(self) -> int:
        """Return how many transfers it books."""
        return 0 if self.columns is None else len(self.columns[0])


def next_commands() -> list[Waiting]:
    """Return the commands of the next block, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, transfer_count FROM ledger_inboxcommand WHERE state = 0"
            " ORDER BY id LIMIT %s",
            [BLOCK_COMMANDS_MAX],
        )
        counts = np.array(cursor.fetchall(), dtype=np.int64).reshape(-1, 2)
        if not len(counts):
            return []
        # The block ends with the command that reaches the limit; a larger one is a block.
        full = np.flatnonzero(np.cumsum(counts[:, 1]) >= BLOCK_TRANSFERS_MAX)
        taken = counts[: full[0] + 1 if len(full) else None, 0]
        cursor.execute(
            "SELECT id, key, body, transfer_count FROM ledger_inboxcommand"
            " WHERE id = ANY(%s) ORDER BY id",
            [taken.tolist()],
        )
        return [Waiting(row[0], row[1], bytes(row[2]), row[3]) for row in cursor.fetchall()]


def judge_commands(waiting: Sequence[Waiting], *, last_transfer_id: int) -> list[Judged]:
    """Judge commands in their order, each on what those before it left."""
    decoded = [decode_counted(each.body, each.transfer_count) for each in waiting]
    book = load_book([transfers for transfers in decoded if transfers is not None])
    judged = []
    next_id = last_transfer_id + 1
    for command, transfers in zip(waiting, decoded, strict=True):
        refusal = Refusal.NOT_CANONICAL if transfers is None else book.apply(transfers)
        if refusal is not None or transfers is None:
            judged.append(Judged(command.id, None, refusal or ""))
            continue
        columns = table_columns(book, command.id, transfers, next_id)
        book.register(command.key, transfers, next_id)
        judged.append(Judged(command.id, columns, ""))
        next_id += len(transfers)
    return judged


def decode_counted(body: bytes, transfer_count: int) -> Transfers | None:
    """Return a command's transfers, None if the bytes or their announced number are not right."""
    try:
        transfers = decode(body)
    except CommandInvalid:
        return None
    return transfers if len(transfers) == transfer_count else None


def table_columns(
    book: Book, command_id: int, transfers: Transfers, first_id: int
) -> tuple[Int64Array, ...]:
    """Return a command's transfers as the ten columns of the table; references are 0 for NULL."""
    count = len(transfers)
    legs = np.arange(count, dtype=np.int64)
    return (
        first_id + legs,
        np.full(count, command_id, dtype=np.int64),
        legs,
        transfers.kinds,
        transfers.debit,
        transfers.credit,
        transfers.amount,
        transfers.code,
        book.transfer_ids(transfers.holds, count),
        book.transfer_ids(transfers.corrects, count),
    )


def copy_transfers(judged: Sequence[Judged]) -> None:
    """Write the transfers of a block with one COPY: the trigger updates each account once."""
    booked = [each.columns for each in judged if each.columns is not None]
    if not booked:
        return
    columns = [np.concatenate(parts) for parts in zip(*booked, strict=True)]
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY ledger_transfer (id, command_id, leg, kind, debit_account_id,"
            " credit_account_id, amount, code, hold_id, corrects_id) FROM STDIN (FORMAT BINARY)"
        ) as copy,
    ):
        copy.write(HEADER)
        has_hold, has_corrected = columns[8] > 0, columns[9] > 0
        # Rows that are NULL in the same columns have the same width.
        for with_hold in (False, True):
            for with_corrected in (False, True):
                rows = np.flatnonzero((has_hold == with_hold) & (has_corrected == with_corrected))
                if len(rows):
                    part = [column[rows] for column in columns]
                    copy.write(_rows(part, with_hold, with_corrected))
        copy.write(TRAILER)


def _rows(columns: Sequence[Int64Array], with_hold: bool, with_corrected: bool) -> bytes:
    types = ("int8", "int8", "int4", "int2", "int8", "int8", "int8", "int2")
    return copy_rows(
        [
            *zip(types, columns[:8], strict=True),
            ("int8", columns[8] if with_hold else None),
            ("int8", columns[9] if with_corrected else None),
        ],
        rows=len(columns[0]),
    )


def answer_commands(judged: Sequence[Judged], *, block: int) -> None:
    """Give every command of a block its answer."""
    state = InboxCommand.State
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ledger_inboxcommand AS c SET state = a.state, refusal = a.refusal,"
            " block_id = %s, position = a.position"
            " FROM unnest(%s::bigint[], %s::smallint[], %s::text[], %s::int[])"
            " AS a(id, state, refusal, position) WHERE c.id = a.id",
            [
                block,
                [each.command_id for each in judged],
                [state.REFUSED if each.refusal else state.BOOKED for each in judged],
                [each.refusal for each in judged],
                list(range(len(judged))),
            ],
        )

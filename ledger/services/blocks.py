"""One block: which commands it takes, and how their answers are written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from django.db import connection

from ledger.domain.commands import Int64Array
from ledger.domain.copy_format import HEADER, TRAILER, copy_rows
from ledger.domain.rule_core import Answer, AskedCommand
from ledger.models import InboxCommand

BLOCK_COMMANDS_MAX = 10_000
BLOCK_TRANSFERS_MAX = 20_000


@dataclass(frozen=True)
class Waiting:
    """A command that has no answer yet, and its row."""

    id: int
    asked: AskedCommand


def next_commands(
    known: Mapping[int, AskedCommand],
) -> tuple[list[Waiting], list[Waiting]]:
    """Return the commands of the next block, oldest first, and those of the block after it.

    Parameters
    ----------
    known : mapping of int to AskedCommand
        Commands that were read before, by id: what a command asks for never changes.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, transfer_count FROM ledger_inboxcommand WHERE state = 0"
            " ORDER BY id LIMIT %s",
            [2 * BLOCK_COMMANDS_MAX],
        )
        counts = np.array(cursor.fetchall(), dtype=np.int64).reshape(-1, 2)
        if not len(counts):
            return [], []
        first = _full_block(counts)
        second = first + _full_block(counts[first:])
        taken = counts[:second, 0].tolist()
        cursor.execute(
            "SELECT id, key, body, transfer_count FROM ledger_inboxcommand WHERE id = ANY(%s)",
            [[id_ for id_ in taken if id_ not in known]],
        )
        read = {row[0]: AskedCommand(row[1], bytes(row[2]), row[3]) for row in cursor.fetchall()}
    waiting = [Waiting(id_, known.get(id_) or read[id_]) for id_ in taken]
    return waiting[:first], waiting[first:]


def _full_block(counts: Int64Array) -> int:
    """Return how many of the oldest commands are a block, by their numbers of transfers."""
    # The block ends with the command that reaches the limit; a larger one is a block.
    sums = np.cumsum(counts[:BLOCK_COMMANDS_MAX, 1])
    return min(int(np.searchsorted(sums, BLOCK_TRANSFERS_MAX)) + 1, len(sums))


def table_columns(answer: Answer, command_id: int) -> tuple[Int64Array, ...] | None:
    """Return what an answer booked as the eleven columns of the table; 0 stands for NULL."""
    if answer.posting is None:
        return None
    transfers = answer.posting.transfers
    count = len(transfers)
    legs = np.arange(count, dtype=np.int64)
    return (
        answer.first_id + legs,
        np.full(count, command_id, dtype=np.int64),
        legs,
        transfers.kinds,
        transfers.debit,
        transfers.credit,
        transfers.amount,
        transfers.code,
        answer.hold_ids,
        answer.corrects_ids,
        np.zeros(count, dtype=np.int64) if transfers.expires is None else transfers.expires,
    )


def copy_transfers(waiting: Sequence[Waiting], answers: Sequence[Answer]) -> None:
    """Write the transfers of a block with one COPY: the trigger updates each account once."""
    booked = [
        columns
        for each, answer in zip(waiting, answers, strict=True)
        if (columns := table_columns(answer, each.id)) is not None
    ]
    if not booked:
        return
    joined = [np.concatenate(parts) for parts in zip(*booked, strict=True)]
    with (
        # Errors in the middle of a COPY come from the driver itself; callers know Django's.
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy(
            "COPY ledger_transfer (id, command_id, leg, kind, debit_account_id,"
            " credit_account_id, amount, code, hold_id, corrects_id, expires)"
            " FROM STDIN (FORMAT BINARY)"
        ) as copy,
    ):
        copy.write(HEADER)
        # Rows that are NULL in the same columns have the same width.
        pattern = (joined[8] > 0) + 2 * (joined[9] > 0) + 4 * (joined[10] > 0)
        for each in np.unique(pattern).tolist():
            rows = np.flatnonzero(pattern == each)
            copy.write(_rows([column[rows] for column in joined], each))
        copy.write(TRAILER)


def _rows(columns: Sequence[Int64Array], pattern: int) -> bytes:
    types = ("int8", "int8", "int4", "int2", "int8", "int8", "int8", "int2")
    optional = (
        ("int8", column if pattern >> bit & 1 else None) for bit, column in enumerate(columns[8:])
    )
    return copy_rows([*zip(types, columns[:8], strict=True), *optional], rows=len(columns[0]))


def answer_commands(
    waiting: Sequence[Waiting],
    answers: Sequence[Answer],
    *,
    block: int,
    leaf_indexes: Sequence[int],
) -> None:
    """Give every command of a block its answer."""
    if not waiting:
        return
    state = InboxCommand.State
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ledger_inboxcommand AS c SET state = a.state, refusal = a.refusal,"
            " block_id = %s, position = a.position, leaf_index = a.leaf_index"
            " FROM unnest(%s::bigint[], %s::smallint[], %s::text[], %s::int[], %s::bigint[])"
            " AS a(id, state, refusal, position, leaf_index) WHERE c.id = a.id",
            [
                block,
                [each.id for each in waiting],
                [state.REFUSED if each.refusal else state.BOOKED for each in answers],
                [each.refusal for each in answers],
                list(range(len(answers))),
                list(leaf_indexes),
            ],
        )

"""The settlement worker: the one fenced writer of the book.

A worker may write while the head row carries its epoch. A successor takes the head by raising the
epoch, once the lease has run out or was given back. A stale worker that wakes up late finds another epoch,
and its transaction touches no row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db import connection, transaction

from ledger.domain.commands import TransferKind, Transfers, decode
from ledger.domain.copy_format import HEADER, TRAILER, copy_rows
from ledger.domain.judge import NO_LIMIT, Book, Hold, Refusal
from ledger.errors import CommandInvalid, StaleWriter
from ledger.models import Account, Block, InboxCommand, Transfer

BLOCK_COMMANDS_MAX = 10_000
BLOCK_TRANSFERS_MAX = 20_000
LEASE_SECONDS = 5.0
COUNTERS = ("debits_pending", "debits_posted", "credits_pending", "credits_posted")


@dataclass(frozen=True)
class Booked:
    """What one block came to."""

    block: int
    commands: int
    refused: int
    transfers: int


@dataclass(frozen=True)
class _Judged:
    """A command and its answer."""

    command_id: int
    key: str
    first_id: int
    transfers: Transfers | None
    refusal: str

    @property
    def refers(self) -> bool:
        """Whether its transfers name other transfers, or are more than plain movements."""
        transfers = self.transfers
        return transfers is not None and not (
            transfers.kind is None and transfers.corrects is None
        )


class SettlementWorker:
    """Writes blocks while it holds the head.

    Parameters
    ----------
    holder : str
        Name of this worker, for the operator's page.
    lease_seconds : int
        How long it may be silent before another may take over. [s]
    """

    def __init__(self, *, holder: str, lease_seconds: float = LEASE_SECONDS) -> None:
        self.holder, self.lease_seconds = holder, lease_seconds
        self.epoch: int | None = None

    def take_head(self) -> bool:
        """Become the writer, or extend one's own lease; False while another worker's lease runs.

        The database's clock decides, so that hosts need not agree on theirs.
        """
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE ledger_head SET"
                " epoch = CASE WHEN epoch = %(epoch)s THEN epoch ELSE epoch + 1 END,"
                " holder = %(holder)s,"
                " lease_until = clock_timestamp() + %(lease)s * interval '1 second'"
                " WHERE id = 1 AND (epoch = %(epoch)s OR lease_until IS NULL"
                " OR lease_until < clock_timestamp()) RETURNING epoch",
                {
                    "epoch": -1 if self.epoch is None else self.epoch,
                    "holder": self.holder,
                    "lease": self.lease_seconds,
                },
            )
            row = cursor.fetchone()
        self.epoch = row[0] if row else None
        return self.epoch is not None

    def give_back(self) -> None:
        """End one's lease now, so that a successor need not wait for it."""
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE ledger_head SET lease_until = NULL WHERE id = 1 AND epoch = %s",
                [self.epoch],
            )
        self.epoch = None

    @transaction.atomic
    def settle_block(self, *, now: datetime) -> Booked | None:
        """Judge the oldest waiting commands and book them as one block; None if none wait.

        Raises
        ------
        StaleWriter
            Another worker has taken the head. Nothing was written.
        """
        block, last_transfer_id = self._lock_head()
        waiting = _waiting()
        if not waiting:
            return None
        judged, book = _judge(waiting, last_transfer_id)
        count = sum(
            len(each.transfers) for each in judged if each.transfers is not None
        )
        Block.objects.create(
            number=block + 1,
            epoch=self.epoch or 0,
            command_count=len(judged),
            transfer_count=count,
            booked_at=now,
        )
        _copy_transfers(_rows(judged, book))
        _answer(judged, block + 1)
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE ledger_head SET last_block = %s, last_transfer_id = %s,"
                " lease_until = clock_timestamp() + %s * interval '1 second' WHERE id = 1",
                [block + 1, last_transfer_id + count, self.lease_seconds],
            )
        refused = sum(1 for each in judged if each.refusal)
        return Booked(block + 1, len(judged), refused, count)

    def settle_inbox(self, *, now: datetime) -> list[Booked]:
        """Book block after block until nothing waits."""
        blocks = []
        while booked := self.settle_block(now=now):
            blocks.append(booked)
        return blocks

    def _lock_head(self) -> tuple[int, int]:
        """Fence: hold the head row till commit, or learn that it is somebody else's."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT last_block, last_transfer_id FROM ledger_head"
                " WHERE id = 1 AND epoch = %s FOR UPDATE",
                [-1 if self.epoch is None else self.epoch],
            )
            row = cursor.fetchone()
        if row is None:
            raise StaleWriter(
                f"{self.holder}: epoch {self.epoch} is no longer the head's"
            )
        return row[0], row[1]


def _waiting() -> list[tuple[int, str, bytes]]:
    """Return (id, key, body) of the commands of the next block, oldest first."""
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
            "SELECT id, key, body FROM ledger_inboxcommand WHERE id = ANY(%s) ORDER BY id",
            [taken.tolist()],
        )
        return [(row[0], row[1], bytes(row[2])) for row in cursor.fetchall()]


def _judge(
    waiting: Sequence[tuple[int, str, bytes]], last_transfer_id: int
) -> tuple[list[_Judged], Book]:
    decoded = [(command_id, key, _decoded(body)) for command_id, key, body in waiting]
    book = _load_book([transfers for *_, transfers in decoded if transfers is not None])
    judged = []
    next_id = last_transfer_id + 1
    for command_id, key, transfers in decoded:
        refusal = Refusal.NOT_CANONICAL if transfers is None else book.apply(transfers)
        if refusal or transfers is None:
            judged.append(_Judged(command_id, key, next_id, None, refusal or ""))
            continue
        book.register(key, transfers, next_id)
        judged.append(_Judged(command_id, key, next_id, transfers, ""))
        next_id += len(transfers)
    return judged, book


def _decoded(body: bytes) -> Transfers | None:
    try:
        return decode(body)
    except CommandInvalid:
        return None


def _load_book(commands: Sequence[Transfers]) -> Book:
    """Read the accounts and holds that some commands touch."""
    touched = np.unique(
        np.concatenate([[], *(side for each in commands for side in (each.debit, each.credit))])
    )
    book = load_accounts(touched.astype(np.int64).tolist())
    names = book.expect_references(commands)
    if names:
        _load_references(book, names)
    return book


def load_accounts(account_ids: Sequence[int]) -> Book:
    """Read accounts into a book to judge by."""
    rows = list(
        Account.objects.filter(id__in=account_ids)
        .order_by("id")
        .values_list("id", "unit", "overdraft_limit", *COUNTERS)
    )
    units = {
        unit: number for number, unit in enumerate(sorted({row[1] for row in rows}))
    }
    return Book(
        ids=np.array([row[0] for row in rows], dtype=np.int64),
        units=np.array([units[row[1]] for row in rows], dtype=np.int64),
        limits=np.array(
            [NO_LIMIT if row[2] is None else row[2] for row in rows], dtype=np.int64
        ),
        counters=np.array([row[3:] for row in rows], dtype=np.int64)
        .reshape(-1, 4)
        .T.copy(),
    )


def _load_references(book: Book, names: set[str]) -> None:
    keys = {name.rpartition("/")[0] for name in names}
    found = Transfer.objects.filter(command__key__in=keys).select_related("command")
    ended = set(
        Transfer.objects.filter(hold__in=found.values("id")).values_list(
            "hold_id", flat=True
        )
    )
    for transfer in found.defer("command__body"):
        name = f"{transfer.command.key}/{transfer.leg}"
        book.transfer_ids[name] = transfer.id
        if transfer.kind == TransferKind.HOLD:
            book.holds[name] = Hold(
                debit=transfer.debit_account_id,
                credit=transfer.credit_account_id,
                amount=transfer.amount,
                is_open=transfer.id not in ended,
            )


def _rows(judged: Sequence[_Judged], book: Book) -> list[bytes]:
    """Write the transfers of a block down as COPY rows; commands with references one by one."""
    plain = [each for each in judged if each.transfers is not None and not each.refers]
    referring = [each for each in judged if each.refers]
    rows = [row for each in referring for row in _referring_rows(each, book)]
    if plain:
        rows.append(_plain_rows(plain))
    return rows


def _plain_rows(judged: Sequence[_Judged]) -> bytes:
    """Rows of commands without holds and corrections, all at once."""
    commands = [each.transfers for each in judged if each.transfers is not None]
    counts = [len(each) for each in commands]
    legs = np.concatenate([np.arange(count, dtype=np.int64) for count in counts])
    first_ids = np.repeat(
        np.array([each.first_id for each in judged], dtype=np.int64), counts
    )
    command_ids = np.array([each.command_id for each in judged], dtype=np.int64)
    return copy_rows(
        [
            ("int8", first_ids + legs),
            ("int8", np.repeat(command_ids, counts)),
            ("int4", legs),
            ("int2", np.concatenate([each.kinds for each in commands])),
            ("int8", np.concatenate([each.debit for each in commands])),
            ("int8", np.concatenate([each.credit for each in commands])),
            ("int8", np.concatenate([each.amount for each in commands])),
            ("int2", np.concatenate([each.code for each in commands])),
            ("int8", None),
            ("int8", None),
        ],
        rows=len(legs),
    )


def _referring_rows(judged: _Judged, book: Book) -> list[bytes]:
    """Rows of a command with holds or corrections; these commands are small."""
    transfers = judged.transfers
    assert transfers is not None
    rows = []
    for leg in range(len(transfers)):
        hold = transfers.holds[leg] if transfers.holds else ""
        corrected = transfers.corrects[leg] if transfers.corrects else ""
        values = [
            ("int8", judged.first_id + leg),
            ("int8", judged.command_id),
            ("int4", leg),
            ("int2", transfers.kinds[leg]),
            ("int8", transfers.debit[leg]),
            ("int8", transfers.credit[leg]),
            ("int8", transfers.amount[leg]),
            ("int2", transfers.code[leg]),
            ("int8", book.transfer_ids[hold] if hold else None),
            ("int8", book.transfer_ids[corrected] if corrected else None),
        ]
        columns = [
            (kind, None if value is None else np.array([value], dtype=np.int64))
            for kind, value in values
        ]
        rows.append(copy_rows(columns, rows=1))
    return rows


def _copy_transfers(rows: Sequence[bytes]) -> None:
    """One COPY per block: the trigger updates each touched account once."""
    if not rows:
        return
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY ledger_transfer (id, command_id, leg, kind, debit_account_id,"
            " credit_account_id, amount, code, hold_id, corrects_id) FROM STDIN (FORMAT BINARY)"
        ) as copy,
    ):
        copy.write(HEADER)
        for chunk in rows:
            copy.write(chunk)
        copy.write(TRAILER)


def _answer(judged: Sequence[_Judged], block: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ledger_inboxcommand AS c SET state = a.state, refusal = a.refusal,"
            " block_id = %s, position = a.position"
            " FROM unnest(%s::bigint[], %s::smallint[], %s::text[], %s::int[])"
            " AS a(id, state, refusal, position) WHERE c.id = a.id",
            [
                block,
                [each.command_id for each in judged],
                [
                    InboxCommand.State.REFUSED
                    if each.refusal
                    else InboxCommand.State.BOOKED
                    for each in judged
                ],
                [each.refusal for each in judged],
                list(range(len(judged))),
            ],
        )

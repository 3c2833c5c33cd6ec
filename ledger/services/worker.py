"""The settlement worker: the one fenced writer of the book.

A worker may write while the head row carries its epoch. A successor takes the head by raising the
epoch, once the lease has run out, was given back, or its database session is gone. A stale worker
that wakes up late finds another epoch, and its transaction touches no row.
"""

import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

import psycopg
from django.db import InternalError, connection, transaction
from psycopg.errors import IdleInTransactionSessionTimeout

from ledger.domain.rule_core import AskedCommand, State, apply_all
from ledger.domain.sealing import LogState, Sealed, month_totals, packed_entries, seal
from ledger.errors import StaleWriter
from ledger.models import BlockSeed
from ledger.services import blocks
from ledger.services.book import load_book
from ledger.services.log_state import (
    accounts_to_open,
    load_log_state,
    microseconds,
    moment,
    note_opened,
)

LEASE_SECONDS = 5.0
# Reading a large book takes its time, in which the database hears nothing.
SILENT_SECONDS_MAX = 300.0

# The database's clock decides, so that hosts need not agree on theirs. A session that is no more
# cannot come back: its worker was killed, or lost its connection and must ask for the head again.
# Where a session's start may not be seen, the session counts as alive.
_TAKE_HEAD = """
    UPDATE ledger_head h SET
        epoch = CASE WHEN epoch = %(epoch)s THEN epoch ELSE epoch + 1 END,
        holder = %(holder)s,
        session_pid = pg_backend_pid(),
        session_started_at =
            (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()),
        lease_until = clock_timestamp() + %(lease)s * interval '1 second'
    WHERE id = 1 AND (
        epoch = %(epoch)s OR lease_until IS NULL OR lease_until < clock_timestamp()
        OR h.session_pid IS NOT NULL AND NOT EXISTS (
            SELECT FROM pg_stat_activity s WHERE s.pid = h.session_pid
                AND coalesce(s.backend_start = h.session_started_at, true)))
    RETURNING epoch
"""


@dataclass(frozen=True)
class Booked:
    """What one block came to."""

    block: int
    commands: int
    refused: int
    transfers: int


class SettlementWorker:
    """Writes blocks while it holds the head.

    Parameters
    ----------
    holder : str
        Name of this worker, for the operator's page.
    lease_seconds : float
        How long it may be silent before another may take over. [s]
    silent_seconds : float
        How long it may be silent inside a block, where it holds the head row's lock and nobody can
        take over; then the database ends its session. [s]
    """

    def __init__(
        self,
        *,
        holder: str,
        lease_seconds: float = LEASE_SECONDS,
        silent_seconds: float = SILENT_SECONDS_MAX,
    ) -> None:
        self.holder, self.lease_seconds = holder, lease_seconds
        self.silent_seconds = silent_seconds
        self.epoch: int | None = None
        self._log: LogState | None = None
        self._known: dict[int, AskedCommand] = {}  # read ahead

    def take_head(self) -> bool:
        """Become the writer, or extend one's own lease; False while another worker's lease runs."""
        with connection.cursor() as cursor:
            cursor.execute(
                _TAKE_HEAD,
                {
                    "epoch": -1 if self.epoch is None else self.epoch,
                    "holder": self.holder,
                    "lease": self.lease_seconds,
                },
            )
            row = cursor.fetchone()
        before, self.epoch = self.epoch, row[0] if row else None
        if self.epoch != before:
            self._log, self._known = None, {}  # another worker may have written since
        return self.epoch is not None

    def give_back(self) -> None:
        """End one's lease now, so that a successor need not wait for it."""
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE ledger_head SET lease_until = NULL WHERE id = 1 AND epoch = %s",
                [self.epoch],
            )
        self.epoch = None

    def settle_block(self, *, now: datetime) -> Booked | None:
        """Judge the oldest waiting commands, book and seal them as one block; None if none wait.

        A block's time is ``now``, or the time of the block before where the clock went back.

        Raises
        ------
        StaleWriter
            Another worker has taken the head, or may have: this one was suspended inside the block
            for longer than the database waits. Nothing was written.
        """
        try:
            return self._settle_block(now=now)
        except InternalError as error:
            if isinstance(error.__cause__, IdleInTransactionSessionTimeout):
                raise StaleWriter(f"{self.holder}: silent for too long inside a block") from error
            raise

    @transaction.atomic
    def _settle_block(self, *, now: datetime) -> Booked | None:
        epoch, last_block, last_transfer_id, pruned = self._lock_head()
        waiting, following = blocks.next_commands(self._known)
        self._known = {each.id: each.asked for each in following}
        if not waiting:
            return None
        log = self._end_of_log(last_block)
        time = max(microseconds(now), log.time)
        opened, are_all = accounts_to_open()
        if not are_all:
            waiting = []
        first_account = log.frontier.size + len(month_totals(log, time))
        note_opened(opened, first_index=first_account)
        state = State(
            load_book([each.asked for each in waiting], log.accounts, pruned=pruned),
            next_transfer_id=last_transfer_id + 1,
            time=log.time,
            block=log.block,
        )
        answers = apply_all(state, [each.asked for each in waiting])
        seed = secrets.token_bytes(32)
        # Hashing needs a processor and no database, the copying mostly the database's processor;
        # so does reading what the next block's commands say.
        with ThreadPoolExecutor(max_workers=1) as beside:
            sealing = beside.submit(
                seal, log, time=time, seed=seed, opened=opened, answers=answers, book=state.book
            )
            beside.submit(_decode, following)
            # Transfers first: the database takes none for a command that has its answer.
            blocks.copy_transfers(waiting, answers)
        sealed = sealing.result()
        count = state.next_transfer_id - 1 - last_transfer_id
        _write_block(sealed, log, epoch=epoch, seed=seed, commands=len(answers), transfers=count)
        blocks.answer_commands(
            waiting, answers, block=log.block, leaf_indexes=sealed.answer_indexes
        )
        self._move_head(log.block, last_transfer_id + count, state.book.pruned)
        self._log = log
        refused = sum(1 for each in answers if each.refusal)
        return Booked(log.block, len(answers), refused, count)

    def settle_inbox(self, *, now: datetime) -> list[Booked]:
        """Book block after block until nothing waits."""
        booked = []
        while block := self.settle_block(now=now):
            booked.append(block)
        return booked

    def _end_of_log(self, last_block: int) -> LogState:
        """Return the end of the log, kept from the block before where that was ours.

        It is let go until this block is written: after a rollback it would be ahead of the book.
        """
        log, self._log = self._log, None
        if log is None or log.block != last_block:
            log = load_log_state(last_block)
        return log

    def _lock_head(self) -> tuple[int, int, int, int]:
        """Fence: hold the head row till commit, or learn that it is somebody else's."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT epoch, last_block, last_transfer_id, pruned_transfer_id,"
                " set_config('idle_in_transaction_session_timeout', %s, true) FROM ledger_head"
                " WHERE id = 1 AND epoch = %s FOR UPDATE",
                [
                    f"{round(self.silent_seconds * 1000)}ms",
                    -1 if self.epoch is None else self.epoch,
                ],
            )
            row = cursor.fetchone()
        if row is None:
            raise StaleWriter(f"{self.holder}: epoch {self.epoch} is no longer the head's")
        return row[0], row[1], row[2], row[3]

    def _move_head(self, last_block: int, last_transfer_id: int, pruned: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE ledger_head SET last_block = %s, last_transfer_id = %s,"
                " pruned_transfer_id = %s,"
                " lease_until = clock_timestamp() + %s * interval '1 second' WHERE id = 1",
                [last_block, last_transfer_id, pruned, self.lease_seconds],
            )


def _decode(waiting: Sequence[blocks.Waiting]) -> None:
    for each in waiting:
        each.asked.said  # noqa: B018 - kept there from now on


def _write_block(
    sealed: Sealed, log: LogState, *, epoch: int, seed: bytes, commands: int, transfers: int
) -> None:
    # Not by way of the model: that would send a megabyte and a half of leaves as text.
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(
            "INSERT INTO ledger_block (number, epoch, command_count, transfer_count, booked_at,"
            " first_leaf, leaf_count, entries, frontier, root, state_root)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %b, %b, %b, %b)",
            [
                log.block,
                epoch,
                commands,
                transfers,
                moment(log.time),
                sealed.first_leaf,
                len(sealed.entries),
                packed_entries(sealed.entries),
                sealed.frontier.to_bytes(),
                sealed.root,
                sealed.state_root,
            ],
        )
    BlockSeed.objects.create(block_id=log.block, seed=seed)

"""Re-derive the whole book and its log from the commands' bytes, and compare."""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from django.db import connection, transaction

from ledger.domain.commands import Int64Array, fingerprint
from ledger.domain.documents import Document
from ledger.domain.judge import Book
from ledger.domain.merkle import Frontier
from ledger.domain.rule_core import (
    Answer,
    AskedCommand,
    ClosedBlock,
    OpenedAccount,
    State,
    apply,
)
from ledger.domain.sealing import LogState, seal, unpacked_entries
from ledger.domain.state_map import StateMap
from ledger.errors import BookBroken
from ledger.models import Account, Block, BlockSeed, Head, InboxCommand
from ledger.services.blocks import table_columns
from ledger.services.book import COUNTERS, load_all_accounts
from ledger.services.log_state import microseconds
from ledger.services.pruned_period import PrunedPeriod, load_newest_period

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
    "expires",
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
    pruned_blocks: int = 0  # of these only leaves and a snapshot are left


def verify_book(*, on_block: Callable[[int, int], None] | None = None) -> Verified:
    """Re-execute every command from its stored bytes and compare every row with the result.

    Where a period was pruned, its leaves and what is left of it are compared with the snapshot,
    and re-execution begins there.

    Parameters
    ----------
    on_block : callable, optional
        Called with (block, last block) after each block.

    Raises
    ------
    BookBroken
        The message names the first command, transfer, account or block that does not follow.
    """
    with one_state():
        head = Head.objects.first()
        if head is None:
            raise BookBroken("the head's row is missing")
        stored = load_all_accounts()
        run = Rerun(stored, bytes(head.padding))
        for block in stored_blocks(head):
            run.check_block(block)
            if on_block is not None:
                on_block(block.number, head.last_block)
        run.check_pruned_holds()
        _check_head(head, run)
        _check_commands(run)
        _compare_counters(run.state.book, stored)
        return Verified(
            head.last_block,
            run.commands,
            run.refused,
            run.state.next_transfer_id - 1,
            len(stored.ids),
            run.period.pruned.block if run.period else 0,
        )


@contextmanager
def one_state() -> Iterator[None]:
    """Show one state of the book throughout, while the worker goes on.

    Inside a caller's transaction the state is what that transaction sees.
    """
    is_outermost = not connection.in_atomic_block
    with transaction.atomic():
        if is_outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


class Rerun:
    """The book and its log as derived so far, from nothing but accounts, commands and seeds.

    A pruned period is passed over by its leaves alone, up to its snapshot.
    """

    def __init__(self, stored: Book, padding: bytes) -> None:
        book = Book(
            ids=stored.ids,
            units=stored.units,
            limits=stored.limits,
            counters=np.zeros_like(stored.counters),
        )
        book.is_open[:] = False
        self.state = State(book)
        self.log = LogState(0, 0, Frontier.empty(), StateMap(padding))
        self.commands, self.refused, self.epoch = 0, 0, 0
        self.documents: dict[str, str] = {}
        self.period = load_newest_period(padding)

    def check_block(self, block: Block) -> None:
        """Re-execute a block, or pass over a pruned one."""
        if self.period is None or block.number > self.period.pruned.block:
            self._execute_block(block)
            return
        self.period.check_block(block)
        if block.number == self.period.pruned.block:
            self._start_from(self.period)

    def check_pruned_holds(self) -> None:
        """Check that of a pruned period just those transfers are left that must be."""
        if self.period is not None:
            self.period.check_holds(self.state.book.holds)

    def _start_from(self, period: PrunedPeriod) -> None:
        """Take over the state that a snapshot says."""
        snapshot, book = period.snapshot, self.state.book
        at = book.positions(np.array([each.account for each in snapshot.accounts], dtype=np.int64))
        book.counters[:, at] = snapshot.counters
        book.is_open[at] = True
        book.holds = snapshot.known_holds()
        book.booked = dict(snapshot.earlier.commands)
        book.forget(snapshot.pruned)
        self.documents = dict(snapshot.earlier.documents)
        self.state = State(book, snapshot.next_transfer_id, snapshot.time, snapshot.block)
        self.log = LogState(snapshot.block, snapshot.time, period.frontier, snapshot.state_map())
        self.commands, self.refused, self.epoch = period.commands, period.refused, period.epoch

    def _execute_block(self, block: Block) -> None:
        """Re-execute a block; compare its transfers, its leaves and its roots."""
        if block.first_leaf != self.log.frontier.size:
            raise BookBroken(f"block {block.number}: it does not begin where the log ends")
        first_id = self.state.next_transfer_id
        opened = self._open_accounts(block)
        commands = list(InboxCommand.objects.filter(block=block).order_by("position"))
        answers = [self._check_command(*each) for each in enumerate(commands)]
        counts = (len(commands), self.state.next_transfer_id - first_id)
        if (block.command_count, block.transfer_count) != counts:
            raise BookBroken(f"block {block.number}: its counts do not follow from its commands")
        if block.epoch < self.epoch:
            raise BookBroken(f"block {block.number}: its epoch is older than the one before")
        self.epoch = block.epoch
        self.commands += len(commands)
        self.refused += sum(1 for answer in answers if answer.refusal)
        rows = [
            np.stack(columns, axis=1)
            for command, answer in zip(commands, answers, strict=True)
            if (columns := table_columns(answer, command.id)) is not None
        ]
        _compare_transfers(rows, first_id, self.state.next_transfer_id)
        self._check_leaves(block, opened, commands, answers)

    def _open_accounts(self, block: Block) -> list[OpenedAccount]:
        rows = (
            Account.objects.filter(leaf_index__gte=block.first_leaf, leaf_index__lt=block.log_size)
            .order_by("leaf_index")
            .values_list("id", "unit", "overdraft_limit", "salt")
        )
        opened = [OpenedAccount(id_, unit, limit, bytes(salt)) for id_, unit, limit, salt in rows]
        for account in opened:
            apply(self.state, account)
        return opened

    def _check_command(self, position: int, command: InboxCommand) -> Answer:
        """Judge a command again and compare the answer."""
        if command.position != position:
            raise BookBroken(f"block {command.block_id}: no command at position {position}")
        body = bytes(command.body)
        if fingerprint(command.key, body) != bytes(command.fingerprint):
            raise BookBroken(f"command {command.key}: its key and bytes have another fingerprint")
        asked = AskedCommand(command.key, body, command.transfer_count)
        answer = apply(self.state, asked)
        assert answer is not None, command.key  # a command always has one
        _compare_answer(command, answer.refusal)
        if isinstance(asked.said, Document):
            self.documents[command.key] = asked.said.kind
        return answer

    def _check_leaves(
        self,
        block: Block,
        opened: list[OpenedAccount],
        commands: list[InboxCommand],
        answers: list[Answer],
    ) -> None:
        """Seal the block again and compare it leaf by leaf with what the log has."""
        seed = BlockSeed.objects.filter(block=block).values_list("seed", flat=True).first()
        if seed is None:
            raise BookBroken(f"block {block.number}: its seed is missing, so nothing can be opened")
        time = microseconds(block.booked_at)
        if time < self.log.time:
            raise BookBroken(f"block {block.number}: its time is before the block before")
        sealed = seal(
            self.log,
            time=time,
            seed=bytes(seed),
            opened=opened,
            answers=answers,
            book=self.state.book,
        )
        stored_entries = unpacked_entries(bytes(block.entries))
        for offset, (says, is_) in enumerate(zip_longest(sealed.entries, stored_entries)):
            if says != is_:
                index = block.first_leaf + offset
                name = _name_of_leaf(index, commands, sealed.answer_indexes)
                raise BookBroken(
                    f"leaf {index} of block {block.number}{name}: the log has {_shown(is_)},"
                    f" the book says {_shown(says)}"
                )
        for command, index in zip(commands, sealed.answer_indexes, strict=True):
            if command.leaf_index != index:
                raise BookBroken(f"command {command.key}: its answer is leaf {index} of the log")
        apply(self.state, ClosedBlock(block.number, time))
        for name, is_, says in (
            ("leaf_count", block.leaf_count, len(sealed.entries)),
            ("root", bytes(block.root), sealed.root),
            ("frontier", bytes(block.frontier), sealed.frontier.to_bytes()),
            ("state_root", bytes(block.state_root), sealed.state_root),
        ):
            if is_ != says:
                raise BookBroken(
                    f"block {block.number}: its {name} does not follow from its leaves"
                )


def stored_blocks(head: Head) -> Iterator[Block]:
    """Yield every block in order, without a gap up to the head's."""
    number = 0
    for number, block in enumerate(Block.objects.order_by("number").iterator(), start=1):
        if block.number != number:
            raise BookBroken(f"block {number} is missing")
        yield block
    if number != head.last_block:
        raise BookBroken(f"the head says block {head.last_block}, the last block is {number}")


def _compare_answer(command: InboxCommand, refusal: str) -> None:
    state = InboxCommand.State.REFUSED if refusal else InboxCommand.State.BOOKED
    if (command.state, command.refusal) != (state, refusal):
        raise BookBroken(
            f"command {command.key}: answered {command.refusal or 'booked'},"
            f" its bytes say {refusal or 'booked'}"
        )


def _name_of_leaf(index: int, commands: list[InboxCommand], indexes: list[int]) -> str:
    """Return what a leaf that differs is of, as far as rows of the book are known for it."""
    path = Account.objects.filter(leaf_index=index).values_list("path", flat=True).first()
    if path is not None:
        return f" (account {path})"
    at = bisect_right(indexes, index) - 1
    if at < 0:
        return ""
    leg = index - indexes[at] - 1
    if leg >= commands[at].transfer_count:
        return ""
    return f" (command {commands[at].key}{'' if leg < 0 else f', leg {leg}'})"


def _shown(leaf: bytes | None) -> str:
    return "nothing" if leaf is None else leaf.decode(errors="replace")


def _compare_transfers(derived: list[Int64Array], first_id: int, next_id: int) -> None:
    """Compare the rows of a block with those derived; the message names the first wrong one."""
    if not derived:
        return
    expected = np.concatenate(derived)
    for column in (8, 9, 10):
        expected[expected[:, column] == 0, column] = _NULL
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, command_id, leg, kind, debit_account_id, credit_account_id, amount, code,"
            " coalesce(hold_id, %s), coalesce(corrects_id, %s), coalesce(expires, %s)"
            " FROM ledger_transfer WHERE id >= %s AND id < %s ORDER BY id",
            [_NULL, _NULL, _NULL, first_id, next_id],
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


def _check_head(head: Head, run: Rerun) -> None:
    """Nothing may stand in the book beyond what the commands derive."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT min(id) FROM ledger_transfer WHERE id >= %s OR id < 1",
            [run.state.next_transfer_id],
        )
        extra = cursor.fetchone()[0]
    if extra is not None:
        raise BookBroken(f"transfer {extra} follows from no command")
    if head.last_transfer_id != run.state.next_transfer_id - 1:
        raise BookBroken(
            f"the head says transfer {head.last_transfer_id},"
            f" the last one is {run.state.next_transfer_id - 1}"
        )
    if head.pruned_transfer_id != run.state.book.pruned:
        raise BookBroken(
            f"the head says that transfers up to {head.pruned_transfer_id} were pruned,"
            f" the log says up to {run.state.book.pruned}"
        )
    if head.epoch < run.epoch:
        raise BookBroken(f"the head says epoch {head.epoch}, the last block says {run.epoch}")


def _check_commands(run: Rerun) -> None:
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

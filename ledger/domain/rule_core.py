"""The rules as one pure function: ``apply(state, leaf)``, from which everything else follows.

The state moves from leaf to leaf; what a leaf brings about (an answer, transfers, the leaves that
the log must have) is the function's value. The settlement worker runs it to decide, verification
runs it to compare. Rules: docs/ledger.md, "Rules".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ledger.domain.commands import Int64Array, Posting, Transfers
from ledger.domain.documents import Document, read_body
from ledger.domain.judge import Book, Refusal
from ledger.domain.pruned import read_pruned
from ledger.errors import CommandInvalid


@dataclass(frozen=True)
class OpenedAccount:
    """An account becomes known. ``limit`` is None for an account without limit. [minor units]"""

    account: int
    unit: str
    limit: int | None
    salt: bytes


@dataclass(frozen=True)
class AskedCommand:
    """A command wants an answer.

    ``transfer_count`` is how many transfers its submission announced; None where nobody did.
    """

    key: str
    body: bytes
    transfer_count: int | None = None

    @cached_property
    def said(self) -> Posting | Document | None:
        """What the body says; None if its bytes, or the announced number, are not right."""
        try:
            said = read_body(self.body)
        except CommandInvalid:
            return None
        count = 0 if isinstance(said, Document) else len(said.transfers)
        return said if self.transfer_count in (None, count) else None

    @property
    def transfers(self) -> Transfers | None:
        """The transfers that it asks for, if any."""
        return self.said.transfers if isinstance(self.said, Posting) else None


@dataclass(frozen=True)
class ClosedBlock:
    """A block ends. ``time`` is never before the time of the block before. [microseconds]"""

    number: int
    time: int


@dataclass(frozen=True, eq=False)
class Answer:
    """What became of a command.

    Parameters
    ----------
    asked : AskedCommand
        The command.
    refusal : str
        Code of the refusal, empty if it was booked or logged.
    first_id : int
        Id of its first transfer; the others follow.
    hold_ids, corrects_ids : ndarray of int64, shape (n,)
        The transfers that its transfers refer to, 0 for none.
    """

    asked: AskedCommand
    refusal: str
    first_id: int
    hold_ids: Int64Array
    corrects_ids: Int64Array

    @property
    def posting(self) -> Posting | None:
        """What it booked; None for a document or a refusal."""
        said = self.asked.said
        return said if isinstance(said, Posting) and not self.refusal else None

    @property
    def transfer_count(self) -> int:
        """How many transfers it booked."""
        return len(self.posting.transfers) if self.posting else 0

    @property
    def code(self) -> str:
        """The answer as the log has it."""
        return self.refusal or "booked"


@dataclass(eq=False)
class State:
    """What the rules need to know of the past.

    Parameters
    ----------
    book : Book
        Accounts with their counters, holds, and where earlier commands stand; a book of those
        that the next leaves touch is enough.
    next_transfer_id : int
        From 1, without a gap.
    time : int
        Of the last closed block. [microseconds since 1970, UTC]
    block : int
        Number of the last closed block, 0 before the first.
    """

    book: Book
    next_transfer_id: int = 1
    time: int = 0
    block: int = 0


_NONE = np.empty(0, dtype=np.int64)


def apply(state: State, leaf: OpenedAccount | AskedCommand | ClosedBlock) -> Answer | None:
    """Move the state on by one leaf; a command's answer comes back.

    Raises
    ------
    ValueError
        If an account opens twice, or a block is not the next or goes back in time: the log cannot
        have such a leaf.
    """
    if isinstance(leaf, AskedCommand):
        return _answer(state, leaf)
    if isinstance(leaf, OpenedAccount):
        state.book.open(leaf.account)
        return None
    if leaf.number != state.block + 1 or leaf.time < state.time:
        raise ValueError(f"block {leaf.number} cannot follow on block {state.block}")
    state.block, state.time = leaf.number, leaf.time
    return None


def apply_all(state: State, asked: Sequence[AskedCommand]) -> list[Answer]:
    """Answer commands in their order, each on what those before it left."""
    return [_answer(state, each) for each in asked]


def _answer(state: State, asked: AskedCommand) -> Answer:
    said = asked.said
    if said is None:
        return _refused(asked, Refusal.NOT_CANONICAL)
    if isinstance(said, Document):
        pruned = read_pruned(said, next_transfer_id=state.next_transfer_id)
        if pruned is not None:
            state.book.forget(pruned.transfer_id)
        return Answer(asked, "", state.next_transfer_id, _NONE, _NONE)
    transfers = said.transfers
    refusal = state.book.apply(transfers, time=state.time)
    if refusal is not None:
        return _refused(asked, refusal)
    count, first_id = len(transfers), state.next_transfer_id
    answer = Answer(
        asked,
        "",
        first_id,
        state.book.hold_ids(transfers.holds, count),
        state.book.corrected_ids(transfers.corrects, count),
    )
    state.book.register(asked.key, transfers, first_id)
    state.next_transfer_id += count
    return answer


def _refused(asked: AskedCommand, refusal: Refusal) -> Answer:
    return Answer(asked, refusal, 0, _NONE, _NONE)

"""Seal a block: from what was judged to the leaves, the log's root and the state root."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

import numpy as np

from ledger.domain.commands import Int64Array
from ledger.domain.documents import Document
from ledger.domain.judge import Book
from ledger.domain.leaves import (
    account_leaf,
    account_opening,
    block_leaf,
    command_leaf,
    command_opening,
    commitment,
    document_leaf,
    leaf_salt,
    totals_leaf,
    totals_opening,
    transfer_leaves,
    transfer_openings,
)
from ledger.domain.merkle import Frontier
from ledger.domain.rule_core import Answer, OpenedAccount
from ledger.domain.state_map import StateMap

# Below this many accounts that ever moved, a month's totals of a unit are not published.
MINIMUM_GROUP = 10


@dataclass(eq=False)
class LogState:
    """The end of the log in memory: what the next block is sealed on.

    Parameters
    ----------
    block : int
        Number of the last block, 0 before the first.
    time : int
        Its time. [microseconds since 1970, UTC]
    frontier : Frontier
        The log's tree.
    accounts : StateMap
        Every account that the log has opened.
    """

    block: int
    time: int
    frontier: Frontier
    accounts: StateMap


@dataclass(frozen=True, eq=False)
class Sealed:
    """A block as the log has it.

    ``answer_indexes`` are the leaf indexes of the answers, in their order.
    """

    first_leaf: int
    entries: list[bytes]
    answer_indexes: list[int]
    frontier: Frontier
    root: bytes
    state_root: bytes


def month_totals(log: LogState, time: int) -> list[bytes]:
    """Return the public totals that a block of a new month begins with."""
    before, now = _month(log.time), _month(time)
    if log.block == 0 or now <= before:
        return []
    return [
        totals_leaf(
            month=before,
            unit=each.unit,
            accounts=moved,
            posted=each.credits_posted,
            pending=each.credits_pending,
        )
        for each in log.accounts.totals()
        if (moved := log.accounts.moved_accounts(each.unit)) >= MINIMUM_GROUP
    ]


def account_leaves(
    opened: Sequence[OpenedAccount], *, seed: bytes, first_index: int
) -> list[bytes]:
    """Return the leaves that open accounts, the first one at ``first_index`` of the log."""
    leaves = []
    for index, each in enumerate(opened, start=first_index):
        opening = account_opening(
            account=each.account, unit=each.unit, limit=each.limit, salt=each.salt
        )
        leaves.append(account_leaf(commitment(leaf_salt(seed, index), opening)))
    return leaves


def answer_leaves(answer: Answer, *, seed: bytes, index: int, time: int) -> list[bytes]:
    """Return the leaves of an answer: the command's or the document's, and its transfers'."""
    salt = leaf_salt(seed, index)
    said = answer.asked.said
    if isinstance(said, Document):
        return [document_leaf(said, key=answer.asked.key, salt=salt)]
    opening = command_opening(key=answer.asked.key, answer=answer.code, body=answer.asked.body)
    rules = said.rules if said else None
    leaf = command_leaf(commitment(salt, opening), rules=rules)
    if answer.posting is None:
        return [leaf]
    openings = transfer_openings(
        answer.posting.transfers,
        first_id=answer.first_id,
        hold_ids=answer.hold_ids.tolist(),
        corrects_ids=answer.corrects_ids.tolist(),
        time=time,
    )
    return [leaf, *transfer_leaves(openings, seed=seed, first_index=index + 1)]


def seal(
    log: LogState,
    *,
    time: int,
    seed: bytes,
    opened: Sequence[OpenedAccount],
    answers: Sequence[Answer],
    book: Book,
) -> Sealed:
    """Seal the next block, and move the log's end behind it.

    Parameters
    ----------
    log : LogState
        The end of the log.
    time : int
        The block's, not before the log's. [microseconds since 1970, UTC]
    seed : bytes
        32 random bytes that the block's salts come from.
    opened : sequence of OpenedAccount
        Accounts that become known.
    answers : sequence of Answer
        The commands, in the order of judgement.
    book : Book
        Counters after the block, of every account that it moved at least.
    """
    first = log.frontier.size
    entries = month_totals(log, time)
    _add_accounts(log.accounts, opened)
    entries += account_leaves(opened, seed=seed, first_index=first + len(entries))
    indexes = []
    for answer in answers:
        indexes.append(first + len(entries))
        entries += answer_leaves(answer, seed=seed, index=indexes[-1], time=time)
    moved = _moved_accounts(answers)
    log.accounts.update(moved, book.counters[:, book.positions(moved)])
    state_root = log.accounts.root()
    salt = leaf_salt(seed, first + len(entries))
    entries.append(
        block_leaf(
            block=log.block + 1,
            leaves=len(entries),
            time=time,
            state_root=state_root,
            totals=commitment(salt, totals_opening(log.accounts.totals())),
        )
    )
    frontier = log.frontier.extended([sha256(b"\0" + entry).digest() for entry in entries])
    log.block, log.time, log.frontier = log.block + 1, time, frontier
    return Sealed(first, entries, indexes, frontier, frontier.root(), state_root)


def _moved_accounts(answers: Sequence[Answer]) -> Int64Array:
    sides = [
        side
        for answer in answers
        if answer.posting
        for side in (answer.posting.transfers.debit, answer.posting.transfers.credit)
    ]
    return np.unique(np.concatenate(sides)) if sides else np.empty(0, dtype=np.int64)


def packed_entries(entries: Sequence[bytes]) -> bytes:
    """Return leaves as entry bundles hold them: each behind its length in two bytes."""
    return b"".join([len(entry).to_bytes(2, "big") + entry for entry in entries])


def unpacked_entries(packed: bytes) -> list[bytes]:
    """Return the leaves of ``packed_entries``."""
    entries, at = [], 0
    while at < len(packed):
        end = at + 2 + int.from_bytes(packed[at : at + 2], "big")
        entries.append(packed[at + 2 : end])
        at = end
    return entries


def _add_accounts(accounts: StateMap, opened: Sequence[OpenedAccount]) -> None:
    accounts.add(
        ids=np.array([each.account for each in opened], dtype=np.int64),
        units=[each.unit for each in opened],
        limits=np.array(
            [-1 if each.limit is None else each.limit for each in opened], dtype=np.int64
        ),
        salts=[each.salt for each in opened],
    )


def _month(time: int) -> str:
    return datetime.fromtimestamp(time // 1_000_000, UTC).strftime("%Y-%m")

"""Re-execute a log from its openings, block by block, and compare every leaf."""

import json
from base64 import b64decode
from collections.abc import Iterable, Sequence
from itertools import zip_longest

import numpy as np

from ledger.domain.canonical import canonical_json
from ledger.domain.judge import NO_LIMIT, Book
from ledger.domain.merkle import Frontier, leaf_hash
from ledger.domain.public_check import PublicBlock
from ledger.domain.rule_core import (
    Answer,
    AskedCommand,
    ClosedBlock,
    OpenedAccount,
    State,
    apply,
)
from ledger.domain.sealing import LogState, seal
from ledger.domain.snapshot import StateSnapshot
from ledger.domain.state_map import StateMap
from ledger.errors import LogBroken


class OpenedLog:
    """The state of a log as its openings tell it, from the first leaf."""

    def __init__(self) -> None:
        nothing = np.empty(0, dtype=np.int64)
        self._state = State(
            Book(ids=nothing, units=nothing, limits=nothing, counters=np.empty((4, 0), np.int64))
        )
        self._log: LogState | None = None
        self._units: dict[str, int] = {}
        self._pruned = Frontier.empty()

    def pass_over(self, block: PublicBlock) -> None:
        """Take the next block as hashes only: nobody can open it any more."""
        self._pruned = self._pruned.extended([leaf_hash(entry) for entry in block.entries])

    def start_from(self, snapshot: StateSnapshot, block: PublicBlock) -> None:
        """Start behind the blocks passed over, from the state that the last of them commits to.

        Raises
        ------
        LogBroken
            If the snapshot is another state than that block's leaf says.
        """
        name = f"the snapshot after block {snapshot.block}"
        said = json.loads(block.entries[-1])
        if (snapshot.block, snapshot.time, snapshot.log_size) != (
            block.number,
            block.time,
            self._pruned.size,
        ):
            raise LogBroken(f"{name}: it is of another block than the log's")
        accounts = snapshot.state_map()
        if not accounts.root() == snapshot.state_root == b64decode(said["state"]):
            raise LogBroken(f"{name}: its accounts do not lead to the block's state root")
        self._open(snapshot.accounts)
        book = self._state.book
        at = book.positions(np.array([each.account for each in snapshot.accounts], dtype=np.int64))
        book.counters[:, at] = snapshot.counters
        book.holds = snapshot.known_holds()
        book.booked = dict(snapshot.earlier.commands)
        book.forget(snapshot.pruned)
        self._state = State(book, snapshot.next_transfer_id, snapshot.time, snapshot.block)
        self._log = LogState(snapshot.block, snapshot.time, self._pruned, accounts)

    def check(self, block: PublicBlock, lines: Iterable[bytes]) -> list[Answer]:
        """Re-execute the next block and compare its leaves; its answers come back.

        Parameters
        ----------
        block : PublicBlock
            Its leaves as everybody sees them.
        lines : iterable of bytes
            Its openings, as docs/ledger.md has them.

        Raises
        ------
        LogBroken
            The message names the first leaf that does not follow.
        """
        name = f"openings of block {block.number}"
        try:
            written = [json.loads(line) for line in lines]
            head, openings = written[0], written[1:]
            said = int(head["block"]), int(head["first"])
            seed, padding = b64decode(head["seed"]), b64decode(head["padding"])
            opened = [_account(each) for each in openings if "account" in each]
            asked = [_command(each) for each in openings if "account" not in each]
        except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
            raise LogBroken(f"{name}: they are not in form ({error})") from error
        if said != (block.number, block.first_leaf):
            raise LogBroken(f"{name}: they are of block {said[0]} from leaf {said[1]}")
        if self._log is None:
            self._log = LogState(0, 0, Frontier.empty(), StateMap(padding))
        self._open(opened)
        answers = [answer for each in asked if (answer := apply(self._state, each)) is not None]
        sealed = seal(
            self._log,
            time=block.time,
            seed=seed,
            opened=opened,
            answers=answers,
            book=self._state.book,
        )
        apply(self._state, ClosedBlock(block.number, block.time))
        for offset, (says, is_) in enumerate(zip_longest(sealed.entries, block.entries)):
            if says != is_:
                raise LogBroken(
                    f"leaf {block.first_leaf + offset}: the log has {_shown(is_)},"
                    f" its opening comes to {_shown(says)}"
                )
        return answers

    def _open(self, opened: Sequence[OpenedAccount]) -> None:
        if not opened:
            return
        for each in opened:
            self._units.setdefault(each.unit, len(self._units))
        self._state.book.add(
            ids=np.array([each.account for each in opened], dtype=np.int64),
            units=np.array([self._units[each.unit] for each in opened], dtype=np.int64),
            limits=np.array(
                [NO_LIMIT if each.limit is None else each.limit for each in opened],
                dtype=np.int64,
            ),
        )
        for each in opened:
            try:
                apply(self._state, each)
            except ValueError as error:
                raise LogBroken(str(error)) from error


def _account(opening: dict[str, str | None]) -> OpenedAccount:
    limit = opening["limit"]
    return OpenedAccount(
        account=int(opening["account"] or ""),
        unit=str(opening["unit"]),
        limit=None if limit is None else int(limit),
        salt=b64decode(opening["salt"] or ""),
    )


def _command(opening: dict[str, object]) -> AskedCommand:
    body = opening["body"]
    written = b64decode(body) if isinstance(body, str) else canonical_json(body)
    return AskedCommand(str(opening["key"]), written)


def _shown(leaf: bytes | None) -> str:
    return "nothing" if leaf is None else leaf.decode(errors="replace")

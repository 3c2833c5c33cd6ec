"""The state after a block as lines that a validator can start from. Format: docs/ledger.md."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ledger.domain.canonical import canonical_json
from ledger.domain.commands import Int64Array
from ledger.domain.judge import Hold
from ledger.domain.leaves import base64_text
from ledger.domain.note_text import from_base64
from ledger.domain.rule_core import OpenedAccount
from ledger.domain.state_map import StateMap
from ledger.errors import LogMalformed


@dataclass(frozen=True)
class Earlier:
    """What later blocks still name of the time before a snapshot.

    Parameters
    ----------
    documents : mapping of str to str
        Keys and kinds of all documents, in the order of the log.
    commands : mapping of str to (int, int)
        First transfer and number of transfers of booked commands.
    ended : sequence of str
        Holds that had ended, as ``key/leg``.
    """

    documents: Mapping[str, str] = field(default_factory=dict)
    commands: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    ended: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class StateSnapshot:
    """The state after a block.

    Parameters
    ----------
    block, time, log_size, state_root
        As the log states them.
    next_transfer_id : int
        Id of the transfer after the block's last one.
    pruned : int
        The last transfer that was forgotten by then.
    padding : bytes
        Secret of the state map.
    accounts : sequence of OpenedAccount
        In the order of their leaves.
    counters : ndarray of int64, shape (4, n)
        Theirs: debits pending, debits posted, credits pending, credits posted.
    holds : mapping of str to Hold
        The open ones, by reference.
    earlier : Earlier
        What later blocks name of the time before.
    """

    block: int
    time: int
    log_size: int
    state_root: bytes
    next_transfer_id: int
    pruned: int
    padding: bytes
    accounts: Sequence[OpenedAccount]
    counters: Int64Array
    holds: Mapping[str, Hold]
    earlier: Earlier

    def lines(self) -> Iterator[bytes]:
        """Yield the lines that are kept and served."""
        yield from (canonical_json(each) + b"\n" for each in self._written())

    def state_map(self) -> StateMap:
        """Return the map of the accounts; its root must be ``state_root``."""
        accounts = StateMap(self.padding)
        limits = [-1 if each.limit is None else each.limit for each in self.accounts]
        accounts.add(
            ids=np.array([each.account for each in self.accounts], dtype=np.int64),
            units=[each.unit for each in self.accounts],
            limits=np.array(limits, dtype=np.int64),
            salts=[each.salt for each in self.accounts],
            counters=self.counters,
        )
        return accounts

    def known_holds(self) -> dict[str, Hold]:
        """Return the holds that later blocks may name: open ones, and ended ones they named."""
        holds = {name: replace(hold) for name, hold in self.holds.items()}
        for name in self.earlier.ended:
            key, _, leg = name.partition("/")
            first_id, _legs = self.earlier.commands[key]
            holds[name] = Hold(id=first_id + int(leg), debit=0, credit=0, amount=0, is_open=False)
        return holds

    def _written(self) -> Iterator[dict[str, Any]]:
        yield {
            "block": str(self.block),
            "next_transfer": str(self.next_transfer_id),
            "padding": base64_text(self.padding),
            "pruned": str(self.pruned),
            "size": str(self.log_size),
            "state": base64_text(self.state_root),
            "time": str(self.time),
        }
        for account, counters in zip(self.accounts, self.counters.T.tolist(), strict=True):
            yield {
                "account": str(account.account),
                "counters": [str(counter) for counter in counters],
                "limit": None if account.limit is None else str(account.limit),
                "salt": base64_text(account.salt),
                "unit": account.unit,
            }
        for name, hold in sorted(self.holds.items(), key=lambda item: item[1].id):
            yield {
                "amount": str(hold.amount),
                "credit": str(hold.credit),
                "debit": str(hold.debit),
                "expires": str(hold.expires),
                "hold": name,
                "id": str(hold.id),
            }
        for key, kind in self.earlier.documents.items():
            yield {"document": key, "kind": kind}
        commands = sorted(self.earlier.commands.items(), key=lambda item: item[1])
        for key, (first_id, legs) in commands:
            yield {"command": key, "first": str(first_id), "legs": str(legs)}
        yield from ({"ended": name} for name in sorted(self.earlier.ended))


def read_snapshot(content: bytes) -> StateSnapshot:
    """Read a snapshot back.

    Raises
    ------
    LogMalformed
        If the bytes are not exactly those of ``StateSnapshot.lines``.
    """
    try:
        rows = [json.loads(line) for line in content.splitlines()]
        snapshot = _read(rows)
    except (ValueError, KeyError, TypeError, IndexError, OverflowError) as error:
        raise LogMalformed(f"the snapshot cannot be read: {error}") from error
    if b"".join(snapshot.lines()) != content:
        raise LogMalformed("the snapshot is not canonical")
    return snapshot


def _read(rows: list[dict[str, Any]]) -> StateSnapshot:
    head, rest = rows[0], rows[1:]
    opened = [row for row in rest if "account" in row]
    counters = [[int(counter) for counter in row["counters"]] for row in opened]
    return StateSnapshot(
        block=int(head["block"]),
        time=int(head["time"]),
        log_size=int(head["size"]),
        state_root=from_base64(head["state"]),
        next_transfer_id=int(head["next_transfer"]),
        pruned=int(head["pruned"]),
        padding=from_base64(head["padding"]),
        accounts=[_read_account(row) for row in opened],
        counters=np.array(counters, dtype=np.int64).reshape(-1, 4).T.copy(),
        holds={row["hold"]: _read_hold(row) for row in rest if "hold" in row},
        earlier=Earlier(
            {row["document"]: row["kind"] for row in rest if "document" in row},
            {
                row["command"]: (int(row["first"]), int(row["legs"]))
                for row in rest
                if "command" in row
            },
            [row["ended"] for row in rest if "ended" in row],
        ),
    )


def _read_account(row: dict[str, Any]) -> OpenedAccount:
    limit = None if row["limit"] is None else int(row["limit"])
    return OpenedAccount(int(row["account"]), row["unit"], limit, from_base64(row["salt"]))


def _read_hold(row: dict[str, Any]) -> Hold:
    return Hold(
        id=int(row["id"]),
        debit=int(row["debit"]),
        credit=int(row["credit"]),
        amount=int(row["amount"]),
        is_open=True,
        expires=int(row["expires"]),
    )

"""Judge commands in memory, before anything is written: the whole command or none of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from ledger.domain.commands import AMOUNT_MAX, Int64Array, TransferKind, Transfers

NO_LIMIT = int(np.iinfo(np.int64).max)


class Refusal(StrEnum):
    """Why a command was refused. Kept for ever: a refusal is an answer."""

    NOT_CANONICAL = "not_canonical"
    ACCOUNT_UNKNOWN = "account_unknown"
    UNITS_DIFFER = "units_differ"
    LIMIT_EXCEEDED = "limit_exceeded"
    COUNTER_OVERFLOW = "counter_overflow"
    HOLD_UNKNOWN = "hold_unknown"
    HOLD_RESOLVED = "hold_resolved"
    HOLD_EXPIRED = "hold_expired"
    HOLD_DIFFERS = "hold_differs"
    CORRECTED_UNKNOWN = "corrected_unknown"


@dataclass
class Hold:
    """A reserved amount between two accounts, open until it is posted or released once."""

    id: int
    debit: int
    credit: int
    amount: int
    is_open: bool
    expires: int = 0  # microseconds since 1970, UTC; 0: never


class Book:
    """Counters of the accounts that a block touches, as arrays in the order of their ids.

    Parameters
    ----------
    ids : ndarray of int64, shape (n,)
        Account ids, strictly increasing.
    units : ndarray of int64, shape (n,)
        A number per unit; equal numbers are equal units.
    limits : ndarray of int64, shape (n,)
        How far debits (pending and posted) may pass posted credits; ``NO_LIMIT`` for no limit.
    counters : ndarray of int64, shape (4, n)
        Rows: debits pending, debits posted, credits pending, credits posted.
    """

    def __init__(
        self,
        *,
        ids: Int64Array,
        units: Int64Array,
        limits: Int64Array,
        counters: Int64Array,
    ) -> None:
        self.ids, self.units, self.limits, self.counters = ids, units, limits, counters
        self.is_open = np.ones(len(ids), dtype=np.bool_)  # whether the log has opened the account
        self.holds: dict[str, Hold] = {}
        # First id and number of transfers of the booked commands that others may refer to.
        self.booked: dict[str, tuple[int, int]] = {}
        self.pruned = 0  # transfers up to this id are forgotten, but for holds that are open

    def register(self, key: str, transfers: Transfers, first_id: int) -> None:
        """Number an applied command's transfers, so that later commands can refer to them."""
        self.booked[key] = (first_id, len(transfers))
        for leg in np.flatnonzero(transfers.kinds == TransferKind.HOLD).tolist():
            self.holds[f"{key}/{leg}"] = Hold(
                id=first_id + leg,
                debit=int(transfers.debit[leg]),
                credit=int(transfers.credit[leg]),
                amount=int(transfers.amount[leg]),
                is_open=True,
                expires=0 if transfers.expires is None else int(transfers.expires[leg]),
            )

    def add(self, *, ids: Int64Array, units: Int64Array, limits: Int64Array) -> None:
        """Add accounts that nobody has opened yet; arguments as for the constructor, any order."""
        order = np.argsort(np.concatenate([self.ids, ids]), kind="stable")
        self.ids = np.concatenate([self.ids, ids])[order]
        self.units = np.concatenate([self.units, units])[order]
        self.limits = np.concatenate([self.limits, limits])[order]
        nothing = np.zeros((4, len(ids)), dtype=np.int64)
        self.counters = np.concatenate([self.counters, nothing], axis=1)[:, order]
        closed = np.zeros(len(ids), dtype=np.bool_)
        self.is_open = np.concatenate([self.is_open, closed])[order]

    def open(self, account: int) -> None:
        """Let an account be used from here on, once."""
        at = self.positions(np.array([account], dtype=np.int64))
        if len(at) == 0 or self.is_open[at[0]]:
            raise ValueError(f"account {account} is not one that waits to be opened")
        self.is_open[at[0]] = True

    def forget(self, last_id: int) -> None:
        """Know transfers up to an id no more, but for holds that are open."""
        self.pruned = max(self.pruned, last_id)

    def transfer_id(self, reference: str) -> int | None:
        """Return the id of the transfer that a reference ``key/leg`` names, None if none is."""
        key, _, leg = reference.partition("/")
        first_id, count = self.booked.get(key, (0, 0))
        id_ = first_id + int(leg)
        return id_ if int(leg) < count and id_ > self.pruned else None

    def corrected_ids(self, references: Sequence[str] | None, count: int) -> Int64Array:
        """Return the ids that ``count`` transfers correct; 0 where they correct none."""
        ids = np.zeros(count, dtype=np.int64)
        for leg, reference in enumerate(references or ()):
            if reference:
                ids[leg] = self.transfer_id(reference) or 0
        return ids

    def hold_ids(self, references: Sequence[str] | None, count: int) -> Int64Array:
        """Return the ids of the holds that ``count`` transfers end; 0 where they end none."""
        ids = np.zeros(count, dtype=np.int64)
        for leg, reference in enumerate(references or ()):
            if reference:
                ids[leg] = self.holds[reference].id
        return ids

    def positions(self, account_ids: Int64Array) -> Int64Array:
        """Return where those of the accounts that the book holds stand in its arrays."""
        at = np.searchsorted(self.ids, account_ids)
        known = at < len(self.ids)
        known[known] = self.ids[at[known]] == account_ids[known]
        return at[known]

    def apply(self, transfers: Transfers, *, time: int = 0) -> Refusal | None:
        """Apply one command wholly and return None, or change nothing and say why.

        Parameters
        ----------
        transfers : Transfers
            What the command books.
        time : int
            Time of the last closed block: holds that expire by then cannot be posted any more.
            [microseconds since 1970, UTC]
        """
        # Only the accounts of this command: a book may hold millions.
        touched, side = np.unique(
            np.concatenate([transfers.debit, transfers.credit]), return_inverse=True
        )
        at = self.positions(touched)
        if len(at) < len(touched) or not self.is_open[at].all():
            return Refusal.ACCOUNT_UNKNOWN
        debit, credit = side[: len(transfers)], side[len(transfers) :]
        units = self.units[at]
        if (units[debit] != units[credit]).any():
            return Refusal.UNITS_DIFFER
        if refusal := self._check_references(transfers, time):
            return refusal
        deltas = self._deltas(transfers, debit, credit, len(touched))
        if deltas is None:
            return Refusal.COUNTER_OVERFLOW
        after = self.counters[:, at] + deltas
        if after.max() > AMOUNT_MAX:
            return Refusal.COUNTER_OVERFLOW
        # Counters lie in 0..AMOUNT_MAX, so the sums below stay inside int64. Only a command that
        # asks more of an account can break its limit.
        overdraft = after[0] + after[1] - after[3]
        asks_more = deltas[0] + deltas[1] - deltas[3] > 0
        if (asks_more & (overdraft > self.limits[at])).any():
            return Refusal.LIMIT_EXCEEDED
        self.counters[:, at] = after
        for name in filter(None, transfers.holds or ()):
            self.holds[name].is_open = False
        return None

    def _check_references(self, transfers: Transfers, time: int) -> Refusal | None:
        seen: set[str] = set()
        for leg, name in enumerate(transfers.holds or ()):
            if not name:
                continue
            hold = self.holds.get(name)
            if hold is None or (not hold.is_open and hold.id <= self.pruned):
                return Refusal.HOLD_UNKNOWN
            if not hold.is_open or name in seen:
                return Refusal.HOLD_RESOLVED
            seen.add(name)
            amount = int(transfers.amount[leg])
            is_post = transfers.kinds[leg] == TransferKind.POST
            if is_post and 0 < hold.expires <= time:
                return Refusal.HOLD_EXPIRED
            fits = amount <= hold.amount if is_post else amount == hold.amount
            if not fits or (hold.debit, hold.credit) != (
                transfers.debit[leg],
                transfers.credit[leg],
            ):
                return Refusal.HOLD_DIFFERS
        for name in filter(None, transfers.corrects or ()):
            if self.transfer_id(name) is None:
                return Refusal.CORRECTED_UNKNOWN
        return None

    def _deltas(
        self, transfers: Transfers, debit: Int64Array, credit: Int64Array, accounts: int
    ) -> Int64Array | None:
        """Sum the transfers per account and counter; None when a sum could pass int64."""
        hold_amounts = [self.holds[name].amount if name else 0 for name in transfers.holds or ()]
        pending, posted = counter_effects(transfers, hold_amounts)
        if _exact_sum(np.abs(pending)) + _exact_sum(posted) > AMOUNT_MAX:
            return None
        deltas = np.zeros((4, accounts), dtype=np.int64)
        np.add.at(deltas[0], debit, pending)
        np.add.at(deltas[1], debit, posted)
        np.add.at(deltas[2], credit, pending)
        np.add.at(deltas[3], credit, posted)
        return deltas


def counter_effects(
    transfers: Transfers, hold_amounts: Sequence[int]
) -> tuple[Int64Array, Int64Array]:
    """Return what each transfer adds to the pending and to the posted counter of both accounts.

    Parameters
    ----------
    transfers : Transfers
        Columns of n transfers.
    hold_amounts : sequence of int
        The amount of the hold that each transfer ends, 0 for the others; empty if none ends one.
        [minor units]
    """
    kinds, amount = transfers.kinds, transfers.amount
    if transfers.kind is None:
        return np.zeros_like(amount), amount
    held = np.array(hold_amounts or [0] * len(transfers), dtype=np.int64)
    pending = np.where(kinds == TransferKind.HOLD, amount, -held)
    is_posting = (kinds == TransferKind.POSTED) | (kinds == TransferKind.POST)
    return pending, np.where(is_posting, amount, 0)


def _exact_sum(values: Int64Array) -> int:
    """Sum numbers of 0..2**63-1 exactly: a float's rounding would depend on the machine."""
    return (int((values >> 32).sum()) << 32) + int((values & 0xFFFFFFFF).sum())

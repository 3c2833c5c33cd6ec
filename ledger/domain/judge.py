"""Judge commands in memory, before anything is written: the whole command or none of it."""

from collections.abc import Iterable
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
    HOLD_DIFFERS = "hold_differs"
    CORRECTED_UNKNOWN = "corrected_unknown"


@dataclass
class Hold:
    """A reserved amount between two accounts, open until it is posted or released once."""

    debit: int
    credit: int
    amount: int
    is_open: bool


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
        self.holds: dict[str, Hold] = {}
        self.transfer_ids: dict[
            str, int
        ] = {}  # of the transfers that commands refer to
        self.referred_legs: dict[str, list[int]] = {}

    def expect_references(self, commands: Iterable[Transfers]) -> set[str]:
        """Note which transfers some commands refer to, as ``key/leg``, and return the names."""
        names = {
            name
            for each in commands
            for name in (*(each.holds or ()), *(each.corrects or ()))
        } - {""}
        for name in names:
            key, _, leg = name.rpartition("/")
            if leg.isdecimal():
                self.referred_legs.setdefault(key, []).append(int(leg))
        return names

    def register(self, key: str, transfers: Transfers, first_id: int) -> None:
        """Number an applied command's transfers, so that later commands can refer to them."""
        for leg in self.referred_legs.get(key, ()):
            if leg < len(transfers):
                self.transfer_ids[f"{key}/{leg}"] = first_id + leg
        if transfers.kind is None:
            return
        for leg in range(len(transfers)):
            if transfers.kinds[leg] == TransferKind.HOLD:
                self.holds[f"{key}/{leg}"] = Hold(
                    debit=int(transfers.debit[leg]),
                    credit=int(transfers.credit[leg]),
                    amount=int(transfers.amount[leg]),
                    is_open=True,
                )

    def apply(self, transfers: Transfers) -> Refusal | None:
        """Apply one command wholly and return None, or change nothing and say why."""
        debit = np.searchsorted(self.ids, transfers.debit)
        credit = np.searchsorted(self.ids, transfers.credit)
        if not (
            self._has(debit, transfers.debit) and self._has(credit, transfers.credit)
        ):
            return Refusal.ACCOUNT_UNKNOWN
        if (self.units[debit] != self.units[credit]).any():
            return Refusal.UNITS_DIFFER
        if refusal := self._check_references(transfers):
            return refusal
        deltas = self._deltas(transfers, debit, credit)
        if deltas is None:
            return Refusal.COUNTER_OVERFLOW
        after = self.counters + deltas
        if after.max() > AMOUNT_MAX:
            return Refusal.COUNTER_OVERFLOW
        # Counters lie in 0..AMOUNT_MAX, so the sums below stay inside int64. Only a command that asks
        # more of an account can break its limit.
        overdraft = after[0] + after[1] - after[3]
        asks_more = deltas[0] + deltas[1] - deltas[3] > 0
        if (asks_more & (overdraft > self.limits)).any():
            return Refusal.LIMIT_EXCEEDED
        self.counters = after
        for name in filter(None, transfers.holds or ()):
            self.holds[name].is_open = False
        return None

    def _has(self, positions: Int64Array, wanted: Int64Array) -> bool:
        return bool(
            len(self.ids)
            and positions.max() < len(self.ids)
            and (self.ids[positions] == wanted).all()
        )

    def _check_references(self, transfers: Transfers) -> Refusal | None:
        seen: set[str] = set()
        for leg, name in enumerate(transfers.holds or ()):
            if not name:
                continue
            hold = self.holds.get(name)
            if hold is None:
                return Refusal.HOLD_UNKNOWN
            if not hold.is_open or name in seen:
                return Refusal.HOLD_RESOLVED
            seen.add(name)
            amount, kind = int(transfers.amount[leg]), transfers.kinds[leg]
            fits = (
                amount <= hold.amount
                if kind == TransferKind.POST
                else amount == hold.amount
            )
            same = (hold.debit, hold.credit) == (
                transfers.debit[leg],
                transfers.credit[leg],
            )
            if not (fits and same):
                return Refusal.HOLD_DIFFERS
        for name in filter(None, transfers.corrects or ()):
            if name not in self.transfer_ids:
                return Refusal.CORRECTED_UNKNOWN
        return None

    def _deltas(
        self, transfers: Transfers, debit: Int64Array, credit: Int64Array
    ) -> Int64Array | None:
        """Sum the transfers per account and counter; None when a sum could pass int64."""
        pending, posted = counter_effects(
            transfers,
            [self.holds[name].amount if name else 0 for name in transfers.holds or ()],
        )
        if (
            float(np.abs(pending).sum(dtype=np.float64)) + posted.sum(dtype=np.float64)
            > AMOUNT_MAX
        ):
            return None
        deltas = np.zeros_like(self.counters)
        np.add.at(deltas[0], debit, pending)
        np.add.at(deltas[1], debit, posted)
        np.add.at(deltas[2], credit, pending)
        np.add.at(deltas[3], credit, posted)
        return deltas


def counter_effects(
    transfers: Transfers, hold_amounts: list[int]
) -> tuple[Int64Array, Int64Array]:
    """Return what each transfer adds to the pending and to the posted counter of both accounts."""
    kinds, amount = transfers.kinds, transfers.amount
    if transfers.kind is None:
        return np.zeros_like(amount), amount
    held = np.array(hold_amounts or [0] * len(transfers), dtype=np.int64)
    pending = np.where(kinds == TransferKind.HOLD, amount, -held)
    posted = np.where(
        (kinds == TransferKind.POSTED) | (kinds == TransferKind.POST), amount, 0
    )
    return pending, posted

"""Which certificates an interval's export gives, and to whom; how a choice of bundles is split.

An interval numbers its exported Wh from 0 in the order of its devices. Of a device's part the
first goes with its trades, in their order, what is left stays with the producer. Where a device
still owes certificates (``docs/certificates.md``), the end of its part is withdrawn at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from marketplace.domain.transfer_codes import TransferCode

Int64Array = npt.NDArray[np.int64]

# Whoever is no participant: certificates come from the issuer and end with the parties below.
ISSUER: Final = 0
CANCELLED: Final = -1
WITHDRAWN: Final = -2


class Move(IntEnum):
    """Why a range of certificates went from one hand to another; the ledger's codes."""

    ISSUED = TransferCode.CERTIFICATE_ISSUE
    WITH_TRADE = TransferCode.CERTIFICATE_TRADE
    HANDED_OVER = TransferCode.CERTIFICATE_TRANSFER
    CANCELLED = TransferCode.CERTIFICATE_CANCELLATION
    WITHDRAWN = TransferCode.CERTIFICATE_WITHDRAWAL
    RETURNED = TransferCode.CERTIFICATE_RETURN


@dataclass(frozen=True, eq=False)
class Exports:
    """Metered export by interval and device, as columns in that order.

    Parameters
    ----------
    intervals, devices, producers : ndarray of int64, shape (n,)
        Interval, device, the participant at whose metering point the device stands.
    wh : ndarray of int64, shape (n,)
        Above 0. [Wh]
    """

    intervals: Int64Array
    devices: Int64Array
    producers: Int64Array
    wh: Int64Array


@dataclass(frozen=True, eq=False)
class Sales:
    """What was sold of those exports, as columns in the order of the trades. [Wh]"""

    intervals: Int64Array
    devices: Int64Array
    buyers: Int64Array
    wh: Int64Array


@dataclass(frozen=True, eq=False)
class Moves:
    """Ranges [first, last) of an interval's serial range that change hands, in order."""

    kinds: Int64Array
    intervals: Int64Array
    devices: Int64Array
    givers: Int64Array
    receivers: Int64Array
    firsts: Int64Array
    lasts: Int64Array

    COLUMNS = ("kinds", "intervals", "devices", "givers", "receivers", "firsts", "lasts")

    @property
    def columns(self) -> Int64Array:
        """The columns as one array, shape (7, n)."""
        return np.stack([getattr(self, name) for name in self.COLUMNS])

    @property
    def wh(self) -> Int64Array:
        """How many certificates each moves. [Wh]"""
        return self.lasts - self.firsts

    def __len__(self) -> int:
        return len(self.kinds)

    @classmethod
    def of(cls, columns: Int64Array) -> "Moves":
        """Return moves from their columns, shape (7, n)."""
        return cls(*columns)

    @classmethod
    def of_rows(cls, rows: Iterable[Sequence[int]]) -> "Moves":
        """Return moves from rows of seven numbers."""
        return cls.of(np.array(list(rows), dtype=np.int64).reshape(-1, 7).T)

    @classmethod
    def joined(cls, parts: Sequence["Moves"]) -> "Moves":
        """Return several parts as one."""
        return cls.of(np.concatenate([part.columns for part in parts], axis=1))

    def only(self, rows: npt.NDArray[np.bool_] | Int64Array) -> "Moves":
        """Return some of the moves."""
        return Moves.of(self.columns[:, rows])


@dataclass(frozen=True, eq=False)
class Layout:
    """What intervals issue for the first time.

    Parameters
    ----------
    moves : Moves
        Issues, then trades, then withdrawals.
    bundles : ndarray of int64, shape (6, n)
        Interval, device, holder, first, last, 1 where it is withdrawn at once else 0.
    ends : mapping of int to int
        The next number of each interval's serial range.
    repaid : list of (int, int, int)
        Interval, device, and what the device gave back there of its debt. [Wh]
    """

    moves: Moves
    bundles: Int64Array
    ends: Mapping[int, int]
    repaid: list[tuple[int, int, int]]


def lay_out(exports: Exports, sales: Sales, debts: Mapping[int, int]) -> Layout:
    """Number the exported Wh of intervals, and say who holds which.

    Parameters
    ----------
    exports : Exports
        In ascending order of interval and device.
    sales : Sales
        Sales of devices without export in their interval are left aside.
    debts : mapping of int to int
        By device, what is withdrawn of its next export. [Wh]
    """
    starts, ends = _serials(exports)
    withheld, repaid = _withheld(exports, debts)
    capacity = exports.wh - withheld
    row, buyers, first, last = _sold(exports, sales, capacity)
    sold = np.zeros_like(capacity)
    np.add.at(sold, row, last - first)
    every = np.arange(len(exports.wh))
    kept, owed = every[sold < capacity], every[withheld > 0]
    traded = _ranges(exports, row, buyers, starts[row] + first, starts[row] + last)
    before, after = starts + sold, starts + capacity
    own = _ranges(exports, kept, exports.producers[kept], before[kept], after[kept])
    whole = starts + exports.wh
    back = _ranges(exports, owed, exports.producers[owed], after[owed], whole[owed])
    issued = _ranges(exports, every, exports.producers, starts, whole)
    moves = Moves.joined(
        [
            _moves(Move.ISSUED, issued, np.full_like(every, ISSUER), exports.producers),
            _moves(Move.WITH_TRADE, traded, exports.producers[row], buyers),
            _moves(Move.WITHDRAWN, back, exports.producers[owed], np.full_like(owed, WITHDRAWN)),
        ]
    )
    # A member who buys from another meter of their own keeps what they have.
    moves = moves.only(moves.givers != moves.receivers)
    bundles = np.concatenate([traded, own, back], axis=1)
    is_withdrawn = np.arange(bundles.shape[1]) >= traded.shape[1] + own.shape[1]
    return Layout(moves, np.vstack([bundles, is_withdrawn]), ends, repaid)


def _serials(exports: Exports) -> tuple[Int64Array, dict[int, int]]:
    """Return where each export begins in its interval's range, and where each range ends."""
    after = np.cumsum(exports.wh)
    before = after - exports.wh
    ids, first, counts = np.unique(exports.intervals, return_index=True, return_counts=True)
    base = np.repeat(before[first], counts)
    ends = after[first + counts - 1] - before[first]
    return before - base, dict(zip(ids.tolist(), ends.tolist(), strict=True))


def _withheld(
    exports: Exports, debts: Mapping[int, int]
) -> tuple[Int64Array, list[tuple[int, int, int]]]:
    """Return what each export gives back of its device's debt; also as interval, device, Wh."""
    withheld = np.zeros_like(exports.wh)
    left, repaid = dict(debts), []
    # Few owe anything, and what one export gives back the next one does not owe.
    for row in np.flatnonzero(np.isin(exports.devices, list(debts))).tolist():
        device = int(exports.devices[row])
        back = min(int(exports.wh[row]), left[device])
        if back:
            withheld[row] = back
            left[device] -= back
            repaid.append((int(exports.intervals[row]), device, back))
    return withheld, repaid


def _sold(
    exports: Exports, sales: Sales, capacity: Int64Array
) -> tuple[Int64Array, Int64Array, Int64Array, Int64Array]:
    """Return per sale its export's row, the buyer, and the range inside the export."""
    if not len(exports.wh) or not len(sales.wh):
        nothing = np.zeros(0, dtype=np.int64)
        return nothing, nothing, nothing, nothing
    # Both numbers are ranks, so that their pair fits one number whatever the ids are.
    devices = np.unique(exports.devices)
    width = len(devices) + 1

    def key(intervals: Int64Array, of: Int64Array) -> Int64Array:
        return intervals * width + np.searchsorted(devices, of)

    keys = key(exports.intervals, exports.devices)
    wanted = key(sales.intervals, sales.devices)
    row = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    known = np.flatnonzero(
        (exports.intervals[row] == sales.intervals) & (exports.devices[row] == sales.devices)
    )
    known = known[np.argsort(row[known], kind="stable")]
    row, wh = row[known], sales.wh[known]
    after = np.cumsum(wh)
    _, first_of, counts = np.unique(row, return_index=True, return_counts=True)
    after -= np.repeat((after - wh)[first_of], counts)
    # After the correction deadline a reading may fall below what was sold of it.
    first, last = np.minimum(after - wh, capacity[row]), np.minimum(after, capacity[row])
    some = last > first
    return row[some], sales.buyers[known][some], first[some], last[some]


def _ranges(
    exports: Exports, rows: Int64Array, holders: Int64Array, first: Int64Array, last: Int64Array
) -> Int64Array:
    """Return interval, device, holder and range of parts of exports, shape (5, n)."""
    return np.stack([exports.intervals[rows], exports.devices[rows], holders, first, last])


def _moves(kind: Move, ranges: Int64Array, givers: Int64Array, receivers: Int64Array) -> Moves:
    intervals, devices, _, first, last = ranges
    kinds = np.full_like(intervals, int(kind))
    return Moves(kinds, intervals, devices, givers, receivers, first, last)


@dataclass(frozen=True)
class Held:
    """A bundle as it lies in somebody's hand."""

    bundle_id: int
    interval_id: int
    device_id: int
    first_wh: int
    last_wh: int

    @property
    def wh(self) -> int:
        """How many certificates it holds. [Wh]"""
        return self.last_wh - self.first_wh


@dataclass(frozen=True)
class Piece:
    """What is taken of a bundle: its first ``wh`` certificates."""

    bundle: Held
    wh: int

    @property
    def end_wh(self) -> int:
        """Where the piece ends. [Wh]"""
        return self.bundle.first_wh + self.wh

    @property
    def is_whole(self) -> bool:
        """Whether nothing of the bundle is left."""
        return self.wh == self.bundle.wh


def take(bundles: Iterable[Held], wh: int | None) -> list[Piece]:
    """Take certificates from the front until there are enough; all of them when None is asked.

    Returns
    -------
    list of Piece
        In the order of the bundles. It sums to less than ``wh`` where there are too few.
    """
    taken, missing = [], wh
    for bundle in bundles:
        if missing is not None and missing <= 0:
            break
        part = bundle.wh if missing is None else min(missing, bundle.wh)
        taken.append(Piece(bundle, part))
        missing = None if missing is None else missing - part
    return taken


def matching_score(used_wh: Int64Array, certified_wh: Int64Array) -> float | None:
    """Return the share of consumption that certificates of the same hour cover.

    Parameters
    ----------
    used_wh, certified_wh : ndarray of int64, shape (n,)
        Consumption and certificates by hour. [Wh]

    Returns
    -------
    float or None
        Sum of the hours' smaller numbers over the sum of consumption; None without consumption.
    """
    used = int(used_wh.sum())
    return int(np.minimum(used_wh, certified_wh).sum()) / used if used else None

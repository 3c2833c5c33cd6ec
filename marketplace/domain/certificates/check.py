"""Whether bundles are what all that befell certificates left of them."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from marketplace.domain.certificates.bundles import (
    CANCELLED,
    ISSUER,
    WITHDRAWN,
    Int64Array,
    Move,
    Moves,
)

ACTIVE, IS_CANCELLED, IS_WITHDRAWN = 1, 2, 3
_MEMBER: Final = 1
# By kind: who gives and who receives, where it is not just any member.
_HANDS: Final = {
    Move.ISSUED: (ISSUER, _MEMBER),
    Move.WITH_TRADE: (_MEMBER, _MEMBER),
    Move.HANDED_OVER: (_MEMBER, _MEMBER),
    Move.CANCELLED: (_MEMBER, CANCELLED),
    Move.WITHDRAWN: (_MEMBER, WITHDRAWN),
    Move.RETURNED: (_MEMBER, _MEMBER),
}


@dataclass(frozen=True, eq=False)
class Bundles:
    """Bundles as columns; ``events`` are those of their cancellations, 0 without one."""

    intervals: Int64Array
    devices: Int64Array
    holders: Int64Array
    firsts: Int64Array
    lasts: Int64Array
    states: Int64Array
    events: Int64Array

    @property
    def wh(self) -> Int64Array:
        """How many certificates each holds. [Wh]"""
        return self.lasts - self.firsts


class _Segments:
    """The pieces of intervals' serial ranges between all ends of moves and bundles, in order."""

    def __init__(self, moves: Moves, bundles: Bundles) -> None:
        every = np.concatenate([moves.intervals, bundles.intervals])
        lasts = np.concatenate([moves.lasts, bundles.lasts])
        self._intervals = np.unique(every)
        self._width = int(lasts.max(initial=0)) + 1
        self._keys = np.unique(
            np.concatenate(
                [
                    self._key(each.intervals, ends)
                    for each in (moves, bundles)
                    for ends in (each.firsts, each.lasts)
                ]
            )
        )

    def __len__(self) -> int:
        return len(self._keys)

    def _key(self, intervals: Int64Array, ends: Int64Array) -> Int64Array:
        return np.searchsorted(self._intervals, intervals) * self._width + ends

    def covered_by(self, ranges: Moves | Bundles) -> tuple[Int64Array, Int64Array]:
        """Return each segment that a range covers, with the range's row; ranges in their order."""
        first = np.searchsorted(self._keys, self._key(ranges.intervals, ranges.firsts))
        counts = np.searchsorted(self._keys, self._key(ranges.intervals, ranges.lasts)) - first
        rows = np.repeat(np.arange(len(counts)), counts)
        before = np.repeat(np.cumsum(counts) - counts, counts)
        return first[rows] + np.arange(len(rows)) - before, rows

    def name(self, segment: int) -> str:
        """Return which certificates a segment is."""
        interval, first = divmod(int(self._keys[segment]), self._width)
        last = int(self._keys[segment + 1]) % self._width
        return f"certificates {first} to {last} of interval {self._intervals[interval]}"


def range_fault(moves: Moves, events: Int64Array, bundles: Bundles) -> str | None:
    """Follow every certificate from hand to hand, and compare the end with the bundles.

    Parameters
    ----------
    moves : Moves
        All that befell some intervals' certificates, the earliest first.
    events : ndarray of int64, shape (n,)
        The event of each move.
    bundles : Bundles
        All bundles of these intervals.

    Returns
    -------
    str or None
        The first thing that is wrong, None where all agrees.
    """
    if fault := _hands_fault(moves, events):
        return fault
    segments = _Segments(moves, bundles)
    place, row = segments.covered_by(moves)
    order = np.argsort(place, kind="stable")
    place, row = place[order], row[order]
    begins = np.ones(len(place), dtype=np.bool_)
    begins[1:] = place[1:] != place[:-1]
    if fault := _chain_fault(segments, moves, place, row, begins):
        return fault
    ends = np.ones(len(place), dtype=np.bool_)
    ends[:-1] = begins[1:]
    last = row[ends]
    return _covering_fault(segments, bundles, place[ends]) or _left_fault(
        segments, moves.only(last), events[last], bundles, place[ends]
    )


def _hands_fault(moves: Moves, events: Int64Array) -> str | None:
    """Return the first event that moves certificates between hands that its kind has not."""
    wrong = moves.lasts <= moves.firsts
    known = np.zeros_like(wrong)
    for kind, hands in _HANDS.items():
        own = moves.kinds == int(kind)
        known |= own
        for hand, wanted in zip((moves.givers, moves.receivers), hands, strict=True):
            fits = hand >= _MEMBER if wanted == _MEMBER else hand == wanted
            wrong |= own & ~fits
    found = np.flatnonzero(wrong | ~known)
    return f"event {events[found[0]]} has a move that there cannot be" if len(found) else None


def _chain_fault(
    segments: _Segments,
    moves: Moves,
    place: Int64Array,
    row: Int64Array,
    begins: npt.NDArray[np.bool_],
) -> str | None:
    issued = moves.kinds[row] == int(Move.ISSUED)
    for wrong, what in (
        (begins & ~issued, "were moved and never issued"),
        (~begins & issued, "were issued twice"),
    ):
        if wrong.any():
            return f"{segments.name(int(place[np.argmax(wrong)]))} {what}"
    after = np.flatnonzero(~begins)
    giver, holder = moves.givers[row[after]], moves.receivers[row[after - 1]]
    other_device = moves.devices[row[after]] != moves.devices[row[after - 1]]
    found = np.flatnonzero((giver != holder) | other_device)
    if not len(found):
        return None
    first = int(found[0])
    name = segments.name(int(place[after[first]]))
    if holder[first] == CANCELLED:
        return f"{name} were moved on after they were cancelled"
    if holder[first] == WITHDRAWN:
        return f"{name} were moved on after they were withdrawn"
    return f"{name} were given by {giver[first]}, who did not hold them"


def _covering_fault(segments: _Segments, bundles: Bundles, place: Int64Array) -> str | None:
    """Return the first segment that is not in exactly one bundle; only what moved may be in one."""
    covered, _ = segments.covered_by(bundles)
    count = np.bincount(covered, minlength=len(segments))
    moved = np.zeros(len(segments), dtype=np.bool_)
    moved[place] = True
    for wrong, what in (
        (count > 1, "are in two bundles"),
        ((count > 0) & ~moved, "are in a bundle and were never issued"),
        ((count == 0) & moved, "are in no bundle"),
    ):
        if wrong.any():
            return f"{segments.name(int(np.argmax(wrong)))} {what}"
    return None


def _left_fault(
    segments: _Segments, last: Moves, events: Int64Array, bundles: Bundles, place: Int64Array
) -> str | None:
    """Compare each segment's bundle with the last move of it."""
    covered, bundle = segments.covered_by(bundles)
    # There is one for each segment, so that both are in the same order now.
    of = bundle[np.argsort(covered, kind="stable")]
    state = np.select(
        [last.receivers == CANCELLED, last.receivers == WITHDRAWN],
        [IS_CANCELLED, IS_WITHDRAWN],
        ACTIVE,
    )
    for is_, says, what in (
        (bundles.devices[of], last.devices, "device"),
        (bundles.holders[of], np.where(state == ACTIVE, last.receivers, last.givers), "holder"),
        (bundles.states[of], state, "state"),
        (bundles.events[of], np.where(state == IS_CANCELLED, events, 0), "cancellation"),
    ):
        found = np.flatnonzero(is_ != says)
        if len(found):
            row = int(found[0])
            name = segments.name(int(place[row]))
            return f"{name} have the {what} {is_[row]}, their events give {says[row]}"
    return None


def certified(bundles: Bundles) -> tuple[Int64Array, Int64Array, Int64Array]:
    """Return interval, device and what stands of its certificates, used ones too. [Wh]"""
    stands = bundles.states != IS_WITHDRAWN
    # Of what was withdrawn nothing stands; the device is named all the same.
    pairs, at = np.unique(
        np.stack([bundles.intervals, bundles.devices]), axis=1, return_inverse=True
    )
    sums = np.zeros(pairs.shape[1], dtype=np.int64)
    np.add.at(sums, at.reshape(-1), np.where(stands, bundles.wh, 0))
    return pairs[0], pairs[1], sums


def is_same(one: Moves, other: Moves) -> bool:
    """Return whether two sets of moves are the same, in whatever order."""
    if len(one) != len(other):
        return False
    first, second = (each.columns[:, np.lexsort(each.columns)] for each in (one, other))
    return np.array_equal(first, second)

"""What a correction of an interval does to the certificates that were issued for it.

What was sold less is taken back from its buyer, what was exported less is withdrawn, as far as it
still lies where it was issued: with the buyer, then with the producer. Nothing is taken of what
was cancelled or went on to somebody else. What cannot be withdrawn the device owes: it is
withdrawn of what the device is issued next. ``docs/certificates.md`` has the rule in words.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from marketplace.domain.certificates.bundles import ISSUER, WITHDRAWN, Move

MoveRow = tuple[int, int, int, int, int, int, int]


@dataclass(frozen=True)
class IssuedBundle:
    """A bundle of the interval that is neither withdrawn; ``is_active`` is false once cancelled."""

    bundle_id: int
    device_id: int
    holder_id: int
    first_wh: int
    last_wh: int
    is_active: bool


@dataclass(frozen=True)
class Target:
    """What a device should have been issued for the interval.

    Parameters
    ----------
    producer_id : int
        At whose metering point it stands.
    wh : int
        Its metered export now. [Wh]
    sales : sequence of (int, int)
        Buyer and Wh of its trades now, in their order.
    """

    producer_id: int
    wh: int
    sales: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True)
class Part:
    """A range after the correction; ``bundle_id`` is 0 for one that is new."""

    bundle_id: int
    device_id: int
    holder_id: int
    first_wh: int
    last_wh: int
    is_withdrawn: bool


@dataclass(frozen=True)
class Correction:
    """What changes for one interval.

    Parameters
    ----------
    moves : list of tuple
        Rows of `Moves`.
    parts : list of Part
        All parts of every bundle that changes, and new bundles.
    end_wh : int
        The next number of the interval's serial range.
    debts : mapping of int to int
        By device, what it owes more (or less, below 0) than before. [Wh]
    """

    moves: list[MoveRow]
    parts: list[Part]
    end_wh: int
    debts: Mapping[int, int]


@dataclass(frozen=True)
class Before:
    """What an interval's certificates are before a correction.

    Parameters
    ----------
    interval_id, end_wh : int
        The interval, and the next number of its serial range.
    bundles : sequence of IssuedBundle
        Those that are not withdrawn, by their first number.
    given : mapping of (int, int) to int
        By device and buyer, what trades of the interval have given so far. [Wh]
    interval_debts : mapping of int to int
        By device, what this interval's corrections added to its debt, less what was paid here.
    debts : mapping of int to int
        By device, what it owes. [Wh]
    """

    interval_id: int
    end_wh: int
    bundles: Sequence[IssuedBundle]
    given: Mapping[tuple[int, int], int]
    interval_debts: Mapping[int, int]
    debts: Mapping[int, int]


def correct(before: Before, targets: Mapping[int, Target]) -> Correction:
    """Bring an interval's certificates to what its corrected readings and trades ask for.

    Parameters
    ----------
    before : Before
        What there is.
    targets : mapping of int to Target
        By device, of all devices of the interval; those that export nothing now with 0 Wh.
    """
    moves: list[MoveRow] = []
    parts: list[Part] = []
    debts: dict[int, int] = {}
    end = before.end_wh
    for device_id in sorted(targets):
        hand = _Hand(before, device_id, targets[device_id], end)
        hand.settle()
        moves += hand.moves
        parts += hand.changed_parts()
        end = hand.end
        if hand.debt:
            debts[device_id] = hand.debt
    return Correction(moves, parts, end, debts)


@dataclass
class _Range:
    """A range that may be cut; ``was`` is whose it was, None of what is new."""

    bundle_id: int
    was: int | None
    first: int
    last: int
    now: int
    is_free: bool
    is_withdrawn: bool = False

    @property
    def wh(self) -> int:
        return self.last - self.first


class _Hand:
    """One device's certificates of the interval, while they are dealt anew."""

    def __init__(self, before: Before, device_id: int, target: Target, end: int) -> None:
        self.interval_id, self.device_id = before.interval_id, device_id
        self.target, self.end = target, end
        own = [each for each in before.bundles if each.device_id == device_id]
        self.issued_wh = sum(each.last_wh - each.first_wh for each in own)
        self.ranges = [
            _Range(
                each.bundle_id, each.holder_id, each.first_wh, each.last_wh, each.holder_id, False
            )
            for each in own
            if each.is_active
        ]
        self.given = {
            buyer: wh for (device, buyer), wh in before.given.items() if device == device_id
        }
        # What the device was asked for last time: what stands, without what it owes for it.
        self.asked_before = self.issued_wh - before.interval_debts.get(device_id, 0)
        self.owed = before.debts.get(device_id, 0)
        self.debt = 0
        self.moves: list[MoveRow] = []

    def settle(self) -> None:
        """Take back, withdraw, issue and give."""
        producer = self.target.producer_id
        wanted = self._wanted()
        change = self.target.wh - self.asked_before
        freed = sum(
            self._free(buyer, wh - wanted.get(buyer, 0)) for buyer, wh in self.given.items()
        )
        needs = {buyer: wh - self.given.get(buyer, 0) for buyer, wh in wanted.items()}
        needs = {buyer: wh for buyer, wh in needs.items() if wh > 0}
        repaid = min(self.owed, max(change, 0))
        missing = sum(needs.values()) - (freed + change - repaid)
        freed += self._free(producer, missing)
        withdrawn = min(freed, max(-change, 0))
        self.debt = max(-change, 0) - withdrawn - repaid
        if change > 0:
            self.ranges.append(_Range(0, None, self.end, self.end + change, producer, True))
            self.end += change
        self._withdraw(withdrawn + repaid)
        for buyer, wh in needs.items():
            self._give(buyer, wh)
        for each in self.ranges:
            if each.is_free:
                each.now, each.is_free = producer, False
        self._write_moves()

    def _wanted(self) -> dict[int, int]:
        """Return what buyers should hold by their trades, the export being all there is."""
        left, wanted = self.target.wh, dict[int, int]()
        for buyer, wh in self.target.sales:
            part = min(wh, left)
            left -= part
            if part and buyer != self.target.producer_id:
                wanted[buyer] = wanted.get(buyer, 0) + part
        return wanted

    def _free(self, holder: int, wh: int) -> int:
        """Lay aside up to ``wh`` of a holder's, the highest numbers first; return how much."""
        got = 0
        for each in reversed(list(self.ranges)):
            if got >= wh:
                break
            if not each.is_free and each.now == holder:
                part = self._cut_end(each, wh - got)
                part.is_free = True
                got += part.wh
        return got

    def _withdraw(self, wh: int) -> None:
        for part in self._laid_aside(wh):
            part.now, part.is_withdrawn = self.target.producer_id, True

    def _give(self, holder: int, wh: int) -> None:
        for part in self._laid_aside(wh):
            part.now = holder

    def _laid_aside(self, wh: int) -> Iterable[_Range]:
        """Hand out up to ``wh`` of what was laid aside, the highest numbers first."""
        for each in reversed(list(self.ranges)):
            if wh <= 0:
                return
            if each.is_free:
                part = self._cut_end(each, wh)
                part.is_free = False
                wh -= part.wh
                yield part

    def _cut_end(self, each: _Range, wh: int) -> _Range:
        """Return the last ``wh`` of a range as a range of its own; the range itself if it fits."""
        if wh >= each.wh:
            return each
        cut = each.last - wh
        part = _Range(each.bundle_id, each.was, cut, each.last, each.now, each.is_free)
        each.last = cut
        self.ranges.insert(self.ranges.index(each) + 1, part)
        return part

    def _write_moves(self) -> None:
        producer = self.target.producer_id
        for each in self.ranges:
            if each.was is None:
                self._move(Move.ISSUED, ISSUER, producer, each)
            elif each.was != producer and (each.now != each.was or each.is_withdrawn):
                self._move(Move.RETURNED, each.was, producer, each)
            if each.is_withdrawn:
                self._move(Move.WITHDRAWN, producer, WITHDRAWN, each)
            elif each.now not in (producer, each.was):
                self._move(Move.WITH_TRADE, producer, each.now, each)

    def _move(self, kind: Move, giver: int, receiver: int, each: _Range) -> None:
        self.moves.append(
            (int(kind), self.interval_id, self.device_id, giver, receiver, each.first, each.last)
        )

    def changed_parts(self) -> list[Part]:
        """Return the parts of every bundle that is not as it was; the last part keeps its row."""
        changed = {
            each.bundle_id for each in self.ranges if each.now != each.was or each.is_withdrawn
        }
        last = {each.bundle_id: each.last for each in self.ranges}
        return [
            Part(
                each.bundle_id if each.last == last[each.bundle_id] else 0,
                self.device_id,
                each.now,
                each.first,
                each.last,
                each.is_withdrawn,
            )
            for each in self.ranges
            if each.bundle_id in changed
        ]

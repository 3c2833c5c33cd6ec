"""``state' = apply(state, command)``: how a command is judged, and what it books.

References
----------
docs/ledger.md, "Rules".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from validator.bodies import HOLD, POST, POSTED, RELEASE, Transfers, split_reference
from validator.state import (
    COUNTERS,
    CREDITS_PENDING,
    CREDITS_POSTED,
    DEBITS_PENDING,
    DEBITS_POSTED,
    Hold,
    State,
)

COUNTER_MAX = 2**61
BOOKED = "booked"
NOT_CANONICAL = "not_canonical"


@dataclass(slots=True)
class Booking:
    """A command's effect, worked out before anything is changed.

    Maps go from an account's place to what is added to one of its counters.
    """

    debits: list[int]
    credits: list[int]
    posted_debits: dict[int, int] = field(default_factory=dict)
    posted_credits: dict[int, int] = field(default_factory=dict)
    pending_debits: dict[int, int] = field(default_factory=dict)
    pending_credits: dict[int, int] = field(default_factory=dict)
    holds: list[Hold | None] | None = None
    corrects: list[int] | None = None

    def sums(self) -> tuple[tuple[dict[int, int], int], ...]:
        """Return what is added, and to which counter; every account stands in a posted one."""
        posted = (
            (self.posted_debits, DEBITS_POSTED),
            (self.posted_credits, CREDITS_POSTED),
        )
        if not self.pending_debits:
            return posted
        return (
            *posted,
            (self.pending_debits, DEBITS_PENDING),
            (self.pending_credits, CREDITS_PENDING),
        )


def judge(state: State, transfers: Transfers) -> Booking | str:
    """Return what a command books, or the code of its refusal; nothing changes.

    Parameters
    ----------
    state : State
        The state before the command.
    transfers : Transfers
        Its legs.
    """
    places = state.places
    try:
        debits = [places[number] for number in transfers.debit]
        credits_ = [places[number] for number in transfers.credit]
    except KeyError:
        return "account_unknown"
    unit_of = state.unit_of
    if [unit_of[place] for place in debits] != [unit_of[place] for place in credits_]:
        return "units_differ"
    booking = Booking(debits, credits_)
    if transfers.hold is not None:
        refusal = _find_holds(state, transfers, booking)
        if refusal is not None:
            return refusal
    if transfers.corrects is not None:
        refusal = _find_corrected(state, transfers.corrects, booking)
        if refusal is not None:
            return refusal
    if _is_too_much(transfers, booking):
        return "counter_overflow"
    return _refusal_of_counters(state, booking) or booking


def _find_holds(state: State, transfers: Transfers, booking: Booking) -> str | None:
    """Look up the hold that each post and release names; the code of the first that is refused."""
    assert transfers.hold is not None
    assert transfers.kind is not None
    found: list[Hold | None] = []
    ended: set[str] = set()
    for leg, reference in enumerate(transfers.hold):
        if not reference:
            found.append(None)
            continue
        hold = state.holds.get(reference)
        if hold is None:
            return "hold_resolved" if _is_remembered(state, reference) else "hold_unknown"
        if reference in ended:
            return "hold_resolved"
        is_post = transfers.kind[leg] == POST
        if is_post and hold.expires and hold.expires <= state.time:
            return "hold_expired"
        amount = transfers.amount[leg]
        if (
            hold.debit != booking.debits[leg]
            or hold.credit != booking.credits[leg]
            or amount > hold.amount
            or (amount != hold.amount and not is_post)
        ):
            return "hold_differs"
        ended.add(reference)
        found.append(hold)
    booking.holds = found
    return None


def _is_remembered(state: State, reference: str) -> bool:
    """Tell whether a reference names a hold that has ended and was not pruned since."""
    parts = split_reference(reference)
    assert parts is not None, "a body with such a reference has no form"
    key, leg = parts
    first, _ = state.find_command(key) or (0, 0)
    return first + leg > state.pruned and state.is_ended_hold(reference)


def _find_corrected(state: State, references: Iterable[str], booking: Booking) -> str | None:
    ids = []
    for reference in references:
        if not reference:
            ids.append(0)
            continue
        parts = split_reference(reference)
        assert parts is not None, "a body with such a reference has no form"
        key, leg = parts
        first, legs = state.find_command(key) or (0, 0)
        if leg >= legs or first + leg <= state.pruned:
            return "corrected_unknown"
        ids.append(first + leg)
    booking.corrects = ids
    return None


def _is_too_much(transfers: Transfers, booking: Booking) -> bool:
    """Add up what each account's counters get; tell whether it is more than any ledger holds."""
    if transfers.kind is None:
        if len(transfers.amount) == 1:
            # Most commands are like this one: the short way is the same way.
            (amount,) = transfers.amount
            booking.posted_debits[booking.debits[0]] = amount
            booking.posted_credits[booking.credits[0]] = amount
            return False
        _add(booking.posted_debits, booking.debits, transfers.amount)
        _add(booking.posted_credits, booking.credits, transfers.amount)
        return sum(transfers.amount) > COUNTER_MAX
    pending, posted = [], []
    holds = booking.holds or [None] * len(transfers)
    for kind, amount, hold in zip(transfers.kind, transfers.amount, holds, strict=True):
        pending.append(0 if kind == POSTED else amount if hold is None else -hold.amount)
        posted.append(amount if kind in (POSTED, POST) else 0)
    _add(booking.posted_debits, booking.debits, posted)
    _add(booking.posted_credits, booking.credits, posted)
    _add(booking.pending_debits, booking.debits, pending)
    _add(booking.pending_credits, booking.credits, pending)
    return sum(map(abs, pending)) + sum(posted) > COUNTER_MAX


def _add(sums: dict[int, int], places: Iterable[int], amounts: Iterable[int]) -> None:
    get = sums.get
    for place, amount in zip(places, amounts, strict=True):
        sums[place] = get(place, 0) + amount


def _refusal_of_counters(state: State, booking: Booking) -> str | None:
    """Return the refusal when a counter would overflow or an account would pass its limit."""
    counters, limits = state.counters, state.limits
    for sums, counter in booking.sums():
        for place, amount in sums.items():
            if counters[place * COUNTERS + counter] + amount > COUNTER_MAX:
                return "counter_overflow"
    # Every account that is debited stands in posted_debits, if only with a zero for a hold.
    earned, held = booking.posted_credits.get, booking.pending_debits.get
    for place, amount in booking.posted_debits.items():
        limit = limits[place]
        if limit < 0:
            continue
        more = amount + held(place, 0) - earned(place, 0)
        at = place * COUNTERS
        used = counters[at + DEBITS_PENDING] + counters[at + DEBITS_POSTED]
        if more > 0 and used - counters[at + CREDITS_POSTED] + more > limit:
            return "limit_exceeded"
    return None


def book(state: State, key: str, transfers: Transfers, booking: Booking) -> int:
    """Change the state by a command that was judged; return the id of its first transfer.

    Parameters
    ----------
    state : State
        The state that the command was judged on.
    key : str
        The command's key.
    transfers : Transfers
        Its legs.
    booking : Booking
        What :func:`judge` returned.
    """
    counters, units, unit_of = state.counters, state.units, state.unit_of
    first = state.next_transfer
    state.next_transfer += len(transfers)
    for sums, counter in booking.sums():
        for place, amount in sums.items():
            counters[place * COUNTERS + counter] += amount
    state.touch(booking.posted_debits)
    state.touch(booking.posted_credits)
    for place, amount in booking.posted_credits.items():
        units[unit_of[place]].posted += amount
    for place, amount in booking.pending_credits.items():
        units[unit_of[place]].pending += amount
    state.fresh.commands[key] = (first, len(transfers))
    if transfers.kind is not None:
        _change_holds(state, key, transfers, booking, first)
    return first


def _change_holds(
    state: State, key: str, transfers: Transfers, booking: Booking, first: int
) -> None:
    assert transfers.kind is not None
    expires = transfers.expires or [0] * len(transfers)
    references = transfers.hold or [""] * len(transfers)
    for leg, kind in enumerate(transfers.kind):
        if kind == HOLD:
            hold = Hold(
                first + leg,
                booking.debits[leg],
                booking.credits[leg],
                transfers.amount[leg],
                expires[leg],
            )
            name = f"{key}/{leg}"
            state.holds[name] = state.fresh.holds[name] = hold
        elif kind in (POST, RELEASE):
            del state.holds[references[leg]]
            state.fresh.ended.add(references[leg])

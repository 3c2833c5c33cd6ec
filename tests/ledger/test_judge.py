"""The judge against a twin that thinks transfer by transfer, in dictionaries and plain integers."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.domain.commands import AMOUNT_MAX, TransferKind, Transfers
from ledger.domain.judge import NO_LIMIT, Book, Refusal
from tests.ledger.bookkeeping import transfers

# Account 1 has nothing to give, 2 may overdraw by 5, 3 and 4 have no limit, 5 keeps other units.
LIMITS = {1: 0, 2: 5, 3: None, 4: None, 5: None}
UNITS = {1: "a", 2: "a", 3: "a", 4: "a", 5: "b"}
UNKNOWN = 9
ENDS = (TransferKind.POST, TransferKind.RELEASE)
KEYS = ["k0", "k1", "k2", "k3"]

Counters = Counter[tuple[int, str]]


def fresh_book() -> Book:
    return Book(
        ids=np.array(sorted(LIMITS), dtype=np.int64),
        units=np.array([ord(UNITS[a]) for a in sorted(LIMITS)], dtype=np.int64),
        limits=np.array(
            [NO_LIMIT if LIMITS[a] is None else LIMITS[a] for a in sorted(LIMITS)], dtype=np.int64
        ),
        counters=np.zeros((4, len(LIMITS)), dtype=np.int64),
    )


@dataclass
class Twin:
    """The rules once more, slow and obvious."""

    counters: Counters = field(default_factory=Counter)
    booked: dict[str, tuple[int, int, int, TransferKind]] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)

    def apply(self, key: str, command: Transfers) -> Refusal | None:
        rows = list(zip(*(column.tolist() for column in columns(command)), strict=True))
        holds = command.holds or [""] * len(rows)
        corrects = command.corrects or [""] * len(rows)
        if any(account not in LIMITS for row in rows for account in row[:2]):
            return Refusal.ACCOUNT_UNKNOWN
        if any(UNITS[row[0]] != UNITS[row[1]] for row in rows):
            return Refusal.UNITS_DIFFER
        after, ended = Counter(self.counters), set(self.ended)
        for row, name in zip(rows, holds, strict=True):
            if name and (refusal := self._end_hold(row, name, after, ended)):
                return refusal
        if any(name and name not in self.booked for name in corrects):
            return Refusal.CORRECTED_UNKNOWN
        for debit, credit, amount, kind in rows:
            move(after, debit, credit, amount, kind)
        if max(after.values()) > AMOUNT_MAX:
            return Refusal.COUNTER_OVERFLOW
        for account, limit in LIMITS.items():
            overdraft, before = use_of(after, account), use_of(self.counters, account)
            if limit is not None and overdraft > limit and overdraft > before:
                return Refusal.LIMIT_EXCEEDED
        self.counters, self.ended = after, ended
        for leg, row in enumerate(rows):
            self.booked[f"{key}/{leg}"] = row
        return None

    def _end_hold(
        self, row: tuple[int, int, int, int], name: str, after: Counters, ended: set[str]
    ) -> Refusal | None:
        debit, credit, amount, kind = row
        held = self.booked.get(name)
        if held is None or held[3] != TransferKind.HOLD:
            return Refusal.HOLD_UNKNOWN
        if name in ended:
            return Refusal.HOLD_RESOLVED
        if held[:2] != (debit, credit) or amount > held[2]:
            return Refusal.HOLD_DIFFERS
        if kind == TransferKind.RELEASE and amount != held[2]:
            return Refusal.HOLD_DIFFERS
        ended.add(name)
        after[debit, "debits pending"] -= held[2]
        after[credit, "credits pending"] -= held[2]
        return None


def move(after: Counters, debit: int, credit: int, amount: int, kind: int) -> None:
    if kind == TransferKind.RELEASE:
        return
    state = "pending" if kind == TransferKind.HOLD else "posted"
    after[debit, f"debits {state}"] += amount
    after[credit, f"credits {state}"] += amount


def use_of(counters: Counters, account: int) -> int:
    return (
        counters[account, "debits pending"]
        + counters[account, "debits posted"]
        - counters[account, "credits posted"]
    )


def columns(command: Transfers) -> Sequence[np.ndarray]:
    return command.debit, command.credit, command.amount, command.kinds


@st.composite
def any_command(draw: st.DrawFn) -> Transfers:
    accounts = st.sampled_from([1, 1, 2, 2, 3, 3, 4, 4, 4, 5, UNKNOWN])
    references = st.builds("{}/{}".format, st.sampled_from(KEYS), st.integers(0, 2))
    rows, kinds, holds, corrects = [], [], [], []
    for _ in range(draw(st.integers(1, 3))):
        debit, credit = draw(st.tuples(accounts, accounts).filter(lambda pair: pair[0] != pair[1]))
        rows.append((debit, credit, draw(st.integers(1, 8))))
        kinds.append(draw(st.sampled_from([TransferKind.POSTED, *TransferKind])))
        holds.append(draw(references) if kinds[-1] >= TransferKind.POST else "")
        corrects.append(draw(st.sampled_from([""] * 4 + ["k0/0", "k1/1"])))
    return transfers(*rows, kind=kinds, holds=holds, corrects=corrects)


@st.composite
def ends_of_hold(draw: st.DrawFn, key: str, held: Transfers) -> Transfers:
    """End a command's first transfer as if it were a hold, mostly in order, sometimes twice."""
    amount, kind = int(held.amount[0]), draw(st.sampled_from([TransferKind.POST] * 2 + [*ENDS]))
    amount += draw(st.sampled_from([0, 0, 0, 1, -1 if amount > 1 else 0]))
    times = draw(st.sampled_from([1, 1, 1, 2]))
    row = (int(held.debit[0]), int(held.credit[0]), amount)
    return transfers(*[row] * times, kind=[kind] * times, holds=[f"{key}/0"] * times)


@st.composite
def stories(draw: st.DrawFn) -> list[tuple[str, Transfers]]:
    story: list[tuple[str, Transfers]] = []
    reserved: list[int] = []
    for number in range(draw(st.integers(1, 10))):
        choice = draw(st.sampled_from(["any", "hold", "end", "end"]))
        if choice == "end" and reserved:
            command = draw(ends_of_hold(*story[draw(st.sampled_from(reserved))]))
        elif choice == "hold":
            row = (draw(st.sampled_from([2, 3])), 4, draw(st.integers(1, 4)))
            command = transfers(row, kind=[TransferKind.HOLD])
            reserved.append(number)
        else:
            command = draw(any_command())
        story.append((f"k{number}", command))
    return story


@settings(max_examples=400)
@given(stories())
def test_judges_as_the_twin_does(story: list[tuple[str, Transfers]]) -> None:
    book, twin, next_id = fresh_book(), Twin(), 1

    for key, command in story:
        refusal = book.apply(command)
        assert refusal == twin.apply(key, command)
        if refusal is None:
            book.register(key, command, next_id)
            next_id += len(command)
        for at, account in enumerate(sorted(LIMITS)):
            assert book.counters[:, at].tolist() == [
                twin.counters[account, name]
                for name in ("debits pending", "debits posted", "credits pending", "credits posted")
            ]
    assert (book.counters >= 0).all()
    assert book.counters[0].sum() == book.counters[2].sum()
    assert book.counters[1].sum() == book.counters[3].sum()


@pytest.mark.parametrize(("extra", "refusal"), [(0, None), (1, Refusal.COUNTER_OVERFLOW)])
def test_a_counter_can_be_filled_to_its_bound_and_not_beyond(
    extra: int, refusal: Refusal | None
) -> None:
    book = fresh_book()
    assert book.apply(transfers((3, 4, AMOUNT_MAX - 1))) is None

    assert book.apply(transfers((3, 4, 1 + extra))) == refusal


def test_sums_that_would_pass_int64_are_refused_and_change_nothing() -> None:
    book = fresh_book()

    assert book.apply(transfers(*[(3, 4, AMOUNT_MAX)] * 20)) == Refusal.COUNTER_OVERFLOW
    # A float would round this sum down to the bound.
    assert book.apply(transfers((3, 4, AMOUNT_MAX), (4, 3, 1))) == Refusal.COUNTER_OVERFLOW
    assert not book.counters.any()


def test_an_account_over_its_limit_may_still_receive_and_be_released() -> None:
    book = fresh_book()
    book.counters[1, 0] = 7  # a limit of 0, as if it had been lowered behind the account's back
    book.counters[3, 2] = 7

    assert book.apply(transfers((1, 3, 1))) == Refusal.LIMIT_EXCEEDED
    assert book.apply(transfers((3, 1, 2))) is None
    assert book.apply(transfers((1, 3, 2), (3, 1, 2))) is None

"""Every answer of the ledger's rules, re-executed from a log."""

from typing import Any

import pytest

from tests.validator.follower import Follower, objection_to
from tests.validator.ledger_twin import MINUTE, START, Leaf, Ledger, Leg, base64, body_of

ALICE, BOB, CHARLIE, KWH = 1, 2, 3, 9


@pytest.fixture
def ledger() -> Ledger:
    return begun()


def test_an_honest_log_is_followed_to_the_end(ledger: Ledger) -> None:
    ledger.submit("pay", Leg(BOB, CHARLIE, 150), Leg(ALICE, CHARLIE, 7, code=32767))
    ledger.submit("hold", Leg(CHARLIE, ALICE, 90, kind="hold", expires=START + 10 * MINUTE))
    ledger.submit("two", *[Leg(CHARLIE, BOB, 20, kind="hold")] * 2)
    ledger.seal()
    ledger.submit("post", Leg(CHARLIE, ALICE, 60, kind="post", hold="hold/0"))
    ledger.submit(
        "mixed",
        Leg(CHARLIE, BOB, 20, kind="release", hold="two/1"),
        Leg(ALICE, BOB, 1, corrects="pay/1"),
    )
    ledger.open(1_000, unit="EUR")
    ledger.document("doc", "note", {"shown": "ü \n"}, {"hidden": "秘"})
    ledger.submit("after", Leg(ALICE, 1_000, 1), document="doc", rules="ab" * 32)
    ledger.seal()

    follower = Follower()
    follower.follow(ledger)

    assert follower.state.block == 3
    assert follower.state.holds.keys() == {"two/0"}
    assert follower.state.next_transfer == ledger.next_transfer


REFUSED = [
    ("account_unknown", [Leg(ALICE, 77, 1)]),
    ("units_differ", [Leg(ALICE, KWH, 1)]),
    ("hold_unknown", [Leg(ALICE, BOB, 1, kind="release", hold="opening/0")]),
    ("hold_unknown", [Leg(ALICE, BOB, 1, kind="post", hold="nowhere/0")]),
    ("hold_resolved", [Leg(CHARLIE, ALICE, 5, kind="post", hold="ended/0")]),
    ("hold_resolved", [Leg(ALICE, BOB, 5, kind="post", hold="held/0")] * 2),
    ("hold_expired", [Leg(ALICE, BOB, 5, kind="post", hold="short/0")]),
    ("hold_differs", [Leg(BOB, ALICE, 5, kind="post", hold="held/0")]),
    ("hold_differs", [Leg(ALICE, BOB, 6, kind="post", hold="held/0")]),
    ("hold_differs", [Leg(ALICE, BOB, 4, kind="release", hold="held/0")]),
    ("corrected_unknown", [Leg(ALICE, BOB, 1, corrects="opening/1")]),
    ("corrected_unknown", [Leg(ALICE, BOB, 1, corrects="refused/0")]),
    ("counter_overflow", [Leg(ALICE, BOB, 2**61), Leg(ALICE, BOB, 1)]),
    ("counter_overflow", [Leg(ALICE, BOB, 2**61)]),
    # No counter comes near its end, but the command moves too much in all.
    ("counter_overflow", [Leg(ALICE, BOB, 2**60), Leg(BOB, ALICE, 2**60), Leg(ALICE, BOB, 1)]),
    ("limit_exceeded", [Leg(BOB, ALICE, 151)]),
    ("limit_exceeded", [Leg(BOB, ALICE, 100), Leg(BOB, ALICE, 51, kind="hold")]),
    # The first code that holds is the answer, whatever else is wrong with the command.
    ("account_unknown", [Leg(ALICE, KWH, 1), Leg(ALICE, 77, 1)]),
    ("hold_unknown", [Leg(BOB, ALICE, 999), Leg(ALICE, BOB, 1, kind="post", hold="nowhere/0")]),
]


@pytest.mark.parametrize(("code", "legs"), REFUSED)
def test_a_refusal_is_the_one_the_rules_give(ledger: Ledger, code: str, legs: list[Leg]) -> None:
    _hold_some(ledger)
    ledger.submit("it", *legs, answer=code)
    ledger.seal()

    assert objection_to(ledger) is None


@pytest.mark.parametrize(("code", "legs"), REFUSED)
def test_another_refusal_is_objected_to(ledger: Ledger, code: str, legs: list[Leg]) -> None:
    _hold_some(ledger)
    ledger.submit("it", *legs, answer="hold_expired" if code != "hold_expired" else "hold_differs")
    leaf = ledger.seal().first

    assert objection_to(ledger) == (leaf, "answer")


BOOKED = [
    [Leg(BOB, ALICE, 150)],
    # What a command gives and takes in one counts together.
    [Leg(BOB, ALICE, 151), Leg(ALICE, BOB, 1)],
    # Charlie has less than nothing left to spend, and may still receive, or release.
    [Leg(ALICE, CHARLIE, 1)],
    [Leg(ALICE, BOB, 2, kind="post", hold="held/0")],
    # A release does not mind that the hold has expired.
    [Leg(ALICE, BOB, 5, kind="release", hold="short/0")],
]


@pytest.mark.parametrize("legs", BOOKED)
def test_what_the_rules_allow_may_not_be_refused(ledger: Ledger, legs: list[Leg]) -> None:
    _hold_some(ledger)
    before = len(ledger.entries)
    ledger.submit("it", *legs)
    ledger.seal()
    assert objection_to(ledger) is None

    refusing = begun()
    _hold_some(refusing)
    refusing.submit("it", *legs, answer="limit_exceeded")
    refusing.seal()
    assert objection_to(refusing) == (before, "answer")


WRONG_BODIES: list[Any] = [
    {},
    {"transfers": {}, "version": "1"},
    {**body_of([Leg(1, 2, 3)]), "version": "2"},
    {**body_of([Leg(1, 2, 3)]), "more": "1"},
    {**body_of([Leg(1, 2, 3)]), "rules": "AB" * 32},
    {**body_of([Leg(1, 2, 3)]), "document": "a/b"},
    body_of([]),
    body_of([Leg(1, 1, 3)]),
    body_of([Leg(0, 1, 3)]),
    body_of([Leg(1, 2, 0)]),
    body_of([Leg(1, 2, 2**61 + 1)]),
    body_of([Leg(1, 2, 3, code=32768)]),
    body_of([Leg(1, 2, 3, expires=START)]),
    body_of([Leg(1, 2, 3, kind="post")]),
    body_of([Leg(1, 2, 3, hold="opening/0")]),
    body_of([Leg(1, 2, 3, corrects="opening")]),
    body_of([Leg(1, 2, 3, corrects="opening/00")]),
    {"transfers": {**body_of([Leg(1, 2, 3)])["transfers"], "kind": ["0"]}, "version": "1"},
    {"transfers": {**body_of([Leg(1, 2, 3)])["transfers"], "code": ["01"]}, "version": "1"},
    {"transfers": {**body_of([Leg(1, 2, 3)])["transfers"], "code": ["1", "2"]}, "version": "1"},
    {"transfers": {**body_of([Leg(1, 2, 3)])["transfers"], "memo": ["x"]}, "version": "1"},
    {"document": {"kind": "K", "private": {}, "public": {}}, "version": "1"},
    {"document": {"kind": "k", "private": {}, "public": {"A": ""}}, "version": "1"},
    {"document": {"kind": "k", "private": {"key": ""}, "public": {}}, "version": "1"},
    {"document": {"kind": "k", "private": {}, "public": {"a": "x" * 65_535}}, "version": "1"},
    base64(b'{"version":"1" }'),
    base64(b'{"b":"1","a":"1"}'),
    base64(b"\xff"),
    "",
]


@pytest.mark.parametrize("body", WRONG_BODIES)
def test_a_body_of_another_form_is_not_canonical(ledger: Ledger, body: Any) -> None:
    ledger.answer("it", body, "not_canonical")
    ledger.seal()

    assert objection_to(ledger) is None


def test_a_body_hidden_as_if_it_had_no_form_is_objected_to(ledger: Ledger) -> None:
    ledger.answer("it", base64(b'{"version":"1"}'), "not_canonical")
    leaf = ledger.seal().first

    assert objection_to(ledger) == (leaf, "not_canonical")


def test_the_month_s_totals_stand_at_the_beginning_of_the_next(ledger: Ledger) -> None:
    accounts = range(100, 112)
    for number in accounts:
        ledger.open(number)
        ledger.submit(f"first {number}", Leg(ALICE, number, 5))
    ledger.submit("hold", Leg(ALICE, BOB, 5, kind="hold"))
    ledger.seal()
    ledger.submit("later", Leg(ALICE, BOB, 1))
    shown = {"accounts": "14", "month": "2026-05", "pending": "5", "posted": "110", "unit": "EUR"}
    honest = ledger.draft(after=5 * 1440 * MINUTE, totals=[Leaf("totals", shown=shown)])
    ledger.seal(honest)

    assert objection_to(ledger) is None


def _hold_some(ledger: Ledger) -> None:
    ledger.submit("refused", Leg(CHARLIE, ALICE, 1), answer="limit_exceeded")
    ledger.submit("held", Leg(ALICE, BOB, 5, kind="hold"))
    ledger.submit("short", Leg(ALICE, BOB, 5, kind="hold", expires=ledger.time + MINUTE))
    ledger.submit("pocket", Leg(ALICE, CHARLIE, 5))
    ledger.submit("ended", Leg(CHARLIE, ALICE, 5, kind="hold"))
    ledger.submit("ends", Leg(CHARLIE, ALICE, 5, kind="post", hold="ended/0"))
    ledger.seal()


def begun() -> Ledger:
    """Alice has no limit, Bob may owe 100, Charlie nothing; one account counts something else."""
    ledger = Ledger()
    ledger.open(ALICE)
    ledger.open(BOB, limit=100)
    ledger.open(CHARLIE, limit=0)
    ledger.open(KWH, unit="kWh")
    ledger.submit("opening", Leg(ALICE, BOB, 50))
    ledger.seal()
    return ledger

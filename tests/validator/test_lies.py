"""A lying operator: each lie, and the check of the validator that catches it.

The table is also what documentation and the operator's page may quote: run this module with
``-rP`` and it prints which check catches which lie.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.validator.follower import Follower, objection_to
from tests.validator.ledger_twin import MINUTE, Draft, Leaf, Ledger, Leg, base64, digest
from validator.checks import CHECKS
from validator.errors import HallAhead

HOUSE, SHOP, CITY = 1, 2, 3


@dataclass(frozen=True)
class Lie:
    """What an operator changes in a block between its judgement and its publication.

    ``leaf`` is the place in the block of the leaf that the objection should name.
    """

    name: str
    change: Callable[[Draft], None]
    code: str
    leaf: int


@pytest.fixture
def ledger() -> Ledger:
    return ledger_about_to_lie()


def ledger_about_to_lie() -> Ledger:
    """Return a ledger with one block sealed and the next one's leaves waiting."""
    ledger = Ledger()
    for number in (HOUSE, SHOP, CITY):
        ledger.open(number, limit=100)
    ledger.submit("sale", Leg(HOUSE, SHOP, 11))
    ledger.seal()
    ledger.open(4, limit=5)
    ledger.submit("two legs", Leg(HOUSE, SHOP, 7), Leg(SHOP, CITY, 9))
    ledger.submit("refused", Leg(HOUSE, SHOP, 101), answer="limit_exceeded")
    ledger.document("note", "text", {"shown": "shown text"}, {"hidden": "hidden text"})
    ledger.submit("one leg", Leg(CITY, 4, 3), document="note", rules="ab" * 32)
    return ledger


def test_the_block_without_a_lie_is_accepted(ledger: Ledger) -> None:
    ledger.seal()

    assert objection_to(ledger) is None


def _pop(draft: Draft, at: int) -> Leaf:
    return draft.leaves.pop(at)


def _drop(draft: Draft, at: int, to: int | None = None) -> None:
    del draft.leaves[at : to or at + 1]
    if to is not None:
        draft.closing["leaves"] = str(len(draft.leaves))


def _insert(draft: Draft, at: int, leaf: Leaf) -> None:
    draft.leaves.insert(at, leaf)


def _edit(draft: Draft, at: int, old: str, new: str) -> None:
    leaf = draft.leaves[at]
    assert leaf.opening is not None
    assert old in leaf.opening
    leaf.opening = leaf.opening.replace(old, new, 1)


def _exchange(draft: Draft, one: int, other: int) -> None:
    leaves = draft.leaves
    leaves[one], leaves[other] = leaves[other], leaves[one]


def _rule(draft: Draft, at: int, answer: str) -> None:
    _edit(draft, at, "limit_exceeded", answer)


def _refuse(draft: Draft) -> None:
    _edit(draft, 6, "booked", "limit_exceeded")
    _drop(draft, 7)


def _tell(draft: Draft, at: int, old: str, new: str) -> None:
    opening = draft.leaves[at].opening
    assert opening is not None
    assert old in opening
    draft.leaves[at].told = opening.replace(old, new, 1)


def _tell_nothing(draft: Draft, _: int) -> None:
    leaf = draft.leaves[6]
    assert leaf.opening is not None
    leaf.committed, leaf.opening = leaf.opening.encode(), None


def _tell_more(draft: Draft, at: int) -> None:
    opening = draft.leaves[at].opening
    assert opening is not None
    draft.leaves[at].told = opening + "\n" + opening


def _show(draft: Draft, at: int, **fields: object) -> None:
    draft.leaves[at].shown.update(fields)


def _without_rules(draft: Draft) -> None:
    del draft.leaves[6].shown["rules"]


def _raw(draft: Draft, at: int, raw: bytes) -> None:
    draft.leaves[at].raw = raw


def _close(draft: Draft, **fields: str) -> None:
    draft.closing.update(fields)


def _date(draft: Draft, time: int) -> None:
    draft.closing["time"] = str(time)


def _other_sums(draft: Draft) -> None:
    draft.totals = draft.totals.replace('"30"', '"31"')


def _early_totals(draft: Draft) -> None:
    shown = {"accounts": "10", "month": "2026-05", "pending": "0", "posted": "1", "unit": "EUR"}
    draft.leaves.insert(0, Leaf("totals", shown=shown))
    draft.closing["leaves"] = str(len(draft.leaves))


# The block lied about has an account 0, a command 1 and its transfers 2 and 3, a refusal 4, a
# document 5, a command 6 and its transfer 7, and its own leaf 8.
LIES = [
    Lie("drop a transfer", lambda d: _drop(d, 3), "transfer_missing", 3),
    Lie("drop a command's only transfer", lambda d: _drop(d, 7), "transfer_missing", 7),
    Lie("edit a transfer's amount", lambda d: _edit(d, 2, '"7"', '"8"'), "transfer", 2),
    Lie("edit a transfer's receiver", lambda d: _edit(d, 2, '"2"', '"3"'), "transfer", 2),
    Lie("date a transfer back", lambda d: _edit(d, 2, str(d.time), "1"), "transfer", 2),
    Lie("exchange two transfers", lambda d: _exchange(d, 2, 3), "transfer", 2),
    Lie("invent a transfer", lambda d: _insert(d, 4, d.leaves[2]), "transfer_invented", 4),
    Lie("invent one first of all", lambda d: _insert(d, 1, d.leaves[2]), "transfer_invented", 1),
    Lie("drop a command, not its transfers", lambda d: _drop(d, 1), "transfer_invented", 1),
    Lie("drop a command and its transfers", lambda d: _drop(d, 6, 8), "state_root", 6),
    Lie("drop a refusal", lambda d: _drop(d, 4), "leaf_count", 7),
    Lie("exchange two commands", lambda d: _exchange(d, 4, 5), "none", 0),
    Lie("repeat a command", lambda d: _insert(d, 4, d.leaves[4]), "key_reused", 5),
    Lie("book what is to be refused", lambda d: _rule(d, 4, "booked"), "transfer_missing", 5),
    Lie("refuse what is to be booked", _refuse, "answer", 6),
    Lie("give another reason", lambda d: _rule(d, 4, "units_differ"), "answer", 4),
    Lie("tell another command", lambda d: _tell(d, 1, '"7"', '"8"'), "commitment", 1),
    Lie("keep an opening back", lambda d: _tell_nothing(d, 7), "commitment", 6),
    Lie("tell another document", lambda d: _tell(d, 5, "hidden text", "text"), "commitment", 5),
    Lie("show another document", lambda d: _show(d, 5, kind="other"), "document", 5),
    Lie("show other public fields", lambda d: _show(d, 5, public={}), "document", 5),
    Lie("rest on no document", lambda d: _edit(d, 6, '"note"', '"none"'), "document", 6),
    Lie("name other rules", lambda d: _show(d, 6, rules="cd" * 32), "rules", 6),
    Lie("name no rules", _without_rules, "rules", 6),
    Lie("name rules for a command without", lambda d: _show(d, 1, rules="a" * 64), "rules", 1),
    Lie("open an account twice", lambda d: _edit(d, 0, '"4"', '"1"'), "account", 0),
    Lie("open an account numbered 0", lambda d: _edit(d, 0, '"4"', '"0"'), "account", 0),
    Lie("change a limit", lambda d: _edit(d, 0, '"5"', '"50"'), "state_root", 8),
    Lie("open an account late", lambda d: _insert(d, 8, _pop(d, 0)), "leaf_order", 7),
    Lie("a leaf of a new type", lambda d: _raw(d, 4, b'{"type":"x"}'), "leaf_type", 4),
    Lie("a leaf with a space", lambda d: _raw(d, 4, b'{"type": "command"}'), "not_canonical", 4),
    Lie("a leaf with a number", lambda d: _raw(d, 4, b'{"type":1}'), "not_canonical", 4),
    Lie(
        "a key twice",
        lambda d: _raw(d, 4, b'{"a":"","a":"","type":"command"}'),
        "not_canonical",
        4,
    ),
    Lie("an opening with a space", lambda d: _edit(d, 1, ",", ", "), "not_canonical", 1),
    Lie("another state root", lambda d: _close(d, state=base64(digest())), "state_root", 8),
    Lie("other sums", _other_sums, "totals", 8),
    Lie("public totals too early", _early_totals, "totals", 0),
    Lie("count a leaf more", lambda d: _close(d, leaves="9"), "leaf_count", 8),
    Lie("open more than there is", lambda d: _tell_more(d, 6), "commitment", 8),
    Lie("skip a block's number", lambda d: _close(d, block="3"), "commitment", 0),
    Lie("turn the clock back", lambda d: _date(d, d.time - 2 * MINUTE), "time", 8),
    Lie("another protocol", lambda d: _close(d, version="2"), "version", 8),
]


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.name)
def test_a_lie_is_caught_by_its_check(lie: Lie, ledger: Ledger) -> None:
    now = ledger.time + MINUTE
    sealed = ledger.lie(lie.change)
    follower = Follower()
    follower.take(ledger.blocks[0], now=now)

    ledger.time = now
    found = objection_to(ledger, follower)

    if lie.code == "none":
        # Nobody can say which of two answers came first; the log is right either way.
        assert found is None
        return
    assert found == (sealed.first + lie.leaf, lie.code)
    print(f"{lie.name:40} {lie.code:18} {CHECKS[lie.code]}")


def test_a_block_from_the_future_is_waited_for(ledger: Ledger) -> None:
    now = ledger.time + MINUTE
    sealed = ledger.lie(lambda draft: _date(draft, draft.time + 11 * MINUTE))
    follower = Follower()
    follower.take(ledger.blocks[0], now=now)

    with pytest.raises(HallAhead, match="block 2 is more than ten minutes ahead"):
        follower.take(sealed, now=now)


def test_a_block_is_not_skipped_by_a_hall_that_says_so_everywhere(ledger: Ledger) -> None:
    sealed = ledger.lie(lambda draft: _close(draft, block="3"))
    sealed.openings = sealed.openings.replace(b'"block":"2"', b'"block":"3"')

    assert objection_to(ledger) == (len(ledger.entries) - 1, "block_number")

"""What a lying operator does; ``tests/log/test_lying_operator.py`` says what each comes to."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from unittest import mock

import numpy as np

from ledger.domain.growing_log import entries_in
from ledger.domain.rule_core import Answer, AskedCommand, State, apply_all
from ledger.services import submit, worker
from tests.log.lying_leaves import Draft, Leaf
from tests.log.lying_operator import Operator, transfer


def in_leaves(change: Callable[[Draft], None]) -> Callable[[Operator], None]:
    """Change leaves between judgement and sealing; openings and roots fit the lie."""

    def do(hall: Operator) -> None:
        hall.clear()
        hall.settle()
        hall.others()
        hall.seal_with(change)

    return do


def in_files(change: Callable[[Operator], None]) -> Callable[[Operator], None]:
    """Publish an honest block and change what is served of it."""

    def do(hall: Operator) -> None:
        honestly(hall)
        hall.publish()
        change(hall)

    return do


def honestly(hall: Operator) -> None:
    hall.clear()
    hall.settle()
    hall.others()
    hall.seal()


# Leaves.


def drop(draft: Draft, first: int, last: int) -> None:
    del draft.leaves[first:last]
    draft.count()


def drop_transfer(draft: Draft) -> None:
    legs = draft.legs(key_of(draft, "settle:"))
    drop(draft, legs.start, legs.start + 1)


def key_of(draft: Draft, begins: str) -> str:
    return next(leaf.key for leaf in draft.leaves if leaf.key.startswith(begins))


def drop_command(draft: Draft) -> None:
    legs = draft.legs("gift-2")
    drop(draft, legs.start - 1, legs.stop)


def drop_refusal(draft: Draft) -> None:
    draft.leaves.pop(draft.find("too-much"))


def drop_refusal_and_count(draft: Draft) -> None:
    drop_refusal(draft)
    draft.count()


def edit_transfer(draft: Draft) -> None:
    draft.leaves[draft.legs("gift-1").start].replace('"amount":"7"', '"amount":"8"')


def redirect_transfer(draft: Draft) -> None:
    leaf = draft.leaves[draft.legs("gift-1").start]
    leaf.replace('"credit":"', '"credit":"1')


def exchange_transfers(draft: Draft) -> None:
    one = draft.legs(key_of(draft, "settle:")).start
    leaves = draft.leaves
    leaves[one], leaves[one + 1] = leaves[one + 1], leaves[one]


def money_before_book(draft: Draft) -> None:
    book, legs = draft.find(key_of(draft, "book:")), draft.legs(key_of(draft, "settle:"))
    draft.leaves.insert(legs.stop - 1, draft.leaves.pop(book))


def exchange_gifts(draft: Draft) -> None:
    one, other = draft.legs("gift-1"), draft.legs("too-much")
    moved = draft.leaves[other.start - 1 : other.stop]
    del draft.leaves[other.start - 1 : other.stop]
    draft.leaves[one.start - 1 : one.start - 1] = moved


def invent_transfer(draft: Draft) -> None:
    legs = draft.legs("gift-1")
    draft.leaves.insert(legs.stop, replace(draft.leaves[legs.start]))
    draft.count()


def reuse_key(draft: Draft) -> None:
    leaf = draft.leaves[draft.find("too-much")]
    leaf.replace('"too-much"', '"gift-1"')


def another_reason(draft: Draft) -> None:
    draft.leaves[draft.find("too-much")].replace("limit_exceeded", "account_unknown")


def other_rules(draft: Draft) -> None:
    draft.leaves[draft.find(key_of(draft, "settle:"))].rules = "ab" * 32


def other_account(draft: Draft) -> None:
    opened = next(leaf for leaf in draft.leaves if leaf.kind == "account")
    before, _, after = opened.opening.decode().partition('"account":"')
    opened.opening = f'{before}"account":"1{after[after.index(chr(34)) :]}'.encode()


def other_limit(draft: Draft) -> None:
    next(leaf for leaf in draft.leaves if leaf.kind == "account").replace("null", '"5000"')


def late_account(draft: Draft) -> None:
    place = next(at for at, leaf in enumerate(draft.leaves) if leaf.kind == "account")
    draft.leaves.append(draft.leaves.pop(place))


def with_raw(raw: bytes) -> Callable[[Draft], None]:
    def change(draft: Draft) -> None:
        draft.leaves[draft.find("gift-2")] = Leaf("raw", raw=raw)

    return change


def month_totals(draft: Draft) -> None:
    raw = draft.leaves[0].raw
    assert raw is not None
    draft.leaves[0].raw = raw.replace(b'"posted":"', b'"posted":"1')


def no_month_totals(draft: Draft) -> None:
    drop(draft, 0, 1)


def closing(**changes: str) -> Callable[[Draft], None]:
    def change(draft: Draft) -> None:
        draft.closing.update(changes)

    return change


def other_sums(draft: Draft) -> None:
    draft.totals = draft.totals.replace(b'"debits_posted":"', b'"debits_posted":"1')


def later(delta: timedelta) -> Callable[[Draft], None]:
    def change(draft: Draft) -> None:
        draft.closing["time"] = str(draft.time + int(delta.total_seconds()) * 1_000_000)

    return change


def other_document(draft: Draft) -> None:
    leaf = draft.leaves[draft.find(key_of(draft, "book:"))]
    assert leaf.document is not None
    leaf.document = replace(leaf.document, kind="note")


def other_key(draft: Draft) -> None:
    key = key_of(draft, "book:")
    draft.leaves[draft.find(key)].tell(f'"{key}"', f'"{key}0"')


# The program, and the owner's hand.


def refuse(hall: Operator) -> None:
    def lying(state: State, asked: list[AskedCommand]) -> list[Answer]:
        answers = []
        for each in asked:
            honest = apply_all(state, [each])[0] if each.key != "gift-1" else None
            nothing = np.empty(0, dtype=np.int64)
            answers.append(honest or Answer(each, "limit_exceeded", 0, nothing, nothing))
        return answers

    hall.others()
    with mock.patch.object(worker, "apply_all", lying):
        hall.seal()


def book_past_the_limit(hall: Operator) -> None:
    hall.others()
    hall.own("UPDATE ledger_account SET overdraft_limit = 5000 WHERE path = 'till'")
    hall.seal()


def move_a_counter(hall: Operator) -> None:
    hall.others()
    hall.own("UPDATE ledger_account SET credits_posted = credits_posted + 5 WHERE path = 'till'")
    hall.seal()


def insert_a_transfer(hall: Operator) -> None:
    hall.own(
        "INSERT INTO ledger_transfer SELECT (jsonb_populate_record(t, jsonb_build_object('id',"
        " h.last_transfer_id + 1, 'leg', 99))).*"
        " FROM ledger_transfer t, ledger_head h WHERE t.id = 1"
    )
    hall.own("UPDATE ledger_head SET last_transfer_id = last_transfer_id + 1")
    hall.others()
    hall.seal()


def tell_another_command(hall: Operator) -> None:
    """Tell validators another amount than the log commits to."""
    honestly(hall)
    body = transfer("gift-1", *hall.pair(), 6).body
    hall.own("UPDATE ledger_inboxcommand SET body = %s WHERE key = 'gift-1'", body)


def keep_an_opening_back(hall: Operator) -> None:
    honestly(hall)
    hall.own("DELETE FROM ledger_inboxcommand WHERE key = 'too-much'")


# What is served.


def flip(data: bytes) -> bytes:
    return data[:-20] + bytes([data[-20] ^ 1]) + data[-19:]


def exchange_entries(data: bytes) -> bytes:
    entries = list(entries_in(data))
    entries[-1], entries[-2] = entries[-2], entries[-1]
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def fork(hall: Operator) -> None:
    """Let the log be cosigned, then take an old copy and write another past of the same size."""
    honestly(hall)
    hall.publish()
    assert hall.objections() == []
    hall.restore_old_copy()
    honestly(hall)


def longer_fork(hall: Operator) -> None:
    fork(hall)
    submit(commands=[transfer("more", *hall.pair(), 1)], submitted_at=hall.now)
    hall.seal()


def no_openings(hall: Operator) -> None:
    honestly(hall)
    hall.client.forged["openings/2"] = None


# What only others than validators can notice.


def invent_a_command(hall: Operator) -> None:
    submit(commands=[transfer("nobody-asked", *hall.pair(), 7)], submitted_at=hall.now)
    hall.seal()


def forget_a_command(hall: Operator) -> None:
    hall.others()
    hall.own("DELETE FROM ledger_inboxcommand WHERE key = 'gift-2'")
    hall.seal()

"""Intervals recomputed from the worked example of docs/rules.md, and every lie about one."""

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pytest

from tests.validator.interval_story import EXAMPLE, RULES, Story, logged, objection_to, told_story
from tests.validator.ledger_twin import Leg, canonical
from validator.checks import CHECKS


@pytest.mark.parametrize("blocks_apart", [True, False])
def test_the_worked_example_is_recomputed(blocks_apart: bool) -> None:
    story = told_story()
    story.blocks_apart = blocks_apart

    assert objection_to(story) is None


def test_the_seed_gives_the_roots_that_are_printed() -> None:
    ledger, _ = logged(told_story())

    for revision in EXAMPLE["revisions"]:
        assert f'"rows":"{revision["rows_root"]}"'.encode() in b"".join(ledger.entries)


def test_a_book_that_moves_nothing_has_no_command() -> None:
    story = told_story()
    first = story.revisions[0]
    del first.rows[2:]
    first.header["price"] = None
    first.body = None
    story.revisions = [first]
    assert objection_to(story) is None

    story.revisions[0].body = told_story().revisions[0].body
    assert objection_to(story) == ("settle:7:1", "settlement")


@dataclass(frozen=True)
class Lie:
    name: str
    change: Callable[[Story], None]
    leaf: str
    code: str


def changed_rules(**values: object) -> Callable[[Story], None]:
    """Log another rule set, and name it in all books."""

    def change(story: Story) -> None:
        rules = json.loads(RULES)
        rules.update(values)
        story.rules = canonical({k: v for k, v in rules.items() if v != "absent"})
        for revision in story.revisions:
            revision.rules = story.rules

    return change


def in_row(revision: int, meter: str, **values: str | None) -> Callable[[Story], None]:
    return lambda story: story.revisions[revision].position(meter).update(values)


def in_header(revision: int, **values: Any) -> Callable[[Story], None]:
    return lambda story: story.revisions[revision].header.update(values)


def in_money(revision: int, column: str, at: int, value: str) -> Callable[[Story], None]:
    def change(story: Story) -> None:
        story.revisions[revision].body["transfers"][column][at] = value

    return change


def exceptions(revision: int, **values: list[str]) -> Callable[[Story], None]:
    return lambda story: story.revisions[revision].rows[1].update(values)


def set_(revision: int, **values: object) -> Callable[[Story], None]:
    return lambda story: story.revisions[revision].__dict__.update(values)


def _drop_row(story: Story) -> None:
    del story.revisions[2].rows[3]


def _repeat_row(story: Story) -> None:
    story.revisions[0].rows.append(story.revisions[0].rows[2])


def _drop_transfer(story: Story) -> None:
    for column in story.revisions[0].body["transfers"].values():
        column.pop()


def _exchange_transfers(story: Story) -> None:
    for column in story.revisions[0].body["transfers"].values():
        column[0], column[1] = column[1], column[0]


def _without_document(story: Story) -> None:
    del story.revisions[0].body["document"]


def _other_book(story: Story) -> None:
    story.revisions[1].body["document"] = "book:7:1"


def _twice_at_once(story: Story) -> None:
    other = copy.deepcopy(story.revisions[0])
    other.interval = 8
    other.header["interval"] = "8"
    other.body = None
    story.revisions.insert(1, other)


def _move_a_fill(story: Story) -> None:
    in_row(0, "6", sold_wh="532")(story)
    in_row(0, "7", sold_wh="427")(story)


def _change_rules_between(story: Story) -> None:
    other = canonical(json.loads(RULES) | {"notes": "the same prices"})
    story.more_rules.append(other)
    story.revisions[1].rules = other


def _late_rows(*meters: str) -> Callable[[Story], None]:
    def change(story: Story) -> None:
        empty = dict.fromkeys(("bought_wh", "export_wh", "offer", "request", "sold_wh"), "0")
        limits = {"buy_limit": None, "sell_limit": None}
        for meter in meters:
            row = {**empty, **limits, "account": "20", "import_wh": "5", "meter": meter}
            story.revisions[2].rows.append(row)

    return change


def _skip(story: Story) -> None:
    del story.revisions[1]


def _told(data: bytes) -> Callable[[Story], None]:
    return set_(0, told=data)


BANDS = json.loads(RULES)["retail_tariff"]
ROWS = b"".join(canonical(row).encode() + b"\n" for row in told_story().revisions[0].rows)
RULES_KEY = "rules:" + sha256(RULES.encode()).hexdigest()
LIES = [
    Lie(
        "keep the rules to oneself",
        lambda s: s.__dict__.update(rules_are_logged=False),
        "book:7:1",
        "rule_set",
    ),
    Lie(
        "other rules than the hash",
        lambda s: s.rules_public.update(sha256="0" * 64),
        "rules:" + "0" * 64,
        "rule_set",
    ),
    Lie("rules with more to say", lambda s: s.rules_public.update(more=""), RULES_KEY, "rule_set"),
    Lie("rules of another protocol", changed_rules(pricing="pay_as_bid"), "rules:", "rule_set"),
    Lie(
        "rules without a fee",
        changed_rules(platform_fee_micro_per_kwh="absent"),
        "rules:",
        "rule_set",
    ),
    Lie("rules with a fraction", changed_rules(minimum_group_size=1.5), "rules:", "rule_set"),
    Lie(
        "rules with an hour unpriced", changed_rules(retail_tariff=BANDS[1:]), "rules:", "rule_set"
    ),
    Lie(
        "rules with an hour priced twice",
        changed_rules(retail_tariff=[*BANDS, BANDS[0]]),
        "rules:",
        "rule_set",
    ),
    Lie(
        "rules whose fee eats the band",
        changed_rules(platform_fee_micro_per_kwh=30_001),
        "rules:",
        "rule_set",
    ),
    Lie("rules of no time zone", changed_rules(timezone="Moon/Tycho"), "rules:", "rule_set"),
    Lie("tell a changed row", _told(ROWS.replace(b'"313"', b'"314"')), "book:7:1", "rows"),
    Lie("keep a row back", _told(ROWS[: ROWS.rindex(b"{")]), "book:7:1", "rows"),
    Lie("a book of another kind", set_(0, kind="diary"), "book:7:1", "rows"),
    Lie("a book that says more in public", set_(0, public={"more": ""}), "book:7:1", "rows"),
    Lie("energy below zero", in_row(0, "1", import_wh="-1"), "book:7:1", "rows"),
    Lie("more energy than there is", in_row(0, "1", import_wh="1000000001"), "book:7:1", "rows"),
    Lie("the header of another interval", in_header(0, interval="8"), "book:7:1", "book"),
    Lie("a meter twice", _repeat_row, "book:7:1", "book"),
    Lie("a meter missing that is there", exceptions(0, missing=["1", "3"]), "book:7:1", "book"),
    Lie("a meter left out that is not there", exceptions(0, left_out=["3"]), "book:7:1", "book"),
    Lie("two intervals at once", _twice_at_once, "book:8:1", "book"),
    Lie("skip a revision", _skip, "book:7:3", "revision"),
    Lie("another community", in_header(1, community="2"), "book:7:2", "revision"),
    Lie(
        "other parties",
        lambda s: s.revisions[1].header["parties"].update(pool="4"),
        "book:7:2",
        "revision",
    ),
    Lie("a deadline with nothing missing", exceptions(0, missing=[]), "book:7:1", "revision"),
    Lie(
        "a first revision that corrects", in_header(0, reason="correction"), "book:7:1", "revision"
    ),
    Lie(
        "a later one for its first reason", in_header(1, reason="readings"), "book:7:2", "revision"
    ),
    Lie("change fills after the deadline", in_row(2, "1", bought_wh="312"), "book:7:3", "revision"),
    Lie(
        "change limits after the deadline",
        in_row(2, "1", buy_limit="312479"),
        "book:7:3",
        "revision",
    ),
    Lie(
        "change the price after the deadline", in_header(2, price="304001"), "book:7:3", "revision"
    ),
    Lie("forget a row after the deadline", _drop_row, "book:7:3", "revision"),
    Lie("other rules for a revision", _change_rules_between, "book:7:2", "revision"),
    Lie("late rows in no order", _late_rows("41", "40"), "book:7:3", "revision"),
    Lie("late rows that nobody pays for", _late_rows("40", "41"), "settle:7:3", "settlement"),
    Lie("another tariff", in_header(0, retail="330001"), "book:7:1", "prices"),
    Lie("another fee", in_header(0, platform_fee="0"), "book:7:1", "prices"),
    Lie("another time zone", in_header(0, timezone="Asia/Tokyo"), "book:7:1", "prices"),
    Lie("half an hour", in_header(0, ends="1781476200000000"), "book:7:1", "prices"),
    Lie(
        "an hour of another price",
        in_header(0, starts="1781481600000000", ends="1781485200000000"),
        "book:7:1",
        "prices",
    ),
    Lie("an order for nothing", in_row(0, "1", offer="5", sell_limit="1"), "book:7:1", "order"),
    Lie("a limit without an order", in_row(0, "1", request="0"), "book:7:1", "order"),
    Lie("an order of one left out", exceptions(0, left_out=["1"]), "book:7:1", "order"),
    Lie("change a price", in_header(0, price="304001"), "book:7:1", "auction"),
    Lie("change a reading", in_row(0, "5", export_wh="608"), "settle:7:1", "settlement"),
    Lie("change a reading that trades", in_row(0, "1", import_wh="314"), "book:7:1", "auction"),
    Lie("change an order", in_row(0, "6", sell_limit="303999"), "book:7:1", "auction"),
    Lie("move a fill", _move_a_fill, "book:7:1", "auction"),
    Lie("change an amount", in_money(0, "amount", 0, "98283"), "settle:7:1", "settlement"),
    Lie("change a receiver", in_money(0, "credit", 4, "9"), "settle:7:1", "settlement"),
    Lie("change a code", in_money(0, "code", 10, "6"), "settle:7:1", "settlement"),
    Lie("drop a transfer", _drop_transfer, "settle:7:1", "settlement"),
    Lie("exchange two transfers", _exchange_transfers, "settle:7:1", "settlement"),
    Lie("change a difference", in_money(1, "amount", 0, "1"), "settle:7:2", "settlement"),
    Lie("settle without the book", _without_document, "settle:7:1", "settlement"),
    Lie("settle on an older book", _other_book, "settle:7:2", "settlement"),
    Lie("settle a book there is not", set_(0, settle_key="settle:9:1"), "settle:9:1", "settlement"),
    Lie("do not settle", set_(0, body=None), "book:7:2", "settlement_missing"),
    Lie("call a settlement otherwise", set_(0, settle_key="money"), "money", "code"),
    Lie(
        "a settlement's code elsewhere",
        lambda s: s.extra.append(Leg(1, 2, 3, code=6)),
        "extra 6",
        "code",
    ),
]


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.name)
def test_a_lie_about_an_interval_is_caught_by_its_check(lie: Lie) -> None:
    story = told_story()
    lie.change(story)
    found = objection_to(story)

    assert found is not None
    leaf, code = found
    assert code == lie.code
    # The hash of a changed rule set is not written down: any will do.
    assert leaf == lie.leaf or (lie.leaf == "rules:" and leaf.startswith("rules:"))
    print(f"{lie.name:40} {lie.code:18} {CHECKS[lie.code]}")


def test_codes_of_other_money_are_free() -> None:
    story = told_story()
    story.extra = [Leg(1, 2, 3, code=0), Leg(1, 2, 3, code=10)]

    assert objection_to(story) is None

"""A lying operator: each lie about a real hall, and the check of the real validator that names it.

The table is docs/lies.md; with ``-rP`` this module prints it line by line.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_django.plugin import DjangoDbBlocker

from ledger.queries import get_attested_block
from tests.databases import PROJECT
from tests.log import forward_lies, lies, market_lies
from tests.log.caught import (
    ACCEPTED,
    WAITS,
    Lie,
    line,
    require_caught,
    require_named_by_the_hall,
    verify_market,
)
from tests.log.forward_city import ForwardCity, ForwardOperator, forward_city, operator_ahead
from tests.log.lies import closing, in_files, in_leaves, later, with_raw
from tests.log.lies_of_form_2 import LIES_OF_FORM_2
from tests.log.lying_operator import City, Operator, honest_city, operator_of_a_copy
from tests.log.market_lies import changed, in_book
from validator.checks import CHECKS

NOBODY_SIGNS = "everybody: nothing is attested until it is told"
PAGE = PROJECT / "docs" / "lies.md"


LIES: list[Lie[Operator]] = [
    # Transfers and commands.
    Lie("drop a transfer", in_leaves(lies.drop_transfer), "transfer_missing", "command"),
    Lie("drop a command and its transfers", in_leaves(lies.drop_command), "state_root", "block"),
    Lie("drop a refusal", in_leaves(lies.drop_refusal), "leaf_count", "block"),
    Lie("edit a transfer's amount", in_leaves(lies.edit_transfer), "transfer", "transfer"),
    Lie("pay somebody else", in_leaves(lies.redirect_transfer), "transfer", "transfer"),
    Lie("exchange two transfers", in_leaves(lies.exchange_transfers), "transfer", "transfer"),
    Lie("invent a transfer", in_leaves(lies.invent_transfer), "transfer_invented", "transfer"),
    Lie(
        "insert a transfer that the log does not have",
        lies.insert_a_transfer,
        "transfer",
        "transfer",
    ),
    Lie("move an account's counter", lies.move_a_counter, "totals", "totals"),
    Lie("book past a limit", lies.book_past_the_limit, "answer", "command"),
    Lie("refuse what is to be booked", lies.refuse, "answer", "command"),
    Lie("give another reason", in_leaves(lies.another_reason), "answer", "command"),
    Lie("use a key again", in_leaves(lies.reuse_key), "key_reused", "command"),
    Lie("open a number twice", in_leaves(lies.other_account), "account", "account"),
    Lie("open another limit", in_leaves(lies.other_limit), "state_root", "block"),
    # What is told of leaves.
    Lie("two openings for one leaf", lies.tell_another_command, "commitment", "command"),
    Lie("keep an opening back", lies.keep_an_opening_back, "commitment", "command"),
    Lie("show another key for a document", in_leaves(lies.other_key), "commitment", "document"),
    Lie("show a document as another kind", in_leaves(lies.other_document), "document", "document"),
    Lie("tell no openings at all", lies.no_openings, WAITS, noticed_by=NOBODY_SIGNS),
    Lie("tell no rows of a book", market_lies.no_rows, WAITS, noticed_by=NOBODY_SIGNS),
    # The form of leaves and blocks.
    Lie("an account that is opened late", in_leaves(lies.late_account), "leaf_order", "account"),
    Lie("a leaf of another type", in_leaves(with_raw(b'{"type":"x"}')), "leaf_type", "x"),
    Lie(
        "a leaf with a space",
        in_leaves(with_raw(b'{"type": "command"}')),
        "not_canonical",
        "command",
    ),
    Lie("another state root", in_leaves(closing(state="A" * 43 + "=")), "state_root", "block"),
    Lie("other sums", in_leaves(lies.other_sums), "totals", "block"),
    Lie("other totals of a month", in_leaves(lies.month_totals), "totals", "totals"),
    Lie("no totals of a month", in_leaves(lies.no_month_totals), "totals", "account"),
    Lie("turn the clock back", in_leaves(later(timedelta(days=-50))), "time", "block"),
    Lie("skip a block's number", in_leaves(closing(block="3")), "block_number", "block"),
    Lie("count a leaf more", in_leaves(closing(leaves="99")), "leaf_count", "block"),
    Lie("another protocol", in_leaves(closing(version="2")), "version", "block"),
    # Rule sets and books.
    Lie("a leaf that names other rules", in_leaves(lies.other_rules), "rules", "command"),
    Lie(
        "a book under rules that were never logged",
        market_lies.unlogged_rules,
        "rule_set",
        "document",
    ),
    Lie("another rule set than its hash", market_lies.forged_rules, "rule_set", "document"),
    Lie("change a price", in_book(market_lies.cheaper), "auction", "document"),
    Lie("change a reading", in_book(changed("import_wh", -1, 5000)), "auction", "document"),
    Lie("change a reading that was logged", market_lies.edit_kept_book, "rows", "document"),
    Lie("a reading that no meter can have", market_lies.more_than_any_meter, "rows", "document"),
    Lie("change an order", in_book(changed("sell_limits", 0, 10**6)), "auction", "document"),
    Lie("change a fill", in_book(market_lies.move_fill), "auction", "document"),
    Lie("change a fee", in_book(market_lies.dearer_fee), "prices", "document"),
    Lie("let somebody bid who was left out", in_book(market_lies.left_out), "order", "document"),
    Lie("one meter twice", in_book(market_lies.twice), "book", "document"),
    Lie("call it a correction", market_lies.call_it_a_correction, "revision", "document"),
    Lie("skip a revision", market_lies.skip_revision, "revision", "document"),
    Lie("change fills after the deadline", market_lies.amend_fills, "revision", "document"),
    # Signed terms.
    Lie(
        "change a limit and all that follows from it", market_lies.other_limit, "limit", "document"
    ),
    Lie("trade for somebody who revoked", market_lies.trade_all_the_same, "limit", "document"),
    Lie("sign for a member with a new key", market_lies.unknown_key, "terms", "document"),
    Lie("log other terms than were signed", market_lies.unsigned_text, "terms", "document"),
    # Settlements.
    Lie("charge a micro more", market_lies.edit_command, "settlement", "command"),
    Lie("settle under other rules", market_lies.settle_under_other_rules, "settlement", "command"),
    Lie("money before its book", in_leaves(lies.money_before_book), "document", "command"),
    Lie("settle twice", market_lies.settle_twice, "code", "command"),
    Lie("settle under another name", market_lies.another_key, "code", "command"),
    Lie("skip a settlement", market_lies.skip_settlement, "settlement_missing", "document"),
    # The log.
    Lie(
        "flip a byte in a tile",
        in_files(lambda hall: hall.spoil("tile/0/000.p", lies.flip)),
        "tile",
    ),
    Lie(
        "flip a byte of the entries",
        in_files(lambda hall: hall.spoil("tile/entries/000.p", lies.flip)),
        "tile",
    ),
    Lie(
        "swap two leaves",
        in_files(lambda hall: hall.spoil("tile/entries/000.p", lies.exchange_entries)),
        "tile",
    ),
    Lie("fork the log", lies.fork, "fork"),
    Lie("fork the log and go on", lies.longer_fork, "fork"),
    Lie(
        "run ahead of the clock",
        in_leaves(later(timedelta(minutes=11))),
        WAITS,
        noticed_by="everybody: nothing is attested until that time has come",
    ),
    # What no validator can know.
    Lie(
        "change a reading before it is cleared",
        market_lies.another_reading,
        ACCEPTED,
        noticed_by="the member, whose row has another reading than the meter",
    ),
    Lie(
        "a command that nobody asked for",
        lies.invent_a_command,
        ACCEPTED,
        noticed_by="who pays: it is on their statement",
    ),
    Lie(
        "leave a command unanswered",
        lies.forget_a_command,
        ACCEPTED,
        noticed_by="who sent it: no receipt comes",
    ),
    Lie(
        "drop a refusal and count anew",
        in_leaves(lies.drop_refusal_and_count),
        ACCEPTED,
        noticed_by="who sent it: no receipt comes",
    ),
    Lie(
        "leave a book without its money",
        market_lies.leave_without_money,
        ACCEPTED,
        noticed_by="the member, who is not paid; the book's next revision, if there is one",
    ),
    Lie(
        "answer commands in another order",
        in_leaves(lies.exchange_gifts),
        ACCEPTED,
        noticed_by="nobody",
    ),
]

ALL_LIES: list[Lie[Any]] = [*LIES, *LIES_OF_FORM_2]


@pytest.fixture(scope="module")
def city(
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[City]:
    folder = tmp_path_factory.mktemp("city") / "state"
    with django_db_blocker.unblock(), honest_city(folder) as city:
        yield city


@pytest.fixture
def operator(city: City, tmp_path: Path) -> Iterator[Operator]:
    with operator_of_a_copy(city, tmp_path / "copy") as operator:
        yield operator


@pytest.fixture(scope="module")
def city_ahead(
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ForwardCity]:
    folder = tmp_path_factory.mktemp("ahead") / "state"
    with django_db_blocker.unblock(), forward_city(folder) as city:
        yield city


@pytest.fixture
def operator_of_orders(city_ahead: ForwardCity, tmp_path: Path) -> Iterator[ForwardOperator]:
    with operator_ahead(city_ahead, tmp_path / "copy") as operator:
        yield operator


def test_without_a_lie_everything_is_cosigned(operator: Operator) -> None:
    in_leaves(lambda draft: None)(operator)
    operator.publish()

    assert operator.objections() == []
    assert get_attested_block() == 2


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.name)
def test_a_lie_is_caught_by_its_check(lie: Lie[Operator], operator: Operator) -> None:
    lie.do(operator)
    require_caught(lie, operator)


@pytest.mark.parametrize("lie", LIES_OF_FORM_2, ids=lambda lie: lie.name)
def test_a_lie_about_what_was_ordered_or_agreed_is_caught_by_its_check(
    lie: Lie[ForwardOperator], operator_of_orders: ForwardOperator
) -> None:
    lie.do(operator_of_orders)
    require_caught(lie, operator_of_orders)
    require_named_by_the_hall(lie)


def test_without_a_lie_what_was_ordered_is_cosigned(operator_of_orders: ForwardOperator) -> None:
    attested = get_attested_block()
    forward_lies.trade_ahead(operator_of_orders)
    operator_of_orders.publish()

    assert operator_of_orders.objections() == []
    assert get_attested_block() == attested + 1
    assert verify_market() == (2, 1, 3)


def test_every_check_is_met_by_a_lie() -> None:
    assert CHECKS.keys() - {lie.code for lie in ALL_LIES} == set()


def the_page() -> str:
    caught = [lie for lie in ALL_LIES if lie.code in CHECKS]
    others = [lie for lie in ALL_LIES if lie.code not in CHECKS]
    return f"""# What a lying operator runs into

Each line was done to a real hall by its owner (database, program, key and server at once), with
everything that depends on it made to fit, and followed by a real validator. The test that does so
writes the lines of this page: `tests/log/test_lying_operator.py`. The codes are those of
[ledger.md](ledger.md), [rules.md](rules.md) and [market.md](market.md).

| lie | objection | at the leaf | what the check says |
| --- | --- | --- | --- |
{chr(10).join(map(line, caught))}

Where no leaf is named, a file or the checkpoint itself is wrong. Nothing that contains the lie is
attested.

## What no validator objects to

A validator that is told too little waits, and nothing is attested. What follows from the rules it
accepts, whoever thought of it: that is for those whom it concerns to notice.

| lie | validators | who notices |
| --- | --- | --- |
{chr(10).join(f"| {lie.name} | {lie.code} | {lie.noticed_by} |" for lie in others)}
"""


def test_the_page_shows_this_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == the_page()

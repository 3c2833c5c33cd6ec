"""Commands become transfers once, in order, or are refused for good."""

import pytest
from django.db import connection

from ledger.domain.commands import Command, TransferKind
from ledger.errors import CommandInvalid, KeyReused, StaleWriter
from ledger.models import Block, InboxCommand, Transfer
from ledger.queries import get_answers, get_balances, has_waiting_commands, list_transfers
from ledger.services import SettlementWorker, blocks, submit, verify_book
from tests.ledger.bookkeeping import (
    NOW,
    UNIT,
    book,
    command,
    hold,
    open_account,
    open_worker,
    post,
    release,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank() -> int:
    return open_account("bank")


@pytest.fixture
def alice(bank: int) -> int:
    """Open Alice's account, with 100 in it and no overdraft."""
    account = open_account("alice", overdraft_limit=0)
    book(command("alice's deposit", (bank, account, 100)))
    return account


@pytest.fixture
def bob() -> int:
    return open_account("bob", overdraft_limit=0)


def answer(key: str) -> str:
    found = get_answers(keys=[key])[key]
    return found.refusal or found.state


def balance(account: int) -> tuple[int, int | None]:
    """Return what is posted and what is available."""
    found = get_balances(account_ids=[account])[account]
    return found.posted, found.available


def test_a_key_submitted_twice_is_booked_once(alice: int, bob: int) -> None:
    gift = command("gift", (alice, bob, 30))

    book(gift, gift)
    book(gift)

    assert answer("gift") == "booked"
    assert balance(bob) == (30, 30)
    assert InboxCommand.objects.filter(key="gift").count() == 1


@pytest.mark.parametrize("together", [True, False])
def test_a_key_with_other_content_is_an_error_and_nothing_is_written(
    alice: int, bob: int, together: bool
) -> None:
    first, other = command("gift", (alice, bob, 30)), command("gift", (alice, bob, 31))
    new = command("new", (alice, bob, 1))
    if not together:
        book(first)

    with pytest.raises(KeyReused, match="'gift'"):
        submit(commands=[new, first, other], submitted_at=NOW)

    assert "new" not in get_answers(keys=["new"])


def test_a_refusal_is_an_answer_and_is_kept(bank: int, alice: int, bob: int) -> None:
    gift = command("gift", (bob, alice, 1))
    book(gift)
    assert answer("gift") == "limit_exceeded"

    book(command("bob's deposit", (bank, bob, 50)))
    book(gift)

    assert answer("gift") == "limit_exceeded"
    assert balance(bob) == (50, 50)
    assert verify_book().refused == 1


def test_a_command_stands_or_falls_whole(alice: int, bob: int) -> None:
    book(command("two", (alice, bob, 60), (alice, bob, 60)))

    assert answer("two") == "limit_exceeded"
    assert balance(alice) == (100, 100)
    # Only the sum counts: what comes in by the same command may be given on.
    book(command("round", (bob, alice, 5), (alice, bob, 105)))
    assert answer("round") == "booked"


@pytest.mark.parametrize(
    ("paid", "alice_left", "bob_has"), [(40, 60, 40), (15, 85, 15)], ids=["wholly", "in part"]
)
def test_a_hold_is_posted_once(
    alice: int, bob: int, paid: int, alice_left: int, bob_has: int
) -> None:
    book(hold("reserve", alice, bob, 40))
    assert balance(alice) == (100, 60)
    assert balance(bob) == (0, 0)

    book(post("pay", alice, bob, paid, of="reserve/0"))

    assert balance(alice) == (alice_left, alice_left)
    assert balance(bob) == (bob_has, bob_has)
    book(
        post("again", alice, bob, 1, of="reserve/0"),
        release("back", alice, bob, 40, of="reserve/0"),
    )
    assert answer("again") == answer("back") == "hold_resolved"
    verify_book()


def test_a_hold_is_released_once(alice: int, bob: int) -> None:
    book(
        hold("reserve", alice, bob, 40),
        release("back", alice, bob, 40, of="reserve/0"),
        post("late", alice, bob, 40, of="reserve/0"),
    )

    assert [answer(key) for key in ("reserve", "back", "late")] == [
        "booked",
        "booked",
        "hold_resolved",
    ]
    assert balance(alice) == (100, 100)
    verify_book()


@pytest.mark.parametrize(
    ("end", "refusal"),
    [
        ("more", "hold_differs"),
        ("unknown", "hold_unknown"),
        ("not a hold", "hold_unknown"),
        ("other way", "hold_differs"),
        ("twice at once", "hold_resolved"),
    ],
)
def test_the_end_of_a_hold_that_does_not_fit_is_refused(
    alice: int, bob: int, end: str, refusal: str
) -> None:
    book(hold("reserve", alice, bob, 40))
    book(
        {
            "more": post("end", alice, bob, 41, of="reserve/0"),
            "unknown": post("end", alice, bob, 1, of="reserve/1"),
            "not a hold": post("end", alice, bob, 1, of="alice's deposit/0"),
            "other way": post("end", bob, alice, 40, of="reserve/0"),
            "twice at once": command(
                "end",
                (alice, bob, 20),
                (alice, bob, 20),
                kind=[TransferKind.POST] * 2,
                holds=["reserve/0"] * 2,
            ),
        }[end]
    )

    assert answer("end") == refusal
    assert balance(alice) == (100, 60)


def test_a_correction_names_what_it_corrects_in_this_block_or_an_earlier_one(
    alice: int, bob: int
) -> None:
    # The second leg of a command, which only a later command points to.
    book(command("gift", (alice, bob, 30), (alice, bob, 9)))
    book(
        command("less", (bob, alice, 9), corrects=["gift/1"]),
        command("more", (alice, bob, 1), corrects=["less/0"]),
        command("lost", (alice, bob, 1), corrects=["gift/2"]),
        command("itself", (alice, bob, 1), corrects=["itself/0"]),
    )

    legs = {f"{t.command.key}/{t.leg}": t for t in Transfer.objects.select_related("command").all()}
    assert legs["less/0"].corrects_id == legs["gift/1"].id
    assert legs["more/0"].corrects_id == legs["less/0"].id
    assert answer("lost") == answer("itself") == "corrected_unknown"
    verify_book()


def test_one_command_may_hold_and_end_and_correct(alice: int, bob: int) -> None:
    book(hold("reserve", alice, bob, 10), command("gift", (alice, bob, 5)))
    mixed = command(
        "mixed",
        (alice, bob, 7),
        (alice, bob, 10),
        (bob, alice, 5),
        (alice, bob, 1),
        kind=[TransferKind.HOLD, TransferKind.POST, TransferKind.POSTED, TransferKind.POSTED],
        holds=["", "reserve/0", "", ""],
        corrects=["", "", "gift/0", ""],
    )

    book(mixed, post("end", alice, bob, 7, of="mixed/0"))

    assert answer("mixed") == answer("end") == "booked"
    assert balance(bob) == (18, 18)
    assert [line.leg for line in list_transfers(account_ids=[bob])] == [0, 3, 2, 1, 0, 0, 0]
    assert [t.id for t in Transfer.objects.order_by("id")] == list(range(1, 9))
    verify_book()


def test_bytes_that_are_no_command_are_refused_and_stop_nobody(alice: int, bob: int) -> None:
    good = command("good", (alice, bob, 1))
    poison = [
        Command("junk", b"\x00\xff", 1),
        Command("deep", b"[" * 100_000, 1),
        Command("number", good.body.replace(b'"1"', b"1"), 1),
        Command("reference", good.body.replace(b'"credit"', b'"corrects":[null],"credit"'), 1),
        Command("miscounted", good.body, 2),
    ]

    (block,) = book(*poison, good)

    assert (block.commands, block.refused, block.transfers) == (6, 5, 1)
    assert {answer(each.key) for each in poison} == {"not_canonical"}
    verify_book()


def test_accounts_that_do_not_exist_or_do_not_fit_are_refused(alice: int) -> None:
    euros = open_account("euros", unit="EUR/6")
    book(command("nobody", (alice, 999_999_999, 1)), command("other unit", (alice, euros, 1)))

    assert answer("nobody") == "account_unknown"
    assert answer("other unit") == "units_differ"


def test_an_account_opened_after_the_refusal_does_not_break_the_book(alice: int) -> None:
    next_id = open_account("last") + 1
    book(command("too early", (alice, next_id, 1)))

    assert open_account("opened later") == next_id
    book(command("in time", (alice, next_id, 1)))

    assert (answer("too early"), answer("in time")) == ("account_unknown", "booked")
    verify_book()


def test_neighbours_past_the_integers_of_a_float_stay_apart(bank: int) -> None:
    even, odd = 2**53, 2**53 + 1
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger_account (id, path, unit) VALUES (%s, 'even', %s), (%s, 'odd', %s)",
            [even, UNIT, odd, UNIT],
        )
    book(command("far", (even, odd, 5), (bank, odd, 1)))

    assert [balance(account)[0] for account in (even, odd, bank)] == [-5, 6, -1]
    verify_book()


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([4, 4, 4], [2, 1]),  # ends with the command that reaches 8
        ([3, 4, 2, 1], [3, 1]),
        ([20, 1], [1, 1]),  # a larger command is a block
        ([1, 20, 1], [2, 1]),
        ([1] * 7, [5, 2]),  # five commands at most
    ],
)
def test_a_block_ends_at_its_limits(
    bank: int,
    bob: int,
    monkeypatch: pytest.MonkeyPatch,
    counts: list[int],
    expected: list[int],
) -> None:
    assert (blocks.BLOCK_COMMANDS_MAX, blocks.BLOCK_TRANSFERS_MAX) == (10_000, 20_000)
    monkeypatch.setattr(blocks, "BLOCK_COMMANDS_MAX", 5)
    monkeypatch.setattr(blocks, "BLOCK_TRANSFERS_MAX", 8)

    booked = book(*(command(f"c{i}", *[(bank, bob, 1)] * count) for i, count in enumerate(counts)))

    assert [block.commands for block in booked] == expected
    assert balance(bob)[0] == sum(counts)
    assert verify_book().blocks == len(expected)


def test_commands_are_judged_in_the_order_of_their_arrival(alice: int, bob: int) -> None:
    book(
        command("first", (alice, bob, 70)),
        command("too much", (alice, bob, 70)),
        command("back", (bob, alice, 50)),
        command("now", (alice, bob, 70)),
    )

    assert [answer(key) for key in ("first", "too much", "back", "now")] == [
        "booked",
        "limit_exceeded",
        "booked",
        "booked",
    ]
    positions = InboxCommand.objects.filter(block=2).order_by("position")
    assert [each.key for each in positions] == ["first", "too much", "back", "now"]


def test_nothing_waiting_makes_no_block(bank: int) -> None:
    worker = open_worker()

    assert not has_waiting_commands()
    assert worker.settle_block(now=NOW) is None
    assert not Block.objects.exists()


def test_without_the_head_nothing_is_written(bank: int, bob: int) -> None:
    submit(commands=[command("gift", (bank, bob, 1))], submitted_at=NOW)
    worker = SettlementWorker(holder="never asked")

    with pytest.raises(StaleWriter, match="never asked"):
        worker.settle_block(now=NOW)

    assert has_waiting_commands()


def test_an_empty_command_cannot_be_made() -> None:
    with pytest.raises(CommandInvalid):
        command("empty")

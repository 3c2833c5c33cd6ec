"""A hold past its time can be released and no more; the log's time decides, not a clock."""

from datetime import timedelta

import pytest

from ledger.queries import get_answers, get_balances
from ledger.services import release_expired_holds, verify_book
from tests.ledger.bookkeeping import NOW, book, command, hold, open_account, post

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def parties() -> tuple[int, int]:
    """Alice has 100; bob may receive."""
    bank = open_account("bank")
    alice, bob = (open_account(name, overdraft_limit=0) for name in ("alice", "bob"))
    book(command("deposit", (bank, alice, 100)))
    return alice, bob


def answer(key: str) -> tuple[str, str]:
    found = get_answers(keys=[key])[key]
    return found.state, found.refusal


def test_before_its_time_a_hold_is_posted(parties: tuple[int, int]) -> None:
    book(hold("reserve", *parties, 40, expires=LATER))
    book(post("pay", *parties, 40, of="reserve/0"), now=LATER)

    assert answer("pay") == ("booked", "")


def test_once_a_block_has_closed_after_it_a_hold_is_posted_no_more(
    parties: tuple[int, int],
) -> None:
    alice, bob = parties
    book(hold("reserve", *parties, 40, expires=LATER))
    book(command("anything", (alice, bob, 1)), now=LATER)
    book(post("pay", *parties, 40, of="reserve/0"), now=LATER)

    assert answer("pay") == ("refused", "hold_expired")
    verify_book()


def test_the_worker_asks_once_for_the_release_of_what_has_expired(
    parties: tuple[int, int],
) -> None:
    alice, _ = parties
    book(
        hold("short", *parties, 40, expires=LATER),
        hold("long", *parties, 10, expires=LATER + timedelta(hours=1)),
        hold("open end", *parties, 5),
    )

    assert release_expired_holds(now=LATER - timedelta(microseconds=1)) == 0
    assert release_expired_holds(now=LATER) == 1
    assert release_expired_holds(now=LATER) == 1
    book(now=LATER)

    assert get_balances(account_ids=[alice])[alice].pending_out == 15
    assert release_expired_holds(now=LATER) == 0
    verify_book()


def test_the_clock_of_the_log_does_not_go_back(parties: tuple[int, int]) -> None:
    alice, bob = parties
    book(hold("reserve", *parties, 40, expires=LATER))
    book(command("late", (alice, bob, 1)), now=LATER)
    # The machine's clock jumps back: what has expired stays expired.
    book(post("pay", *parties, 40, of="reserve/0"), now=NOW)

    assert answer("pay") == ("refused", "hold_expired")
    verify_book()

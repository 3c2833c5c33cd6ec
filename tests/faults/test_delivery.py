"""Commands delivered twice, at once, in any order, after kills: the books are those of once."""

import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import count

import pytest
from django.db import OperationalError, connection

from ledger.domain.commands import Command
from ledger.errors import StaleWriter
from ledger.models import Account, Block, InboxCommand, Transfer
from ledger.queries import has_waiting_commands
from ledger.services import SettlementWorker, submit, verify_book
from tests.conftest import CommittedDatabase
from tests.databases import PROJECT
from tests.ledger.bookkeeping import NOW, command, hold, open_account, open_worker, post

GIFTS = 30
SENDERS = 3
PATIENCE_SECONDS = 60

Books = tuple[dict[str, tuple[int, str]], dict[str, tuple[int, int, int, int]], int]


def open_street() -> tuple[int, int, int]:
    return (
        open_account("bank"),
        open_account("alice", overdraft_limit=0),
        open_account("bob", overdraft_limit=0),
    )


def commands() -> list[Command]:
    """Return commands of which each has one answer, in whatever order they come."""
    bank, alice, bob = open_street()
    gifts = [command(f"gift-{number}", (bank, alice, 1 + number)) for number in range(GIFTS)]
    return [
        *gifts,
        hold("reserve", bank, bob, 40),
        command("too-much", (bob, alice, 10**9)),
        command("nobody", (bank, 10**12, 1)),
    ]


def books() -> Books:
    """Return what came of everything, in words that do not depend on any order."""
    answers = {each.key: (each.state, each.refusal) for each in InboxCommand.objects.all()}
    counters = {
        each.path: (
            each.debits_pending,
            each.debits_posted,
            each.credits_pending,
            each.credits_posted,
        )
        for each in Account.objects.all()
    }
    return answers, counters, Transfer.objects.count()


def settle() -> None:
    worker = open_worker()
    worker.settle_inbox(now=NOW)
    worker.give_back()


def forgetful(sent: Sequence[Command], numbers: "count[int]") -> list[Command]:
    """Return commands under keys that nobody can repeat."""
    return [replace(each, key=f"{each.key}-{next(numbers)}") for each in sent]


def deliver(sent: Sequence[Command]) -> None:
    """Hand commands in; who is told of a deadlock hands them in again, as every caller may."""
    while True:
        try:
            submit(commands=sent, submitted_at=NOW)
        except OperationalError as error:
            if "deadlock" not in str(error):
                raise
        else:
            return


def send_everything(seed: int, change: Callable[[Sequence[Command]], Sequence[Command]]) -> None:
    """Send every command twice, in an order of one's own, some at a time."""
    order = random.Random(seed)
    twice = commands() * 2
    order.shuffle(twice)
    while twice:
        size = order.randint(1, 5)
        # In one delivery a key may stand twice too.
        deliver(change(twice[:size]))
        del twice[:size]


def book_until(stop: threading.Event, name: str) -> None:
    """Compete for the head, and book whatever waits, until all was sent."""
    worker = SettlementWorker(holder=name, lease_seconds=0)
    while not stop.is_set() or has_waiting_commands():
        try:
            if worker.take_head():
                worker.settle_block(now=NOW)
        except StaleWriter:
            pass


def in_sessions_of_their_own(works: Sequence[Callable[[], None]]) -> None:
    """Run work in threads, whose connections are other sessions; the first failure is raised."""
    failures: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()
    if failures:
        raise failures[0]


def deliver_at_once(change: Callable[[Sequence[Command]], Sequence[Command]]) -> None:
    """Let several send the same while two workers book."""
    commands()  # the accounts
    stop = threading.Event()
    workers = [
        threading.Thread(target=in_sessions_of_their_own, args=([partial(book_until, stop, name)],))
        for name in ("one", "two")
    ]
    for worker in workers:
        worker.start()
    try:
        in_sessions_of_their_own(
            [partial(send_everything, seed, change) for seed in range(SENDERS)]
        )
    finally:
        stop.set()
        for worker in workers:
            worker.join(PATIENCE_SECONDS)


@pytest.fixture
def once(committed_db: CommittedDatabase) -> Callable[[], Books]:
    """Return what books come to that got everything once, in order."""

    def books_of_once() -> Books:
        booked = {each.key: (1, "") for each in commands()}
        booked |= {"too-much": (2, "limit_exceeded"), "nobody": (2, "account_unknown")}
        given = sum(range(1, GIFTS + 1))
        counters = {
            "bank": (40, given, 0, 0),
            "alice": (0, 0, 0, given),
            "bob": (0, 0, 40, 0),
        }
        return booked, counters, GIFTS + 1

    return books_of_once


def test_sent_twice_by_many_at_once_each_is_booked_once(once: Callable[[], Books]) -> None:
    deliver_at_once(lambda sent: sent)

    assert books() == once()
    assert verify_book().commands == GIFTS + 3
    assert len(set(Block.objects.values_list("epoch", flat=True))) > 1, "they never competed"


def test_without_keys_the_same_deliveries_come_to_more(once: Callable[[], Books]) -> None:
    numbers = count()

    deliver_at_once(lambda sent: forgetful(sent, numbers))

    assert books()[2] == 2 * SENDERS * (GIFTS + 1)
    assert books() != once()


# Everything is written and nothing committed: then the sender is killed.
KILLED_BEFORE_ITS_COMMIT = """
import sys, time, django
django.setup()
from django.db import transaction
from ledger.services import submit
from tests.faults.test_delivery import NOW, commands
with transaction.atomic():
    submit(commands=commands(), submitted_at=NOW)
    if sys.argv[1] == "before":
        print("inside", flush=True)
        time.sleep(600)
print("committed", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("killed", ["before", "after"])
def test_a_batch_is_sent_again_after_a_kill(
    once: Callable[[], Books], committed_db: CommittedDatabase, killed: str
) -> None:
    sender = subprocess.Popen(
        [sys.executable, "-c", KILLED_BEFORE_ITS_COMMIT, killed],
        cwd=PROJECT,
        env={**committed_db.env, "DJANGO_SETTINGS_MODULE": "config.settings"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert sender.stdout is not None
    with sender.stdout:
        assert sender.stdout.readline() == ("inside\n" if killed == "before" else "committed\n")
    sender.send_signal(signal.SIGKILL)
    sender.wait(PATIENCE_SECONDS)
    assert InboxCommand.objects.count() == (0 if killed == "before" else GIFTS + 3)

    deliver(commands()[::-1])
    settle()
    deliver(commands())
    settle()

    assert books() == once()
    assert verify_book().blocks == 1


def test_what_comes_before_its_cause_is_refused_for_good_and_harms_nothing(
    committed_db: CommittedDatabase,
) -> None:
    """Order is the sender's: a posting that overtakes its hold is answered, and stays answered."""
    bank, _, bob = open_street()
    early, late = post("pay", bank, bob, 40, of="reserve/0"), hold("reserve", bank, bob, 40)
    for sent in (early, late, early):
        deliver([sent])
        settle()

    assert InboxCommand.objects.get(key="pay").refusal == "hold_unknown"
    assert verify_book().transfers == 1
    deliver([post("pay-again", bank, bob, 40, of="reserve/0")])
    settle()
    assert InboxCommand.objects.get(key="pay-again").refusal == ""
    assert verify_book().transfers == 2

"""One writer at a time: two at once, one that wakes up late, one that is killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from random import uniform

import psycopg
import pytest
from django.db import connection

from ledger.errors import StaleWriter
from ledger.models import Block, Head, InboxCommand, Transfer
from ledger.queries import get_worker_health, has_waiting_commands
from ledger.services import SettlementWorker, submit, verify_book
from ledger.services.worker import LEASE_SECONDS
from tests.conftest import CommittedDatabase
from tests.databases import PROJECT
from tests.ledger.bookkeeping import NOW, command, open_account, open_worker

PATIENCE_SECONDS = 30


def submit_gifts(count: int, *, legs: int = 1) -> None:
    bank, bob = open_account("bank"), open_account("bob", overdraft_limit=0)
    submit(
        commands=[command(f"gift {i}", *[(bank, bob, 1 + i)] * legs) for i in range(count)],
        submitted_at=NOW,
    )


def wait_until(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < give_up_at, "waited in vain"
        time.sleep(0.02)


def in_session_of_its_own(work: Callable[[], None]) -> threading.Thread:
    """Run work in a thread, whose connection is another session of the database."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_two_workers_at_once_book_every_command_once(
    committed_db: CommittedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.services.blocks.BLOCK_COMMANDS_MAX", 3)
    submit_gifts(60)
    lost: list[str] = []

    def compete(name: str) -> Callable[[], None]:
        def work() -> None:
            # A lease of nothing: each takes the head from the other at every chance.
            worker = SettlementWorker(holder=name, lease_seconds=0)
            while has_waiting_commands():
                if not worker.take_head():
                    continue
                try:
                    worker.settle_block(now=NOW)
                except StaleWriter:
                    lost.append(name)
                    # Or both would only ever take, each before the other has booked.
                    time.sleep(uniform(0, 0.02))

        return work

    for thread in [in_session_of_its_own(compete(f"worker {i}")) for i in range(2)]:
        thread.join(PATIENCE_SECONDS)

    assert Transfer.objects.count() == 60
    assert InboxCommand.objects.filter(state=InboxCommand.State.BOOKED).count() == 60
    assert len(set(Block.objects.values_list("epoch", flat=True))) > 1, "they never competed"
    assert verify_book().transfers == 60


def test_a_worker_that_wakes_up_late_writes_nothing(committed_db: CommittedDatabase) -> None:
    submit_gifts(2)
    sleeper = SettlementWorker(holder="sleeper", lease_seconds=0)
    assert sleeper.take_head()
    successor = open_worker("successor")

    with pytest.raises(StaleWriter, match="sleeper"):
        sleeper.settle_block(now=NOW)

    assert not Block.objects.exists()
    assert has_waiting_commands()
    assert not sleeper.take_head()
    successor.settle_inbox(now=NOW)
    sleeper.give_back()  # of what it no longer has
    assert Head.objects.get().lease_until is not None
    assert verify_book().transfers == 2


def test_a_worker_that_sleeps_inside_a_block_keeps_the_head_till_its_commit(
    committed_db: CommittedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit_gifts(1)
    inside, go_on = threading.Event(), threading.Event()

    def sleep_inside(self: SettlementWorker, *moved: int) -> None:
        inside.set()
        assert go_on.wait(PATIENCE_SECONDS)
        move_head(self, *moved)

    move_head = SettlementWorker._move_head
    monkeypatch.setattr(SettlementWorker, "_move_head", sleep_inside)

    def sleep() -> None:
        SettlementWorker.take_head(sleeper)
        sleeper.settle_block(now=NOW)

    sleeper = SettlementWorker(holder="sleeper", lease_seconds=0.01)
    asleep = in_session_of_its_own(sleep)
    assert inside.wait(PATIENCE_SECONDS)
    answers: list[bool] = []
    impatient = SettlementWorker(holder="impatient")
    waiting = in_session_of_its_own(lambda: answers.append(impatient.take_head()))
    waiting.join(0.3)
    assert waiting.is_alive(), "the row lock did not hold"
    sleeper.lease_seconds = LEASE_SECONDS
    go_on.set()
    asleep.join(PATIENCE_SECONDS)
    waiting.join(PATIENCE_SECONDS)

    assert Transfer.objects.count() == 1
    # The sleeper's session ended with its thread, or its lease ran on: either is in order.
    assert len(answers) == 1
    assert verify_book().transfers == 1


def test_a_running_lease_is_respected_and_a_given_back_one_is_free(
    committed_db: CommittedDatabase,
) -> None:
    first, second = open_worker("first"), SettlementWorker(holder="second")

    assert not second.take_head()
    assert first.take_head(), "one's own lease can be extended"
    first.give_back()

    assert second.take_head()
    health = get_worker_health()
    assert (health.holder, health.epoch) == ("second", 2)


def test_a_session_that_is_gone_frees_the_head_at_once(committed_db: CommittedDatabase) -> None:
    gone = SettlementWorker(holder="gone", lease_seconds=2 * PATIENCE_SECONDS)
    in_session_of_its_own(lambda: void(gone.take_head())).join()
    assert Head.objects.get().holder == "gone"

    # Sooner than its lease runs out.
    wait_until(SettlementWorker(holder="successor").take_head)


def void(value: object) -> None:
    """Drop a value."""


# A worker that stops with its transfers copied, its commands answered and nothing committed.
STOPS_INSIDE_A_BLOCK = """
import os, sys, time, django
django.setup()
from datetime import datetime, UTC
from ledger.services import SettlementWorker
def stop(self, *moved):
    print("inside", flush=True)
    time.sleep(600)
SettlementWorker._move_head = stop
worker = SettlementWorker(holder="victim", lease_seconds=3600)
assert worker.take_head()
worker.settle_block(now=datetime.now(UTC))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_killed_inside_a_block_leaves_nothing_behind(
    committed_db: CommittedDatabase, number: signal.Signals
) -> None:
    submit_gifts(3, legs=200)
    victim = subprocess.Popen(
        [sys.executable, "-c", STOPS_INSIDE_A_BLOCK],
        cwd=PROJECT,
        env={**committed_db.env, "DJANGO_SETTINGS_MODULE": "config.settings"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert victim.stdout is not None
    with victim.stdout:
        assert victim.stdout.readline() == "inside\n"
    victim.send_signal(number)
    victim.wait(PATIENCE_SECONDS)
    assert not Transfer.objects.exists()

    successor = SettlementWorker(holder="successor")
    wait_until(successor.take_head)  # long before the victim's lease runs out
    successor.settle_inbox(now=NOW)

    verified = verify_book()
    assert (verified.commands, verified.transfers, verified.blocks) == (3, 600, 1)
    assert [t.id for t in Transfer.objects.order_by("id")] == list(range(1, 601))


# The same, but as a machine that is suspended: it wakes up and goes on with its block.
SUSPENDED_INSIDE_A_BLOCK = """
import os, signal, sys, django
django.setup()
from datetime import datetime, UTC
from ledger.errors import StaleWriter
from ledger.services import SettlementWorker
move_head = SettlementWorker._move_head
def suspend(self, *moved):
    print("inside", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
    move_head(self, *moved)
SettlementWorker._move_head = suspend
worker = SettlementWorker(holder="victim", lease_seconds=3600, silent_seconds=1)
assert worker.take_head()
try:
    worker.settle_block(now=datetime.now(UTC))
except StaleWriter:
    sys.exit(3)
"""


def test_a_worker_suspended_inside_a_block_does_not_hold_the_head_for_ever(
    committed_db: CommittedDatabase,
) -> None:
    submit_gifts(3)
    victim = subprocess.Popen(
        [sys.executable, "-c", SUSPENDED_INSIDE_A_BLOCK],
        cwd=PROJECT,
        env={**committed_db.env, "DJANGO_SETTINGS_MODULE": "config.settings"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert victim.stdout is not None
    try:
        assert victim.stdout.readline() == "inside\n"
        successor = SettlementWorker(holder="successor")
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = '20s'")
        wait_until(successor.take_head)
        successor.settle_inbox(now=NOW)
        victim.send_signal(signal.SIGCONT)
        assert victim.wait(PATIENCE_SECONDS) == 3
    finally:
        victim.kill()
        victim.wait()
        victim.stdout.close()

    assert Head.objects.get().holder == "successor"
    assert (verify_book().transfers, Block.objects.count()) == (3, 1)


def started_worker(database: CommittedDatabase) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "manage.py", "settlement_worker", "--skip-checks"],
        cwd=PROJECT,
        env=dict(database.env),
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_stopped_worker_that_goes_on_past_its_lease_stands_by(
    committed_db: CommittedDatabase,
) -> None:
    with started_worker(committed_db) as stale:
        wait_until(lambda: Head.objects.get().epoch == 1)
        with started_worker(committed_db) as other:
            assert stale.stderr is not None
            try:
                stale.send_signal(signal.SIGSTOP)
                submit_gifts(2)
                wait_until(lambda: not has_waiting_commands())
                stale.send_signal(signal.SIGCONT)
                assert "took the head, epoch 1" in stale.stderr.readline()
                assert "lost the head" in stale.stderr.readline()
            finally:
                stale.kill()
                other.kill()

    head = Head.objects.get()
    assert (head.epoch, head.holder.endswith(f":{other.pid}")) == (2, True)
    assert set(Block.objects.values_list("epoch", flat=True)) == {2}
    assert verify_book().transfers == 2


def test_the_command_books_what_comes_survives_its_database_and_ends_in_order(
    committed_db: CommittedDatabase,
) -> None:
    running = subprocess.Popen(
        [sys.executable, "manage.py", "settlement_worker", "--skip-checks"],
        cwd=PROJECT,
        env=dict(committed_db.env),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stderr is not None
    try:
        assert "took the head, epoch 1" in running.stderr.readline()
        submit_gifts(2)
        wait_until(lambda: not has_waiting_commands())
        second = committed_db.manage("settlement_worker", "--once", "--skip-checks")
        assert second.returncode == 1
        assert "another settlement worker writes now" in second.stderr
        # Every session of the worker ends, as in a restart of the server.
        with psycopg.connect(committed_db.owner_url, autocommit=True) as owner:
            owner.execute("SELECT pg_terminate_backend(session_pid) FROM ledger_head WHERE id = 1")
        submit(
            commands=[command("last", (open_account("bank"), open_account("bob"), 1))],
            submitted_at=NOW,
        )
        wait_until(lambda: not has_waiting_commands())
        assert Head.objects.get().epoch == 1, "its own head, after it came back"
        running.send_signal(signal.SIGTERM)
        assert running.wait(PATIENCE_SECONDS) == 0
        said = running.stderr.read()
    finally:
        running.kill()
        running.wait()
        running.stderr.close()
    assert "no database, next try in 0.1 s" in said
    assert said.endswith("gave the head back\n")
    assert Head.objects.get().lease_until is None
    assert verify_book().transfers == 3


def test_once_books_what_waits(committed_db: CommittedDatabase) -> None:
    submit_gifts(4)

    done = committed_db.manage("settlement_worker", "--once", "--skip-checks")

    assert (done.returncode, done.stdout) == (0, "booked 4 transfers in 1 blocks\n")
    assert os.getpid() != Head.objects.get().session_pid

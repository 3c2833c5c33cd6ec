"""Charges under kill -9 in each of their steps: nothing is lost, paid twice, or numbered twice."""

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Barrier

from django.db import connection

from ledger.models import InboxCommand
from marketplace.models import DataCharge, DataInvoice
from marketplace.services.data import disputes
from marketplace.services.data.charge_scans import advance_charges, note_answers
from marketplace.services.data.charge_verification import VerifiedCharges, verify_charges
from marketplace.services.people import add_participant
from tests.conftest import CommittedDatabase
from tests.data.charged import FUNDS, WINDOW, charge_of, check_conserved, deliver, escrow, wallet
from tests.data.trading import NOW, book, build_trade
from tests.databases import PROJECT

SCANS = "marketplace.services.data.charge_scans"
MONTH_END = datetime(2026, 12, 1, tzinfo=UTC)
AFTER_WINDOW = MONTH_END + WINDOW
LAPSED = MONTH_END + timedelta(days=15)
# In the order in which they come: each life gets one step further than the one before.
OPENED = (
    ("ledger.services.worker", "_write_block"),  # transfers and leaves, no answers
    (SCANS, "_move"),  # read, not committed
    (SCANS, "note_answers"),
)
DELIVERED = (
    ("marketplace.services.data.charges", "submit"),  # asked for, and not noted
    ("ledger.services.worker", "_write_block"),
    (SCANS, "_move"),
    (SCANS, "open_period"),  # the next month, not committed
    (SCANS, "open_next_months"),
)
CLOSED = (
    (SCANS, "close_charge"),
    (SCANS, "close_due"),
    ("ledger.services.worker", "_write_block"),
    (SCANS, "issue_invoices"),  # numbered, not committed
    (SCANS, "_move"),
)
GIVEN_BACK = (
    (SCANS, "submit_release"),
    (SCANS, "release_lapsed"),
    (SCANS, "_move"),
)
Deaths = Sequence[tuple[str, str] | None]


def test_killed_in_each_step_charges_end_as_if_undisturbed(
    committed_db: CommittedDatabase,
) -> None:
    trade = build_trade()
    operator = add_participant(role="operator", name="Op")
    shares = [{"participant": trade.charlie, "ppm": 100_000}]
    price = {"form": "subscription", "price_micro": 9_000_000, "trial_days": 0}
    paid, split, lapsed = (
        charge_of(trade.agree(trade.product(is_feed=True, price=price, shares=shares)))
        for _ in range(3)
    )
    held = paid.held_micro
    done = [[paid.pk, held, 500_000], [split.pk, held, 0]]
    with lives(committed_db) as live:
        live(NOW, [], OPENED)
        live(MONTH_END, done, DELIVERED)
        id_ = disputes.open_dispute(
            charge_id=split.pk,
            participant_ids=[trade.bob],
            reason="broken_feed",
            statement="Half of it was empty.",
            now=MONTH_END,
        )
        disputes.decide_dispute(
            dispute_id=id_,
            operator_id=operator,
            refund_micro=1_000_000,
            verdict="A part was.",
            now=AFTER_WINDOW,
        )
        live(AFTER_WINDOW, [], CLOSED)
        live(LAPSED, [], GIVEN_BACK)

    states = [DataCharge.objects.get(id=each.pk).state for each in (paid, split, lapsed)]
    State = DataCharge.State  # noqa: N806 - a class by its usual name
    assert states == [State.PAID, State.SPLIT, State.RELEASED]
    assert escrow() == (0, 0)
    earned = 2 * held - 1_500_000
    # Of three contracts the next month's money is held, and nothing else.
    assert wallet(trade.bob) == (FUNDS - earned, 3 * 9_000_000)
    assert wallet(trade.alice)[0] + wallet(trade.charlie)[0] - FUNDS == earned
    check_conserved(trade.bob)
    assert verify_charges() == VerifiedCharges(6, 0)
    numbers = DataInvoice.objects.order_by("number").values_list("number", flat=True)
    assert list(numbers) == [1, 2, 3]
    keys = InboxCommand.objects.filter(key__startswith="data-").values_list("key", flat=True)
    kinds = Counter(key.split(":")[0] for key in keys)
    money = ("data-hold", "data-deliver", "data-close", "data-release")
    assert [kinds[each] for each in money] == [6, 2, 2, 1]
    assert not InboxCommand.objects.filter(state=InboxCommand.State.REFUSED).exists()


class Lives:
    """Lets charges live on in forks until each of some deaths, then to the end."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, now: datetime, delivered: list[list[int]], deaths: Deaths) -> None:
        for death in (*deaths, None):
            request = {
                "now": now.isoformat(),
                "delivered": delivered,
                "window_days": WINDOW.days,
                "death": death,
            }
            assert self._process.stdin is not None and self._process.stdout is not None
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            ended = int(self._process.stdout.readline())
            assert ended == (0 if death is None else -signal.SIGKILL), death


@contextmanager
def lives(database: CommittedDatabase) -> Iterator[Lives]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.charge_lives"],
        cwd=PROJECT,
        env={**database.env, "DJANGO_SETTINGS_MODULE": "config.settings"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield Lives(process)


def test_two_hosts_that_scan_at_once_pay_everybody_once(committed_db: CommittedDatabase) -> None:
    trade = build_trade()
    opened = [charge_of(trade.agree(trade.product(is_feed=True))) for _ in range(12)]
    book()
    for now, is_delivered in ((NOW, False), (MONTH_END, True), (AFTER_WINDOW, False)):
        for charge in opened if is_delivered else ():
            deliver(charge, due=charge.held_micro, now=now)
        for _ in range(3):
            _together(*[partial(advance_charges, now=now)] * 2)
            book()
    _together(*[partial(note_answers, now=AFTER_WINDOW)] * 2)
    first = DataCharge.objects.filter(number=0).values_list("state", flat=True)
    assert set(first) == {DataCharge.State.PAID}
    numbers = DataInvoice.objects.order_by("number").values_list("number", flat=True)
    assert list(numbers) == list(range(1, 13))
    assert verify_charges() == VerifiedCharges(24, 0)
    check_conserved(trade.bob)


def _together(*calls: Callable[[], object]) -> None:
    """Run calls at once, each with a connection of its own; raise what any of them raised."""
    start = Barrier(len(calls))

    def one(call: Callable[[], object]) -> None:
        start.wait()
        try:
            call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        for each in [pool.submit(one, call) for call in calls]:
            each.result()

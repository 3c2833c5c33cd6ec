"""Orders against time and death: everything at once, and processes killed between two steps."""

import signal
import subprocess
import sys
from datetime import timedelta
from threading import Event

from ledger.models import Account, InboxCommand
from ledger.services import SettlementWorker, verify_book
from marketplace.domain.forward.auction_book import read_auction, unpack_rows
from marketplace.domain.forward.orders import BUY, SELL
from marketplace.models import Auction, Order, OrderBatch
from marketplace.services.gate_closure import close_due_gates
from marketplace.services.order_answers import advance_orders
from tests.conftest import CommittedDatabase
from tests.databases import PROJECT
from tests.market.forward_street import CLOSES, FEE, NOW, START, Asked, ForwardStreet
from tests.market.test_at_once import together

SECOND = timedelta(seconds=1)
ROUNDS = 8

# Runs the scans of a community, and dies without a word when a function is called (1) or has
# just been carried out (2) for the n-th time.
_LIFE = """
import os, signal, sys
import django
django.setup()
from datetime import datetime
from ledger.services import SettlementWorker
from marketplace.services import gate_closure, order_answers
community, now, module, name, nth, when = sys.argv[1:]
community, now, nth = int(community), datetime.fromisoformat(now), int(nth)
owner = {"gate": gate_closure, "answers": order_answers}[module]
real, calls = getattr(owner, name), [0]
def dying(*args, **kwargs):
    calls[0] += 1
    if when == "before" and calls[0] == nth:
        os.kill(os.getpid(), signal.SIGKILL)
    result = real(*args, **kwargs)
    if when == "after" and calls[0] == nth:
        os.kill(os.getpid(), signal.SIGKILL)
    return result
setattr(owner, name, dying)
worker = SettlementWorker(holder="dying")
assert worker.take_head()
moved = True
while moved:
    moved = bool(worker.settle_inbox(now=now))
    moved = order_answers.advance_orders(now=now).any or moved
    moved = bool(gate_closure.close_due_gates(community_id=community, now=now)) or moved
"""


def test_an_order_at_gate_closure_is_in_or_out_never_half(
    committed_db: CommittedDatabase,
) -> None:
    street = ForwardStreet(meters=("alice", "bob", "charlie", "dora"))
    for meter in street.points:
        street.sell(meter, 300_000, 1_000)
    street.buy("bob", 400_000, 30_000)
    street.book(NOW)
    refused: list[str] = []
    done = Event()

    def place(meter: str) -> None:
        for _ in range(ROUNDS):
            placed = street.place(
                meter, (meter, SELL, 300_000, 500), (meter, SELL, 299_000, 7), now=CLOSES - SECOND
            )
            refused.extend(placed.refusals)

    def book() -> None:
        worker = SettlementWorker(holder="test")
        assert worker.take_head()
        while not done.wait(0.01):
            worker.settle_inbox(now=CLOSES)
            advance_orders(now=CLOSES)
        worker.give_back()

    def close() -> None:
        try:
            while not Auction.objects.exists():
                close_due_gates(community_id=street.community.id, now=CLOSES)
        finally:
            done.set()

    together(
        lambda: place("alice"), lambda: place("bob"), lambda: place("charlie"), close, close, book
    )
    street.book(CLOSES)

    told = read_auction(unpack_rows(bytes(Auction.objects.get().book)))
    accepted = dict(
        Order.objects.filter(batch__state=OrderBatch.State.ACCEPTED).values_list("id", "filled_wh")
    )
    assert dict(zip(told.orders.order_ids.tolist(), told.filled_wh.tolist(), strict=True)) == (
        accepted
    )
    assert set(refused) <= {"", "gate_closed"}
    assert len(accepted) == 5 + refused.count("")
    assert OrderBatch.objects.filter(state=OrderBatch.State.RECEIVED).count() == 0
    verify_book()


def test_who_asks_from_many_places_at_once_stays_within_the_limits(
    committed_db: CommittedDatabase,
) -> None:
    street = ForwardStreet(position_limit_wh=5_000, credit_limit_micro=2_000_000)
    refused: list[str] = []

    def place() -> None:
        for number in range(4):
            key = {"key": f"once {number}"}
            asked: list[Asked] = [("bob", BUY, 900_000, 700), ("bob", BUY, 900_000, 10, key)]
            refused.extend(street.place("bob", *asked).refusals)

    together(place, place, place)
    assert set(refused) == {"", "position_limit"}
    assert Order.objects.filter(client_key__isnull=False).count() == 4
    placed = sum(Order.objects.values_list("quantity_wh", flat=True))
    assert 5_000 - 700 < placed <= 5_000
    # Of what the position limit lets pass, the ledger holds what the credit covers.
    street.book(NOW)
    accepted = Order.objects.filter(batch__state=OrderBatch.State.ACCEPTED)
    rate = 900_000 + FEE
    assert sum(accepted.values_list("quantity_wh", flat=True)) * rate / 1_000 <= 2_000_000
    assert street.held("bob") <= 2_000_000
    assert 0 < accepted.count() < Order.objects.count()


def test_killed_between_any_two_steps_the_end_is_the_same(
    committed_db: CommittedDatabase,
) -> None:
    undisturbed, street = ForwardStreet("Calm"), ForwardStreet("Killed")
    _ask(undisturbed)
    _live(undisturbed)
    _ask(street)  # later: the scans look at all communities

    deaths = [
        ("answers", "tell_of_batches", 1, "after", NOW),  # answers noted, not committed
        ("answers", "submit_holds", 1, "before", NOW),  # a refused batch being taken apart
        ("gate", "submit", 1, "before", CLOSES),  # the auction stored, its document not
        ("gate", "close_gate", 1, "after", CLOSES),  # committed; every hold still as it was
        ("answers", "submit", 1, "after", CLOSES),  # changes of holds asked for, not noted
    ]
    for module, name, nth, when, now in deaths:
        assert _died(committed_db, street, module, name, nth, when, now.isoformat()), name
        if now == NOW and name == "submit_holds":
            street.book(NOW)  # before the gate closes everything is answered
    _live(street)

    assert _told(street) == _told(undisturbed)
    assert Auction.objects.count() == 2
    assert InboxCommand.objects.filter(key__startswith="auction:").count() == 2
    verify_book()


def _ask(street: ForwardStreet) -> None:
    street.sell("alice", 300_000, 5_000)
    street.place(
        "bob", ("bob", 1, 400_000, 100_000), ("bob", 1, 390_000, 50_000), ("bob", 1, 380_000, 2_000)
    )
    street.buy("charlie", 350_000, 4_000, minimum=4_000)
    street.sell("dora", 340_000, 1_000, expires=CLOSES)


def _live(street: ForwardStreet) -> None:
    street.book(NOW)
    street.close()
    street.book(CLOSES)


def _told(street: ForwardStreet) -> list[object]:
    """Return what came of the orders and what is held, without numbers given by the database."""
    orders = Order.objects.filter(interval=street.interval(START)).order_by("id")
    return [
        list(
            orders.values_list(
                "quantity_wh",
                "filled_wh",
                "is_dropped",
                "ended_at",
                "batch__state",
                "batch__refusal",
                "batch__hold_micro",
                "batch__change_count",
                "batch__is_stale",
            )
        ),
        [street.held(meter) for meter in street.points],
        list(street.auction().prices.values()),
        Account.objects.get(path=f"community:{street.community.name}:margin").credits_pending,
    ]


def _died(database: CommittedDatabase, street: ForwardStreet, *how: object) -> bool:
    """Live on in a process of its own that dies on the way; False if it lived to the end."""
    module, name, nth, when, now = map(str, how)
    done = subprocess.run(
        [sys.executable, "-c", _LIFE, str(street.community.id), now, module, name, nth, when],
        cwd=PROJECT,
        env={**database.env, "DJANGO_SETTINGS_MODULE": "config.settings"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode == -signal.SIGKILL

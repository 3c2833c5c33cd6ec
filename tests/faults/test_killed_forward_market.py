"""A forward interval's settlements under kill -9: provisional, corrected, after the deadline."""

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from ledger.models import Account, InboxCommand, Transfer
from ledger.services import verify_book
from marketplace.models import Clearing, Match
from marketplace.services.order_answers import advance_orders
from marketplace.services.verification import verify_clearings
from tests.conftest import CommittedDatabase
from tests.databases import PROJECT
from tests.market.forward_street import START, ForwardStreet
from tests.market.test_forward_settlement import (
    ALL,
    DEADLINE,
    FEES,
    TOO_LATE,
    check_posted,
    run,
    send,
    traded_ahead,
)

Flows = Mapping[str, tuple[int, int]]
# When, and what is known by then.
PHASES: tuple[tuple[datetime, Flows], ...] = (
    (DEADLINE, {meter: flows for meter, flows in ALL.items() if meter != "dora"}),
    (DEADLINE, ALL),
    (TOO_LATE, {**ALL, "bob": (0, 520)}),
)
# In the order in which they come: each life gets one step further than the one before.
DEATHS = (
    ("marketplace.services.readings", "_copy"),
    ("marketplace.services.clearing", "_store"),  # book and trades are there, the document is not
    ("marketplace.services.market_day", "clear_due_intervals"),  # committed
    ("marketplace.services.settlement", "submit"),  # the money asked for, and not noted
    ("marketplace.services.market_day", "settle_clearings"),  # committed
    ("ledger.services.worker", "_write_block"),  # transfers and leaves, no answers
    ("marketplace.services.settlement", "_set_state"),  # booked, the interval not yet
)
# Once the money is booked the first time, what was held for the orders is let go.
LAST_DEATH = ("marketplace.services.order_answers", "submit")


def test_killed_in_each_phase_a_forward_interval_ends_as_if_undisturbed(
    committed_db: CommittedDatabase,
) -> None:
    calm, killed = (ForwardStreet(name, grid_fees=FEES) for name in ("Calm", "Killed"))
    for street in (calm, killed):
        traded_ahead(street)
    for now, flows in PHASES:
        send(calm, flows, now)
        run(calm, now)
        while advance_orders(now=now).any:
            run(calm, now)

    with mortals(committed_db) as die:
        for number, (now, flows) in enumerate(PHASES):
            deaths = (*DEATHS, LAST_DEATH) if number == 0 else DEATHS
            for death in deaths:
                assert die(killed, now, flows, death) == -signal.SIGKILL, (number, death)
            assert die(killed, now, flows, ("signal", "alarm")) == 0

    assert told(killed) == told(calm)
    assert len(told(killed)["clearings"]) == len(PHASES)
    check_posted(killed)
    assert verify_clearings() == 2 * len(PHASES)
    assert verify_book().refused == 0
    keys = InboxCommand.objects.values_list("key", flat=True)
    assert Counter(key.split(":")[0] for key in keys if key[:5] in ("book:", "settl")) == {
        "book": 2 * len(PHASES),
        "settle": 2 * len(PHASES),
    }


@contextmanager
def mortals(database: CommittedDatabase) -> Iterator["Die"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.mortal"],
        cwd=PROJECT,
        env={**database.env, "DJANGO_SETTINGS_MODULE": "config.settings"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield Die(process)


class Die:
    """Lets a street live on in a fork until it is killed; returns how that ended."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(
        self, street: ForwardStreet, now: datetime, flows: Flows, death: tuple[str, str]
    ) -> int:
        request = {
            "community": street.community.id,
            "now": now.isoformat(),
            "start": START.isoformat(),
            "flows": flows,
            "death": death,
        }
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def told(street: ForwardStreet) -> dict[str, Sequence[object]]:
    """Return what came of the interval, without numbers given by the database."""
    interval = street.interval()
    names = {
        account: path.removeprefix(f"community:{street.community.name}:")
        for account, path in Account.objects.values_list("id", "path")
    }
    names |= {street.participant(meter).energy_account_id or 0: meter for meter in street.points}
    transfers = Transfer.objects.filter(command__key__startswith=f"settle:{interval.id}:")
    points = {point.id: meter for meter, point in street.points.items()}
    clearings = Clearing.objects.filter(interval=interval).order_by("revision")
    matches = Match.objects.filter(interval=interval)
    return {
        "state": [interval.state, interval.revision, interval.has_news],
        "clearings": list(clearings.values_list("revision", "reason", "volume_wh", "prices")),
        "matches": sorted(
            (revision, points[seller], points[buyer], wh, delivered or 0)
            for revision, seller, buyer, wh, delivered in matches.values_list(
                "revision", "seller_point_id", "buyer_point_id", "quantity", "delivered_wh"
            )
        ),
        "transfers": [
            (key.rpartition(":")[2], leg, code, names[debit], names[credit], amount)
            for key, leg, code, debit, credit, amount in transfers.order_by("id").values_list(
                "command__key", "leg", "code", "debit_account", "credit_account", "amount"
            )
        ],
        "held": [street.held(meter) for meter in street.points],
    }

"""What the intake benchmark runs in processes of their own: members first, then their orders."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import numpy as np
from django.utils import timezone

from benchmarks.stopwatch import Stopwatch
from ledger.services import SettlementWorker
from marketplace.api.orders import decode_orders, order_columns
from marketplace.domain.rules import preset
from marketplace.models import MeteringPoint, Order, OrderBatch, Participant
from marketplace.services.order_answers import advance_orders
from marketplace.services.orders import place_orders
from marketplace.services.places import NewMember, add_members, create_community

MEMBERS: Final = 20
INTERVALS: Final = 24
QUARTER_S: Final = 900


def make_members() -> None:
    """Make a forward community whose members have credit for whatever they order."""
    since = timezone.now() - timedelta(days=1)
    document = {**preset("demo-forward"), "position_limit_wh": None, "credit_limit_micro": None}
    community = create_community(
        name="Intake", rules_document=document, effective_from=since, now=since
    )
    add_members(
        community_id=community.id,
        members=[NewMember(meter=f"M{number}", name="") for number in range(MEMBERS)],
        active_from=since,
        now=since,
    )


def place(orders: int) -> None:
    """Place orders as the API does, from bytes to accepted, and print how long each part took."""
    bodies = _bodies(orders)
    watch = Stopwatch()
    worker = SettlementWorker(holder="benchmark")
    assert worker.take_head()
    started = time.perf_counter()
    for participant_id, body in bodies:
        with watch.part("reading"):
            columns = order_columns(decode_orders(msgspec.json.decode(body)).orders)
        with watch.part("validating and storing"):
            placed = place_orders(participant_id=participant_id, orders=columns, now=timezone.now())
        assert not any(placed.refusals), set(placed.refusals)
        with watch.part("booking holds"):
            worker.settle_inbox(now=timezone.now())
        with watch.part("noting answers"):
            advance_orders(now=timezone.now())
    seconds = time.perf_counter() - started
    worker.give_back()
    accepted = Order.objects.filter(batch__state=OrderBatch.State.ACCEPTED).count()
    assert accepted == orders, accepted
    json.dump({"seconds": seconds, "parts": watch.seconds}, sys.stdout)


def _bodies(orders: int) -> list[tuple[int, bytes]]:
    """Return one request per member: orders on both sides of the next hours' intervals."""
    seeded = np.random.default_rng(20_261_121)
    now_s = int(timezone.now().timestamp())
    first = datetime.fromtimestamp(now_s - now_s % QUARTER_S, UTC) + timedelta(hours=2)
    starts = [(first + timedelta(minutes=15 * step)).isoformat() for step in range(INTERVALS)]
    count = orders // MEMBERS
    bodies = []
    for participant in Participant.objects.order_by("id"):
        point = MeteringPoint.objects.get(site__participant=participant).id
        steps = seeded.integers(0, INTERVALS, count).tolist()
        prices = seeded.integers(300_000, 560_000, count).tolist()
        energies = seeded.integers(1, 20_000, count).tolist()
        sides = seeded.integers(0, 2, count).tolist()
        rows = [
            {
                "metering_point": point,
                "start": starts[step],
                "side": ("buy", "sell")[side],
                "limit_price_micro_per_kwh": price,
                "quantity_wh": energy,
                "key": f"order {number}",
            }
            for number, (step, side, price, energy) in enumerate(
                zip(steps, sides, prices, energies, strict=True)
            )
        ]
        bodies.append((participant.id, json.dumps({"orders": rows}).encode()))
    return bodies


def main() -> None:
    """Do what the first argument says: ``members``, or ``orders`` and how many."""
    if sys.argv[1] == "members":
        make_members()
    else:
        place(int(sys.argv[2]))

"""A city's day with everything on: zones, grid fees, agreements, certificates.

Run by `benchmarks.bench_city_day` in a process of its own: ``main`` takes a readings file and where
to write the summary. What is agreed and registered once and not each day is done and not timed.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from config.replay.agreeing import agree
from config.replay.pipeline import replay
from config.replay.summary import summarise
from ledger.services import SettlementWorker
from marketplace.domain.agreement_text import AgreementKind
from marketplace.domain.readings.file import read_readings
from marketplace.domain.rules import preset
from marketplace.queries.certificates import list_exporting_meters
from marketplace.queries.people import list_meter_points
from marketplace.services.certificates import issue_due_certificates
from marketplace.services.places import NewMember
from marketplace.services.production_devices import NewDevice, register_devices

RULES: Final = "cn-1901-pilot"
ZONES: Final = ("north", "south")
LEVEL: Final = "below 1 kV"
# One household in ten has an agreement with a neighbour.
HOUSEHOLDS_PER_AGREEMENT: Final = 20
KINDS: Final[tuple[tuple[AgreementKind, int | None, int | None], ...]] = (
    ("contract", 430_000, None),
    ("gift", 0, None),
    ("partner", None, 1),
)


def main() -> None:
    """Carry the day to settled books with certificates, and write the summary."""
    path, out = map(Path, sys.argv[1:])
    meters = sorted(read_readings(path).meters)
    spent: list[float] = []

    def agree(community_id: int, starts_at: datetime) -> None:
        started = time.perf_counter()
        _agree(community_id, meters, starts_at)
        spent.append(time.perf_counter() - started)

    done = replay(
        path,
        community_name="Full",
        rules_document=preset(RULES),
        timezone=None,
        now=datetime.now(UTC),
        members={
            meter: NewMember(meter, meter, zone=ZONES[at % len(ZONES)], level=LEVEL)
            for at, meter in enumerate(meters)
        },
        on_members=agree,
    )
    done.stopwatch.seconds["import"] -= sum(spent)
    _register_roofs(done.community_id)
    started = time.perf_counter()
    _certify(done.community_id)
    certified_s = round(time.perf_counter() - started, 3)
    summary = summarise(community_id=done.community_id, name="Full", stopwatch=done.stopwatch)
    summary["seconds"]["certify"] = certified_s
    summary["seconds"]["total"] += certified_s
    out.write_text(json.dumps(summary), encoding="utf-8")


def _agree(community_id: int, meters: list[str], starts_at: datetime) -> None:
    """Let one pair of neighbours in ten sign an agreement, all kinds in turn."""
    points = list_meter_points(community_id=community_id)
    for at in range(len(meters) // HOUSEHOLDS_PER_AGREEMENT):
        kind, price, rank = KINDS[at % len(KINDS)]
        # In one zone: every other meter is.
        seller, buyer = (points[meters[HOUSEHOLDS_PER_AGREEMENT * at + side]] for side in (0, 2))
        agree(
            kind=kind,
            seller=seller,
            buyer=buyer,
            price_micro_per_kwh=price,
            rank=rank,
            now=starts_at,
        )


def _register_roofs(community_id: int) -> None:
    roofs = list_exporting_meters(community_id=community_id)
    assert roofs.first_start is not None
    register_devices(
        community_id=community_id,
        devices=[NewDevice(meter, "solar", 6_000, date(2024, 5, 1)) for meter in roofs.meters],
        active_from=roofs.first_start,
        now=roofs.first_start + timedelta(days=1),
    )


def _certify(community_id: int) -> None:
    """Issue the day's certificates and book them."""
    now = datetime.now(UTC)
    while issue_due_certificates(community_id=community_id, now=now):
        pass
    worker = SettlementWorker(holder="full city")
    assert worker.take_head()
    while worker.settle_inbox(now=now):
        pass
    worker.give_back()

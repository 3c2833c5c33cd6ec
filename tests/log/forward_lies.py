"""What a lying operator does to a forward market of two zones: orders, auctions and agreements."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from ledger.domain.commands import Command, Transfers
from ledger.models import InboxCommand
from ledger.queries import get_attested_block
from ledger.services import submit
from ledger.services.attestation import grant_openings
from marketplace.domain.readings_rows import ReadingRow, readings_of_rows
from marketplace.models import Agreement, Site
from marketplace.queries.documents import get_document
from marketplace.services.agreements import accept_agreement, draft_agreement, propose_agreement
from marketplace.services.clearing import clear_due_intervals, meter_intervals
from marketplace.services.readings import import_readings
from marketplace.services.settlement import settle_clearings
from tests import databases
from tests.log.lying_operator import (
    City,
    Operator,
    copied,
    new_city,
    places_of,
    working_on,
    written,
)
from tests.market.forward_street import ForwardStreet
from tests.market.interval_example import salted, tree_head
from tests.market.street import Street

MINUTES = 15
LIMIT_WH = 600
ZONES: dict[str, Any] = {
    "zones": ["west", "east"],
    "links": [
        {
            "from": "west",
            "to": "east",
            "limit_wh": LIMIT_WH,
            "loss_ppm": 0,
            "fee_micro_per_kwh": 5_000,
        }
    ],
}
FLOWS = {"alice": (0, 990), "bob": (0, 40), "charlie": (610, 0), "dora": (350, 0)}
HOLD, MARGIN_CODE = 1, 22
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class ForwardCity(City):
    """A city whose orders are booked, published and attested; its gate is about to close."""

    forward: ForwardStreet
    start: datetime


class ForwardOperator(Operator):
    """Runs one copy of a forward city, honestly step by step, and lies in between."""

    def __init__(self, city: ForwardCity, state: Path) -> None:
        super().__init__(city, state)
        self.forward, self.start = city.forward, city.start

    def close_gate(self) -> str:
        """Hold the auction; return the key of its document, which waits in the inbox."""
        assert self.forward.close(self.start - timedelta(hours=1)) == 1
        return f"auction:{self.forward.interval(self.start).id}"

    def clear_ahead(self) -> str:
        """Clear what was traded ahead by its readings; return the key of the book, likewise."""
        self.close_gate()
        ends, community = self.start + timedelta(minutes=MINUTES), self.forward.community.id
        rows = [ReadingRow(meter, self.start.isoformat(), *wh) for meter, wh in FLOWS.items()]
        import_readings(
            community_id=community,
            readings=readings_of_rows(minutes=MINUTES, rows=rows),
            source="test.csv",
            sha256="0" * 64,
            now=ends,
        )
        meter_intervals(community_id=community, now=ends)
        assert clear_due_intervals(community_id=community, now=ends)
        return f"book:{self.forward.interval(self.start).id}:1"

    def rewrite_rows(self, key: str, change: Callable[[Rows], None]) -> None:
        """Change the rows of a table before it is logged, and tell them so."""
        told = get_document(key=key)
        assert told is not None
        rows: Rows = [json.loads(row) for row in told.splitlines()]
        change(rows)
        lines = [
            json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
            for row in rows
        ]
        body = bytes(InboxCommand.objects.get(key=key).body)
        seed = base64.b64decode(written(body)["private"]["seed"])
        self.rewrite_document(key, rows=base64.b64encode(tree_head(salted(lines, seed))).decode())
        self.client.forged[f"openings/documents/{key}"] = b"\n".join(lines) + b"\n"

    def row_of(self, rows: Rows, meter: str) -> dict[str, Any]:
        """Return the row of a metering point's order, or its position."""
        number = str(self.forward.points[meter].id)
        return next(row for row in rows if row.get("meter") == number)


@contextmanager
def forward_city(state: Path) -> Iterator[ForwardCity]:
    """Make a city in which four have ordered, and Alice gives Dora up to 100 Wh besides."""
    with new_city(f"{databases.worker_name()}_forward", state) as name:
        with working_on(name, places_of(state)):
            credential = grant_openings(name="vera", now=datetime.now(UTC))
            before = datetime.now(UTC)
            now = before.replace(minute=0, second=0, microsecond=0) - timedelta(days=1)
            street = ForwardStreet(now=now, **ZONES)
            city = ForwardCity(
                name, state, Street("Elsewhere"), credential, street, now + timedelta(hours=4)
            )
            operator = ForwardOperator(city, state)
            east = street.community.zones.get(code="east")
            Site.objects.filter(metering_points=street.points["charlie"]).update(zone=east)
            agree(street, "alice", "dora", now=now, start=city.start)
            street.sell("alice", 100_000, 1_000, now=now, start=city.start)
            street.sell("bob", 150_000, 500, now=now, start=city.start)
            street.buy("charlie", 500_000, 900, now=now, start=city.start)
            street.buy("dora", 400_000, 300, now=now, start=city.start)
            street.book(now + timedelta(minutes=2))
            operator.publish()
            assert operator.objections() == []
            assert get_attested_block() > 0
        yield city


@contextmanager
def operator_ahead(city: ForwardCity, state: Path) -> Iterator[ForwardOperator]:
    """Copy a forward city for one who will lie about it."""
    with copied(city, state):
        yield ForwardOperator(city, state)


def agree(
    street: ForwardStreet, seller: str, buyer: str, *, now: datetime, start: datetime
) -> Agreement:
    """Have two sign a gift; the hall holds their keys."""
    text = draft_agreement(
        kind="gift",
        seller_point_id=street.points[seller].id,
        buyer_point_id=street.points[buyer].id,
        price_micro_per_kwh=None,
        maximum_wh=100,
        rank=None,
        valid_from=start,
        valid_until=None,
        now=now,
    )
    proposed = propose_agreement(
        text=text, participant_id=street.participant(seller).id, signature=None, now=now
    )
    return accept_agreement(
        agreement_id=proposed.pk,
        participant_id=street.participant(buyer).id,
        signature=None,
        now=now,
    )


def trade_ahead(hall: ForwardOperator) -> None:
    """Tell no lie: the auction, the book and its money."""
    hall.clear_ahead()
    settle_clearings(community_id=hall.forward.community.id, now=hall.now)
    hall.seal()


def in_auction(
    change: Callable[[ForwardOperator, Rows], None],
) -> Callable[[ForwardOperator], None]:
    def do(hall: ForwardOperator) -> None:
        hall.rewrite_rows(hall.close_gate(), lambda rows: change(hall, rows))
        hall.seal()

    return do


def in_match(change: Callable[[Rows], None]) -> Callable[[ForwardOperator], None]:
    def do(hall: ForwardOperator) -> None:
        hall.rewrite_rows(hall.clear_ahead(), change)
        hall.seal()

    return do


def sell_a_gift(rows: Rows) -> None:
    rows[-1]["price"] = "1000"


def leave_it_out(rows: Rows) -> None:
    del rows[-1]
    rows[0]["matches"] = "0"


def fill(hall: ForwardOperator, rows: Rows, meter: str, more: int) -> None:
    row = hall.row_of(rows, meter)
    row["filled"] = str(int(row["filled"]) + more)


def prefer_bob(hall: ForwardOperator, rows: Rows) -> None:
    """Sell for Bob what Alice offers cheaper."""
    fill(hall, rows, "alice", -10)
    fill(hall, rows, "bob", 10)


def overload(hall: ForwardOperator, rows: Rows) -> None:
    """Send a Wh more than the link carries, and sell it."""
    fill(hall, rows, "alice", 1)
    fill(hall, rows, "charlie", 1)
    rows[0]["links"] = [{"received": str(LIMIT_WH + 1), "sent": str(LIMIT_WH + 1)}]


def hold_afterwards(hall: ForwardOperator) -> None:
    """Let an order take part whose margin is held when the gate has closed."""
    guest, till = hall.pair()
    leg = [np.array([each], dtype=np.int64) for each in (guest, till, 10**9, MARGIN_CODE, HOLD)]
    held = Transfers(leg[0], leg[1], leg[2], leg[3], kind=leg[4])
    submit(commands=[Command.of("late-hold", held)], submitted_at=hall.now)
    hall.seal()
    key = hall.close_gate()
    hall.rewrite_rows(key, lambda rows: hall.row_of(rows, "bob").update(hold="late-hold"))
    hall.seal()


def sign_for_the_other(hall: ForwardOperator) -> None:
    """Log a gift that only its receiver signed."""
    now = hall.start - timedelta(hours=2)
    agreement = agree(hall.forward, "bob", "dora", now=now, start=hall.start)
    key = f"agreement:{agreement.pk}"
    told = get_document(key=key)
    assert told is not None
    text, _, buyers = told.split()
    hall.client.forged[f"openings/documents/{key}"] = b"\n".join((text, buyers, buyers, b""))
    hall.seal()

"""A city with a forward market of two zones and a metered lane, run by a liar."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ledger.models import InboxCommand
from ledger.queries import get_attested_block
from ledger.services.attestation import grant_openings
from marketplace.domain.forward.auction_book import pack_rows, rows_sha256
from marketplace.domain.readings.rows import ReadingRow, readings_of_rows
from marketplace.domain.rules import preset
from marketplace.models import Agreement, Auction, MeteringPoint, Site
from marketplace.queries.documents import get_document
from marketplace.services.agreements import (
    accept_agreement,
    draft_agreement,
    draft_end,
    end_agreement,
    propose_agreement,
)
from marketplace.services.clearing import clear_due_intervals, meter_intervals
from marketplace.services.places import add_rule_set
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
from tests.market.street import START, Flows, Street, at, flat_rules

MINUTES = 15
LIMIT_WH = 600
LINK_FEE = 5_000
# On every kWh between neighbours, paid to the grid operator.
GRID_FEES = {
    "formula": "table",
    "lines": [
        {
            "days": "all",
            "from": "00:00",
            "from_zone": "*",
            "level": "*",
            "months": list(range(1, 13)),
            "price_micro_per_kwh": 8_000,
            "to": "24:00",
            "to_zone": "*",
        }
    ],
}
ZONES: dict[str, Any] = {
    "grid_fees": GRID_FEES,
    "zones": ["west", "east"],
    "links": [
        {
            "from": "west",
            "to": "east",
            "limit_wh": LIMIT_WH,
            "loss_ppm": 0,
            "fee_micro_per_kwh": LINK_FEE,
        }
    ],
}
# Alice delivers 10 Wh less than she sold, Dora takes 50 less than she bought.
FLOWS_AHEAD = {"alice": (0, 990), "bob": (0, 40), "charlie": (610, 0), "dora": (350, 0)}
LANE: dict[str, Any] = {
    "form": 2,
    "grid_fees": GRID_FEES,
    "links": [],
    "matching_order": ["contracts", "partners", "pool"],
    "mode": "metered",
    "pricing": "mid_market",
    "sharing_price_micro_per_kwh": None,
    "estimation": "none",
    "zones": ["main"],
}
LANE_FLOWS: Flows = {"alice": (0, 900), "bob": (0, 600), "charlie": (700, 0), "dora": (500, 0)}
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class ForwardCity(City):
    """A city whose orders are booked, published and attested; its gate is about to close.

    Its street is a lane that is metered, of which nothing is cleared yet.
    """

    forward: ForwardStreet
    start: datetime


class ForwardOperator(Operator):
    """Runs a forward city, honestly step by step, and lies in between."""

    def __init__(self, city: ForwardCity, state: Path) -> None:
        super().__init__(city, state)
        self.forward, self.start = city.forward, city.start

    def clear(
        self, *, hour: int = 1, flows: Flows = LANE_FLOWS, now: datetime | None = None
    ) -> None:
        """Receive an hour of the lane and clear it; its book waits in the inbox."""
        super().clear(hour=hour, flows=flows, now=now)

    @property
    def before_gate(self) -> datetime:
        """A moment at which orders are still taken."""
        return self.start - timedelta(hours=2)

    def close_gate(self) -> str:
        """Hold the auction; return the key of its document, which waits in the inbox."""
        assert self.forward.close(self.start - timedelta(hours=1)) == 1
        return f"auction:{self.forward.interval(self.start).id}"

    def clear_ahead(self) -> str:
        """Clear what was traded ahead by its readings; return the key of the book, likewise."""
        self.close_gate()
        ends, community = self.start + timedelta(minutes=MINUTES), self.forward.community.id
        rows = [ReadingRow(meter, self.start.isoformat(), *wh) for meter, wh in FLOWS_AHEAD.items()]
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

    def settle_ahead(self) -> str:
        """Submit the money of what was cleared; return the command's key."""
        settle_clearings(community_id=self.forward.community.id, now=self.now)
        return f"settle:{self.forward.interval(self.start).id}:1"

    def rewrite_auction(self, change: Callable[[Rows], None]) -> None:
        """Change the rows of the auction where they are kept, and what waits to be logged."""
        auction = Auction.objects.get(interval=self.forward.interval(self.start))
        told = get_document(key=auction.document_key)
        assert told is not None
        rows: Rows = [json.loads(row) for row in told.splitlines()]
        change(rows)
        lines = [
            json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
            for row in rows
        ]
        body = bytes(InboxCommand.objects.get(key=auction.document_key).body)
        seed = b64decode(written(body)["private"]["seed"])
        root = b64encode(tree_head(salted(lines, seed))).decode()
        self.rewrite_document(auction.document_key, rows=root)
        self.own(
            "UPDATE marketplace_auction SET book = %s, book_sha256 = %s WHERE interval_id = %s",
            *(pack_rows(lines), rows_sha256(lines), auction.interval_id),
        )

    def row_of(self, rows: Rows, meter: str) -> dict[str, Any]:
        """Return the row of a metering point's order."""
        number = str(self.forward.points[meter].id)
        return next(row for row in rows if row.get("meter") == number)


@contextmanager
def forward_city(state: Path) -> Iterator[ForwardCity]:
    """Make a city in which four have ordered ahead, and a lane with agreements."""
    with new_city(f"{databases.worker_name()}_forward", state) as name:
        with working_on(name, places_of(state)):
            credential = grant_openings(name="vera", now=datetime.now(UTC))
            hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
            now = hour - timedelta(days=1)
            start = now + timedelta(hours=4)
            street = ForwardStreet(now=now, **ZONES)
            city = ForwardCity(name, state, _lane(), credential, street, start)
            operator = ForwardOperator(city, state)
            east = street.community.zones.get(code="east")
            Site.objects.filter(metering_points=street.points["charlie"]).update(zone=east)
            add_rule_set(
                community_id=street.community.id,
                document={**preset("demo-forward"), **ZONES, "deviation": "single_price"},
                effective_from=start + timedelta(days=30),
                now=now,
            )
            agree(street.points["alice"], street.points["dora"], now=now, start=start)
            street.sell("alice", 100_000, 1_000, now=now, start=start)
            street.sell("bob", 150_000, 500, now=now, start=start)
            street.buy("charlie", 500_000, 900, now=now, start=start)
            street.buy("dora", 400_000, 300, now=now, start=start, minimum=200)
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


def _lane() -> Street:
    """Return a metered street: Alice gives Dora 100 Wh, what Bob sold Charlie has ended."""
    lane = Street("Lane", **LANE)
    alice, bob, charlie, dora = (lane.point(meter) for meter in lane.meters)
    agree(alice, dora, now=START, start=at(0))
    ended = agree(bob, charlie, now=START, start=at(0), price=250_000)
    end_one(ended, now=START + timedelta(minutes=30))
    document = flat_rules(**LANE | {"pricing": "uniform"})
    add_rule_set(
        community_id=lane.community.id, document=document, effective_from=at(24 * 30), now=START
    )
    return lane


def agree(
    seller: MeteringPoint,
    buyer: MeteringPoint,
    *,
    now: datetime,
    start: datetime,
    price: int | None = None,
) -> Agreement:
    """Have two sign a contract, or a gift where there is no price; the hall holds their keys."""
    text = draft_agreement(
        kind="gift" if price is None else "contract",
        seller_point_id=seller.id,
        buyer_point_id=buyer.id,
        price_micro_per_kwh=price,
        maximum_wh=100,
        rank=None,
        valid_from=start,
        valid_until=None,
        now=now,
    )
    proposed = propose_agreement(
        text=text, participant_id=seller.site.participant_id, signature=None, now=now
    )
    return accept_agreement(
        agreement_id=proposed.pk,
        participant_id=buyer.site.participant_id,
        signature=None,
        now=now,
    )


def end_one(agreement: Agreement, *, now: datetime) -> None:
    """Let the seller end what was agreed."""
    seller = agreement.seller_id
    end = draft_end(agreement_id=agreement.pk, participant_id=seller, now=now)
    end_agreement(
        agreement_id=agreement.pk, participant_id=seller, end=end, signature=None, now=now
    )

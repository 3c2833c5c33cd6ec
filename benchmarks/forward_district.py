"""A day of a forward market on the district: forecasts, orders by hand, readings, corrections.

The clock is an argument of everything, so that weeks of a market pass in minutes. The days before
are metered: they are what the standing rules' forecasts are made of. So is what comes after.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from analytics.services.forecasts import make_forecasts
from config.forward.standing_orders import place_due_standing_orders
from ledger.services import SettlementWorker
from marketplace.domain.forward.orders import OrderColumns
from marketplace.domain.readings.file import read_readings
from marketplace.domain.rules import preset
from marketplace.models import Community, MeteringPoint, Participant
from marketplace.queries.pages import place_of
from marketplace.services.certificates import issue_due_certificates
from marketplace.services.credit_lines import note_credit_lines
from marketplace.services.gate_closure import close_due_gates
from marketplace.services.market_day import advance_community
from marketplace.services.order_answers import advance_orders
from marketplace.services.orders import cancel_orders, place_orders
from marketplace.services.places import NewMember, add_members, add_rule_set, create_community
from marketplace.services.production_devices import NewDevice, register_devices
from marketplace.services.readings import import_readings

FIXTURES: Final = Path(__file__).resolve().parents[1] / "fixtures"
QUARTER: Final = timedelta(minutes=15)
MIDNIGHT: Final = datetime(2026, 6, 17, 16, tzinfo=UTC)  # Thursday 18 June in the district
FORWARD_KEYS: Final = (
    *("gate_closure_minutes", "horizon_days", "margin_micro_per_kwh", "position_limit_wh"),
    *("delivery", "deviation"),
)
POSITION_LIMIT_WH: Final = 20_000
# Of the one member who may owe next to nothing. [micro]
SMALL_CREDIT: Final = 2_000
GRID_FEES: Final = {
    "formula": "table",
    "lines": [
        {
            "days": "all",
            "from": "00:00",
            "to": "24:00",
            "from_zone": "*",
            "to_zone": "*",
            "level": "0.4 kV",
            "months": [6],
            "price_micro_per_kwh": 7_001,
        }
    ],
}


@dataclass(frozen=True)
class Period:
    """Which quarter hours of the Thursday are traded, and how many days before are known."""

    first_hour: int = 0
    quarters: int = 96
    days_before: int = 3

    @property
    def start(self) -> datetime:
        """Start of the first delivery interval."""
        return MIDNIGHT + timedelta(hours=self.first_hour)

    @property
    def evening(self) -> datetime:
        """When people order by hand, and until when readings are known to the forecasts."""
        return self.start - timedelta(hours=6)

    @property
    def end(self) -> datetime:
        """End of the last one."""
        return self.start + QUARTER * self.quarters

    @property
    def starts(self) -> list[datetime]:
        """Starts of all delivery intervals."""
        return [self.start + QUARTER * at for at in range(self.quarters)]

    @property
    def noon(self) -> int:
        """Which interval is in the middle: what is out of the ordinary befalls it and the next."""
        return self.quarters // 2


@dataclass(frozen=True)
class HandOrder:
    """An order that a member places by hand, the evening before."""

    meter: str
    at: int  # which interval of the period
    side: int
    limit: int
    wh: int
    minimum: int = 0
    expires: datetime | None = None


@dataclass
class District:
    """The district's community, and what its market was told."""

    period: Period
    deviation: str = "dual_price"
    said: Callable[[str], None] = lambda _: None
    refusals: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Make the community, metered before and after the day, with all members and roofs."""
        since = MIDNIGHT - timedelta(days=self.period.days_before + 1)
        document = self._rules()
        metered = {key: each for key, each in document.items() if key not in FORWARD_KEYS}
        metered |= {"name": "district", "mode": "metered", "ties": "pro_rata"}
        self.community: Community = create_community(
            name="District", rules_document=metered, effective_from=since, now=since
        )
        with (FIXTURES / "district_meters.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        add_members(
            community_id=self.community.id,
            members=[
                NewMember(row["meter"], row["meter"], zone=row["zone"], level=row["level"])
                for row in rows
            ],
            active_from=since,
            now=since,
        )
        self.roofs = [row["meter"] for row in rows if row["solar_w"] != "0"]
        self.zones = {row["meter"]: row["zone"] for row in rows}
        points = MeteringPoint.objects.filter(community=self.community).select_related("site")
        self.points = {each.code: each for each in points}
        self.readings = read_readings(FIXTURES / "district_week.csv.gz")
        self.zone = ZoneInfo(document["timezone"])
        for rules, begins in ((document, self.period.start), (metered, self.period.end)):
            add_rule_set(
                community_id=self.community.id, document=rules, effective_from=begins, now=since
            )

    def _rules(self) -> dict[str, Any]:
        with (FIXTURES / "district_links.csv").open(encoding="utf-8", newline="") as file:
            links = [
                {
                    "from": row["from"],
                    "to": row["to"],
                    "limit_wh": int(row["limit_wh"]),
                    "loss_ppm": int(row["loss_ppm"]),
                    "fee_micro_per_kwh": int(row["fee"]),
                }
                for row in csv.DictReader(file)
            ]
        return {
            **preset("demo-forward"),
            "name": "district-forward",
            "zones": ["village", "meadow", "harbour", "centre"],
            "links": links,
            "grid_fees": GRID_FEES,
            "estimation": "none",
            "credit_limit_micro": None,
            "position_limit_wh": POSITION_LIMIT_WH,
            "deviation": self.deviation,
        }

    # The steps of the market, each at a time.

    def settle(self, now: datetime) -> None:
        """Let everything that is due happen, the ledger and the orders' holds too."""
        worker = SettlementWorker(holder="district")
        assert worker.take_head()
        moved = True
        while moved:
            moved = advance_community(community_id=self.community.id, now=now).any
            moved = bool(worker.settle_inbox(now=now)) or moved
            moved = advance_orders(now=now).any or bool(note_credit_lines()) or moved
        worker.give_back()

    def certify(self, now: datetime) -> None:
        """Issue the certificates that are due."""
        while issue_due_certificates(community_id=self.community.id, now=now):
            self.settle(now)

    def send(self, chosen: NDArray[np.bool_], now: datetime, *, more_wh: int = 0) -> None:
        """Send rows of the fixture in; ``more_wh`` makes them a correction of what was sent."""
        file = self.readings
        import_readings(
            community_id=self.community.id,
            readings=replace(
                file,
                meter_index=file.meter_index[chosen],
                start_epoch_s=file.start_epoch_s[chosen],
                import_wh=file.import_wh[chosen] + more_wh,
                export_wh=file.export_wh[chosen] + more_wh * (file.export_wh[chosen] > 0),
                lines=file.lines[chosen],
            ),
            source="district_week.csv.gz",
            sha256="0" * 64,
            now=now,
        )

    def rows_of(self, start: datetime, meters: Sequence[str] = ()) -> NDArray[np.bool_]:
        """Return which rows of the fixture are an interval's, of some meters or of all."""
        rows: NDArray[np.bool_] = self.readings.start_epoch_s == int(start.timestamp())
        if meters:
            of = [self.readings.meters.index(meter) for meter in meters]
            rows &= np.isin(self.readings.meter_index, of)
        return rows

    def remember(self) -> None:
        """Send in and settle the days before, and forecast the day."""
        now, starts = self.period.evening, self.readings.start_epoch_s
        known = np.zeros(len(self.readings), dtype=np.bool_)
        for day in range(1, self.period.days_before + 1):
            first, last = (
                int((each - timedelta(days=day)).timestamp())
                for each in (self.period.start, self.period.end)
            )
            known |= (starts >= first) & (starts < last)
        known &= starts < int(now.timestamp())
        self.send(known, now)
        self.settle(now)
        make_forecasts(place=place_of(self.community), now=now)
        register_devices(
            community_id=self.community.id,
            devices=[NewDevice(meter, "solar", 6_000, date(2024, 5, 1)) for meter in self.roofs],
            active_from=self.period.start,
            now=now,
        )

    def place(self, orders: Sequence[HandOrder], now: datetime) -> list[int]:
        """Place orders by hand, each in a request of its own; return their ids, 0: refused."""
        ids = []
        for order in orders:
            placed = place_orders(
                participant_id=self.participant(order.meter).id,
                orders=self._columns(order),
                now=now,
            )
            ids.append(int(placed.ids[0]))
            self.refusals.update(code for code in placed.refusals if code)
        return ids

    def participant(self, meter: str) -> Participant:
        """Return who stands behind a meter."""
        return self.points[meter].site.participant

    def limit_credit(self, meter: str) -> None:
        """Let a member owe next to nothing from now on."""
        Participant.objects.filter(id=self.participant(meter).id).update(
            credit_limit_micro=SMALL_CREDIT
        )

    def cancel(self, meter: str, order_id: int, now: datetime) -> None:
        """Cancel an order; nothing may speak against it."""
        owner = self.participant(meter).id
        answers = cancel_orders(participant_ids=[owner], order_ids=[order_id], now=now)
        assert answers == {order_id: ""}, answers

    def _columns(self, order: HandOrder) -> OrderColumns:
        def column(value: int) -> NDArray[np.int64]:
            return np.array([value], dtype=np.int64)

        start = self.period.starts[order.at]
        return OrderColumns(
            metering_point_ids=column(self.points[order.meter].id),
            zones=[self.zones[order.meter]],
            starts_s=column(int(start.timestamp())),
            sides=column(order.side),
            limits=column(order.limit),
            quantities_wh=column(order.wh),
            minimums_wh=column(order.minimum),
            expires_us=column(int(order.expires.timestamp() * 10**6) if order.expires else 0),
            keys=[""],
        )

    def tick(self, now: datetime, *, silent: Sequence[tuple[int, str]] = ()) -> None:
        """Pass a quarter of an hour: forecasts become orders, a gate closes, readings come.

        Parameters
        ----------
        silent : sequence of (int, str)
            Intervals of the period and the meters that send nothing of them.
        """
        place_due_standing_orders(now=now)
        self.settle(now)
        close_due_gates(community_id=self.community.id, now=now)
        start = now - QUARTER
        if self.period.start <= start < self.period.end:
            rows = self.rows_of(start)
            for at, meter in silent:
                if self.period.starts[at] == start:
                    rows &= ~self.rows_of(start, [meter])
            self.send(rows, now)
        self.settle(now)

"""A street whose market is a forward one: orders, their holds, gates, all by a clock of its own."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from ledger.models import Account
from ledger.services import SettlementWorker
from marketplace.domain.forward.orders import BUY, SELL, OrderColumns, microseconds
from marketplace.domain.rules import preset
from marketplace.models import (
    Auction,
    Community,
    CreditLine,
    DeliveryInterval,
    MeteringPoint,
    Order,
    OrderBatch,
    Participant,
)
from marketplace.services.credit_lines import note_credit_lines
from marketplace.services.gate_closure import close_due_gates
from marketplace.services.order_answers import advance_orders
from marketplace.services.orders import Placed, cancel_orders, place_orders
from marketplace.services.places import NewMember, add_members, create_community

NOW = datetime(2026, 6, 15, 2, 0, tzinfo=UTC)
START = NOW + timedelta(hours=4)  # of the interval that orders are for
CLOSES = START - timedelta(hours=1)
METERS = ("alice", "bob", "charlie", "dora")
FEE, MARGIN = 10_000, 50_000
CREDIT_MICRO = 50_000_000

# Meter, side, limit price, energy, and what else an order may say.
Asked = tuple[str, int, int, int] | tuple[str, int, int, int, dict[str, Any]]


class ForwardStreet:
    """One community under the forward preset, its rules changed as asked."""

    def __init__(
        self,
        name: str = "Forward street",
        *,
        meters: Sequence[str] = METERS,
        now: datetime = NOW,
        **changes: Any,
    ) -> None:
        since = now - timedelta(days=30)
        self.community: Community = create_community(
            name=name,
            rules_document={**preset("demo-forward"), **changes},
            effective_from=since,
            now=since,
        )
        add_members(
            community_id=self.community.id,
            members=[NewMember(meter=meter, name=meter.title()) for meter in meters],
            active_from=since,
            now=since,
        )
        points = MeteringPoint.objects.filter(community=self.community).select_related("site")
        self.points = {each.code: each for each in points}

    def participant(self, meter: str) -> Participant:
        return self.points[meter].site.participant

    def columns(self, asked: Sequence[Asked], *, start: datetime = START) -> OrderColumns:
        rows = [(*each[:4], each[4] if len(each) > 4 else {}) for each in asked]

        def column(values: Sequence[int]) -> np.ndarray:
            return np.array(values, dtype=np.int64)

        starts = [more.get("start", start) for *_, more in rows]
        expires = [more.get("expires") for *_, more in rows]
        return OrderColumns(
            metering_point_ids=column(
                [more.get("point", self.points[meter].id) for meter, *_, more in rows]
            ),
            zones=[more.get("zone", "") for *_, more in rows],
            starts_s=column([int(each.timestamp()) for each in starts]),
            sides=column([row[1] for row in rows]),
            limits=column([row[2] for row in rows]),
            quantities_wh=column([row[3] for row in rows]),
            minimums_wh=column([more.get("minimum", 0) for *_, more in rows]),
            expires_us=column([microseconds(each) if each else 0 for each in expires]),
            keys=[more.get("key", "") for *_, more in rows],
        )

    def place(
        self, meter: str, *asked: Asked, now: datetime = NOW, start: datetime = START
    ) -> Placed:
        """Place orders as the participant of a meter."""
        return place_orders(
            participant_id=self.participant(meter).id,
            orders=self.columns(asked, start=start),
            now=now,
        )

    def buy(self, meter: str, limit: int, wh: int, *, now: datetime = NOW, **more: Any) -> int:
        """Place one bid that nothing speaks against; return its id."""
        return self._one((meter, BUY, limit, wh, more), now)

    def sell(self, meter: str, limit: int, wh: int, *, now: datetime = NOW, **more: Any) -> int:
        """Place one offer that nothing speaks against; return its id."""
        return self._one((meter, SELL, limit, wh, more), now)

    def cancel(self, meter: str, *order_ids: int, now: datetime = NOW) -> dict[int, str]:
        return cancel_orders(
            participant_ids=[self.participant(meter).id], order_ids=order_ids, now=now
        )

    def book(self, now: datetime) -> None:
        """Let the ledger answer what waits, at a time, and note the answers, until all is still."""
        worker = SettlementWorker(holder="test")
        assert worker.take_head()
        moved = True
        while moved:
            moved = bool(worker.settle_inbox(now=now))
            moved = advance_orders(now=now).any or bool(note_credit_lines()) or moved
        worker.give_back()

    def close(self, now: datetime = CLOSES) -> int:
        return close_due_gates(community_id=self.community.id, now=now)

    def interval(self, start: datetime = START) -> DeliveryInterval:
        return DeliveryInterval.objects.get(community=self.community, starts_at=start)

    def auction(self, start: datetime = START) -> Auction:
        return Auction.objects.get(interval=self.interval(start))

    def filled(self) -> dict[int, int | None]:
        return dict(Order.objects.order_by("id").values_list("id", "filled_wh"))

    def states(self) -> dict[int, tuple[str, str]]:
        """Return the state of each order's batch and its refusal."""
        rows = Order.objects.order_by("id").values_list("id", "batch__state", "batch__refusal")
        return {id_: (OrderBatch.State(state).label, refusal) for id_, state, refusal in rows}

    def held(self, meter: str) -> int:
        """Return what the ledger holds of a member's credit. [micro]"""
        return self.account(meter).debits_pending

    def account(self, meter: str) -> Account:
        line = CreditLine.objects.get(participant=self.participant(meter))
        return Account.objects.get(id=line.account_id)

    def _one(self, asked: Asked, now: datetime) -> int:
        placed = self.place(asked[0], asked, now=now)
        assert list(placed.refusals) == [""]
        return int(placed.ids[0])

"""The live book of a forward market: depth for all of a community, orders for their owner."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import numpy as np
from django.db import connection
from django.db.models import Q

from marketplace.domain.forward.auction import AuctionOrders, hold_auction
from marketplace.domain.forward.orders import BUY, SELL
from marketplace.domain.zones.network import network_of
from marketplace.models import Auction, DeliveryInterval, Order, OrderBatch, RuleSet, TradingHalt
from marketplace.queries.forward import IS_FORWARD, closes_at, rules_of_document

OrderState = Literal[
    "received",
    "accepted",
    "refused",
    "cancelled",
    "expired",
    "filled",
    "partly_filled",
    "unfilled",
]
# An order at each of a million prices is no reason to send everybody as many lines.
LEVELS_MAX: Final = 1000
SIDES: Final[dict[int, Literal["buy", "sell"]]] = {BUY: "buy", SELL: "sell"}

_DEPTH: Final = """
SELECT z.code, o.side, o.limit_price_micro_per_kwh, sum(o.quantity_wh)::bigint
FROM marketplace_order o
JOIN marketplace_orderbatch b ON b.id = o.batch_id
JOIN marketplace_zone z ON z.id = o.zone_id
WHERE o.interval_id = %(interval)s AND b.state = 2 AND o.ended_at IS NULL
    AND (o.expires_at IS NULL OR o.expires_at > %(now)s)
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""


@dataclass(frozen=True)
class OrderLine:
    """An order as its owner sees it. [Wh], [micro/kWh]"""

    id: int
    participant_id: int
    key: str
    metering_point_id: int
    meter: str
    zone: str
    starts_at: datetime
    ends_at: datetime
    side: Literal["buy", "sell"]
    limit_price_micro_per_kwh: int
    quantity_wh: int
    minimum_wh: int
    filled_wh: int | None
    state: OrderState
    refusal: str
    expires_at: datetime | None
    received_at: datetime

    @property
    def is_open(self) -> bool:
        """Whether the order waits for its auction."""
        return self.state in ("received", "accepted")


@dataclass(frozen=True)
class Level:
    """What stands at one price: energy of all orders together. [micro/kWh, Wh]"""

    price_micro_per_kwh: int
    quantity_wh: int


@dataclass(frozen=True)
class ZoneDepth:
    """A zone's book: bids from the highest price down, offers from the lowest up, the best of them.

    ``indicative_price`` is what an auction now would come to, minimum quantities left aside, of
    all orders; ``is_cut`` says that there are more prices than are told.
    """

    zone: str
    bids: tuple[Level, ...]
    offers: tuple[Level, ...]
    indicative_price: int | None
    is_cut: bool


@dataclass(frozen=True)
class GateLine:
    """An interval that orders can be, or could be, for."""

    interval_id: int
    starts_at: datetime
    ends_at: datetime
    closes_at: datetime
    is_closed: bool


@dataclass(frozen=True)
class AuctionLine:
    """What an auction came to; prices by zone."""

    reason: str
    prices: dict[str, int | None]
    price_lows: dict[str, Any]
    price_highs: dict[str, Any]
    flows: list[dict[str, Any]]
    volume_wh: int
    order_count: int
    document_key: str


@dataclass(frozen=True)
class HaltLine:
    """A halt of trading, and whether it is in force."""

    id: int
    starts_at: datetime
    ends_at: datetime | None
    reason: str
    is_in_force: bool


def list_orders(
    *,
    participant_ids: Sequence[int],
    metering_point_id: int | None = None,
    starts_at: datetime | None = None,
    order_ids: Sequence[int] | None = None,
    only_open: bool = False,
    before_id: int | None = None,
    limit: int = 100,
) -> list[OrderLine]:
    """Return orders of participants, newest first."""
    wanted = Q(participant__in=list(participant_ids))
    if metering_point_id is not None:
        wanted &= Q(metering_point=metering_point_id)
    if starts_at is not None:
        wanted &= Q(interval__starts_at=starts_at)
    if order_ids is not None:
        wanted &= Q(id__in=list(order_ids))
    if only_open:
        wanted &= Q(ended_at=None, filled_wh=None) & ~Q(batch__state=OrderBatch.State.REFUSED)
    if before_id is not None:
        wanted &= Q(id__lt=before_id)
    found = (
        Order.objects.filter(wanted)
        .select_related("batch", "interval", "metering_point", "zone")
        .order_by("-id")[:limit]
    )
    return [_line(order) for order in found]


def list_depth(*, interval_id: int, now: datetime, levels_max: int = LEVELS_MAX) -> list[ZoneDepth]:
    """Return the live book of an interval per zone of its rule set, and where it would clear.

    Parameters
    ----------
    levels_max : int
        So many prices of each side, the best ones.
    """
    rule_set = RuleSet.objects.get(intervals=interval_id)
    zones: list[str] = rule_set.document["zones"]
    with connection.cursor() as cursor:
        cursor.execute(_DEPTH, {"interval": interval_id, "now": now})
        rows: list[tuple[str, int, int, int]] = cursor.fetchall()
    sides: dict[tuple[str, int], list[Level]] = defaultdict(list)
    for code, side, price, total in rows:
        sides[code, side].append(Level(price, total))
    prices = _indicative(rows, zones, rule_set.document["links"])
    return [
        ZoneDepth(
            zone=zone,
            bids=tuple(sides[zone, BUY][::-1][:levels_max]),
            offers=tuple(sides[zone, SELL][:levels_max]),
            indicative_price=price_now,
            is_cut=max(len(sides[zone, BUY]), len(sides[zone, SELL])) > levels_max,
        )
        for zone, price_now in zip(zones, prices, strict=True)
    ]


def find_gate(*, community_id: int, starts_at: datetime, now: datetime) -> GateLine | None:
    """Return a forward interval that exists already, with its gate; None if there is none."""
    found = (
        DeliveryInterval.objects.select_related("rule_set")
        .filter(IS_FORWARD, community_id=community_id, starts_at=starts_at)
        .first()
    )
    if found is None:
        return None
    closes = closes_at(starts_at=found.starts_at, rules=rules_of_document(found.rule_set.document))
    return GateLine(found.id, found.starts_at, found.ends_at, closes, now >= closes)


def get_auction(*, interval_id: int) -> AuctionLine | None:
    """Return what the auction of an interval came to; None before it was held."""
    found = Auction.objects.filter(interval=interval_id).defer("book").first()
    if found is None:
        return None
    return AuctionLine(
        reason=Auction.Reason(found.reason).label,
        prices=found.prices,
        price_lows=found.price_lows,
        price_highs=found.price_highs,
        flows=found.flows,
        volume_wh=found.volume_wh,
        order_count=found.order_count,
        document_key=found.document_key,
    )


def list_halts(*, community_id: int, now: datetime, limit: int = 20) -> list[HaltLine]:
    """Return the newest halts of a community."""
    return [
        HaltLine(
            halt.id,
            halt.starts_at,
            halt.ends_at,
            halt.reason,
            halt.starts_at <= now and (halt.ends_at is None or halt.ends_at > now),
        )
        for halt in TradingHalt.objects.filter(community_id=community_id).order_by("-id")[:limit]
    ]


def _indicative(
    rows: Sequence[tuple[str, int, int, int]], zones: Sequence[str], links: Sequence[Any]
) -> tuple[int | None, ...]:
    """Clear price levels as if each were one order: the price is the same."""
    known = [row for row in rows if row[0] in zones]
    places = {zone: place for place, zone in enumerate(zones)}
    columns = np.zeros((len(known), 10), dtype=np.int64)
    for at, (code, side, price, total) in enumerate(known):
        columns[at, 3:7] = (places[code], side, price, total)
    outcome = hold_auction(AuctionOrders.of_rows(columns), network_of(zones, links))
    return outcome.prices


def _line(order: Order) -> OrderLine:
    return OrderLine(
        id=order.id,
        participant_id=order.participant_id,
        key=order.client_key or "",
        metering_point_id=order.metering_point_id,
        meter=order.metering_point.code,
        zone=order.zone.code,
        starts_at=order.interval.starts_at,
        ends_at=order.interval.ends_at,
        side=SIDES[order.side],
        limit_price_micro_per_kwh=order.limit_price_micro_per_kwh,
        quantity_wh=order.quantity_wh,
        minimum_wh=order.minimum_wh,
        filled_wh=order.filled_wh,
        state=_state(order),
        refusal=order.batch.refusal,
        expires_at=order.expires_at,
        received_at=order.received_at,
    )


def _state(order: Order) -> OrderState:
    if order.batch.state == OrderBatch.State.REFUSED:
        return "refused"
    if order.ended_at is not None:
        return "expired" if order.ended_at == order.expires_at else "cancelled"
    if order.filled_wh is None:
        return "received" if order.batch.state == OrderBatch.State.RECEIVED else "accepted"
    if order.filled_wh == 0:
        return "unfilled"
    return "filled" if order.filled_wh == order.quantity_wh else "partly_filled"

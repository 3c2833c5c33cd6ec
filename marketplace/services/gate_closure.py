"""Close gates: hold the auction of each forward interval whose time to take orders is over.

An interval is auctioned once every hold asked for before its gate closed is answered: then it is
settled who is in, by the time of the ledger's blocks, and the same book comes out whoever closes
the gate and however often it was tried. The auction, its fills and its document are one
transaction; ``marketplace.services.order_answers`` lets go of holds that are needed no longer.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from django.db import connection, transaction

from ledger.domain.commands import Int64Array
from ledger.queries.answers import get_answer_times
from ledger.services import submit
from marketplace.domain.forward.auction import (
    AuctionOrders,
    AuctionOutcome,
    halted_auction,
    hold_auction,
)
from marketplace.domain.forward.auction_book import (
    AuctionHeader,
    auction_document,
    auction_key,
    auction_rows,
    hold_command_key,
    pack_rows,
    rows_sha256,
)
from marketplace.domain.notices import NoticeKind
from marketplace.domain.zones.network import Network, network_of
from marketplace.models import Auction, DeliveryInterval, OrderBatch, RuleSet
from marketplace.queries.forward import closes_at, due_gate_ids, is_halted, rules_of_document
from marketplace.services.notices import notify_many
from marketplace.services.order_answers import expire_orders

CLOSE_AT_ONCE: Final = 50
# Who is paid what they bid has no common price.
NO_ONE_PRICE: Final = ("pay_as_bid",)

# In the order of arrival; the zone as its place among the rule set's.
_BOOK = """
SELECT o.id, o.metering_point_id, p.energy_account_id,
    array_position(%(zones)s::text[], z.code) - 1,
    o.side, o.limit_price_micro_per_kwh, o.quantity_wh, o.minimum_wh, o.batch_id, b.change_count
FROM marketplace_order o
JOIN marketplace_orderbatch b ON b.id = o.batch_id
JOIN marketplace_participant p ON p.id = o.participant_id
JOIN marketplace_zone z ON z.id = o.zone_id
WHERE o.interval_id = %(interval)s AND b.state = 2 AND o.ended_at IS NULL
ORDER BY o.received_at, o.id
"""
_FILL = """
UPDATE marketplace_order o SET filled_wh = n.filled_wh, is_dropped = n.is_dropped
FROM unnest(%s::bigint[], %s::bigint[], %s::bool[]) AS n(id, filled_wh, is_dropped)
WHERE o.id = n.id
"""
_LOCK_HELD = """
SELECT id FROM marketplace_orderbatch WHERE interval_id = %s AND hold_micro > 0
ORDER BY id FOR NO KEY UPDATE
"""
# Nobody waits for hundreds of thousands of lines: who has more orders than this reads them.
_TELL = """
INSERT INTO marketplace_orderevent (participant_id, transaction_number, body, created_at)
SELECT o.participant_id, pg_current_xact_id()::text::bigint,
    jsonb_build_object('event', 'auction', 'interval', i.id,
        'starts_at', to_char(i.starts_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
        'orders', count(*), 'filled_wh', sum(o.filled_wh),
        'fills', CASE WHEN count(*) <= 1000
            THEN jsonb_object_agg(o.id, o.filled_wh) END),
    %(now)s
FROM marketplace_order o JOIN marketplace_deliveryinterval i ON i.id = o.interval_id
WHERE o.interval_id = %(interval)s AND o.filled_wh IS NOT NULL
GROUP BY o.participant_id, i.id, i.starts_at ORDER BY o.participant_id
"""


def close_due_gates(*, community_id: int, now: datetime, limit: int = CLOSE_AT_ONCE) -> int:
    """Hold the auctions that are due, earliest first; return how many were held.

    One whose holds are not all answered yet is left for the next scan, and the others go on.
    """
    held, failures = 0, []
    for interval_id in due_gate_ids(community_id=community_id, now=now, limit=limit):
        try:
            held += close_gate(interval_id=interval_id, now=now)
        except Exception as failure:  # one bad auction must not hold up the others
            failures.append(failure)
    if failures:
        raise ExceptionGroup(f"auctions of community {community_id} that failed", failures)
    return held


@transaction.atomic
def close_gate(*, interval_id: int, now: datetime) -> bool:
    """Hold the auction of an interval; return False where it is not due, done, or must wait.

    The interval's row is the lock: orders are taken in under a share of it.
    """
    locked = DeliveryInterval.objects.select_for_update(skip_locked=True, no_key=True)
    interval = locked.filter(id=interval_id).first()
    # Asked under the lock: whoever held it may have held the auction too.
    if interval is None or Auction.objects.filter(interval=interval_id).exists():
        return False
    rule_set = RuleSet.objects.get(id=interval.rule_set_id)
    rules = rules_of_document(rule_set.document)
    if rules.market.forward is None:
        return False
    closes = closes_at(starts_at=interval.starts_at, rules=rules)
    if now < closes:
        return False
    expire_orders(now=closes, interval_id=interval_id)
    network = network_of(rules.market.zones, rule_set.document["links"])
    orders = _orders(interval_id, network, closes)
    if orders is None:
        return False
    halted = is_halted(community_id=interval.community_id, at=closes)
    outcome = halted_auction(orders, network) if halted else hold_auction(orders, network)
    header = AuctionHeader(
        community_id=interval.community_id,
        interval_id=interval_id,
        reason="halted" if halted else "closure",
        starts_at=interval.starts_at,
        ends_at=interval.ends_at,
        closes_at=closes,
        timezone=rules.timezone,
        zones=network.zones,
    )
    prices = (None,) * len(network.zones) if rules.pricing in NO_ONE_PRICE else outcome.prices
    rows = auction_rows(header, orders, outcome, prices)
    outcome = replace(outcome, prices=prices)
    _store(header, rule_set, orders, outcome, rows=rows, network=network, now=now)
    document = auction_document(
        interval_id, rows, rules_sha256=rule_set.sha256, seed=os.urandom(32)
    )
    submit(commands=[document], submitted_at=now)
    _tell_who_missed_it(header, now)
    return True


def _tell_who_missed_it(header: AuctionHeader, now: datetime) -> None:
    """Tell whose orders were not in the auction for want of a hold, once for each civil day."""
    refused = OrderBatch.objects.filter(interval=header.interval_id, state=OrderBatch.State.REFUSED)
    missed = set(refused.values_list("participant_id", flat=True))
    day = header.starts_at.astimezone(ZoneInfo(header.timezone)).date().isoformat()
    if missed:
        notify_many(
            participant_ids=missed,
            kind=NoticeKind.GATE_MISSED,
            key=day,
            subject={"day": day},
            now=now,
        )


def _orders(interval_id: int, network: Network, closes: datetime) -> AuctionOrders | None:
    """Return the orders in the auction; None while the ledger has yet to answer for some."""
    batches = OrderBatch.objects.filter(interval=interval_id)
    if batches.filter(state=OrderBatch.State.RECEIVED).exists():
        return None
    with connection.cursor() as cursor:
        cursor.execute(_BOOK, {"interval": interval_id, "zones": list(network.zones)})
        rows = np.array(cursor.fetchall(), dtype=np.int64).reshape(-1, 10)
    changes = _holds_at(rows, closes)
    if changes is None:
        return None
    rows[:, 9] = changes
    return AuctionOrders.of_rows(rows)


def _holds_at(rows: Int64Array, closes: datetime) -> Int64Array | None:
    """Return which change of its batch's hold stood for each order when the gate closed.

    A change that was booked later gave back what the order did not need: the hold before it stands
    in the book then. None while a change is not answered.
    """
    counts = {batch: count for batch, count in rows[:, 8:].tolist() if count}
    if not counts:
        return rows[:, 9]
    keys = {
        hold_command_key(batch, change): (batch, change)
        for batch, count in counts.items()
        for change in range(1, count + 1)
    }
    times = get_answer_times(keys=list(keys))
    if len(times) < len(keys):
        return None
    stood: dict[int, int] = {}
    for key, (batch, change) in keys.items():
        if times[key] <= closes:
            stood[batch] = max(stood.get(batch, 0), change)
    return np.array([stood.get(batch, 0) for batch in rows[:, 8].tolist()], dtype=np.int64)


def _store(
    header: AuctionHeader,
    rule_set: RuleSet,
    orders: AuctionOrders,
    outcome: AuctionOutcome,
    *,
    rows: Sequence[bytes],
    network: Network,
    now: datetime,
) -> None:
    def by_zone(prices: Sequence[int | Fraction | None]) -> dict[str, int | str | None]:
        # With losses a bound may be a fraction, which stands as text.
        plain = [str(each) if isinstance(each, Fraction) else each for each in prices]
        return dict(zip(network.zones, plain, strict=True))

    reason = Auction.Reason.HALTED if header.reason == "halted" else Auction.Reason.CLOSURE
    Auction.objects.create(
        interval_id=header.interval_id,
        rule_set=rule_set,
        reason=reason,
        closed_at=header.closes_at,
        cleared_at=now,
        prices=by_zone(outcome.prices),
        price_lows=by_zone(outcome.price_low),
        price_highs=by_zone(outcome.price_high),
        flows=_flows(network, outcome),
        volume_wh=outcome.volume_wh,
        welfare_nano=outcome.welfare_nano,
        order_count=len(orders),
        document_key=auction_key(header.interval_id),
        book=pack_rows(rows),
        book_sha256=rows_sha256(rows),
    )
    with connection.cursor() as cursor:
        # Everything held for the interval is looked at again: what was not filled is let go.
        cursor.execute(_LOCK_HELD, [header.interval_id])
        cursor.execute(
            _FILL,
            [
                orders.order_ids.tolist(),
                outcome.filled_wh.tolist(),
                outcome.is_dropped.tolist(),
            ],
        )
        cursor.execute(_TELL, {"interval": header.interval_id, "now": now})
    OrderBatch.objects.filter(interval=header.interval_id, hold_micro__gt=0).update(is_stale=True)


def _flows(network: Network, outcome: AuctionOutcome) -> list[dict[str, Any]]:
    """Return per link what crossed it, what the grid gets for that, and the congestion rent."""
    flows = []
    for link, sent, received in zip(network.links, outcome.sent, outcome.received, strict=True):
        origin, target = outcome.prices[link.from_zone], outcome.prices[link.to_zone]
        fee = sent * link.fee_micro_per_kwh
        rent = 0
        if sent and origin is not None and target is not None:
            rent = received * target - sent * origin - fee
        flows.append(
            {
                "from": network.zones[link.from_zone],
                "to": network.zones[link.to_zone],
                "limit_wh": link.limit_wh,
                "sent_wh": sent,
                "received_wh": received,
                "fee_nano": fee,
                "rent_nano": rent,
            }
        )
    return flows

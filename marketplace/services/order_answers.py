"""Move orders along by what the ledger answered, and let go of what nobody needs held any more.

Scans, each safe twice, late, or on two hosts: rows are claimed with SKIP LOCKED, and what is due
follows from the rows alone.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from django.db import connection, transaction

from ledger.queries import get_answers
from ledger.queries.answers import get_answer_times
from ledger.services import submit
from marketplace.domain.forward.auction_book import hold_command_key
from marketplace.domain.forward.orders import hold_amounts
from marketplace.models import CreditLine, DeliveryInterval, OrderBatch, OrderEvent, RuleSet
from marketplace.queries.forward import closes_at, rules_of_document
from marketplace.services.order_store import (
    changed_hold,
    reserve_batch_ids,
    submit_holds,
    tell_of_batches,
)

SCAN_BATCHES_MAX: Final = 2000
NEWS_KEPT: Final = timedelta(days=2)
State = OrderBatch.State
BOOKED, REFUSED = "booked", "refused"

# What of each order its batch's hold must still vouch for: nothing once it has ended, all of it
# before the auction, what was filled after it, nothing again once the interval is settled.
_STANDING = """
SELECT o.batch_id, CASE
        WHEN o.ended_at IS NOT NULL OR i.state >= %(settled)s THEN 0
        ELSE coalesce(o.filled_wh, o.quantity_wh) END,
    o.margin_micro_per_kwh
FROM marketplace_order o JOIN marketplace_deliveryinterval i ON i.id = o.interval_id
WHERE o.batch_id = ANY(%(ids)s)
"""
_EXPIRED_BATCHES = """
SELECT id FROM marketplace_orderbatch WHERE id IN (
    SELECT DISTINCT batch_id FROM marketplace_order
    WHERE expires_at IS NOT NULL AND expires_at <= %(now)s AND ended_at IS NULL
        AND filled_wh IS NULL AND (%(interval)s::bigint IS NULL OR interval_id = %(interval)s)
    LIMIT %(limit)s)
ORDER BY id FOR NO KEY UPDATE
"""
_EXPIRE = """
WITH expired AS (
    UPDATE marketplace_order SET ended_at = expires_at
    WHERE batch_id = ANY(%(ids)s) AND expires_at <= %(now)s AND ended_at IS NULL
        AND filled_wh IS NULL
    RETURNING batch_id
)
UPDATE marketplace_orderbatch b SET is_stale = true
WHERE b.id IN (SELECT batch_id FROM expired)
"""
_MARK_SETTLED = """
UPDATE marketplace_orderbatch SET is_stale = true WHERE id IN (
    SELECT b.id FROM marketplace_orderbatch b
    JOIN marketplace_deliveryinterval i ON i.id = b.interval_id
    WHERE b.hold_micro > 0 AND NOT b.is_stale AND i.state >= %s
    FOR NO KEY UPDATE OF b SKIP LOCKED)
"""
_STORE = """
UPDATE marketplace_orderbatch b SET state = n.state, refusal = n.refusal,
    hold_micro = n.hold_micro, change_count = n.change_count, is_stale = n.is_stale,
    answered_at = n.answered_at
FROM unnest(%s::bigint[], %s::smallint[], %s::text[], %s::bigint[], %s::int[], %s::bool[],
    %s::timestamptz[])
    AS n(id, state, refusal, hold_micro, change_count, is_stale, answered_at)
WHERE b.id = n.id
"""


@dataclass(frozen=True)
class Advanced:
    """How many batches moved on in one scan."""

    accepted: int
    refused: int
    changed: int

    @property
    def any(self) -> bool:
        """Whether there was anything to do."""
        return bool(self.accepted or self.refused or self.changed)


def advance_orders(*, now: datetime) -> Advanced:
    """Note the ledger's answers, let orders expire, and make holds as small as they may be."""
    accepted, refused = note_order_answers(now=now)
    expire_orders(now=now)
    mark_settled_holds()
    return Advanced(accepted, refused, adjust_holds(now=now))


@transaction.atomic
def note_order_answers(*, now: datetime, limit: int = SCAN_BATCHES_MAX) -> tuple[int, int]:
    """Note which batches' holds were booked before their gate closed; return accepted, refused.

    A hold that came too late is given back. Where a hold of several orders was refused and time is
    left, they are asked for again one by one, in the order of arrival: what fits is accepted.
    """
    waiting = list(
        OrderBatch.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
        .select_related("interval")
        .filter(state=State.RECEIVED)
        .order_by("id")[:limit]
    )
    if not waiting:
        return 0, 0
    keys = {each.id: hold_command_key(each.id) for each in waiting}
    answers = get_answers(keys=list(keys.values()))
    times = get_answer_times(keys=list(keys.values()))
    gates = _gates(waiting)
    by_outcome: dict[str, list[OrderBatch]] = defaultdict(list)
    for batch in waiting:
        key = keys[batch.id]
        if answers[key].state == REFUSED:
            by_outcome["refused"].append(batch)
        elif answers[key].state == BOOKED:
            is_in_time = times[key] <= gates[batch.interval_id]
            by_outcome["accepted" if is_in_time else "late"].append(batch)
        batch.answered_at = times.get(key)
    _set_accepted(by_outcome["accepted"], now)
    _give_back(by_outcome["late"], now)
    open_ones = [each for each in by_outcome["refused"] if now < gates[each.interval_id]]
    split = _split(open_ones, now)
    _set_refused([each for each in by_outcome["refused"] if each.id not in split], "credit", now)
    refused = len(by_outcome["late"]) + len(by_outcome["refused"])
    return len(by_outcome["accepted"]), refused


@transaction.atomic
def expire_orders(
    *, now: datetime, interval_id: int | None = None, limit: int = SCAN_BATCHES_MAX
) -> int:
    """End the orders whose time is over; return how many batches have such orders.

    Parameters
    ----------
    interval_id : int, optional
        Only this interval's, and then all of them: none may be left to be auctioned.
    """
    most = limit if interval_id is None else None
    with connection.cursor() as cursor:
        cursor.execute(_EXPIRED_BATCHES, {"now": now, "interval": interval_id, "limit": most})
        ids = [id_ for (id_,) in cursor.fetchall()]
        if ids:
            cursor.execute(_EXPIRE, {"ids": ids, "now": now})
    tell_of_batches(ids, event="expired", now=now)
    return len(ids)


@transaction.atomic
def mark_settled_holds() -> int:
    """Mark the holds of intervals whose money is booked: they vouch for nothing any more."""
    with connection.cursor() as cursor:
        cursor.execute(_MARK_SETTLED, [DeliveryInterval.State.SETTLED])
        marked: int = cursor.rowcount
        return marked


@transaction.atomic
def adjust_holds(*, now: datetime, limit: int = SCAN_BATCHES_MAX) -> int:
    """Bring the holds of marked batches to what their orders need; return how many changed."""
    stale = list(
        OrderBatch.objects.select_for_update(skip_locked=True, no_key=True)
        .filter(state=State.ACCEPTED, is_stale=True)
        .order_by("id")[:limit]
    )
    if not stale:
        return 0
    amounts = _amounts_needed([each.id for each in stale])
    lines = _lines(stale)
    commands = []
    for batch in stale:
        batch.is_stale = False
        amount = amounts[batch.id]
        if amount < batch.hold_micro:
            line = lines[batch.participant_id]
            commands.append(changed_hold(batch, line, amount_micro=amount))
            batch.hold_micro = amount
            batch.change_count += 1
    submit(commands=commands, submitted_at=now)
    _store(stale)
    return len(commands)


def forget_news(*, now: datetime) -> int:
    """Delete the news that nobody comes back for any more; orders themselves stay."""
    return OrderEvent.objects.filter(created_at__lt=now - NEWS_KEPT).delete()[0]


def _gates(batches: Sequence[OrderBatch]) -> dict[int, datetime]:
    """Return the gate closures of the batches' intervals."""
    intervals = {each.interval_id: each.interval for each in batches}
    rule_sets = RuleSet.objects.in_bulk({each.rule_set_id for each in intervals.values()})
    rules = {id_: rules_of_document(each.document) for id_, each in rule_sets.items()}
    return {
        id_: closes_at(starts_at=each.starts_at, rules=rules[each.rule_set_id])
        for id_, each in intervals.items()
    }


def _set_accepted(batches: Sequence[OrderBatch], now: datetime) -> None:
    for batch in batches:
        batch.state = State.ACCEPTED
    _store(batches)
    tell_of_batches([each.id for each in batches], event="accepted", now=now)


def _set_refused(batches: Sequence[OrderBatch], code: str, now: datetime) -> None:
    for batch in batches:
        batch.state, batch.refusal, batch.hold_micro = State.REFUSED, code, 0
    _store(batches)
    tell_of_batches([each.id for each in batches], event="refused", now=now)


def _give_back(batches: Sequence[OrderBatch], now: datetime) -> None:
    """Refuse batches whose hold was booked after the gate had closed, and release it."""
    lines = _lines(batches)
    commands = [changed_hold(each, lines[each.participant_id], amount_micro=0) for each in batches]
    submit(commands=commands, submitted_at=now)
    for batch in batches:
        batch.change_count += 1
    _set_refused(batches, "gate_closed", now)


def _split(batches: Sequence[OrderBatch], now: datetime) -> set[int]:
    """Give each order of refused batches a batch of its own; return the batches that had several.

    The old batch stays behind, refused and empty.
    """
    orders = _live_orders([each.id for each in batches])
    several = [each for each in batches if len(orders[each.id]) > 1]
    if not several:
        return set()
    old = [(each, order) for each in several for order in orders[each.id]]
    new_ids = reserve_batch_ids(len(old))
    new = [
        OrderBatch(
            id=id_,
            participant_id=batch.participant_id,
            interval_id=batch.interval_id,
            hold_micro=order.hold_micro,
            received_at=batch.received_at,
        )
        for id_, (batch, order) in zip(new_ids, old, strict=True)
    ]
    OrderBatch.objects.bulk_create(new, batch_size=1000)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE marketplace_order o SET batch_id = n.batch_id"
            " FROM unnest(%s::bigint[], %s::bigint[]) AS n(id, batch_id) WHERE o.id = n.id",
            [[order.id for _, order in old], new_ids],
        )
    _set_refused(several, "split", now)
    submit_holds(new, lines=_lines(several), now=now)
    tell_of_batches(new_ids, event="received", now=now)
    return {each.id for each in several}


@dataclass(frozen=True)
class _LiveOrder:
    id: int
    hold_micro: int


def _live_orders(batch_ids: Sequence[int]) -> Mapping[int, list[_LiveOrder]]:
    """Return the orders of batches that have not ended, in the order of arrival."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT batch_id, id, quantity_wh, margin_micro_per_kwh FROM marketplace_order"
            " WHERE batch_id = ANY(%s) AND ended_at IS NULL ORDER BY id",
            [list(batch_ids)],
        )
        rows = cursor.fetchall()
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4)
    amounts = hold_amounts(columns[:, 2], columns[:, 3], np.arange(len(rows)), len(rows))
    live: dict[int, list[_LiveOrder]] = defaultdict(list)
    for (batch_id, id_, _, _), amount in zip(rows, amounts, strict=True):
        live[batch_id].append(_LiveOrder(id_, amount))
    return live


def _amounts_needed(batch_ids: Sequence[int]) -> dict[int, int]:
    """Return what each batch's orders need held. [micro]"""
    with connection.cursor() as cursor:
        cursor.execute(
            _STANDING, {"ids": list(batch_ids), "settled": DeliveryInterval.State.SETTLED}
        )
        columns = np.array(cursor.fetchall(), dtype=np.int64).reshape(-1, 3)
    ids = np.array(sorted(batch_ids), dtype=np.int64)
    groups = np.searchsorted(ids, columns[:, 0])
    amounts = hold_amounts(columns[:, 1], columns[:, 2], groups, len(ids))
    return dict(zip(ids.tolist(), amounts, strict=True))


def _store(batches: Sequence[OrderBatch]) -> None:
    """Write what became of locked batches, all in one statement."""
    if not batches:
        return
    columns = [
        [getattr(each, name) for each in batches]
        for name in (
            *("id", "state", "refusal", "hold_micro", "change_count", "is_stale"),
            "answered_at",
        )
    ]
    with connection.cursor() as cursor:
        cursor.execute(_STORE, columns)


def _lines(batches: Sequence[OrderBatch]) -> dict[int, CreditLine]:
    return CreditLine.objects.in_bulk({each.participant_id for each in batches})

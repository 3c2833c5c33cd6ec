"""Take orders of the forward market in, thousands at once, and cancel them until gate closure.

Each order gets an id or the code of its refusal. What is taken in is *received*; the ledger's
answer to the hold makes it *accepted* or *refused* (``marketplace.services.order_answers``).

Lock order: the intervals' rows (shared, so that a gate closes before or after, never between), the
participants' rows (so that keys and position limits see what came before), batches.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from django.db import connection, transaction

from ledger.domain.commands import Int64Array
from marketplace.domain.forward.orders import OrderColumns
from marketplace.errors import N_, NotFound, RoleNotAllowed
from marketplace.models import Community, Order, Participant
from marketplace.queries.forward import get_rules_at, list_rules_in_force
from marketplace.services.credit_lines import grant_credit_lines
from marketplace.services.order_intervals import open_intervals
from marketplace.services.order_judging import Judging, credit_limits
from marketplace.services.order_store import store_orders, tell_of_batches

# Why an order cannot be cancelled, where it cannot.
NO_ORDER: Final = "not_found"
HAS_ENDED: Final = "ended"
GATE_CLOSED: Final = "gate_closed"

_LOCK_PARTICIPANTS = """
SELECT id FROM marketplace_participant WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE
"""
_LOCK_INTERVALS = """
SELECT i.id FROM marketplace_deliveryinterval i
WHERE i.id IN (SELECT interval_id FROM marketplace_order WHERE id = ANY(%s))
ORDER BY i.id FOR SHARE
"""
_LOCK_BATCHES = """
SELECT id FROM marketplace_orderbatch
WHERE id IN (SELECT batch_id FROM marketplace_order WHERE id = ANY(%s))
ORDER BY id FOR NO KEY UPDATE
"""
_CANCEL = """
WITH own AS (
    SELECT o.id, b.state, o.ended_at, coalesce(o.expires_at <= %(now)s, false) AS has_expired,
        o.filled_wh IS NOT NULL OR a.interval_id IS NOT NULL OR %(now)s >= i.starts_at
            - make_interval(mins => (r.document ->> 'gate_closure_minutes')::int) AS is_closed
    FROM marketplace_order o
    JOIN marketplace_orderbatch b ON b.id = o.batch_id
    JOIN marketplace_deliveryinterval i ON i.id = o.interval_id
    JOIN marketplace_ruleset r ON r.id = i.rule_set_id
    LEFT JOIN marketplace_auction a ON a.interval_id = i.id
    WHERE o.id = ANY(%(ids)s) AND o.participant_id = ANY(%(participants)s)
), cancelled AS (
    UPDATE marketplace_order o SET ended_at = %(now)s FROM own
    WHERE o.id = own.id AND own.state < 3 AND own.ended_at IS NULL AND NOT own.is_closed
        AND NOT own.has_expired
    RETURNING o.id, o.batch_id
), stale AS (
    UPDATE marketplace_orderbatch b SET is_stale = true
    WHERE b.id IN (SELECT batch_id FROM cancelled)
)
SELECT own.id, cancelled.batch_id, own.is_closed FROM own LEFT JOIN cancelled USING (id)
"""


@dataclass(frozen=True, eq=False)
class Placed:
    """What became of each order: its id, or 0 and the code of its refusal."""

    ids: Int64Array
    refusals: Sequence[str]


@transaction.atomic
def place_orders(*, participant_id: int, orders: OrderColumns, now: datetime) -> Placed:
    """Take a participant's orders in: each is received, or refused with a code.

    An order whose key is known with the same content is the first one again; no other check is
    made of it. Orders are judged in the order in which they stand.

    Raises
    ------
    RoleNotAllowed
        If the participant is no member of a community.
    """
    member = Participant.objects.select_related("community").filter(id=participant_id).first()
    if member is None:
        raise NotFound(N_("There is no such participant."))
    if member.community is None or member.energy_account_id is None:
        raise RoleNotAllowed(N_("Only members of a community place orders."))
    participants = np.full(len(orders), participant_id, dtype=np.int64)
    return take_in(community=member.community, participants=participants, orders=orders, now=now)


@transaction.atomic
def take_in(
    *, community: Community, participants: Int64Array, orders: OrderColumns, now: datetime
) -> Placed:
    """Take in orders of several members of one community; see `place_orders`.

    Parameters
    ----------
    participants : ndarray of int64, shape (n,)
        Whose order each is.
    """
    if not len(orders):
        return Placed(np.zeros(0, dtype=np.int64), [])
    in_force = list_rules_in_force(community_id=community.id)
    starts, index = np.unique(orders.starts_s, return_inverse=True)
    intervals = open_intervals(
        community_id=community.id, starts_s=starts, in_force=in_force, now=now
    )
    members = np.unique(participants).tolist()
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_PARTICIPANTS, [members])
    current = get_rules_at(in_force=in_force, moment=now)
    limits = credit_limits(members, current.rules.credit_limit_micro if current else None)
    judging = Judging(orders=orders, participants=participants, intervals=intervals, index=index)
    judging.judge(community_id=community.id, limits=limits, now=now)
    admitted = judging.admitted()
    ids = np.zeros(0, dtype=np.int64)
    if len(admitted.rows):
        asking = np.unique(admitted.participants).tolist()
        lines = grant_credit_lines(
            community=community, limits_micro={each: limits[each] for each in asking}, now=now
        )
        ids = store_orders(admitted, lines=lines, now=now)
    return Placed(*judging.answers(admitted.rows, ids))


@transaction.atomic
def cancel_orders(
    *, participant_ids: Sequence[int], order_ids: Sequence[int], now: datetime
) -> dict[int, str]:
    """Cancel orders before their gate closes; return for each why it could not, empty if it could.

    The hold is made smaller once the ledger has booked it.

    Parameters
    ----------
    participant_ids : sequence of int
        Whose orders the caller may cancel; any other is not found.
    """
    with connection.cursor() as cursor:
        for lock in (_LOCK_INTERVALS, _LOCK_BATCHES):
            cursor.execute(lock, [list(order_ids)])
        cursor.execute(
            _CANCEL,
            {"ids": list(order_ids), "participants": list(participant_ids), "now": now},
        )
        rows = cursor.fetchall()
    outcomes = dict.fromkeys(order_ids, NO_ORDER)
    batches = set()
    for order_id, batch_id, is_closed in rows:
        outcomes[order_id] = GATE_CLOSED if is_closed else HAS_ENDED
        if batch_id is not None:
            outcomes[order_id] = ""
            batches.add(batch_id)
    tell_of_batches(sorted(batches), event="cancelled", now=now)
    return outcomes


@transaction.atomic
def cancel_open_orders(*, participant_id: int, now: datetime) -> None:
    """Cancel what a member has open in the intervals to come; where a gate has closed, it stays."""
    still = Order.objects.filter(
        participant=participant_id,
        ended_at__isnull=True,
        filled_wh__isnull=True,
        interval__community__participants=participant_id,
        interval__starts_at__gt=now,
    )
    open_ids = list(still.values_list("id", flat=True))
    cancel_orders(participant_ids=[participant_id], order_ids=open_ids, now=now)

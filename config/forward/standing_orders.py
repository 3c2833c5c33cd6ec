"""Let standing rules follow forecasts: orders of what is expected, shortly before gates close."""

from datetime import datetime, timedelta

from analytics.queries import list_expected_surplus
from marketplace.queries.intervals import list_community_ids
from marketplace.queries.standing_orders import closing_intervals
from marketplace.services.standing_orders import place_standing_orders

# Late, since what is expected gets better; not too late for the ledger to book the holds.
BEFORE_CLOSURE = timedelta(minutes=30)


def place_due_standing_orders(*, now: datetime) -> int:
    """Place the orders of standing rules in all intervals whose gates close soon.

    Whoever has an order in an interval is left alone, so that it may run twice, late, or on two
    hosts at once.

    Returns
    -------
    int
        How many orders were received.
    """
    received, failures = 0, []
    for community_id in list_community_ids():
        try:
            received += _place(community_id, now)
        except Exception as failure:  # one bad community must not hold up the others
            failures.append(failure)
    if failures:
        raise ExceptionGroup("communities whose standing rules placed no orders", failures)
    return received


def _place(community_id: int, now: datetime) -> int:
    received = 0
    starts = closing_intervals(community_id=community_id, now=now, within=BEFORE_CLOSURE)
    for starts_at in starts:
        placed = place_standing_orders(
            community_id=community_id,
            starts_at=starts_at,
            expected=list_expected_surplus(community_id=community_id, starts_at=starts_at),
            now=now,
        )
        received += sum(1 for refusal in placed.refusals if not refusal)
    return received

"""What standing rules need to know before they place orders, and who has placed some."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from marketplace.models import MeteringPoint, Order
from marketplace.queries.forward import closes_at, list_rules_in_force


def list_meters_with_orders(*, community_id: int, starts_at: datetime) -> set[int]:
    """Return the metering points with an order in an interval, whatever became of it."""
    found = Order.objects.filter(interval__community_id=community_id, interval__starts_at=starts_at)
    return set(found.values_list("metering_point_id", flat=True).distinct())


def owners_of_meters(*, metering_point_ids: Sequence[int]) -> dict[int, int]:
    """Return the participant of each metering point."""
    found = MeteringPoint.objects.filter(id__in=metering_point_ids)
    return dict(found.values_list("id", "site__participant_id"))


def closing_intervals(*, community_id: int, now: datetime, within: timedelta) -> list[datetime]:
    """Return the starts of the forward intervals whose gates close soon, earliest first.

    Parameters
    ----------
    within : timedelta
        Gates that close after ``now`` and not later than this.
    """
    found = []
    # Each rule set by itself: the first gates of a new one close while the one before is in force.
    for each in list_rules_in_force(community_id=community_id):
        if each.rules.market.forward is None:
            continue
        step = each.length
        first = now + (now - closes_at(starts_at=now, rules=each.rules))
        start = first - (first.timestamp() % step.total_seconds()) * timedelta(seconds=1) + step
        while start <= first + within:
            if each.has_interval(start):
                found.append(start)
            start += step
    return sorted(found)

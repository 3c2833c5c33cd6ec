"""Which revisions of intervals planners are told of, for whoever computes on from them."""

from datetime import datetime

from analytics.models import ReleasedDay


def list_released_revisions(*, community_id: int, start: datetime, end: datetime) -> dict[int, int]:
    """Return the intervals of the shown days within ``[start, end)`` and their revisions."""
    days = ReleasedDay.objects.filter(
        community_id=community_id, is_hidden=False, starts_at__gte=start, ends_at__lte=end
    )
    return {
        int(interval_id): number
        for revisions in days.values_list("revisions", flat=True)
        for interval_id, number in revisions.items()
    }

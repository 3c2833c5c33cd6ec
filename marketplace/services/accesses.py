"""Note that somebody looked at a member's own data; called by each view that shows it."""

from collections.abc import Collection
from datetime import datetime

from django.db import connection

from marketplace.domain.accesses import AccessKind, AccessWay


def note_access(
    *,
    participant_ids: Collection[int],
    viewer_id: int,
    viewer_role: str,
    what: AccessKind,
    way: AccessWay = AccessWay.PAGE,
    now: datetime,
) -> None:
    """Count that a participant looked at others' own data: one row a viewer, thing and day.

    Parameters
    ----------
    participant_ids : collection of int
        Whose data was shown. The viewer's own is left out: nobody is told of themselves.
    viewer_id : int
        The participant in whose name somebody looked.
    """
    others = sorted(set(participant_ids) - {viewer_id})
    if not others:
        return
    with connection.cursor() as cursor:
        # Sorted: two viewers of many members lock their rows in the same order.
        cursor.execute(
            "INSERT INTO marketplace_access AS known"
            " (participant_id, viewer_id, viewer_role, what, way, day, count, first_at, last_at)"
            " SELECT id, %s, %s, %s, %s, %s, 1, %s, %s FROM unnest(%s::bigint[]) AS id"
            " ON CONFLICT (participant_id, viewer_id, what, way, day) DO UPDATE"
            " SET count = known.count + 1, last_at = EXCLUDED.last_at",
            [viewer_id, viewer_role, what.value, way.value, now.date(), now, now, others],
        )

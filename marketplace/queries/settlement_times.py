"""How long it takes from the end of a delivery interval until its money is settled, and final."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

# Only what is booked counts: an interval that still waits has no time yet, and is counted apart.
_TIMES = """
WITH of_time AS (
    SELECT i.id, i.ends_at, i.state, i.revision, r.document -> 'correction_deadline_days' AS days
    FROM marketplace_deliveryinterval i
    JOIN marketplace_ruleset r ON r.id = i.rule_set_id
    WHERE i.community_id = %(community)s AND i.starts_at >= %(start)s AND i.starts_at < %(end)s
), settled AS (
    SELECT extract(epoch FROM k.cleared_at - o.ends_at)::bigint AS seconds, o.revision,
           k.reason = 2 AS is_late, (o.days)::int AS days,
           o.ends_at + (o.days)::int * interval '1 day' <= %(now)s AS is_final
    FROM of_time o
    JOIN marketplace_clearing k ON k.interval_id = o.id AND k.revision = 1
    WHERE o.state >= 4
)
SELECT (SELECT count(*) FROM of_time), count(*),
       percentile_disc(ARRAY[0.1, 0.5, 0.9, 0.99]) WITHIN GROUP (ORDER BY seconds),
       count(*) FILTER (WHERE is_final), count(*) FILTER (WHERE revision > 1),
       count(*) FILTER (WHERE is_late), min(days), max(days)
FROM settled
"""


@dataclass(frozen=True, slots=True)
class SettlementTimes:
    """Times of a community's intervals from their end to their first clearing. [s]

    Attributes
    ----------
    interval_count, settled_count, final_count : int
        All, those whose money is booked, and of these those nobody can correct any more.
    seconds : tuple of int
        The 10th, 50th, 90th and 99th percentile; empty where nothing is settled. The ledger books
        a clearing within seconds.
    corrected_count, late_count : int
        Cleared more than once, and cleared at the deadline with readings missing.
    final_after_days : tuple of int
        Least and most days after which an interval is final, by the rules in force then.
    """

    interval_count: int
    settled_count: int
    final_count: int
    seconds: tuple[int, ...]
    corrected_count: int
    late_count: int
    final_after_days: tuple[int, ...]


def get_settlement_times(
    *, community_id: int, start: datetime, end: datetime, now: datetime
) -> SettlementTimes:
    """Return the times of the intervals that start in ``[start, end)``."""
    values: dict[str, int | datetime] = {
        "community": community_id,
        "start": start,
        "end": end,
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_TIMES, values)
        row = cursor.fetchone()
    assert row is not None
    count, settled, seconds, final, corrected, late, least, most = row
    return SettlementTimes(
        interval_count=count,
        settled_count=settled,
        final_count=final,
        seconds=tuple(seconds or ()),
        corrected_count=corrected,
        late_count=late,
        final_after_days=() if least is None else (least, most),
    )

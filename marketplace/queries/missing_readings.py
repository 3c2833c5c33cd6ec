"""Which readings did not come in time, and what their meters read before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db import connection

from marketplace.domain.interval_book import Int64Array
from marketplace.domain.readings.estimation import History

_DUE = """
SELECT i.id, i.starts_at, i.ends_at, i.rule_set_id
FROM marketplace_deliveryinterval i JOIN marketplace_ruleset r ON r.id = i.rule_set_id
WHERE i.community_id = %(community)s AND i.state = 1
    AND r.document ->> 'estimation' IN ('previous_week', 'profile')
    AND %(now)s >= i.ends_at + make_interval(
        mins => (r.document ->> 'readings_deadline_minutes')::int)
    AND EXISTS (
        SELECT FROM marketplace_meteringpoint m
        WHERE m.community_id = i.community_id AND m.active_from <= i.starts_at
            AND (m.active_until IS NULL OR m.active_until > i.starts_at)
            AND NOT EXISTS (
                SELECT FROM marketplace_reading
                WHERE interval_id = i.id AND metering_point_id = m.id))
ORDER BY i.starts_at LIMIT %(limit)s
"""

_HISTORY = """
SELECT starts_at, metering_point_id, import_wh, export_wh FROM (
    SELECT DISTINCT ON (i.id, r.metering_point_id)
        i.starts_at, r.metering_point_id, r.import_wh, r.export_wh, r.quality
    FROM marketplace_deliveryinterval i
    JOIN marketplace_reading r ON r.interval_id = i.id
    JOIN marketplace_meteringpoint m ON m.id = r.metering_point_id
    WHERE i.community_id = %(community)s AND i.starts_at = ANY(%(starts)s)
        AND i.ends_at - i.starts_at = make_interval(secs => %(length_s)s)
        AND m.active_from <= %(at)s AND (m.active_until IS NULL OR m.active_until > %(at)s)
        AND NOT EXISTS (
            SELECT FROM marketplace_reading known
            WHERE known.interval_id = %(interval)s AND known.metering_point_id = m.id)
    ORDER BY i.id, r.metering_point_id, r.version DESC
) AS current WHERE quality <> 1
"""


@dataclass(frozen=True)
class IntervalToEstimate:
    """An interval past its deadline that lacks readings, under rules that estimate them."""

    id: int
    starts_at: datetime
    ends_at: datetime
    rule_set_id: int


def list_intervals_to_estimate(
    *, community_id: int, now: datetime, limit: int
) -> list[IntervalToEstimate]:
    """Return the earliest intervals whose missing readings are to be estimated now."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"community": community_id, "now": now, "limit": limit})
        return [IntervalToEstimate(*row) for row in cursor.fetchall()]


def get_history(
    *, community_id: int, interval: IntervalToEstimate, starts: Sequence[datetime]
) -> History:
    """Return what the meters without a reading read at earlier moments, estimates left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            _HISTORY,
            {
                "community": community_id,
                "starts": list(starts),
                "length_s": (interval.ends_at - interval.starts_at).total_seconds(),
                "at": interval.starts_at,
                "interval": interval.id,
            },
        )
        rows = cursor.fetchall()
    place = {moment: index for index, moment in enumerate(starts)}

    def column(values: list[int]) -> Int64Array:
        return np.array(values, dtype=np.int64)

    return History(
        moment=column([place[row[0]] for row in rows]),
        metering_point=column([row[1] for row in rows]),
        import_wh=column([row[2] for row in rows]),
        export_wh=column([row[3] for row in rows]),
    )

"""Consumption and certificates hour by hour: how much of what was used was certified then."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db import connection

from marketplace.domain.certificates.bundles import matching_score

# Hours are those of the civil clock: some time zones are half an hour away from UTC's.
_USED = """
SELECT date_trunc('hour', i.starts_at, %(zone)s) AS hour, sum(r.import_wh)::bigint
FROM marketplace_site s
JOIN marketplace_meteringpoint m ON m.site_id = s.id
JOIN marketplace_deliveryinterval i ON i.community_id = m.community_id
    AND i.starts_at >= %(start)s AND i.starts_at < %(end)s
JOIN marketplace_reading r ON r.interval_id = i.id AND r.metering_point_id = m.id
WHERE s.participant_id = %(participant)s AND NOT EXISTS (
    SELECT FROM marketplace_reading later
    WHERE later.interval_id = r.interval_id
        AND later.metering_point_id = r.metering_point_id AND later.version > r.version)
GROUP BY 1
"""
_CERTIFIED = """
SELECT date_trunc('hour', i.starts_at, %(zone)s) AS hour,
    coalesce(sum(b.last_wh - b.first_wh) FILTER (WHERE b.state = 2), 0)::bigint,
    coalesce(sum(b.last_wh - b.first_wh) FILTER (WHERE b.state = 1), 0)::bigint
FROM marketplace_certificatebundle b
JOIN marketplace_deliveryinterval i ON i.id = b.interval_id
WHERE b.holder_id = %(participant)s AND b.state IN (1, 2)
    AND i.starts_at >= %(start)s AND i.starts_at < %(end)s
GROUP BY 1
"""


@dataclass(frozen=True)
class CertifiedHour:
    """An hour of a member: what they used, cancelled, and hold. [Wh]"""

    starts_at: datetime
    used_wh: int
    cancelled_wh: int
    held_wh: int

    @property
    def matched_wh(self) -> int:
        """Consumption that cancelled certificates of the hour cover."""
        return min(self.used_wh, self.cancelled_wh)

    @property
    def coverable_wh(self) -> int:
        """Consumption that certificates of the hour cover or could cover."""
        return min(self.used_wh, self.cancelled_wh + self.held_wh)

    @property
    def missing_wh(self) -> int:
        """Consumption that nothing covers yet."""
        return max(0, self.used_wh - self.cancelled_wh)


@dataclass(frozen=True)
class MatchingScore:
    """Sums over some hours, and the two scores; None without consumption."""

    used_wh: int
    cancelled_wh: int
    held_wh: int
    matched_wh: int
    coverable_wh: int
    score: float | None
    possible: float | None


def list_certified_hours(
    *, participant_id: int, zone: str, start: datetime, end: datetime
) -> list[CertifiedHour]:
    """Return the hours of a period in which a member used energy or has certificates, in order."""
    asked: dict[str, int | str | datetime] = {
        "participant": participant_id,
        "zone": zone,
        "start": start,
        "end": end,
    }
    with connection.cursor() as cursor:
        cursor.execute(_USED, asked)
        used = dict(cursor.fetchall())
        cursor.execute(_CERTIFIED, asked)
        certified = {hour: (cancelled, held) for hour, cancelled, held in cursor.fetchall()}
    return [
        CertifiedHour(hour, used.get(hour, 0), *certified.get(hour, (0, 0)))
        for hour in sorted(used.keys() | certified.keys())
    ]


def score_of(hours: Sequence[CertifiedHour]) -> MatchingScore:
    """Return how far certificates cover consumption, hour by hour."""
    used, cancelled, held = (
        np.array([getattr(hour, name) for hour in hours], dtype=np.int64)
        for name in ("used_wh", "cancelled_wh", "held_wh")
    )
    return MatchingScore(
        used_wh=int(used.sum()),
        cancelled_wh=int(cancelled.sum()),
        held_wh=int(held.sum()),
        matched_wh=sum(hour.matched_wh for hour in hours),
        coverable_wh=sum(hour.coverable_wh for hour in hours),
        score=matching_score(used, cancelled),
        possible=matching_score(used, cancelled + held),
    )

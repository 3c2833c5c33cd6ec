"""An enterprise's procurement: its load hour by hour, what covered it, and at which prices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from django.db import connection

# Where energy came from. What is left of the load came from the grid.
SOURCES: Final = ("contract", "partner", "gift", "ahead", "pool")
Bucket = Literal["hour", "day"]

_LOAD = """
SELECT date_trunc(%(bucket)s, i.starts_at, %(zone)s), count(*), count(r.import_wh),
    coalesce(sum(r.import_wh), 0)::bigint,
    coalesce(sum(r.import_wh::numeric * c.retail_micro_per_kwh), 0)
FROM marketplace_site s
JOIN marketplace_meteringpoint p ON p.site_id = s.id
JOIN marketplace_deliveryinterval i ON i.community_id = p.community_id
    AND i.starts_at >= %(start)s AND i.starts_at < %(end)s AND i.ends_at <= %(now)s
    AND p.active_from <= i.starts_at AND (p.active_until IS NULL OR p.active_until > i.starts_at)
LEFT JOIN LATERAL (
    SELECT import_wh FROM marketplace_reading
    WHERE interval_id = i.id AND metering_point_id = p.id ORDER BY version DESC LIMIT 1
) r ON true
LEFT JOIN marketplace_clearing c ON c.interval_id = i.id AND c.revision = i.revision
WHERE s.participant_id = %(participant)s
GROUP BY 1 ORDER BY 1
"""

# A trade leads to its buyer by the request, or by the metering point where there is none: both have
# an index, and the trades of everybody else are not looked at.
_BOUGHT = """
WITH point AS MATERIALIZED (
    SELECT p.id FROM marketplace_site s JOIN marketplace_meteringpoint p ON p.site_id = s.id
    WHERE s.participant_id = %(participant)s
), trade AS (
    SELECT t.* FROM marketplace_request q JOIN marketplace_match t ON t.request_id = q.id
    WHERE q.metering_point_id IN (SELECT id FROM point)
    UNION ALL
    SELECT t.* FROM marketplace_match t
    WHERE t.request_id IS NULL AND t.buyer_point_id IN (SELECT id FROM point)
)
SELECT date_trunc(%(bucket)s, i.starts_at, %(zone)s),
    CASE a.kind WHEN 1 THEN 'contract' WHEN 2 THEN 'gift' WHEN 3 THEN 'partner'
        ELSE CASE WHEN t.buy_order_id IS NULL THEN 'pool' ELSE 'ahead' END END,
    sum(coalesce(t.delivered_wh, t.quantity))::bigint,
    sum(coalesce(t.delivered_wh, t.quantity)::numeric * t.price_micro)
FROM trade t
JOIN marketplace_deliveryinterval i ON i.id = t.interval_id AND i.revision = t.revision
    AND i.starts_at >= %(start)s AND i.starts_at < %(end)s
LEFT JOIN marketplace_agreement a ON a.id = t.agreement_id
GROUP BY 1, 2 ORDER BY 1, 2
"""

_ORDERED = """
SELECT date_trunc('hour', i.starts_at, %(zone)s),
    sum(coalesce(o.filled_wh, o.quantity_wh))::bigint
FROM marketplace_order o
JOIN marketplace_orderbatch b ON b.id = o.batch_id AND b.state = 2
JOIN marketplace_deliveryinterval i ON i.id = o.interval_id
WHERE o.participant_id = %(participant)s AND o.side = 1 AND o.ended_at IS NULL
    AND i.starts_at >= %(start)s AND i.starts_at < %(end)s
GROUP BY 1 ORDER BY 1
"""


@dataclass(frozen=True)
class Bought:
    """Energy of one source with its price, energy and platform's fee apart. [Wh]

    ``value`` is energy times price, in Wh times micro per kWh.
    """

    wh: int = 0
    value: int = 0

    @property
    def price_micro_per_kwh(self) -> int | None:
        """Mean price, weighted by energy; None without any."""
        return self.value // self.wh if self.wh else None


@dataclass(frozen=True)
class LoadSlot:
    """An hour or a day of the load.

    Attributes
    ----------
    expected_count, reading_count : int
        Readings that there should be, and are.
    import_wh : int
        Of the readings that are there. [Wh]
    retail_value : int
        That energy times the retail tariff. [Wh micro/kWh]
    bought : mapping of str to Bought
        By source, see `SOURCES`.
    """

    starts_at: datetime
    expected_count: int
    reading_count: int
    import_wh: int
    retail_value: int
    bought: Mapping[str, Bought] = field(default_factory=dict)

    @property
    def is_missing(self) -> bool:
        """Whether a reading is missing: then the load is not known."""
        return self.reading_count < self.expected_count

    @property
    def covered_wh(self) -> int:
        """What was bought of it from anybody but the grid."""
        return sum(each.wh for each in self.bought.values())

    @property
    def grid_wh(self) -> int | None:
        """What the grid delivered; None while the load is not known."""
        return None if self.is_missing else max(0, self.import_wh - self.covered_wh)


def list_load(
    *,
    participant_id: int,
    zone: str,
    start: datetime,
    end: datetime,
    bucket: Bucket,
    now: datetime,
) -> list[LoadSlot]:
    """Return the load of a member's metering points with what covered it, in order.

    Rows are of one member's meters: the cost grows with the time, not with the community.
    """
    asked: dict[str, int | str | datetime] = {
        "participant": participant_id,
        "zone": zone,
        "start": start,
        "end": end,
        "bucket": bucket,
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_BOUGHT, asked)
        bought: dict[datetime, dict[str, Bought]] = {}
        for at, source, wh, value in cursor.fetchall():
            bought.setdefault(at, {})[source] = Bought(wh, int(value))
        cursor.execute(_LOAD, asked)
        return [
            LoadSlot(at, expected, readings, wh, int(retail), bought.get(at, {}))
            for at, expected, readings, wh, retail in cursor.fetchall()
        ]


def sum_by_source(slots: Sequence[LoadSlot]) -> dict[str, Bought]:
    """Add up what was bought, by source in the order of `SOURCES`; what gave nothing is absent."""
    sums = {}
    for source in SOURCES:
        parts = [slot.bought[source] for slot in slots if source in slot.bought]
        if parts:
            sums[source] = Bought(sum(one.wh for one in parts), sum(one.value for one in parts))
    return sums


def list_ordered(
    *, participant_id: int, zone: str, start: datetime, end: datetime
) -> dict[datetime, int]:
    """Return what a member has ordered or bought ahead, by hour of delivery. [Wh]"""
    with connection.cursor() as cursor:
        cursor.execute(
            _ORDERED,
            {"participant": participant_id, "zone": zone, "start": start, "end": end},
        )
        return dict(cursor.fetchall())

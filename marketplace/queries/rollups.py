"""What settled intervals came to, zone by zone, for whoever makes statistics of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection
from django.db.models import QuerySet

from marketplace.models import DeliveryInterval
from marketplace.queries.intervals import IS_BOOKED

# Of a trade's ``nano``, its energy times its price: the amount, half to even, as domain.money does.
_REST = "mod(mod(nano, 1000) + 1000, 1000)"
AMOUNT_MICRO: Final = (
    f"((nano - {_REST}) / 1000 + CASE WHEN {_REST} > 500"
    f" OR {_REST} = 500 AND mod((nano - 500) / 1000, 2) <> 0 THEN 1 ELSE 0 END)"
)

# Of what was traded ahead only what was delivered counts.
# One statement is one snapshot: state, readings and trades of an interval belong together. Each
# zone of the community has its row, so that an interval without any reading is told from one
# that was not looked at.
_ZONE_TOTALS: Final = """
WITH chosen AS MATERIALIZED (
    SELECT i.id, i.community_id, i.starts_at, i.revision
    FROM marketplace_deliveryinterval i
    WHERE i.id = ANY(%(intervals)s) AND i.state >= 4 AND NOT i.has_news
), point AS MATERIALIZED (
    SELECT m.id, s.zone_id FROM marketplace_meteringpoint m
    JOIN marketplace_site s ON s.id = m.site_id
    WHERE m.community_id IN (SELECT community_id FROM chosen)
), current_reading AS (
    SELECT DISTINCT ON (r.interval_id, r.metering_point_id)
        r.interval_id, r.metering_point_id, r.import_wh, r.export_wh
    FROM marketplace_reading r
    WHERE r.interval_id = ANY(%(intervals)s)
    ORDER BY r.interval_id, r.metering_point_id, r.version DESC
), metered AS (
    SELECT r.interval_id, p.zone_id, count(*) AS meter_count,
           sum(r.import_wh)::bigint AS import_wh, sum(r.export_wh)::bigint AS export_wh
    FROM current_reading r JOIN point p ON p.id = r.metering_point_id
    GROUP BY r.interval_id, p.zone_id
), trade AS MATERIALIZED (
    SELECT t.interval_id, t.seller_point_id, t.buyer_point_id,
           t.agreement_id IS NULL AS is_of_pool,
           coalesce(t.delivered_wh, t.quantity) AS quantity,
           coalesce(t.delivered_wh, t.quantity) * t.price_micro AS nano
    FROM chosen c
    JOIN marketplace_match t ON t.interval_id = c.id AND t.revision = c.revision
), sold AS (
    SELECT t.interval_id, s.zone_id, sum(t.quantity)::bigint AS wh
    FROM trade t JOIN point s ON s.id = t.seller_point_id GROUP BY t.interval_id, s.zone_id
), bought AS (
    SELECT t.interval_id, b.zone_id, sum(t.quantity)::bigint AS wh,
           sum(t.quantity) FILTER (WHERE t.is_of_pool)::bigint AS pool_wh,
           sum(AMOUNT_MICRO) FILTER (WHERE t.is_of_pool)::bigint AS pool_micro
    FROM trade t JOIN point b ON b.id = t.buyer_point_id GROUP BY t.interval_id, b.zone_id
)
SELECT c.id, z.id, c.community_id, c.starts_at, c.revision, coalesce(metered.meter_count, 0),
       coalesce(metered.import_wh, 0), coalesce(metered.export_wh, 0),
       coalesce(bought.wh, 0), coalesce(sold.wh, 0),
       coalesce(bought.pool_wh, 0), coalesce(bought.pool_micro, 0),
       CASE WHEN k.prices IS NULL THEN k.price_micro_per_kwh
           ELSE (k.prices ->> z.code)::bigint END
FROM chosen c
JOIN marketplace_zone z ON z.community_id = c.community_id
JOIN marketplace_clearing k ON k.interval_id = c.id AND k.revision = c.revision
LEFT JOIN metered ON metered.interval_id = c.id AND metered.zone_id = z.id
LEFT JOIN sold ON sold.interval_id = c.id AND sold.zone_id = z.id
LEFT JOIN bought ON bought.interval_id = c.id AND bought.zone_id = z.id
ORDER BY c.id, z.id
""".replace("AMOUNT_MICRO", AMOUNT_MICRO)


@dataclass(frozen=True, slots=True)
class ZoneTotals:
    """One settled interval in one zone. [Wh] and [micro/kWh]

    ``priced_wh`` was bought in the pool, agreements aside, and costs ``priced_micro`` without fees,
    each trade at its price and rounded as money is.
    """

    interval_id: int
    zone_id: int
    community_id: int
    starts_at: datetime
    revision: int
    meter_count: int
    import_wh: int
    export_wh: int
    bought_wh: int
    sold_wh: int
    priced_wh: int
    priced_micro: int
    price_micro_per_kwh: int | None


def settled_intervals(*, community_id: int | None = None) -> "QuerySet[DeliveryInterval]":
    """Return the settled intervals whose readings are all in their latest clearing.

    A query that was not run yet, so that the asker can leave out in the database what it has.
    """
    # News are cleared first: their totals would mix new readings with old trades.
    found = DeliveryInterval.objects.filter(IS_BOOKED, has_news=False).order_by("id")
    return found if community_id is None else found.filter(community_id=community_id)


def list_settled_starts(*, community_id: int, start: datetime, end: datetime) -> list[datetime]:
    """Return when settled intervals start, of those in ``[start, end)``."""
    found = settled_intervals(community_id=community_id)
    return list(
        found.filter(starts_at__gte=start, starts_at__lt=end).values_list("starts_at", flat=True)
    )


def list_zone_totals(*, interval_ids: Sequence[int]) -> list[ZoneTotals]:
    """Return the totals of settled intervals, by their latest revision.

    Parameters
    ----------
    interval_ids : sequence of int
        Intervals that are not settled, or have news, are left out.

    Returns
    -------
    list of ZoneTotals
        In order of interval and zone; one for every zone of the interval's community. What was
        bought counts for the buyer's zone, what was sold for the seller's. [Wh]
    """
    with connection.cursor() as cursor:
        cursor.execute(_ZONE_TOTALS, {"intervals": list(interval_ids)})
        return [ZoneTotals(*row) for row in cursor.fetchall()]

"""What one metering point sent, drew and traded in settled intervals of some time."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import F, Q, Sum

from marketplace.models import Match, Offer, Request

# A reading is found by its interval: the key begins with it.
_READINGS = """
SELECT i.id, i.starts_at, r.import_wh, r.export_wh
FROM marketplace_meteringpoint p
JOIN marketplace_deliveryinterval i ON i.community_id = p.community_id
    AND i.starts_at >= %(start)s AND i.starts_at < %(end)s AND i.state >= 4
JOIN LATERAL (
    SELECT import_wh, export_wh FROM marketplace_reading
    WHERE interval_id = i.id AND metering_point_id = p.id ORDER BY version DESC LIMIT 1
) AS r ON true
WHERE p.id = %(point)s ORDER BY i.starts_at
"""


@dataclass(frozen=True, slots=True)
class PointInterval:
    """A settled interval of a meter; what was traded in the pool and by agreements. [Wh]"""

    starts_at: datetime
    import_wh: int
    export_wh: int
    pool_bought_wh: int
    pool_sold_wh: int
    agreed_bought_wh: int
    agreed_sold_wh: int


def trades_of_points(metering_point_ids: list[int]) -> Q:
    """Return the condition for trades of metering points, each side by an index that finds it."""
    offers = Offer.objects.filter(metering_point__in=metering_point_ids)
    requests = Request.objects.filter(metering_point__in=metering_point_ids)
    return (
        Q(offer__in=list(offers.values_list("id", flat=True)))
        | Q(request__in=list(requests.values_list("id", flat=True)))
        | Q(offer__isnull=True, seller_point__in=metering_point_ids)
        | Q(request__isnull=True, buyer_point__in=metering_point_ids)
    )


def list_point_intervals(
    *, metering_point_id: int, start: datetime, end: datetime
) -> list[PointInterval]:
    """Return a meter's settled intervals that start in ``[start, end)`` and have a reading."""
    traded: dict[tuple[int, bool, bool], int] = defaultdict(int)
    rows = (
        Match.objects.filter(
            trades_of_points([metering_point_id]),
            interval__starts_at__gte=start,
            interval__starts_at__lt=end,
            revision=F("interval__revision"),
        )
        .values_list("interval_id", "seller_point_id", "agreement_id")
        .annotate(wh=Sum("quantity"))
        .order_by()
    )
    for interval_id, seller_id, agreement_id, wh in rows:
        is_sale, is_agreed = seller_id == metering_point_id, agreement_id is not None
        traded[interval_id, is_sale, is_agreed] += wh
    with connection.cursor() as cursor:
        cursor.execute(_READINGS, {"point": metering_point_id, "start": start, "end": end})
        return [
            PointInterval(
                starts_at,
                import_wh,
                export_wh,
                pool_bought_wh=traded[interval_id, False, False],
                pool_sold_wh=traded[interval_id, True, False],
                agreed_bought_wh=traded[interval_id, False, True],
                agreed_sold_wh=traded[interval_id, True, True],
            )
            for interval_id, starts_at, import_wh, export_wh in cursor.fetchall()
        ]

"""Tariffs and fees that intervals were cleared under, for whoever asks what would have been."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import F

from marketplace.models import Clearing


@dataclass(frozen=True, slots=True)
class RecordedTariffs:
    """What an interval's latest clearing went by. [micro/kWh]"""

    starts_at: datetime
    retail_micro_per_kwh: int
    feed_in_micro_per_kwh: int
    platform_fee_micro_per_kwh: int


def list_recorded_tariffs(
    *, community_id: int, start: datetime, end: datetime
) -> list[RecordedTariffs]:
    """Return the tariffs of the cleared intervals that start in ``[start, end)``, in order."""
    rows = (
        Clearing.objects.filter(
            interval__community_id=community_id,
            interval__starts_at__gte=start,
            interval__starts_at__lt=end,
            revision=F("interval__revision"),
        )
        .order_by("interval__starts_at")
        .values_list(
            "interval__starts_at",
            "retail_micro_per_kwh",
            "feed_in_micro_per_kwh",
            "platform_fee_micro_per_kwh",
        )
    )
    return [RecordedTariffs(*row) for row in rows]

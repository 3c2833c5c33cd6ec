"""A community's intervals as everybody in it may see them: prices, states and counts."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import F

from marketplace.models import Clearing, DeliveryInterval, Zone


@dataclass(frozen=True)
class MarketInterval:
    """An interval with the latest result of its auction; prices are None before the first."""

    interval_id: int
    starts_at: datetime
    ends_at: datetime
    state: str
    price_micro_per_kwh: int | None
    retail_micro_per_kwh: int | None
    feed_in_micro_per_kwh: int | None
    missing_count: int
    left_out_count: int

    @property
    def is_settled(self) -> bool:
        """Whether its money is in the book."""
        return DeliveryInterval.State[self.state.upper()].is_booked


def list_market_intervals(
    *, community_id: int, start: datetime, end: datetime
) -> list[MarketInterval]:
    """Return a community's intervals that start in a period, in order."""
    intervals = DeliveryInterval.objects.filter(
        community_id=community_id, starts_at__gte=start, starts_at__lt=end
    ).order_by("starts_at")
    clearings = {
        clearing.interval_id: clearing
        for clearing in Clearing.objects.filter(
            interval__community_id=community_id,
            interval__starts_at__gte=start,
            interval__starts_at__lt=end,
            revision=F("interval__revision"),
        ).defer("book")
    }
    return [_market_interval(interval, clearings.get(interval.pk)) for interval in intervals]


def list_zone_names(*, community_id: int) -> dict[int, str]:
    """Return the names of a community's zones by id."""
    zones = Zone.objects.filter(community_id=community_id).order_by("code")
    return dict(zones.values_list("id", "name"))


def _market_interval(interval: DeliveryInterval, clearing: Clearing | None) -> MarketInterval:
    return MarketInterval(
        interval_id=interval.pk,
        starts_at=interval.starts_at,
        ends_at=interval.ends_at,
        state=DeliveryInterval.State(interval.state).label,
        price_micro_per_kwh=clearing.price_micro_per_kwh if clearing else None,
        retail_micro_per_kwh=clearing.retail_micro_per_kwh if clearing else None,
        feed_in_micro_per_kwh=clearing.feed_in_micro_per_kwh if clearing else None,
        missing_count=clearing.missing_count if clearing else 0,
        left_out_count=clearing.left_out_count if clearing else 0,
    )

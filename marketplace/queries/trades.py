"""Intervals and trades over a longer time, newest first."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, Q

from marketplace.models import (
    Clearing,
    DeliveryInterval,
    Match,
    MeteringPoint,
    Offer,
    Request,
)


@dataclass(frozen=True)
class IntervalLine:
    """An interval with its latest clearing; figures of it are None before the first. [Wh]"""

    id: int
    community_id: int
    starts_at: datetime
    ends_at: datetime
    state: str
    revision: int
    has_news: bool
    volume_wh: int | None
    price_micro_per_kwh: int | None
    retail_micro_per_kwh: int | None
    feed_in_micro_per_kwh: int | None
    platform_fee_micro_per_kwh: int | None
    missing_count: int | None
    left_out_count: int | None
    cleared_at: datetime | None


@dataclass(frozen=True)
class TradeLine:
    """A trade as one of its parties sees it: of the other side only the zone. [Wh]"""

    id: int
    interval_id: int
    starts_at: datetime
    quantity_wh: int
    price_micro_per_kwh: int
    seller_zone: str
    buyer_zone: str
    seller_metering_point_id: int | None
    buyer_metering_point_id: int | None

    @property
    def side(self) -> str:
        """Whether the party sold, bought, or did both: with two meters it can meet itself."""
        if self.seller_metering_point_id is None:
            return "buy"
        return "sell" if self.buyer_metering_point_id is None else "both"


def list_intervals(
    *,
    community_ids: Collection[int],
    state: str | None,
    start: datetime | None,
    end: datetime | None,
    before_id: int | None,
    limit: int,
) -> list[IntervalLine]:
    """Return intervals of some communities that start in ``[start, end)``, newest id first."""
    found = _in_period(
        DeliveryInterval.objects.filter(community_id__in=community_ids), "starts_at", start, end
    )
    if state is not None:
        found = found.filter(state=DeliveryInterval.State[state.upper()])
    if before_id is not None:
        found = found.filter(id__lt=before_id)
    intervals = list(found.order_by("-id")[:limit])
    clearings = {
        clearing.interval_id: clearing
        for clearing in Clearing.objects.filter(
            interval__in=[each.id for each in intervals], revision=F("interval__revision")
        ).defer("book")
    }
    return [_interval_line(each, clearings.get(each.id)) for each in intervals]


def list_interval_starts(
    *,
    community_id: int,
    start: datetime | None,
    end: datetime | None,
    before: datetime | None,
    limit: int,
) -> list[datetime]:
    """Return when the latest intervals of ``[start, end)``, before a moment if given, begin."""
    found = _in_period(
        DeliveryInterval.objects.filter(community_id=community_id), "starts_at", start, end
    )
    if before is not None:
        found = found.filter(starts_at__lt=before)
    return list(found.order_by("-starts_at").values_list("starts_at", flat=True)[:limit])


def list_trades(
    *,
    participant_ids: Collection[int],
    start: datetime | None,
    end: datetime | None,
    before_id: int | None,
    limit: int,
) -> list[TradeLine]:
    """Return the trades of some participants in their intervals' latest revision, newest first."""
    # As lists: so few ids find their trades by index on either side. Offers and requests lead to
    # most; agreements and orders made ahead have none, and are few.
    offers = list(_own_terms(Offer, participant_ids))
    requests = list(_own_terms(Request, participant_ids))
    points = list(_own_points(participant_ids))
    found = _in_period(
        Match.objects.filter(
            Q(offer__in=offers)
            | Q(request__in=requests)
            | Q(offer__isnull=True, seller_point__in=points)
            | Q(request__isnull=True, buyer_point__in=points),
            revision=F("interval__revision"),
        ),
        "interval__starts_at",
        start,
        end,
    )
    if before_id is not None:
        found = found.filter(id__lt=before_id)
    trades = found.select_related(
        "interval", "seller_point__site__zone", "buyer_point__site__zone"
    ).order_by("-id")[:limit]
    own = set(participant_ids)
    return [_trade_line(trade, own) for trade in trades]


def _own_terms(listing: type[Offer] | type[Request], participant_ids: Collection[int]) -> Any:
    return listing.objects.filter(participant__in=list(participant_ids)).values_list(
        "id", flat=True
    )


def _own_points(participant_ids: Collection[int]) -> Any:
    return MeteringPoint.objects.filter(site__participant__in=list(participant_ids)).values_list(
        "id", flat=True
    )


def _in_period(found: Any, path: str, start: datetime | None, end: datetime | None) -> Any:
    if start is not None:
        found = found.filter(**{f"{path}__gte": start})
    return found if end is None else found.filter(**{f"{path}__lt": end})


def _trade_line(trade: Match, own: set[int]) -> TradeLine:
    seller, buyer = trade.seller_point, trade.buyer_point
    # A constraint: an energy match has an interval and two metering points.
    assert trade.interval is not None, trade.id
    assert seller is not None, trade.id
    assert buyer is not None, trade.id
    return TradeLine(
        id=trade.id,
        interval_id=trade.interval.id,
        starts_at=trade.interval.starts_at,
        quantity_wh=trade.quantity,
        price_micro_per_kwh=trade.price_micro,
        seller_zone=seller.site.zone.code,
        buyer_zone=buyer.site.zone.code,
        seller_metering_point_id=seller.id if seller.site.participant_id in own else None,
        buyer_metering_point_id=buyer.id if buyer.site.participant_id in own else None,
    )


def _interval_line(interval: DeliveryInterval, clearing: Clearing | None) -> IntervalLine:
    return IntervalLine(
        id=interval.id,
        community_id=interval.community_id,
        starts_at=interval.starts_at,
        ends_at=interval.ends_at,
        state=DeliveryInterval.State(interval.state).label,
        revision=interval.revision,
        has_news=interval.has_news,
        volume_wh=clearing.volume_wh if clearing else None,
        price_micro_per_kwh=clearing.price_micro_per_kwh if clearing else None,
        retail_micro_per_kwh=clearing.retail_micro_per_kwh if clearing else None,
        feed_in_micro_per_kwh=clearing.feed_in_micro_per_kwh if clearing else None,
        platform_fee_micro_per_kwh=clearing.platform_fee_micro_per_kwh if clearing else None,
        missing_count=clearing.missing_count if clearing else None,
        left_out_count=clearing.left_out_count if clearing else None,
        cleared_at=clearing.cleared_at if clearing else None,
    )

"""A community's day for its members: prices, volumes, flows; never one household."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from analytics.domain.figures import Energies
from analytics.queries import Rollup, list_interval_rollups
from analytics.queries.figures import get_energies
from config.web.days import chosen_day, render_in
from config.web.personas import personas_of
from marketplace.queries.pages import Place, get_minimum_group_size, list_places
from marketplace.queries.pages_community import MarketInterval, list_market_intervals


@dataclass(frozen=True)
class CommunityRow:
    """An interval of a community; energies are None where they may not or cannot be shown."""

    market: MarketInterval
    sold_wh: int | None
    bought_wh: int | None
    grid_import_wh: int | None
    grid_export_wh: int | None
    is_small: bool

    @property
    def starts_at(self) -> datetime:
        """Start of the interval."""
        return self.market.starts_at

    @property
    def ends_at(self) -> datetime:
        """End of the interval."""
        return self.market.ends_at

    @property
    def price_micro_per_kwh(self) -> int | None:
        """Clearing price."""
        return self.market.price_micro_per_kwh

    @property
    def retail_micro_per_kwh(self) -> int | None:
        """Retail tariff."""
        return self.market.retail_micro_per_kwh

    @property
    def feed_in_micro_per_kwh(self) -> int | None:
        """Feed-in tariff."""
        return self.market.feed_in_micro_per_kwh


@dataclass(frozen=True)
class CommunityPeriod:
    """What a page shows of a community over a period."""

    place: Place
    minimum_group_size: int
    rows: list[CommunityRow]
    energies: Energies | None

    @property
    def held_count(self) -> int:
        """Intervals that wait for readings or for their booking."""
        return sum(not row.market.is_settled for row in self.rows)

    @property
    def missing_count(self) -> int:
        """Readings that intervals were settled without."""
        return sum(row.market.missing_count for row in self.rows)

    @property
    def left_out_count(self) -> int:
        """Most meters that any interval left out because of the credit limit."""
        # Of two neighbours, each would know who the other one is.
        shown = (row.market.left_out_count for row in self.rows if row.sold_wh is not None)
        return max(shown, default=0)

    @property
    def small_count(self) -> int:
        """Intervals with too few meters to be shown."""
        return sum(row.is_small for row in self.rows)


@require_safe
def community(request: HttpRequest, community_id: int) -> HttpResponse:
    """Price, volumes and flows of a day, as charts with their tables."""
    place = community_place_or_404(request, community_id)
    now = timezone.now()
    chosen = chosen_day(request, place, now)
    period = get_community_period(place, chosen.start, chosen.end, now)
    return render_in(request, place, "pages/community.html", {"chosen": chosen, "period": period})


def get_community_period(
    place: Place, start: datetime, end: datetime, now: datetime
) -> CommunityPeriod:
    """Read a community over a period and leave out what would show too few households."""
    minimum = get_minimum_group_size(community_id=place.community_id, now=now)
    rollups: dict[int, list[Rollup]] = {}
    for rollup in list_interval_rollups(community_id=place.community_id, start=start, end=end):
        rollups.setdefault(rollup.interval_id, []).append(rollup)
    intervals = list_market_intervals(community_id=place.community_id, start=start, end=end)
    rows = []
    for interval in intervals:
        zones = rollups.get(interval.interval_id, [])
        is_small = bool(zones) and sum(zone.meter_count for zone in zones) < minimum
        rows.append(_row(interval, [] if is_small else zones, is_small))
    return CommunityPeriod(
        place=place,
        minimum_group_size=minimum,
        rows=rows,
        energies=_energies(place, start, end, rows),
    )


def _energies(
    place: Place, start: datetime, end: datetime, rows: Sequence[CommunityRow]
) -> Energies | None:
    """Return what the period came to; None where some of it may not be shown.

    A sum over the rest would show by subtraction what the small intervals hold.
    """
    if any(row.is_small for row in rows):
        return None
    return get_energies(community_id=place.community_id, start=start, end=end)


def _row(interval: MarketInterval, zones: Sequence[Rollup], is_small: bool) -> CommunityRow:
    if not zones:
        return CommunityRow(interval, None, None, None, None, is_small)
    return CommunityRow(
        market=interval,
        sold_wh=sum(zone.sold_wh for zone in zones),
        bought_wh=sum(zone.bought_wh for zone in zones),
        grid_import_wh=sum(zone.grid_import_wh for zone in zones),
        grid_export_wh=sum(zone.grid_export_wh for zone in zones),
        is_small=is_small,
    )


def community_place_or_404(request: HttpRequest, community_id: int) -> Place:
    """Return a community the signed-in person belongs to or operates.

    Planners have pages of their own: the newest figures would say who was corrected.
    """
    for persona in personas_of(request):
        if persona.role == "planner":
            continue
        if persona.place is not None and persona.place.community_id == community_id:
            return persona.place
        if persona.place is None and persona.role == "operator":
            for place in list_places():
                if place.community_id == community_id:
                    return place
    raise Http404

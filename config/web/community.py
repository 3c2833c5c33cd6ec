"""A community's day for its members: prices, volumes, flows; never one household."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from analytics.domain.disclosure import shown_groups
from analytics.queries import Rollup, list_interval_rollups
from config.web.days import chosen_day, render_in
from config.web.personas import personas_of
from marketplace.queries.pages import Place, get_minimum_group_size, list_places
from marketplace.queries.pages_community import (
    MarketInterval,
    list_market_intervals,
    list_zone_names,
)

# Roles that look at any community when they belong to none.
CITY_ROLES = ("planner", "operator")


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
class Totals:
    """Energy of a group over a period, of the intervals that may be shown. [Wh]"""

    sold_wh: int = 0
    bought_wh: int = 0
    grid_import_wh: int = 0
    grid_export_wh: int = 0

    @property
    def self_sufficiency(self) -> float | None:
        """Share of the demand that neighbours met."""
        demand = self.bought_wh + self.grid_import_wh
        return self.bought_wh / demand if demand else None

    @property
    def self_consumption(self) -> float | None:
        """Share of the surplus that neighbours took."""
        surplus = self.sold_wh + self.grid_export_wh
        return self.sold_wh / surplus if surplus else None


@dataclass(frozen=True)
class ZoneLine:
    """A zone over a period; without totals where its figures would show too few households."""

    name: str
    totals: Totals | None


@dataclass(frozen=True)
class CommunityPeriod:
    """What a page shows of a community over a period."""

    place: Place
    minimum_group_size: int
    rows: list[CommunityRow]
    totals: Totals
    zones: list[ZoneLine]

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

    @property
    def mean_price_micro_per_kwh(self) -> int | None:
        """Clearing price, weighted by what was traded."""
        traded = [
            (row.sold_wh, row.price_micro_per_kwh)
            for row in self.rows
            if row.sold_wh and row.price_micro_per_kwh is not None
        ]
        volume = sum(wh for wh, _price in traded)
        return sum(wh * price for wh, price in traded) // volume if volume else None


@require_safe
def community(request: HttpRequest, community_id: int) -> HttpResponse:
    """Price, volumes and flows of a day, as charts with their tables."""
    # Planners have pages of their own: these figures are the newest, and say who was corrected.
    place = community_place_or_404(request, community_id, roles=("operator",))
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
    names = list_zone_names(community_id=place.community_id)
    rows, seen = [], []
    by_zone: dict[int, list[Rollup]] = {zone_id: [] for zone_id in names}
    for interval in intervals:
        zones = rollups.get(interval.interval_id, [])
        sizes = {zone.zone_id: zone.meter_count for zone in zones}
        is_small = bool(zones) and sum(sizes.values()) < minimum
        if zones and not is_small:
            seen.extend(zones)
            shown = shown_groups(sizes, minimum)
            for zone in zones:
                if zone.zone_id in shown:
                    by_zone[zone.zone_id].append(zone)
        rows.append(_row(interval, [] if is_small else zones, is_small))
    return CommunityPeriod(
        place=place,
        minimum_group_size=minimum,
        rows=rows,
        totals=_total(seen),
        zones=[
            ZoneLine(name, _total(by_zone[zone_id]) if by_zone[zone_id] else None)
            for zone_id, name in names.items()
        ],
    )


def _row(interval: MarketInterval, zones: Sequence[Rollup], is_small: bool) -> CommunityRow:
    if not zones:
        return CommunityRow(interval, None, None, None, None, is_small)
    totals = _total(zones)
    return CommunityRow(
        market=interval,
        sold_wh=totals.sold_wh,
        bought_wh=totals.bought_wh,
        grid_import_wh=totals.grid_import_wh,
        grid_export_wh=totals.grid_export_wh,
        is_small=is_small,
    )


def _total(rollups: Sequence[Rollup]) -> Totals:
    return Totals(
        sold_wh=sum(rollup.sold_wh for rollup in rollups),
        bought_wh=sum(rollup.bought_wh for rollup in rollups),
        grid_import_wh=sum(rollup.grid_import_wh for rollup in rollups),
        grid_export_wh=sum(rollup.grid_export_wh for rollup in rollups),
    )


def community_place_or_404(
    request: HttpRequest, community_id: int, *, roles: Sequence[str] = CITY_ROLES
) -> Place:
    """Return a community the signed-in person belongs to, or watches in one of the roles."""
    for persona in personas_of(request):
        if persona.role in set(CITY_ROLES) - set(roles):
            continue
        if persona.place is not None and persona.place.community_id == community_id:
            return persona.place
        if persona.place is None and persona.role in roles:
            for place in list_places():
                if place.community_id == community_id:
                    return place
    raise Http404

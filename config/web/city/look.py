"""A look at one community over civil days: everything its pages show, read once and only if shown.

What may be shown to the city's planners is decided by `analytics.queries.disclosed` alone; no
module of these pages reads a figure of energy or money from anywhere else.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Final, TypedDict

from django.utils import timezone

from analytics.domain.carbon import Carbon, Use, count_carbon
from analytics.domain.disclosure import Audience
from analytics.domain.figures import (
    Basis,
    Energies,
    EnergyBucket,
    Flow,
    LinkTotals,
    MarketHealth,
    Peak,
    SavingsSpread,
)
from analytics.queries import disclosed
from analytics.queries.carbon import Intensities, get_intensities
from analytics.queries.disclosed import Withheld
from config.templatetags.place_names import place_name
from config.web.city.chosen import Chosen
from marketplace.queries.pages import Place, get_minimum_group_size
from marketplace.queries.pages_community import list_zone_names
from marketplace.queries.rule_versions import RuleSetName, list_rule_sets
from marketplace.queries.settlement_times import SettlementTimes, get_settlement_times

CITY: Final = "city"
HOUR: Final = timedelta(hours=1)
_SUMS: Final = (
    "interval_count",
    "import_wh",
    "export_wh",
    "bought_wh",
    "sold_wh",
    "grid_import_wh",
    "grid_export_wh",
    "priced_wh",
    "priced_micro",
)


class _Time(TypedDict):
    """What every figure is asked by."""

    community_id: int
    start: datetime
    end: datetime


class _Asked(_Time):
    """The same, with whom the answer is for."""

    audience: Audience


class Look:
    """One community over a choice of civil days."""

    def __init__(self, place: Place, chosen: Chosen, now: datetime) -> None:
        self.place = place
        self.chosen = chosen
        self.now = now
        self.start, self.end = chosen.bounds(place)

    @property
    def currency(self) -> str:
        """Of the community's money."""
        return self.place.currency

    @cached_property
    def energies(self) -> Energies | None:
        """All of it; None where too few stand behind it."""
        return disclosed.get_energies(**self._asked)

    @cached_property
    def zones(self) -> list[Energies]:
        """Zones that may be shown."""
        return disclosed.list_zone_energies(**self._asked)

    @cached_property
    def zone_names(self) -> dict[int, str]:
        """Names of all zones by id; whether a zone has figures is another matter."""
        names = list_zone_names(community_id=self.place.community_id)
        # The only zone is the community itself, whose name has a form in each language.
        return dict.fromkeys(names, place_name(self.place)) if len(names) == 1 else names

    @cached_property
    def by_day(self) -> dict[date, EnergyBucket]:
        """Days that may be shown; what is absent is missing."""
        return {each.day: each for each in disclosed.list_days(**self._asked)}

    @cached_property
    def days(self) -> list[tuple[date, EnergyBucket | None]]:
        """Each civil day up to the last one that the market has, None where it is missing."""
        known = self.chosen.known
        return [
            (day, self.by_day.get(day))
            for day in self.chosen.days
            if known is None or known.first <= day <= known.last
        ]

    @cached_property
    def hours(self) -> list[EnergyBucket]:
        """Hours that may be shown."""
        return disclosed.list_hours(**self._asked)

    @cached_property
    def priced_hours(self) -> list[tuple[datetime, int]]:
        """Hours that may be shown and have a price, on the community's clock. [micro/kWh]"""
        return [
            (self.local(each.at), price)
            for each in self.hours
            if (price := each.energies.price_micro_per_kwh) is not None
        ]

    def buckets(self, grain: str, zone_id: int) -> list[EnergyBucket]:
        """Return the days, or the hours, of a zone (0: the community) that may be shown."""
        if grain == "hour":
            return disclosed.list_hours(**self._asked, zone_id=zone_id)
        return disclosed.list_days(**self._asked, zone_id=zone_id)

    @cached_property
    def flows(self) -> list[Flow]:
        """Who delivered to whom, as far as it may be shown."""
        return disclosed.list_flows(**self._asked)

    @cached_property
    def links(self) -> list[LinkTotals]:
        """What went over each link between zones that may be shown."""
        return disclosed.list_links(**self._asked)

    @cached_property
    def health(self) -> MarketHealth | None:
        """How the market did; None where too few stand behind it."""
        return disclosed.get_market_health(**self._asked)

    @cached_property
    def peak(self) -> Peak | None:
        """Highest power from the grid, with and without the market."""
        return disclosed.get_peak(**self._asked)

    @cached_property
    def basis(self) -> Basis:
        """What all of it was made from."""
        return disclosed.get_basis(**self._asked)

    @cached_property
    def rule_sets(self) -> list[RuleSetName]:
        """Rule sets that the figures were made under."""
        return list_rule_sets(rule_set_ids=self.basis.rule_set_ids)

    @cached_property
    def minimum(self) -> int:
        """How many meters a shown figure covers at least."""
        return get_minimum_group_size(community_id=self.place.community_id, now=self.now)

    @cached_property
    def savings(self) -> list[SavingsSpread]:
        """Spread of savings in the last civil month that has begun and has any."""
        return disclosed.list_savings(
            community_id=self.place.community_id,
            month=self.savings_month,
            audience=Audience.PLANNER,
        )

    @property
    def savings_month(self) -> date:
        """The civil month of the last day of the choice that the market has."""
        known = self.chosen.known
        last = self.chosen.last if known is None else min(self.chosen.last, known.last)
        return last.replace(day=1)

    @cached_property
    def intensities(self) -> Intensities:
        """The grid's carbon intensity by hour."""
        return get_intensities(**self._time)

    @cached_property
    def uses(self) -> dict[date, list[Use]]:
        """Energies by day: of each hour that may be shown, and of the day's others together."""
        found: dict[date, list[Use]] = {day: [] for day in self.by_day}
        for each in self.hours:
            if each.day in found:
                values = each.energies
                use = Use((each.at,), values.bought_wh, values.grid_import_wh)
                found[each.day].append(use)
        for day, uses in found.items():
            whole = self.by_day[day].energies
            shown = {hour for use in uses for hour in use.hours}
            first = whole.start.replace(minute=0)
            count = int((whole.end - first) / HOUR)
            others = tuple(
                hour for hour in (first + HOUR * n for n in range(count)) if hour not in shown
            )
            bought = whole.bought_wh - sum(use.bought_wh for use in uses)
            drawn = whole.grid_import_wh - sum(use.grid_import_wh for use in uses)
            if others and (bought or drawn):
                uses.append(Use(others, bought, drawn))
        return found

    @cached_property
    def carbon(self) -> Carbon:
        """What trading spared the air, of the hours that may be shown."""
        known = self.intensities
        return count_carbon(
            [use for uses in self.uses.values() for use in uses],
            known.by_hour,
            of=f"community:{self.place.community_id}",
            start=self.start,
            end=self.end,
            sources=known.sources,
        )

    @cached_property
    def times(self) -> SettlementTimes:
        """How long settlement takes."""
        return get_settlement_times(**self._time, now=self.now)

    def local(self, moment: datetime) -> datetime:
        """Return a moment on the community's clock."""
        return timezone.localtime(moment, self.place.zone)

    @cached_property
    def withheld(self) -> Withheld:
        """What of the time is not shown, and why."""
        return disclosed.list_withheld(**self._time)

    @property
    def _asked(self) -> _Asked:
        return _Asked(**self._time, audience=Audience.PLANNER)

    @property
    def _time(self) -> _Time:
        return _Time(community_id=self.place.community_id, start=self.start, end=self.end)


def sum_of(looks: Sequence[Look]) -> Energies | None:
    """Add up the communities that may be shown; None where none may.

    Each counts on its own clock; the price is None unless all have one currency.
    """
    shown = [look.energies for look in looks if look.energies is not None]
    if not shown:
        return None
    if len(looks) == 1:
        return shown[0]
    sums = {name: sum(getattr(each, name) for each in shown) for name in _SUMS}
    total = Energies(
        of=CITY,
        start=min(each.start for each in shown),
        end=max(each.end for each in shown),
        meters_min=sum(each.meters_min for each in shown),
        **sums,
    )
    if len({look.currency for look in looks}) > 1:
        return replace(total, priced_wh=0, priced_micro=0)
    return total


def zone_id_of(energies: Energies) -> int:
    """Return the zone that energies are of; 0 for a community."""
    kind, _, number = energies.of.partition(":")
    return int(number) if kind == "zone" else 0

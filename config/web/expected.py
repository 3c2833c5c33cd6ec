"""What is expected of the next two days: a member's surplus and demand, a zone's price."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from analytics.queries import (
    Expected,
    Quality,
    SubjectForecast,
    find_energy_forecast,
    find_price_forecast,
)
from config.forward.rehearsal import Rehearsal, rehearse
from config.web.community import community_place_or_404
from config.web.days import render_in
from config.web.member import MEMBER_ROLES
from config.web.personas import place_or_404, use_persona
from marketplace.queries.meter_history import zones_of_meters
from marketplace.queries.pages import Place
from marketplace.queries.pages_community import list_zone_names
from marketplace.queries.pages_member import MeterName, list_meters
from marketplace.queries.pages_rules import RuleVersion, list_rule_versions

HORIZON = timedelta(hours=48)
DAY = timedelta(hours=24)


@dataclass(frozen=True)
class Outlook:
    """A part of a forecast that is shown: from now on, or from where the readings end."""

    intervals: list[Expected]
    qualities: list[Quality]
    made_at: datetime
    minutes: int
    stands_still: bool  # the readings end so long ago that "now" is not forecast

    @property
    def starts_at(self) -> datetime:
        """Where it begins."""
        return self.intervals[0].starts_at

    @property
    def first_day_total(self) -> int:
        """What the first 24 hours come to."""
        end = self.starts_at + DAY
        return sum(each.expected or 0 for each in self.intervals if each.starts_at < end)

    @property
    def second_day_total(self) -> int:
        """What the 24 hours after them come to."""
        end = self.starts_at + DAY
        return sum(each.expected or 0 for each in self.intervals if each.starts_at >= end)

    @property
    def most(self) -> Expected | None:
        """The interval of which most is expected; None where nothing is."""
        known = [each for each in self.intervals if each.expected is not None]
        best = max(known, key=lambda each: each.expected or 0, default=None)
        return best if best is not None and best.expected else None


@dataclass(frozen=True)
class MeterRow:
    """What one interval is expected to send and draw. [Wh]"""

    starts_at: datetime
    ends_at: datetime
    export: Expected
    import_: Expected


@dataclass(frozen=True)
class MeterOutlook:
    """A metering point's next two days, and how its rule would have done in the past month."""

    meter: MeterName
    export: Outlook | None
    import_: Outlook | None
    rehearsal: Rehearsal | None

    @property
    def rows(self) -> list[MeterRow]:
        """Both sides, interval by interval."""
        if self.export is None or self.import_ is None:
            return []
        return [
            MeterRow(out.starts_at, out.ends_at, out, in_)
            for out, in_ in zip(self.export.intervals, self.import_.intervals, strict=True)
        ]


@dataclass(frozen=True)
class ZoneOutlook:
    """A zone's prices of the next two days."""

    name: str
    price: Outlook | None


@require_safe
def member(request: HttpRequest, participant_id: int) -> HttpResponse:
    """My next two days: what my roof will send, what I will draw, at which prices."""
    persona = use_persona(request, participant_id, *MEMBER_ROLES)
    place = place_or_404(persona)
    now = timezone.now()
    meters = list_meters(participant_id=participant_id)
    ids = [meter.metering_point_id for meter in meters]
    zones = zones_of_meters(metering_point_ids=ids)
    rules = list_rule_versions(metering_point_ids=ids)
    context: dict[str, object] = {
        "persona": persona,
        "meters": [
            _meter(
                place,
                meter,
                zones[meter.metering_point_id],
                rules.get(meter.metering_point_id, []),
                now,
            )
            for meter in meters
        ],
        "zones": _zones(place, sorted(set(zones.values())), now),
    }
    return render_in(request, place, "pages/expected.html", context)


@require_safe
def community(request: HttpRequest, community_id: int) -> HttpResponse:
    """The prices of all zones over the next two days."""
    place = community_place_or_404(request, community_id)
    names = list_zone_names(community_id=community_id)
    zones = _zones(place, list(names), timezone.now())
    return render_in(request, place, "pages/expected_prices.html", {"zones": zones})


def outlook(forecast: SubjectForecast | None, now: datetime) -> Outlook | None:
    """Return 48 hours of a forecast: from now where it reaches that far, else from its start."""
    if forecast is None or not forecast.intervals:
        return None
    step = timedelta(minutes=forecast.minutes)
    start = forecast.starts_at
    if now > start:
        start += (now - start) // step * step
    stands_still = start >= forecast.intervals[-1].ends_at
    if stands_still:
        start = forecast.starts_at
    qualities = [each for each in forecast.qualities if each.starts_at + DAY > start]
    return Outlook(
        intervals=forecast.between(start, start + HORIZON),
        qualities=qualities[:2],
        made_at=forecast.made_at,
        minutes=forecast.minutes,
        stands_still=stands_still,
    )


def _meter(
    place: Place, meter: MeterName, zone_id: int, versions: Sequence[RuleVersion], now: datetime
) -> MeterOutlook:
    found = find_energy_forecast(metering_point_id=meter.metering_point_id)
    if found is None:
        return MeterOutlook(meter, None, None, None)
    rule = next((version for version in versions if version.is_in_force(now)), None)
    return MeterOutlook(
        meter=meter,
        export=outlook(found[0], now),
        import_=outlook(found[1], now),
        rehearsal=rehearse(place=place, meter=meter, zone_id=zone_id, rule=rule, forecast=found),
    )


def _zones(place: Place, zone_ids: Sequence[int], now: datetime) -> list[ZoneOutlook]:
    names = list_zone_names(community_id=place.community_id)
    return [
        ZoneOutlook(
            _zone_name(place, names[zone_id]), outlook(find_price_forecast(zone_id=zone_id), now)
        )
        for zone_id in zone_ids
    ]


def _zone_name(place: Place, name: str) -> str:
    # A community of one zone gives it its own name, which is known in two languages.
    return place.name_in(get_language() or "en") if name == place.name else name

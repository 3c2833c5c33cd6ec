"""Read the city's figures: by place and hour, between areas; each with what it is made from."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from analytics.domain.indicators import HOUR_S, DayType, Indicator, Kind, balance
from analytics.models import CityIndicator, IndicatorSource


@dataclass(frozen=True)
class SourceLine:
    """A product that figures are made from, and the version of it."""

    product_id: int
    version_number: int
    manifest_sha256: str
    problem: str
    computed_at: datetime


@dataclass(frozen=True)
class PlaceHours:
    """A place's figure by hour of the day; None where nothing was counted.

    ``values`` are vehicles an hour or shares of a station's places [percent], both means, or
    departures.
    """

    product_id: int
    place: str
    values: tuple[int | None, ...]

    @property
    def total(self) -> int:
        """What the whole day comes to."""
        return sum(value or 0 for value in self.values)


@dataclass(frozen=True)
class FlowLine:
    """Trips between two areas in a month, as far as they were published."""

    product_id: int
    month: str
    from_area: str
    to_area: str
    trips: int


@dataclass(frozen=True)
class BalanceLine:
    """How many more trips start in an area than end there, in a month."""

    product_id: int
    month: str
    area: str
    surplus: int


def list_sources(*, kind: Kind | None = None) -> list[SourceLine]:
    """Return what figures are made from; of a kind if given."""
    found = IndicatorSource.objects.order_by("product_id")
    if kind is not None:
        found = found.filter(
            product_id__in=CityIndicator.objects.filter(kind=kind).values("source_id").distinct()
        )
    return [
        SourceLine(
            each.product_id,
            each.version_number,
            each.manifest_sha256,
            each.problem,
            each.computed_at,
        )
        for each in found
    ]


def list_by_hour(*, kind: Kind, day_type: DayType) -> list[PlaceHours]:
    """Return places with their 24 hours, the busiest first."""
    rows: dict[tuple[int, str], list[int | None]] = defaultdict(lambda: [None] * 24)
    found = CityIndicator.objects.filter(kind=kind, day_type=day_type)
    for product_id, place, hour, value, weight in found.values_list(
        "source_id", "place", "hour", "value", "weight"
    ):
        rows[product_id, place][hour] = _mean(kind, value, weight)
    lines = [PlaceHours(key[0], key[1], tuple(values)) for key, values in rows.items()]
    return sorted(lines, key=lambda line: (-line.total, line.place))


def _mean(kind: Kind, value: int, weight: int) -> int:
    """Return what a sum comes to over what it is a sum of; departures are those of one day."""
    scale = {Kind.TRAFFIC: HOUR_S, Kind.STATIONS: 100}.get(kind)
    return value if scale is None else round(value * scale / weight)


def list_flows() -> list[FlowLine]:
    """Return trips between areas, newest month and most trips first."""
    found = CityIndicator.objects.filter(kind=Kind.FLOW)
    lines = [
        FlowLine(each.source_id, each.period, each.place, each.to_place, each.value)
        for each in found
    ]
    lines.sort(key=lambda line: (-line.trips, line.from_area, line.to_area))
    return sorted(lines, key=lambda line: line.month, reverse=True)


def list_balance(flows: Iterable[FlowLine]) -> list[BalanceLine]:
    """Return the balance of every area and month that flows name, largest surplus first."""
    by_product: dict[int, list[Indicator]] = defaultdict(list)
    for flow in flows:
        by_product[flow.product_id].append(
            Indicator(
                Kind.FLOW,
                flow.from_area,
                flow.to_area,
                flow.month,
                DayType.ALL,
                -1,
                flow.trips,
                1,
            )
        )
    lines = [
        BalanceLine(product_id, month, area, surplus)
        for product_id, own in by_product.items()
        for (month, area), surplus in balance(own).items()
    ]
    lines.sort(key=lambda line: (-line.surplus, line.area))
    return sorted(lines, key=lambda line: line.month, reverse=True)

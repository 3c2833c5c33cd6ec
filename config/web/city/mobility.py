"""Traffic and mobility as far as products are licensed for the city's planning, beside energy."""

from collections.abc import Sequence
from functools import cached_property

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from analytics.domain.indicators import DayType, Kind
from analytics.domain.price_statistics import HOURS
from analytics.queries.indicators import (
    BalanceLine,
    FlowLine,
    PlaceHours,
    list_balance,
    list_by_hour,
    list_flows,
    list_sources,
)
from config.templatetags.figures import MINUS, kwh
from config.web.chart_kinds import heat
from config.web.chart_kinds.bars import Bar, ranked_bars
from config.web.chart_kinds.sankey import End, Stream, sankey
from config.web.chart_kinds.sparklines import Spark, small_multiples
from config.web.charts import Words
from config.web.city.cards import CityCard, Column, Section, kilo, made_from, make_card
from config.web.city.look import Look
from config.web.data.words import area_digits, area_label
from config.web.indicators import UNITS, finding, flow_finding
from marketplace.domain.data.licences import licence_of
from marketplace.queries.data.planning_names import ProductName, names_of_products

KINDS = {
    "traffic": Kind.TRAFFIC,
    "stations": Kind.STATIONS,
    "transit": Kind.DEPARTURES,
}
PLACES = 12
AREAS = 6
PLACE_LETTERS = 11
SATURDAY = 5


class Licensed:
    """What is licensed for the city's planning, each read once."""

    def __init__(self) -> None:
        self._by_hour: dict[str, list[PlaceHours]] = {}

    def by_hour(self, topic: str) -> list[PlaceHours]:
        """Return places with the hours of a workday, the busiest first."""
        if topic not in self._by_hour:
            kind = KINDS[topic]
            self._by_hour[topic] = list_by_hour(kind=kind, day_type=DayType.WORKDAY)
        return self._by_hour[topic]

    @cached_property
    def flows(self) -> list[FlowLine]:
        """Trips between areas."""
        return list_flows()

    @cached_property
    def names(self) -> dict[int, ProductName]:
        """Names and licences of all products that figures are made from."""
        return names_of_products(product_ids=[line.product_id for line in list_sources()])

    def named(self, lines: Sequence[PlaceHours | FlowLine | BalanceLine]) -> str:
        """Name the products that lines are made from, with their licences."""
        ids = sorted({line.product_id for line in lines} & self.names.keys())
        if not ids:
            return _("Nothing is licensed for this yet.")
        names = [self.names[each] for each in ids]
        products = [f"{each.title} ({_(licence_of(each.licence).title)})" for each in names]
        return _("Made from {products}.").format(products="; ".join(products))


def sections(look: Look) -> list[Section]:
    """Return the page's parts."""
    licensed = Licensed()
    return [
        Section("clock", _("Energy and traffic on one clock"), [clock_card(look, licensed)]),
        Section("traffic", _("Traffic"), [hours_card("traffic", licensed)]),
        Section("between", _("Between areas"), [between_card(licensed), balance_card(licensed)]),
        Section("stations", _("Bikes at stations"), [hours_card("stations", licensed)]),
        Section("transit", _("Public transport"), [hours_card("transit", licensed)]),
        Section(
            "charging",
            _("Charging and parking"),
            words=[
                _(
                    "No product on charging or parking is licensed for the city's planning. They"
                    " stand here once a provider licenses one; until then they are missing, not"
                    " zero."
                )
            ],
        ),
    ]


def traffic_card() -> CityCard:
    """Show traffic alone, for the city's one page."""
    return hours_card("traffic", Licensed())


def hours_card(topic: str, licensed: Licensed) -> CityCard:
    """Show places by hour of a workday, the busiest first."""
    lines = licensed.by_hour(topic)
    shown = lines[:PLACES]
    title = finding(topic, shown).rstrip(".。") or _nothing_licensed()
    ramp = heat.Ramp.over(value for line in shown for value in line.values)
    unit = str(UNITS[topic][1])
    missing = _("nothing counted")
    svg = heat.day_hours(
        [
            heat.HourRow(
                _short(line.place),
                line.values,
                [
                    f"{line.place}, {hour:02d}:00: {missing if value is None else value}"
                    for hour, value in enumerate(line.values)
                ],
            )
            for line in shown
        ],
        ramp,
        Words(title, _("Workdays, the busiest places first."), unit),
        has_names=True,
    )
    columns = [
        Column(_("Place"), "place"),
        *(Column(f"{hour:02d}", f"h{hour:02d}") for hour in range(HOURS)),
    ]
    return make_card(
        topic,
        title,
        svg if shown else "",
        columns,
        [(line.place, *line.values) for line in lines],
        note=" ".join((_("In {unit}, of workdays.").format(unit=unit), licensed.named(lines))),
        legend=ramp.legend(lambda value: f"{value:g}", missing) if shown else (),
    )


def between_card(licensed: Licensed) -> CityCard:
    """Show trips between areas in the newest month."""
    flows = licensed.flows
    month = max((flow.month for flow in flows), default="")
    own = [flow for flow in flows if flow.month == month]
    title = flow_finding(own).rstrip(".。") or _nothing_licensed()
    top = sorted({flow.from_area for flow in own}, key=lambda area: -_trips(own, area))[:AREAS]
    ends = [*top, ""] if any({flow.from_area, flow.to_area} - set(top) for flow in own) else top
    sums: dict[tuple[int, int], int] = {}
    for flow in own:
        ends_of = (_index(ends, flow.from_area), _index(ends, flow.to_area))
        sums[ends_of] = sums.get(ends_of, 0) + flow.trips
    names = [area_label(area) if area else _("other areas") for area in ends]
    streams = [
        Stream(a, b, trips, f"{names[a]} → {names[b]}: {trips}") for (a, b), trips in sums.items()
    ]
    left = [sum(trips for (a, _b), trips in sums.items() if a == at) for at in range(len(ends))]
    right = [sum(trips for (_a, b), trips in sums.items() if b == at) for at in range(len(ends))]
    shorts = [area_digits(area) if area else _("other areas") for area in ends]
    svg = sankey(
        _ends(names, left, shorts),
        _ends(names, right, shorts),
        streams,
        Words(title, _("Trips from areas on the left to areas on the right."), _("trips")),
    )
    columns = [
        Column(_("Month"), "month"),
        Column(_("From"), "from_area", area_label),
        Column(_("To"), "to_area", area_label),
        Column(_("Trips"), "trips"),
    ]
    rows = [(flow.month, flow.from_area, flow.to_area, flow.trips) for flow in own]
    note = _("{month}; sums of the counts that the privacy gate let through.").format(month=month)
    return make_card(
        "trips",
        title,
        svg if own else "",
        columns,
        rows,
        note=f"{note} {licensed.named(own)}" if own else licensed.named(own),
    )


def balance_card(licensed: Licensed) -> CityCard:
    """Show where more trips start than end."""
    lines = list_balance(licensed.flows)
    month = max((line.month for line in lines), default="")
    own = [line for line in lines if line.month == month]
    title = flow_finding(own).rstrip(".。") or _nothing_licensed()
    edges = own if len(own) <= 2 * AREAS else [*own[:AREAS], *own[-AREAS:]]
    bars = [
        Bar(area_label(line.area), f"{line.surplus:+d}".replace("-", MINUS), line.surplus, "c2")
        for line in edges
    ]
    svg = ranked_bars(bars, Words(title, _("Trips that start minus trips that end."), _("trips")))
    columns = [
        Column(_("Month"), "month"),
        Column(_("Area"), "area", area_label),
        Column(_("Trips that start minus trips that end"), "surplus"),
    ]
    rows = [(line.month, line.area, line.surplus) for line in own]
    return make_card("balance", title, svg if bars else "", columns, rows, note=licensed.named(own))


def clock_card(look: Look, licensed: Licensed) -> CityCard:
    """Show demand, surplus and traffic by hour of a workday, one below the other."""
    demand, surplus = _energy_by_hour(look)
    traffic = _sum_by_hour(licensed.by_hour("traffic"))
    bikes = _sum_by_hour(licensed.by_hour("transit"))
    lines: list[tuple[str, list[int | None], str]] = [
        (_("Energy demand"), demand, "kWh"),
        (_("Energy surplus"), surplus, "kWh"),
        (_("Vehicles"), traffic, str(UNITS["traffic"][1])),
        (_("Departures"), bikes, str(UNITS["transit"][1])),
    ]
    known = [(name, _peak(values)) for name, values, _unit in lines]
    peaks = pgettext("between findings", ", ").join(
        f"{name} {hour:02d}:00" for name, hour in known if hour is not None
    )
    title = _("Highest at: {peaks}").format(peaks=peaks) if peaks else ""
    sparks = [
        Spark(
            name,
            _figure(values, unit),
            [kilo(value) if unit == "kWh" else value for value in values],
            f"c{1 + at}",
        )
        for at, (name, values, unit) in enumerate(lines)
    ]
    title = title or _nothing_licensed()
    svg = small_multiples(
        sparks, Words(title, _("From midnight to midnight on workdays."), ""), is_shared=False
    )
    columns = [
        Column(_("Hour of the day"), "hour", "{:02d}:00".format),
        Column(_("Energy demand"), "import_wh", kwh),
        Column(_("Energy surplus"), "export_wh", kwh),
        Column(_("Vehicles"), "vehicles"),
        Column(_("Departures"), "departures"),
    ]
    rows = [(hour, *(values[hour] for _name, values, _unit in lines)) for hour in range(HOURS)]
    note = _(
        "Energy: mean of the workdays chosen. Traffic and departures: workdays of the licensed"
        " products, whose own dates are another matter."
    )
    return make_card("clock", title, svg, columns, rows, note=f"{note} {made_from(look)}")


def _energy_by_hour(look: Look) -> tuple[list[int | None], list[int | None]]:
    """Return mean demand and surplus by hour of the chosen workdays, rounded down. [Wh]"""
    found: dict[int, list[tuple[int, int]]] = {}
    for each in look.hours:
        local = look.local(each.at)
        if local.weekday() < SATURDAY:
            pair = each.energies.import_wh, each.energies.export_wh
            found.setdefault(local.hour, []).append(pair)
    sides: tuple[list[int | None], list[int | None]] = ([], [])
    for hour in range(HOURS):
        own = found.get(hour, [])
        for side in (0, 1):
            total = sum(pair[side] for pair in own)
            sides[side].append(total // len(own) if own else None)
    return sides


def _sum_by_hour(lines: Sequence[PlaceHours]) -> list[int | None]:
    by_hour = [[line.values[hour] for line in lines] for hour in range(HOURS)]
    return [
        sum(known) if (known := [value for value in own if value is not None]) else None
        for own in by_hour
    ]


def _peak(values: Sequence[int | None]) -> int | None:
    known = {hour: value for hour, value in enumerate(values) if value}
    return max(known, key=known.__getitem__) if known else None


def _figure(values: Sequence[int | None], unit: str) -> str:
    most = max((value for value in values if value is not None), default=None)
    if most is None:
        return _("missing")
    if unit == "kWh":
        return _("up to {most}").format(most=kwh(most))
    count = number_format(most, force_grouping=True)
    return _("up to {count} {unit}").format(count=count, unit=unit)


def _short(place: str) -> str:
    """Return a place's name as far as a row has room for it; its table has all of it."""
    return place if len(place) <= PLACE_LETTERS else f"{place[: PLACE_LETTERS - 1].rstrip()}…"


def _nothing_licensed() -> str:
    return _("Nothing is licensed for this yet")


def _trips(flows: Sequence[FlowLine], area: str) -> int:
    return sum(flow.trips for flow in flows if flow.from_area == area)


def _index(ends: Sequence[str], area: str) -> int:
    return ends.index(area) if area in ends else len(ends) - 1


def _ends(names: Sequence[str], counts: Sequence[int], shorts: Sequence[str]) -> list[End]:
    return [
        End(name, number_format(count, force_grouping=True), f"c{1 + at % 6}", short)
        for at, (name, count, short) in enumerate(zip(names, counts, shorts, strict=True))
    ]

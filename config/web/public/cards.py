"""Chart cards of published months: the same for the front door and the page of public figures."""

from collections.abc import Sequence
from datetime import date

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from analytics.domain.disclosure import REST
from analytics.domain.figures import Energies, Flow
from config.templatetags.figures import energy_unit, kwh, kwh_exact, price, share, unit_symbol
from config.web import charts
from config.web.chart_cards import LegendItem
from config.web.chart_kinds.bars import Bar, ranked_bars
from config.web.chart_kinds.sankey import End, Stream, sankey
from config.web.city.cards import CityCard, Column, kilo, make_card, moment_words, short_day
from config.web.city.energy import day_slots
from config.web.public.months import HourOfDay, Month, average_day
from config.web.shell import ROLE_NAMES

GRID = "grid"
COLOURS = ("c1", "c2", "c3", "c4", "c5", "c6")


def month_words(month: date) -> str:
    """Write a month in the reader's language."""
    return date_format(month, "YEAR_MONTH_FORMAT")


def hours_card(month: Month) -> CityCard:
    """Show an average day, hour by hour."""
    hours = average_day(month)
    title = _finding_of_hours(hours)
    slots = [
        charts.Slot(
            name=f"{each.hour}:00" if each.bought_wh is not None else _hidden_words(each.hour),
            tick=f"{each.hour}" if each.hour % 6 == 0 else "",
            is_held=each.bought_wh is None,
        )
        for each in hours
    ]
    svg = charts.stacked_bars(
        slots,
        above=[
            charts.Series(_("from neighbours"), "pool", [kilo(each.bought_wh) for each in hours]),
            charts.Series(_("from the grid"), "grid", [kilo(each.grid_wh) for each in hours]),
        ],
        below=[],
        words=charts.Words(title, _("Mean of each hour of the day."), energy_unit()),
    )
    columns = [
        Column(_("Hour"), "hour", lambda hour: f"{hour}:00"),
        Column(_("From neighbours (kWh)"), "bought_wh", kwh_exact, absent=_("not shown")),
        Column(_("From the grid (kWh)"), "grid_wh", kwh_exact, absent=_("not shown")),
    ]
    note = _("Mean of the month's days. Hatched: too few members for a figure of its own.")
    return make_card(
        "hours",
        title,
        svg,
        columns,
        [(each.hour, each.bought_wh, each.grid_wh) for each in hours],
        note=f"{note} {made_from(month)}",
        legend=_legend(),
    )


def days_card(month: Month) -> CityCard:
    """Show what neighbours and the grid delivered, day by day."""
    found = [each.energies if each else None for _day, each in month.days]
    title = demand_met(month.energies)
    svg = charts.stacked_bars(
        day_slots(month.days),
        above=[
            charts.Series("", css, [kilo(getattr(each, name)) if each else None for each in found])
            for css, name in (("pool", "bought_wh"), ("grid", "grid_import_wh"))
        ],
        below=[],
        words=charts.Words(title, _("What was used each day, by who delivered."), energy_unit()),
    )
    columns = [
        Column(_("Day"), "day", short_day),
        Column(_("From neighbours (kWh)"), "bought_wh", kwh_exact),
        Column(_("From the grid (kWh)"), "grid_import_wh", kwh_exact),
        Column(_("Self-sufficiency"), "self_sufficiency", share),
    ]
    rows = [
        (day, each.bought_wh, each.grid_import_wh, each.self_sufficiency)
        if each
        else (day, None, None, None)
        for (day, _bucket), each in zip(month.days, found, strict=True)
    ]
    note = _("Hatched: missing, or not published.")
    return make_card(
        "days", title, svg, columns, rows, note=f"{note} {made_from(month)}", legend=_legend()
    )


def flows_card(month: Month) -> CityCard:
    """Show who delivered to whom, by zone and role."""
    flows = [flow for flow in month.flows if flow.wh]
    sources = _ends(month, [(flow.from_zone_id, flow.from_group, flow.wh) for flow in flows])
    sinks = _ends(month, [(flow.to_zone_id, flow.to_group, flow.wh) for flow in flows])
    pairs = [(_source(month, flow), _sink(month, flow), flow.wh) for flow in flows]
    title = _finding_of_flows(pairs)
    streams = [
        Stream(list(sources).index(a), list(sinks).index(b), wh / 1000, f"{a} → {b}: {kwh(wh)}")
        for a, b, wh in pairs
    ]
    svg = sankey(
        [End(name, kwh(wh), css) for name, (wh, css) in sources.items()],
        [End(name, kwh(wh), css) for name, (wh, css) in sinks.items()],
        streams,
        charts.Words(title, _("Sources left, sinks right."), energy_unit()),
    )
    columns = [
        Column(_("From"), "from"),
        Column(_("To"), "to"),
        Column(_("Energy (kWh)"), "energy_wh", kwh_exact),
    ]
    return make_card("flows", title, svg if pairs else "", columns, pairs, note=made_from(month))


def prices_card(month: Month) -> CityCard:
    """Show the day's mean price between the tariffs."""
    unit = month.place.currency
    prices = [each.energies.price_micro_per_kwh if each else None for _day, each in month.days]
    retail = [each.retail_micro_per_kwh if each else None for _day, each in month.days]
    feed_in = [each.feed_in_micro_per_kwh if each else None for _day, each in month.days]
    mean = month.energies.price_micro_per_kwh if month.energies else None
    title = (
        _("Nothing was traded at a price in this month")
        if mean is None
        else _("Energy among neighbours cost {price} on average").format(price=price(mean, unit))
    )
    lines = [
        charts.Series(label, css, [None if each is None else each / 1_000_000 for each in values])
        for label, css, values in (
            (_("among neighbours"), "price", prices),
            (_("retail tariff"), "retail", retail),
            (_("feed-in tariff"), "feed-in", feed_in),
        )
    ]
    svg = charts.steps(
        day_slots(month.days),
        lines,
        charts.Words(title, _("Mean price of each day."), unit_symbol(unit)),
    )
    columns = [
        Column(_("Day"), "day", short_day),
        *(
            Column(line.label, name, lambda micro: price(micro, unit))
            for line, name in zip(lines, ("price", "retail", "feed_in"), strict=True)
        ),
    ]
    days = [day for day, _bucket in month.days]
    return make_card(
        "prices",
        title,
        svg,
        columns,
        list(zip(days, prices, retail, feed_in, strict=True)),
        note=_("Weighted by what was bought; tariffs are means over the day.")
        + f" {made_from(month)}",
        legend=[LegendItem(line.label, line.css, is_line=True) for line in lines],
    )


def zones_card(month: Month) -> CityCard:
    """Compare zones by how much of their demand neighbours met."""
    shown = {int(each.of.removeprefix("zone:")): each for each in month.zones}
    rows: list[tuple[str, float | None, int | None]] = [
        (
            name,
            shown[zone].self_sufficiency if zone in shown else None,
            shown[zone].import_wh if zone in shown else None,
        )
        for zone, name in month.zone_names.items()
    ]
    known = [(value, name) for name, value, _wh in rows if value is not None]
    title = (
        _("In {zone}, neighbours met most of the demand: {share}").format(
            zone=max(known)[1], share=share(max(known)[0])
        )
        if known
        else _("No zone is large enough to be shown by itself")
    )
    bars = [
        Bar(name, _("not shown") if value is None else share(value), value and value * 100)
        for name, value, _wh in rows
    ]
    svg = ranked_bars(bars, charts.Words(title, _("Self-sufficiency by zone."), "%"), whole=100)
    columns = [
        Column(_("Zone"), "zone"),
        Column(_("Self-sufficiency"), "self_sufficiency", share, absent=_("not shown")),
        Column(_("Demand"), "import_wh", kwh, absent=_("not shown")),
    ]
    note = _("A zone with too few members is only in the community's sum.")
    return make_card("zones", title, svg, columns, rows, note=f"{note} {made_from(month)}")


def demand_met(energies: Energies | None) -> str:
    """Say how much of the demand neighbours met."""
    if energies is None or energies.self_sufficiency is None:
        return _("Nothing is published of this month")
    return _("Neighbours met {share} of the demand").format(share=share(energies.self_sufficiency))


def made_from(month: Month) -> str:
    """Say what figures are made from, as of when, and under which rules."""
    rules = [rule["version"] for rule in month.document["basis"]["rule_sets"]]
    return _("Published figures of {month}, as of {at} UTC, rules version {versions}.").format(
        month=month_words(month.first),
        at=moment_words(month.as_of),
        versions=", ".join(map(str, rules)) or "–",
    )


def _legend() -> list[LegendItem]:
    return [LegendItem(_("from neighbours"), "pool"), LegendItem(_("from the grid"), "grid")]


def _hidden_words(hour: int) -> str:
    return _("{hour}:00, not shown: too few members").format(hour=hour)


def _finding_of_hours(hours: Sequence[HourOfDay]) -> str:
    known = [each for each in hours if each.bought_wh is not None]
    if not known:
        return _("No hour of the day may be shown by itself")
    best = max(known, key=lambda each: each.bought_wh or 0)
    if not best.bought_wh:
        return _("Nothing was traded among neighbours at any hour")
    met = best.bought_wh / (best.bought_wh + max(0, best.grid_wh or 0))
    return _("Around {hour}:00, neighbours meet {share} of the demand").format(
        hour=best.hour, share=share(met)
    )


def _finding_of_flows(pairs: Sequence[tuple[str, str, int]]) -> str:
    grid = _("Grid")
    local = [each for each in pairs if grid not in each[:2]]
    if not local:
        return _("Nothing was traded among neighbours in this month")
    source, sink, wh = max(local, key=lambda each: each[2])
    if source == sink:
        return _("Neighbours in {zone} delivered {energy} to each other").format(
            zone=source, energy=kwh(wh)
        )
    return _("Most went from {source} to {sink}: {energy}").format(
        source=source, sink=sink, energy=kwh(wh)
    )


def _source(month: Month, flow: Flow) -> str:
    return _name(month, flow.from_zone_id, flow.from_group)


def _sink(month: Month, flow: Flow) -> str:
    return _name(month, flow.to_zone_id, flow.to_group)


def _name(month: Month, zone: int, group: str) -> str:
    if group == GRID:
        return _("Grid")
    if (zone, group) == REST:
        return _("All others")
    name = month.zone_names.get(zone, "")
    return f"{name} · {ROLE_NAMES[group]}" if group else name


def _ends(month: Month, parts: Sequence[tuple[int, str, int]]) -> dict[str, tuple[int, str]]:
    """Add up ends by name, each with its colour; the grid comes last."""
    sums: dict[str, int] = {}
    for zone, group, wh in parts:
        name = _name(month, zone, group)
        sums[name] = sums.get(name, 0) + wh
    grid = sums.pop(_("Grid"), None)
    found = {
        name: (wh, COLOURS[index % len(COLOURS)]) for index, (name, wh) in enumerate(sums.items())
    }
    return found if grid is None else {**found, _("Grid"): (grid, GRID)}

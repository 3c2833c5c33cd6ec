"""Flows of energy and data: between zones, between groups, over links, with the grid."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Final

from django.utils.translation import gettext as _

from analytics.domain.figures import Flow
from config.templatetags.figures import energy_unit, kwh, kwh_exact, money
from config.web import charts
from config.web.chart_cards import LegendItem
from config.web.chart_kinds.bars import Bar, ranked_bars
from config.web.chart_kinds.network import Link, Node, network
from config.web.chart_kinds.sankey import End, Stream, sankey
from config.web.charts import Words, stacked_bars
from config.web.city import findings
from config.web.city.cards import CityCard, Column, Section, kilo, made_from, make_card, short_day
from config.web.city.data_market import data_flows_card
from config.web.city.energy import day_slots
from config.web.city.look import Look, zone_id_of
from config.web.city.measures import kilowatts, times_over
from config.web.shell import ROLE_NAMES

GRID: Final = "grid"
COLOURS: Final = ("c1", "c2", "c3", "c4", "c5", "c6")


def sections(look: Look) -> list[Section]:
    """Return the page's parts."""
    between = [zones_card(look), map_card(look)] if len(look.zone_names) > 1 else []
    cards = [*between, groups_card(look), exchange_card(look), peak_card(look)]
    return [
        Section("energy", _("Energy"), cards),
        Section("data", _("Data"), [data_flows_card(look)]),
    ]


def zones_card(look: Look) -> CityCard:
    """Show what went from zone to zone, and with the grid."""

    def source(flow: Flow) -> str:
        return _zone(look, flow.from_zone_id, flow.from_group)

    def sink(flow: Flow) -> str:
        return _zone(look, flow.to_zone_id, flow.to_group)

    return _sankey_card(look, "zones", source, sink, (_("From zone"), _("To zone")))


def groups_card(look: Look) -> CityCard:
    """Show what went from group to group, and with the grid."""
    return _sankey_card(
        look,
        "groups",
        lambda flow: _group(flow.from_group),
        lambda flow: _group(flow.to_group),
        (_("From group"), _("To group")),
    )


def _sankey_card(
    look: Look,
    key: str,
    source: Callable[[Flow], str],
    sink: Callable[[Flow], str],
    heads: tuple[str, str],
) -> CityCard:
    pairs = _added(look.flows, source, sink)
    grid = _group(GRID)
    local = [(a, b, wh) for (a, b), (wh, _value) in pairs.items() if grid not in (a, b)]
    title = findings.largest_flow(local)
    left = _ends(pairs, 0, grid)
    right = _ends(pairs, 1, grid)
    streams = [
        Stream(list(left).index(a), list(right).index(b), wh / 1000, f"{a} → {b}: {kwh(wh)}")
        for (a, b), (wh, _value) in pairs.items()
    ]
    svg = sankey(
        [End(name, kwh(wh), css) for name, (wh, css) in left.items()],
        [End(name, kwh(wh), css) for name, (wh, css) in right.items()],
        streams,
        Words(title, _("Sources left, sinks right; the table has the figures."), energy_unit()),
    )
    columns = [
        Column(heads[0], "from"),
        Column(heads[1], "to"),
        Column(_("Energy (kWh)"), "energy_wh", kwh_exact),
        Column(_("Value"), "value_micro", lambda micro: money(micro, look.currency)),
    ]
    rows = [(a, b, wh, value) for (a, b), (wh, value) in pairs.items()]
    note = _("Each trade counts where its two meters stand; value is what buyers paid, less fees.")
    return make_card(
        key, title, svg if pairs else "", columns, rows, note=f"{note} {made_from(look)}"
    )


def map_card(look: Look) -> CityCard:
    """Show zones as a schematic, with what went over each link."""
    title = findings.congestion(look.links, look.zone_names, look.currency)
    ids = list(look.zone_names)
    shown = {zone_id_of(each): each for each in look.zones}
    nodes = [
        Node(name, kwh(shown[zone_id].bought_wh) if zone_id in shown else _("not shown"))
        for zone_id, name in look.zone_names.items()
    ]
    both: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0, 0])
    for each in look.links:
        a, b = sorted((each.from_zone_id, each.to_zone_id))
        way = 0 if each.from_zone_id == a else 1
        both[a, b][way] += each.sent_wh
        both[a, b][2] += each.congested_minutes
    links = [
        Link(
            ids.index(a),
            ids.index(b),
            there / 1000,
            back / 1000,
            kwh(there + back),
            f"{look.zone_names[a]} – {look.zone_names[b]}: {kwh(there)}, {kwh(back)}",
            is_congested=minutes > 0,
        )
        for (a, b), (there, back, minutes) in both.items()
        if a in ids and b in ids
    ]
    svg = network(nodes, links, Words(title, _("Width is what went over a link."), energy_unit()))
    columns = [
        Column(_("From zone"), "from"),
        Column(_("To zone"), "to"),
        Column(_("Sent (kWh)"), "sent_wh", kwh_exact),
        Column(_("Received (kWh)"), "received_wh", kwh_exact),
        Column(_("Lost (kWh)"), "lost_wh", kwh_exact),
        Column(_("Congested (h)"), "congested_minutes", lambda minutes: times_over(minutes / 60)),
        Column(_("Congestion rent"), "rent_micro", lambda micro: money(micro, look.currency)),
    ]
    rows = [
        (
            look.zone_names.get(each.from_zone_id, "?"),
            look.zone_names.get(each.to_zone_id, "?"),
            each.sent_wh,
            each.received_wh,
            each.lost_wh,
            each.congested_minutes,
            each.rent_micro,
        )
        for each in look.links
    ]
    lost = sum(each.lost_wh for each in look.links)
    note = _(
        "A schematic, not a map to scale. A dashed link with a sign was full at times; {energy}"
        " were lost on the way."
    ).format(energy=kwh(lost))
    return make_card("map", title, svg, columns, rows, note=f"{note} {made_from(look)}")


def exchange_card(look: Look) -> CityCard:
    """Show what came from the grid and went to it, day by day."""
    title = findings.exchange(look.energies)
    found = [each.energies if each else None for _day, each in look.days]
    drawn = [kilo(each.grid_import_wh) if each else None for each in found]
    fed = [kilo(each.grid_export_wh) if each else None for each in found]
    svg = stacked_bars(
        day_slots(look.days),
        above=[charts.Series("", "sun", fed)],
        below=[charts.Series("", "grid", drawn)],
        words=Words(title, _("Fed in above the line, drawn below it, by day."), energy_unit()),
    )
    columns = [
        Column(_("Day"), "day", short_day),
        Column(_("To the grid (kWh)"), "grid_export_wh", kwh_exact),
        Column(_("From the grid (kWh)"), "grid_import_wh", kwh_exact),
    ]
    rows = [
        (
            day,
            each.energies.grid_export_wh if each else None,
            each.energies.grid_import_wh if each else None,
        )
        for day, each in look.days
    ]
    return make_card(
        "exchange",
        title,
        svg,
        columns,
        rows,
        note=made_from(look),
        legend=[LegendItem(_("to the grid"), "sun"), LegendItem(_("from the grid"), "grid")],
    )


def peak_card(look: Look) -> CityCard:
    """Show the highest power from the grid, with the market and without."""
    peak = look.peak
    title = findings.peak_change(peak)
    rows = (
        [
            (_("With the market"), peak.import_w, peak.import_day),
            (_("If nobody had traded"), peak.alone_w, peak.alone_day),
        ]
        if peak
        else []
    )
    bars = [
        Bar(f"{name}, {short_day(day)}", kilowatts(power), power / 1000, css)
        for (name, power, day), css in zip(rows, ("pool", "grid"), strict=False)
    ]
    svg = ranked_bars(bars, Words(title, _("Both peaks."), "kW"))
    columns = [
        Column(_("Case"), "case"),
        Column(_("Peak"), "peak_w", kilowatts),
        Column(_("Day"), "day", short_day),
    ]
    note = _(
        "Highest mean power drawn from the grid in any delivery interval. Without trade, each meter"
        " alone draws what it imports."
    )
    return make_card(
        "peak", title, svg if rows else "", columns, rows, note=f"{note} {made_from(look)}"
    )


def _added(
    flows: Iterable[Flow], source: Callable[[Flow], str], sink: Callable[[Flow], str]
) -> dict[tuple[str, str], tuple[int, int]]:
    """Add flows up by the names of their ends, largest first."""
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for flow in flows:
        ends = source(flow), sink(flow)
        wh, value = sums.get(ends, (0, 0))
        sums[ends] = wh + flow.wh, value + flow.value_micro
    return dict(sorted(sums.items(), key=lambda item: -item[1][0]))


def _ends(
    pairs: dict[tuple[str, str], tuple[int, int]], side: int, grid: str
) -> dict[str, tuple[int, str]]:
    """Return the ends of one side with their sums and colours, the grid last."""
    sums: dict[str, int] = defaultdict(int)
    for ends, (wh, _value) in pairs.items():
        sums[ends[side]] += wh
    names = sorted({name for ends in pairs for name in ends} - {grid})
    order = sorted(sums, key=lambda name: (name == grid, name))
    return {
        name: (
            sums[name],
            "grid" if name == grid else COLOURS[names.index(name) % len(COLOURS)],
        )
        for name in order
    }


def _zone(look: Look, zone_id: int, group: str) -> str:
    if group == GRID:
        return _group(GRID)
    return look.zone_names.get(zone_id) or _("zones not shown alone")


def _group(code: str) -> str:
    if code == GRID:
        return _("the grid")
    return str(ROLE_NAMES[code]) if code in ROLE_NAMES else _("all members")

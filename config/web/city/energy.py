"""Cards of energy over days: what neighbours and the grid delivered."""

from collections.abc import Sequence
from datetime import date

from django.utils.translation import gettext as _

from analytics.domain.figures import EnergyBucket
from config.templatetags.figures import energy_unit, kwh, kwh_exact, share
from config.templatetags.place_names import place_name
from config.web import charts
from config.web.chart_cards import LegendItem
from config.web.chart_kinds.bars import Bar, ranked_bars
from config.web.city import findings
from config.web.city.cards import CityCard, Column, absent, kilo, made_from, make_card, short_day
from config.web.city.look import Look, sum_of, zone_id_of

# A long row of days has room for so many names.
TICKS = 8


def day_slots(days: list[tuple[date, EnergyBucket | None]]) -> list[charts.Slot]:
    """Name days on an axis; those that are missing are hatched."""
    every = max(1, -(-len(days) // TICKS))
    return [
        charts.Slot(
            name=short_day(day) if each else f"{short_day(day)}: {absent()}",
            tick=f"{day:%m-%d}" if index % every == 0 else "",
            is_held=each is None,
        )
        for index, (day, each) in enumerate(days)
    ]


def daily_card(look: Look) -> CityCard:
    """Show what was traded and exchanged with the grid, day by day."""
    title = findings.best_day(look.days)
    found = [each.energies if each else None for _day, each in look.days]

    def line(css: str, name: str) -> charts.Series:
        values = [kilo(getattr(each, name)) if each else None for each in found]
        return charts.Series("", css, values)

    svg = charts.stacked_bars(
        day_slots(look.days),
        above=[line("pool", "sold_wh"), line("grid", "grid_export_wh")],
        below=[line("pool", "bought_wh"), line("grid", "grid_import_wh")],
        words=charts.Words(
            title, _("Sold above the line, bought below it, by day."), energy_unit()
        ),
    )
    columns = [
        Column(_("Day"), "day", short_day),
        Column(_("Sold (kWh)"), "sold_wh", kwh_exact),
        Column(_("To the grid (kWh)"), "grid_export_wh", kwh_exact),
        Column(_("Bought (kWh)"), "bought_wh", kwh_exact),
        Column(_("From the grid (kWh)"), "grid_import_wh", kwh_exact),
    ]
    rows = [
        (
            day,
            *(
                getattr(each, name) if each else None
                for name in ("sold_wh", "grid_export_wh", "bought_wh", "grid_import_wh")
            ),
        )
        for (day, _bucket), each in zip(look.days, found, strict=True)
    ]
    note = _("Above the line: sold. Below: bought. Hatched: missing, or too few meters.")
    legend = [
        LegendItem(_("with neighbours"), "pool"),
        LegendItem(_("with the grid"), "grid"),
    ]
    return make_card(
        "days", title, svg, columns, rows, note=f"{note} {made_from(look)}", legend=legend
    )


def communities_card(looks: Sequence[Look]) -> CityCard:
    """Compare the communities by how much of their demand neighbours met."""
    title = findings.demand_met(sum_of(looks))
    bars = [
        Bar(
            place_name(look.place),
            share(look.energies.self_sufficiency) if look.energies else absent(),
            _percent(look.energies.self_sufficiency) if look.energies else None,
        )
        for look in looks
    ]
    svg = ranked_bars(
        bars, charts.Words(title, _("Self-sufficiency by community."), "%"), whole=100
    )
    columns = [
        Column(_("Community"), "community"),
        Column(_("Self-sufficiency"), "self_sufficiency", share),
        Column(_("Traded"), "bought_wh", kwh),
        Column(_("Demand"), "import_wh", kwh),
    ]
    rows = [
        (
            place_name(look.place),
            *(
                (look.energies.self_sufficiency, look.energies.bought_wh, look.energies.import_wh)
                if look.energies
                else (None, None, None)
            ),
        )
        for look in looks
    ]
    note = _("Share of the metered import that neighbours delivered, over the whole time.")
    return make_card("communities", title, svg, columns, rows, note=note)


def sufficiency_card(look: Look) -> CityCard:
    """Show self-sufficiency and self-consumption day by day."""
    title = findings.demand_met(look.energies)
    found = [each.energies if each else None for _day, each in look.days]
    values = [
        (each.self_sufficiency, each.self_consumption) if each else (None, None) for each in found
    ]

    def line(label: str, css: str, index: int) -> charts.Series:
        return charts.Series(label, css, [_percent(pair[index]) for pair in values])

    svg = charts.steps(
        day_slots(look.days),
        [line(_("Self-sufficiency"), "price", 0), line(_("Self-consumption"), "feed-in", 1)],
        charts.Words(title, _("Both shares by day; the table has the figures."), "%"),
    )
    columns = [
        Column(_("Day"), "day", short_day),
        Column(_("Self-sufficiency"), "self_sufficiency", share),
        Column(_("Self-consumption"), "self_consumption", share),
    ]
    rows = [(day, *pair) for (day, _bucket), pair in zip(look.days, values, strict=True)]
    note = _(
        "Self-sufficiency: how much of the demand neighbours met. Self-consumption: how much of the"
        " surplus they took."
    )
    legend = [
        LegendItem(_("Self-sufficiency"), "price", is_line=True),
        LegendItem(_("Self-consumption"), "feed-in", is_line=True),
    ]
    return make_card(
        "sufficiency", title, svg, columns, rows, note=f"{note} {made_from(look)}", legend=legend
    )


def zones_card(look: Look) -> CityCard:
    """Compare the zones that may be shown; the others are named without a figure."""
    shown = {zone_id_of(each): each for each in look.zones}
    title = findings.demand_met(look.energies)
    rows = []
    bars = []
    for zone_id, name in look.zone_names.items():
        each = shown.get(zone_id)
        ratio = each.self_sufficiency if each else None
        bars.append(Bar(name, share(ratio) if each else _("not shown"), _percent(ratio), "pool"))
        rows.append(
            (
                name,
                ratio,
                each.bought_wh if each else None,
                each.grid_import_wh if each else None,
                each.grid_export_wh if each else None,
            )
        )
    columns = [
        Column(_("Zone"), "zone"),
        Column(_("Self-sufficiency"), "self_sufficiency", share),
        Column(_("Bought (kWh)"), "bought_wh", kwh_exact),
        Column(_("From the grid (kWh)"), "grid_import_wh", kwh_exact),
        Column(_("To the grid (kWh)"), "grid_export_wh", kwh_exact),
    ]
    svg = ranked_bars(bars, charts.Words(title, _("Self-sufficiency by zone."), "%"), whole=100)
    note = _(
        "A zone is not shown where fewer than {minimum} meters stand behind it, or where it would"
        " follow from the others."
    ).format(minimum=look.minimum)
    return make_card("zones", title, svg, columns, rows, note=f"{note} {made_from(look)}")


def _percent(ratio: float | None) -> float | None:
    return None if ratio is None else ratio * 100

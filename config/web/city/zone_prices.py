"""Prices of zones: what each came to, and day by day; only of zones that may be shown."""

from django.utils.translation import gettext as _

from config.templatetags.figures import price_figure, price_rounded, unit_symbol
from config.web import charts
from config.web.chart_kinds.bars import Bar, ranked_bars
from config.web.chart_kinds.sparklines import Spark, small_multiples
from config.web.city import findings
from config.web.city.cards import CityCard, Column, made_from, make_card, short_day, units
from config.web.city.look import Look, zone_id_of

COLOURS = 6
# More lines than these nobody compares; the API has each zone's hours.
LINES = 12


def zones_card(look: Look) -> CityCard:
    """Compare mean prices of the zones that may be shown."""
    shown = {zone_id_of(each): each.price_micro_per_kwh for each in look.zones}
    prices = {
        name: value
        for zone_id, name in look.zone_names.items()
        if (value := shown.get(zone_id)) is not None
    }
    title = findings.zone_prices(prices, look.currency)
    unit = unit_symbol(look.currency)
    rows = [(name, shown.get(zone_id)) for zone_id, name in look.zone_names.items()]
    bars = [
        Bar(name, price_rounded(value) if value is not None else _("not shown"), units(value))
        for name, value in rows
    ]
    svg = ranked_bars(bars, charts.Words(title, _("Mean price by zone."), unit))
    columns = [
        Column(_("Zone"), "zone"),
        Column(
            _("Mean ({unit})").format(unit=unit),
            "price_micro_per_kwh",
            price_figure,
            _("no trade, or withheld"),
        ),
    ]
    note = _("A zone of fewer than {minimum} meters is not shown.").format(minimum=look.minimum)
    return make_card("zones", title, svg, columns, rows, note=f"{note} {made_from(look)}")


def zone_days_card(look: Look) -> CityCard:
    """Show each zone's mean price day by day, all on one scale."""
    known_ids = [zone_id_of(each) for each in look.zones]
    shown = [zone_id for zone_id in known_ids if zone_id in look.zone_names][:LINES]
    found = {
        zone_id: {
            each.day: each.energies.price_micro_per_kwh for each in look.buckets("day", zone_id)
        }
        for zone_id in shown
    }
    spans = {
        look.zone_names[zone_id]: max(known) - min(known)
        for zone_id, own in found.items()
        if (known := [value for value in own.values() if value is not None])
    }
    title = findings.zone_moves(spans, look.currency)
    unit = unit_symbol(look.currency)
    days = [day for day, _each in look.days]
    sparks = [
        Spark(
            look.zone_names[zone_id],
            price_rounded(spans.get(look.zone_names[zone_id])),
            [units(own.get(day)) for day in days],
            f"c{1 + number % COLOURS}",
        )
        for number, (zone_id, own) in enumerate(found.items())
    ]
    svg = small_multiples(sparks, charts.Words(title, _("A line for each zone."), unit))
    columns = [
        Column(_("Day"), "day", short_day),
        *(
            Column(
                look.zone_names[zone_id],
                f"zone_{zone_id}_micro_per_kwh",
                price_figure,
                _("no trade, or withheld"),
            )
            for zone_id in found
        ),
    ]
    rows = [(day, *(own.get(day) for own in found.values())) for day in days]
    note = _("In {unit}; beside each name how far its highest day is above its lowest.").format(
        unit=unit
    )
    return make_card(
        "zone-days", title, svg if found else "", columns, rows, note=f"{note} {made_from(look)}"
    )

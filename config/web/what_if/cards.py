"""The charts of an answer: both sides, day by day, by party, by zone, and spread over members."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.templatetags.figures import (
    energy_unit,
    kwh,
    kwh_exact,
    money_change,
    money_exact,
    price,
    unit_symbol,
)
from config.web import charts
from config.web.chart_cards import ChartCard, LegendItem
from config.web.chart_kinds.bars import Bar, ranked_bars
from config.web.city.cards import MICRO, CityCard, Column, make_card, short_day
from config.web.what_if import findings
from marketplace.domain.what_if.figures import ALL, Side
from marketplace.queries.what_ifs import WhatIfAnswer

_TICKS: Final = 8
# Less than half a hundredth has no bar; the table has it.
_SHOWN_MICRO: Final = 5_000
PARTY_NAMES: Final = {
    "members": gettext_lazy("Members together"),
    "supplier": gettext_lazy("Supplier"),
    "grid": gettext_lazy("Grid operator"),
    "platform": gettext_lazy("Platform"),
    "pool": gettext_lazy("Community pool"),
    "rounding": gettext_lazy("Rounding"),
}


@dataclass(frozen=True)
class Measure:
    """One line of the two sides: its exact values, and how they are written."""

    key: str
    name: str
    actual: int | None
    changed: int | None
    write: Callable[[int | None], str]
    write_difference: Callable[[int | None], str] | None = None

    @property
    def difference(self) -> int | None:
        """What would be more."""
        if self.actual is None or self.changed is None:
            return None
        return self.changed - self.actual

    @property
    def row(self) -> list[str]:
        """The line for people."""
        missing = _("missing")
        shown = [self.name]
        for value in (self.actual, self.changed):
            shown.append(missing if value is None else self.write(value))
        difference = self.difference
        if difference is None:
            return [*shown, missing]
        sign = "+" if difference > 0 else ""
        return [*shown, f"{sign}{(self.write_difference or self.write)(difference)}"]


def cards_of(answer: WhatIfAnswer, currency: str, note: str) -> list[CityCard]:
    """Return the cards of an answer, in the order of its page."""
    found = [
        sides_card(answer, currency, note),
        parties_card(answer, currency, note),
        spread_card(answer, currency, note),
        days_card(answer, note),
    ]
    if answer.zones:
        found.append(zones_card(answer, currency, note))
    return found


def measures(answer: WhatIfAnswer, currency: str) -> list[Measure]:
    """Return what both sides are compared by."""
    actual, changed = answer.total.actual, answer.total.changed

    def energy(key: str, name: str) -> Measure:
        return Measure(key, name, actual.zones[ALL][key], changed.zones[ALL][key], kwh)

    lines = [
        energy("bought_wh", _("Traded between neighbours")),
        energy("grid_import_wh", _("From the grid")),
        energy("grid_export_wh", _("To the grid")),
        Measure(
            "self_sufficiency_ppm",
            _("Demand met without the grid"),
            _sufficiency(actual),
            _sufficiency(changed),
            _share,
            _points,
        ),
        Measure(
            "price_micro_per_kwh",
            _("Mean price in the pool"),
            _price(actual, ALL),
            _price(changed, ALL),
            lambda value: price(value, currency),
        ),
        Measure(
            "peak_import_w",
            _("Highest power from the grid"),
            actual.zones[ALL]["peak_import_w"],
            changed.zones[ALL]["peak_import_w"],
            _kilowatts,
        ),
    ]
    if changed.zones[ALL]["made_wh"]:
        lines.append(energy("made_wh", _("Hypothetical solar energy")))
    if actual.money["congested_minutes"] or changed.money["congested_minutes"]:
        lines.append(
            Measure(
                "congested_minutes",
                _("Time that links were full"),
                actual.money["congested_minutes"],
                changed.money["congested_minutes"],
                _hours,
            )
        )
    return lines


def sides_card(answer: WhatIfAnswer, currency: str, note: str) -> CityCard:
    """Compare the sums of both sides."""
    lines = measures(answer, currency)
    title = f"{findings.traded(answer.total)} {findings.grid(answer.total)}"
    bars = [
        Bar(
            _("{what}: {case}").format(what=line.name, case=words),
            line.write(value),
            (value or 0) / 1000,
            css,
        )
        for line in lines[:3]
        for words, value, css in (
            (_("as it was"), line.actual, "grid"),
            (_("what if"), line.changed, "pool"),
        )
    ]
    svg = ranked_bars(
        bars, charts.Words(title, _("Energy of the whole time, both ways."), energy_unit())
    )
    columns = [
        Column(_("Measure"), "measure"),
        Column(_("As it was"), "actual"),
        Column(capfirst(_("what if")), "what_if"),
        Column(_("Difference"), "difference"),
    ]
    chart = ChartCard(
        key="sides",
        title=title,
        svg=svg,
        columns=[column.label for column in columns],
        rows=[line.row for line in lines],
        note=note,
        legend=_legend(),
    )
    values = [(line.key, line.actual, line.changed, line.difference) for line in lines]
    return CityCard(chart, columns, values)


def parties_card(answer: WhatIfAnswer, currency: str, note: str) -> CityCard:
    """Show who would have more and who less; the differences sum to zero."""
    title = findings.members(answer.total, currency)
    values = []
    for party, name in PARTY_NAMES.items():
        before, after = (
            side.money[f"{party}_micro"] for side in (answer.total.actual, answer.total.changed)
        )
        values.append((str(name), before, after, after - before))
    bars = [
        Bar(name, money_change(change, currency), change / MICRO, "pool" if change >= 0 else "grid")
        for name, _before, _after, change in values
        if abs(change) >= _SHOWN_MICRO
    ] or [Bar(values[0][0], money_change(0, currency), 0.0)]
    svg = ranked_bars(
        bars, charts.Words(title, _("Received less paid, what would be more."), currency)
    )
    columns = [
        Column(_("Party"), "party"),
        Column(_("As it was ({currency})").format(currency=currency), "actual_micro", money_exact),
        Column(_("What if ({currency})").format(currency=currency), "what_if_micro", money_exact),
        Column(
            _("Difference ({currency})").format(currency=currency), "difference_micro", money_exact
        ),
    ]
    said = _("Received less paid. All parties together come to zero, as it was and what if.")
    return make_card("parties", title, svg, columns, values, note=f"{said} {note}")


def spread_card(answer: WhatIfAnswer, currency: str, note: str) -> CityCard:
    """Show how the change is spread over members, in groups of equal size."""
    spread = answer.spread
    title = findings.spread(spread)
    means = spread.means_micro or ()
    names = [
        _("Group {number} of {count}").format(number=number + 1, count=len(means))
        for number in range(len(means))
    ]
    bars = [
        Bar(name, money_change(mean, currency), mean / MICRO, "pool" if mean >= 0 else "grid")
        for name, mean in zip(names, means, strict=True)
    ] or [Bar(_("All members"), _("too few to show"), None)]
    svg = ranked_bars(
        bars,
        charts.Words(title, _("From those who lose most to those who gain most."), currency),
    )
    columns = [
        Column(_("Members, by what would change for them"), "group"),
        Column(_("Mean change ({currency})").format(currency=currency), "mean_micro", money_exact),
    ]
    values: list[tuple[object, ...]] = [*zip(names, means, strict=True)]
    said = _(
        "Members by what would change for them over the whole time, in groups of at least "
        "{size}; means to a hundredth."
    ).format(size=max(spread.group_size, spread.minimum))
    return make_card("spread", title, svg, columns, values, note=f"{said} {note}")


def days_card(answer: WhatIfAnswer, note: str) -> CityCard:
    """Show what was traded day by day, both ways."""
    both = [(day, sides.actual.zones[ALL], sides.changed.zones[ALL]) for day, sides in answer.days]
    values = [
        (
            day,
            was["bought_wh"],
            might["bought_wh"],
            was["grid_import_wh"],
            might["grid_import_wh"],
        )
        for day, was, might in both
    ]
    every = max(1, -(-len(values) // _TICKS))
    slots = [
        charts.Slot(short_day(row[0]), f"{row[0]:%m-%d}" if index % every == 0 else "")
        for index, row in enumerate(values)
    ]
    differing = sum(row[1] != row[2] for row in values)
    title = findings.days(differing, len(values))
    lines = [
        charts.Series(_("as it was"), "grid", [row[1] / 1000 for row in values]),
        charts.Series(_("what if"), "pool", [row[2] / 1000 for row in values]),
    ]
    words = charts.Words(title, _("Traded between neighbours, by day."), energy_unit())
    columns = [
        Column(_("Day"), "day", short_day),
        Column(_("Traded, as it was (kWh)"), "bought_wh", kwh_exact),
        Column(_("Traded, what if (kWh)"), "what_if_bought_wh", kwh_exact),
        Column(_("From the grid, as it was (kWh)"), "grid_import_wh", kwh_exact),
        Column(_("From the grid, what if (kWh)"), "what_if_grid_import_wh", kwh_exact),
    ]
    svg = charts.steps(slots, lines, words)
    return make_card("days", title, svg, columns, values, note=note, legend=_legend(lines=True))


def zones_card(answer: WhatIfAnswer, currency: str, note: str) -> CityCard:
    """Show each zone's price and trade."""
    was, might = answer.total.actual, answer.total.changed
    values = [
        (
            zone,
            _price(was, zone),
            _price(might, zone),
            was.zones[zone]["bought_wh"],
            might.zones[zone]["bought_wh"],
        )
        for zone in answer.zones
    ]
    differing = sum(row[1] != row[2] for row in values)
    title = _("Prices would change in {differing} of {count} zones.").format(
        differing=differing, count=len(values)
    )
    bars = [
        Bar(
            _("{what}: {case}").format(what=row[0], case=words),
            _("missing") if value is None else price(value, currency),
            None if value is None else value / MICRO,
            css,
        )
        for row in values
        for words, value, css in ((_("as it was"), row[1], "grid"), (_("what if"), row[2], "pool"))
    ]
    svg = ranked_bars(
        bars, charts.Words(title, _("Mean price in the pool, by zone."), unit_symbol(currency))
    )

    def written(value: int) -> str:
        return price(value, currency)

    columns = [
        Column(_("Zone"), "zone"),
        Column(_("Price, as it was"), "price_micro_per_kwh", written),
        Column(_("Price, what if"), "what_if_price_micro_per_kwh", written),
        Column(_("Traded, as it was (kWh)"), "bought_wh", kwh_exact),
        Column(_("Traded, what if (kWh)"), "what_if_bought_wh", kwh_exact),
    ]
    return make_card("zones", title, svg, columns, values, note=note, legend=_legend())


def _legend(*, lines: bool = False) -> Sequence[LegendItem]:
    return [
        LegendItem(_("as it was"), "grid", lines),
        LegendItem(_("what if"), "pool", lines),
    ]


def _sufficiency(side: Side) -> int | None:
    """Return the demand met by neighbours and new roofs of one's own, in millionths."""
    figures = side.zones[ALL]
    demand = figures["import_wh"] + figures["own_used_wh"]
    met = figures["bought_wh"] + figures["own_used_wh"]
    return met * 1_000_000 // demand if demand else None


def _price(side: Side, zone: str) -> int | None:
    """Return what a kWh cost in the pool, fees aside, to the nearest micro-unit."""
    wh, paid = side.zones[zone]["pool_wh"], side.zones[zone]["pool_micro"]
    return round(paid * 1000 / wh) if wh else None


def _share(value: int | None) -> str:
    return "" if value is None else f"{value / 10_000:.1f} %"


def _points(value: int | None) -> str:
    return "" if value is None else _("{points} points").format(points=f"{value / 10_000:.1f}")


def _kilowatts(value: int | None) -> str:
    return "" if value is None else f"{value / 1000:,.1f} kW"


def _hours(value: int | None) -> str:
    return "" if value is None else f"{value / 60:,.1f} h"

"""Prices of energy over time: their course, their day, their spread and how they move."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from analytics.domain.figures import EnergyBucket
from analytics.domain.price_statistics import day_shape, mean_of, ranked, volatility
from config.templatetags.figures import price, price_figure, price_rounded, unit_symbol
from config.web import charts
from config.web.chart_cards import LegendItem
from config.web.chart_kinds import curves, heat
from config.web.city import findings
from config.web.city.cards import (
    CityCard,
    Column,
    Section,
    absent,
    made_from,
    make_card,
    moment_words,
    short_day,
    units,
)
from config.web.city.data_market import concluded_card, data_prices_card
from config.web.city.energy import day_slots
from config.web.city.look import Look
from config.web.city.tariffs import means_of
from config.web.city.zone_prices import zone_days_card, zones_card

HOUR: Final = timedelta(hours=1)
# So many days are shown hour by hour; beyond them a line has more hours than a screen has points.
HOURLY_DAYS: Final = 8
HEAT_DAYS: Final = 31
LEGEND: Final = ("price", "retail", "feed-in")


def sections(look: Look) -> list[Section]:
    """Return the page's parts."""
    course = hourly_card(look) if look.chosen.day_count <= HOURLY_DAYS else daily_card(look)
    cards = [course, shape_card(look)]
    cards += [calendar_card(look)] if look.chosen.day_count > 1 else []
    cards += [hours_card(look)] if look.chosen.day_count <= HEAT_DAYS else []
    cards += [duration_card(look), spread_card(look), volatility_card(look)]
    cards += [zones_card(look), zone_days_card(look)] if len(look.zone_names) > 1 else []
    data = [data_prices_card(), concluded_card(look)]
    return [
        Section("energy", _("Energy"), cards),
        Section("data", _("Data"), data),
    ]


def hourly_card(look: Look) -> CityCard:
    """Show price and tariffs hour by hour."""
    known = {each.at: each for each in look.hours}
    moments = _hours(look, known)
    slots = []
    for at in moments:
        local = look.local(at)
        tick = f"{local:%m-%d}" if look.chosen.day_count > 1 else f"{local:%H}"
        every = 24 if look.chosen.day_count > 1 else 3
        slots.append(
            charts.Slot(
                f"{local:%m-%d %H:%M}", tick if local.hour % every == 0 else "", at not in known
            )
        )
    rows = [(look.local(at), known.get(at)) for at in moments]
    return _course(look, "hours", slots, rows, Column(_("Hour"), "hour", moment_words))


def daily_card(look: Look) -> CityCard:
    """Show mean price and tariffs day by day."""
    column = Column(_("Day"), "day", short_day)
    return _course(look, "days", day_slots(look.days), look.days, column)


def _course(
    look: Look,
    key: str,
    slots: Sequence[charts.Slot],
    rows: Sequence[tuple[object, EnergyBucket | None]],
    column: Column,
) -> CityCard:
    means = means_of(look.by_day.values())
    title = findings.price_level(look.energies, means.retail, means.feed_in, look.currency)
    values = [
        (
            each.energies.price_micro_per_kwh,
            each.retail_micro_per_kwh,
            each.feed_in_micro_per_kwh,
        )
        if each
        else (None, None, None)
        for _at, each in rows
    ]
    lines = [
        charts.Series("", css, [units(three[index]) for three in values])
        for index, css in enumerate(LEGEND)
    ]
    svg = charts.steps(
        slots,
        lines,
        charts.Words(
            title,
            _("The clearing price between the tariffs; the table has the figures."),
            unit_symbol(look.currency),
        ),
    )
    columns = [column, *_price_columns(look)]
    note = _(
        "Weighted by what was bought at a clearing price. A gap: nothing was traded, or shown."
    )
    return make_card(
        key,
        title,
        svg,
        columns,
        [(at, *three) for (at, _each), three in zip(rows, values, strict=True)],
        note=f"{note} {made_from(look)}",
        legend=[
            LegendItem(_("clearing price"), "price", is_line=True),
            LegendItem(_("retail tariff"), "retail", is_line=True),
            LegendItem(_("feed-in tariff"), "feed-in", is_line=True),
        ],
    )


def shape_card(look: Look) -> CityCard:
    """Show prices by hour of the day."""
    shape = day_shape((at.hour, value) for at, value in look.priced_hours)
    title = findings.hours_of_price(shape)
    svg = curves.day_shape(
        [units(each.low) if each else None for each in shape],
        [units(each.mean) if each else None for each in shape],
        [units(each.high) if each else None for each in shape],
        charts.Words(title, _("Lowest to highest, and the mean."), unit_symbol(look.currency)),
    )
    unit = unit_symbol(look.currency)
    columns = [
        Column(_("Hour of the day"), "hour", "{:02d}:00".format),
        _column(_("Lowest ({unit})"), "lowest_micro_per_kwh", unit),
        _column(_("Mean ({unit})"), "mean_micro_per_kwh", unit),
        _column(_("Highest ({unit})"), "highest_micro_per_kwh", unit),
        Column(_("Hours"), "hours"),
    ]
    rows = [
        (hour, *((each.low, each.mean, each.high, each.count) if each else (None,) * 4))
        for hour, each in enumerate(shape)
    ]
    note = _("Each hour of the day over all days: the line is the mean, the band its reach.")
    return make_card("shape", title, svg, columns, rows, note=f"{note} {made_from(look)}")


def calendar_card(look: Look) -> CityCard:
    """Show each day's mean price on a calendar."""
    prices = {day: each.energies.price_micro_per_kwh if each else None for day, each in look.days}
    known = {day: value for day, value in prices.items() if value is not None}
    title = findings.days_of_price(known, look.currency)
    ramp = heat.Ramp.over(units(value) for value in prices.values())
    unit = unit_symbol(look.currency)
    svg = heat.calendar(
        [
            heat.CalendarDay(
                day,
                units(value),
                f"{short_day(day)}: {price_rounded(value) if value is not None else _('missing')}",
            )
            for day, value in prices.items()
        ],
        ramp,
        charts.Words(title, _("The darker, the dearer."), unit),
        month_name=lambda day: date_format(day, "YEAR_MONTH_FORMAT"),
        weekdays=[_("Mo"), _("Tu"), _("We"), _("Th"), _("Fr"), _("Sa"), _("Su")],
    )
    columns = [
        Column(_("Day"), "day", short_day),
        _column(_("Mean ({unit})"), "price_micro_per_kwh", unit),
    ]
    return make_card(
        "calendar",
        title,
        svg,
        columns,
        list(prices.items()),
        note=f"{_in_unit(unit)} {made_from(look)}",
        legend=ramp.legend(lambda value: f"{value:.3g}", absent()),
    )


def hours_card(look: Look) -> CityCard:
    """Show each hour's price, days down and hours across."""
    cells: dict[object, list[int | None]] = {day: [None] * 24 for day, _each in look.days}
    for at, value in look.priced_hours:
        if at.date() in cells:
            cells[at.date()][at.hour] = value
    hatched = _("Hatched: nothing was traded, or shown.")
    everything = [value for own in cells.values() for value in own]
    shape = [value for value in everything if value is not None]
    # Each stands in the picture and in the table; writing it is what costs.
    written = {value: price_rounded(value) for value in shape}
    missing = absent()
    ramp = heat.Ramp.over(units(value) for value in everything)
    title = (
        _("Prices hour by hour reached from {low} to {high}").format(
            low=written[min(shape)], high=price(max(shape), look.currency)
        )
        if shape
        else findings.nothing()
    )
    unit = unit_symbol(look.currency)
    svg = heat.day_hours(
        [
            heat.HourRow(
                f"{day:%m-%d}",
                [units(value) for value in own],
                [
                    f"{hour:02d}:00: {missing if value is None else written[value]}"
                    for hour, value in enumerate(own)
                ],
            )
            for day, own in cells.items()
        ],
        ramp,
        charts.Words(title, _("The darker, the dearer."), unit),
    )
    columns = [
        Column(_("Day"), "day", short_day),
        *(
            Column(f"{hour:02d}", f"h{hour:02d}_micro_per_kwh", written.__getitem__)
            for hour in range(24)
        ),
    ]
    return make_card(
        "heat",
        title,
        svg,
        columns,
        [(day, *own) for day, own in cells.items()],
        note=f"{_in_unit(unit)} {hatched} {made_from(look)}",
        legend=ramp.legend(lambda value: f"{value:.3g}", absent()),
    )


def duration_card(look: Look) -> CityCard:
    """Show for how much of the time a price was reached."""
    prices = [value for _at, value in look.priced_hours]
    shares = [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0]
    found = ranked(prices, shares)
    tenth, half = (found[1], found[3]) if found else (None, None)
    title = findings.durations(len(prices), tenth, half, look.currency)
    unit = unit_symbol(look.currency)
    svg = curves.duration_curve(
        [charts.Series("", "price", [units(value) for value in prices])],
        charts.Words(title, _("Hourly prices from the highest to the lowest."), unit),
        from_zero=False,
    )
    columns = [
        Column(_("Share of the hours"), "share_of_hours", "{:.0%}".format),
        _column(_("Price reached ({unit})"), "price_micro_per_kwh", unit),
    ]
    note = _("{count} hours with trades, of {all} that may be shown.").format(
        count=len(prices), all=len(look.hours)
    )
    rows = list(zip(shares, found, strict=True)) if found else []
    return make_card("duration", title, svg, columns, rows, note=f"{note} {made_from(look)}")


def spread_card(look: Look) -> CityCard:
    """Show how far the price lay from both tariffs."""
    means = means_of(look.by_day.values())
    title = findings.spreads(means.to_retail, means.to_feed_in, look.currency)
    days = {day: means_of([each] if each else []) for day, each in look.days}
    unit = unit_symbol(look.currency)
    svg = charts.steps(
        day_slots(look.days),
        [
            charts.Series("", "retail", [units(each.to_retail) for each in days.values()]),
            charts.Series("", "feed-in", [units(each.to_feed_in) for each in days.values()]),
        ],
        charts.Words(title, _("Both spreads by day; the table has the figures."), unit),
    )
    columns = [
        Column(_("Day"), "day", short_day),
        _column(_("Below retail ({unit})"), "below_retail_micro_per_kwh", unit),
        _column(_("Above feed-in ({unit})"), "above_feed_in_micro_per_kwh", unit),
    ]
    note = _("Clearing price against each tariff, weighted by what was traded; fees are not in it.")
    return make_card(
        "spread",
        title,
        svg,
        columns,
        [(day, each.to_retail, each.to_feed_in) for day, each in days.items()],
        note=f"{note} {made_from(look)}",
        legend=[
            LegendItem(_("below retail"), "retail", is_line=True),
            LegendItem(_("above feed-in"), "feed-in", is_line=True),
        ],
    )


def volatility_card(look: Look) -> CityCard:
    """Show how far prices moved within each day."""
    moved = volatility((at.date(), value) for at, value in look.priced_hours)
    title = findings.moves(mean_of(moved), moved, look.currency)
    unit = unit_symbol(look.currency)
    svg = charts.steps(
        day_slots(look.days),
        [charts.Series("", "price", [units(moved.get(day)) for day, _each in look.days])],
        charts.Words(title, _("Standard deviation by day; the table has the figures."), unit),
    )
    columns = [
        Column(_("Day"), "day", short_day),
        _column(_("Standard deviation ({unit})"), "standard_deviation_micro_per_kwh", unit),
    ]
    note = _(
        "Volatility is the standard deviation of a day's hourly mean prices around the mean of that"
        " day; a day with fewer than two prices has none."
    )
    rows = [(day, moved.get(day)) for day, _each in look.days]
    return make_card("volatility", title, svg, columns, rows, note=f"{note} {made_from(look)}")


def _price_columns(look: Look) -> list[Column]:
    unit = unit_symbol(look.currency)
    return [
        _column(_("Clearing price ({unit})"), "price_micro_per_kwh", unit),
        _column(_("Retail ({unit})"), "retail_micro_per_kwh", unit),
        _column(_("Feed-in ({unit})"), "feed_in_micro_per_kwh", unit),
    ]


def _hours(look: Look, known: dict[datetime, EnergyBucket]) -> list[datetime]:
    """Return every hour from the first to the last day that the market has."""
    if not look.days:
        return []
    first = min((each for each in known), default=look.start)
    start = first - ((first - look.start) // HOUR) * HOUR
    count = int((look.end - start) / HOUR)
    moments = [(start + HOUR * number).astimezone(UTC) for number in range(count)]
    days = {day for day, _each in look.days}
    return [at for at in moments if look.local(at).date() in days]


def _in_unit(unit: str) -> str:
    return _("In {unit}.").format(unit=unit)


def _column(label: str, name: str, unit: str) -> Column:
    """Return a column of prices; a day may be shown and still have none."""
    return Column(label.format(unit=unit), name, price_figure, _("no trade, or withheld"))

"""Charts for templates: plain rows in, a picture with words in the reader's language out."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from django import template
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from config.templatetags.figures import energy_unit, kwh, share
from config.web import charts

register = template.Library()

TICK_HOURS = 6
LONGEST_DAY = timedelta(hours=25)


class Timed(Protocol):
    """Something that lasts from a moment to a moment."""

    @property
    def starts_at(self) -> datetime: ...
    @property
    def ends_at(self) -> datetime: ...


class EnergyRow(Timed, Protocol):
    """Energy of an interval by party; None where a reading is missing. [Wh]"""

    @property
    def sold_wh(self) -> int | None: ...
    @property
    def bought_wh(self) -> int | None: ...
    @property
    def grid_export_wh(self) -> int | None: ...
    @property
    def grid_import_wh(self) -> int | None: ...


class PriceRow(Timed, Protocol):
    """Prices of an interval; None where there is none. [micro/kWh]"""

    @property
    def price_micro_per_kwh(self) -> int | None: ...
    @property
    def retail_micro_per_kwh(self) -> int | None: ...
    @property
    def feed_in_micro_per_kwh(self) -> int | None: ...


class FlowTotals(Protocol):
    """Energy of a period. [Wh]"""

    @property
    def sold_wh(self) -> int: ...
    @property
    def grid_export_wh(self) -> int: ...
    @property
    def grid_import_wh(self) -> int: ...


@register.simple_tag
def day_finding(rows: Sequence[EnergyRow]) -> str:
    """Say what the picture of a day shows: how much of it was with neighbours."""
    read = [row for row in rows if row.grid_import_wh is not None]
    sold, bought = (sum(row.sold_wh or 0 for row in read), sum(row.bought_wh or 0 for row in read))
    sent = sold + sum(row.grid_export_wh or 0 for row in read)
    drawn = bought + sum(row.grid_import_wh or 0 for row in read)
    if not sent and not drawn:
        return _("My day")
    met = _percent(bought, drawn)
    if not sent:
        return _("Neighbours met {met} of what you drew").format(met=met)
    return _("Neighbours took {taken} of what you sent out and met {met} of what you drew").format(
        taken=_percent(sold, sent), met=met
    )


@register.simple_tag
def energy_chart(rows: Sequence[EnergyRow], title: str) -> SafeString:
    """Draw what went out above the line and what came in below it, by party."""
    slots = interval_slots(rows, [row.grid_import_wh is None for row in rows])
    return _picture(
        charts.stacked_bars(
            slots,
            above=[
                charts.Series("", "pool", [_kwh(row.sold_wh) for row in rows]),
                charts.Series("", "grid", [_kwh(row.grid_export_wh) for row in rows]),
            ],
            below=[
                charts.Series("", "pool", [_kwh(row.bought_wh) for row in rows]),
                charts.Series("", "grid", [_kwh(row.grid_import_wh) for row in rows]),
            ],
            words=charts.Words(
                title,
                _("Sold above the line, bought below it; the table has the figures."),
                energy_unit(),
            ),
        )
    )


@register.simple_tag
def price_chart(rows: Sequence[PriceRow], title: str, unit: str) -> SafeString:
    """Draw the clearing price between the two tariffs."""

    def line(css: str, prices: Sequence[int | None]) -> charts.Series:
        values = [None if price is None else price / 1_000_000 for price in prices]
        return charts.Series("", css, values)

    return _picture(
        charts.steps(
            interval_slots(rows, [row.retail_micro_per_kwh is None for row in rows]),
            lines=[
                line("retail", [row.retail_micro_per_kwh for row in rows]),
                line("feed-in", [row.feed_in_micro_per_kwh for row in rows]),
                line("price", [row.price_micro_per_kwh for row in rows]),
            ],
            words=charts.Words(
                title, _("The clearing price between the tariffs; the table has the figures."), unit
            ),
        )
    )


@register.simple_tag
def flow_chart(totals: FlowTotals, title: str) -> SafeString:
    """Draw where the surplus went and where the demand was met from."""
    shared, fed, drawn = totals.sold_wh, totals.grid_export_wh, totals.grid_import_wh
    figures = [kwh(shared + fed), kwh(drawn), kwh(shared + drawn), kwh(fed)]
    names = [_("Surplus of the roofs"), _("From the grid"), _("Demand"), _("To the grid")]
    told = ", ".join(f"{name} {figure}" for name, figure in zip(names, figures, strict=True))
    return _picture(
        charts.flows(
            charts.Words(title, told, energy_unit()),
            names=names,
            figures=figures,
            values=[max(0, shared), max(0, fed), max(0, drawn)],
        )
    )


@register.simple_tag
def energy_legend() -> SafeString:
    """Name the colours of the energy chart."""
    return _legend(
        [
            ("pool", _("with neighbours")),
            ("grid", _("with the grid")),
        ],
        '<rect class="{}" width="24" height="13" rx="3"/>',
    )


@register.simple_tag
def price_legend() -> SafeString:
    """Name the lines of the price chart."""
    return _legend(
        [
            ("price", _("clearing price")),
            ("retail", _("retail tariff")),
            ("feed-in", _("feed-in tariff")),
        ],
        '<g class="stairs {}"><line x1="1" x2="23" y1="7" y2="7"/></g>',
    )


def _picture(svg: str) -> SafeString:
    return mark_safe(svg)  # noqa: S308 - charts escapes every word it writes


def _legend(entries: Sequence[tuple[str, str]], mark: str) -> SafeString:
    items = format_html_join(
        "",
        '<li><svg viewBox="0 0 24 13" aria-hidden="true">{}</svg>{}</li>',
        ((format_html(mark, css), label) for css, label in entries),
    )
    return format_html('<ul class="legend">{}</ul>', items)


def _percent(part: int, whole: int) -> str:
    return share(part / whole if whole else 0.0)


def _kwh(energy_wh: int | None) -> float | None:
    # Late readings can take back more than was drawn; a picture shows what is left at least.
    return None if energy_wh is None else max(0, energy_wh) / 1000


def interval_slots(rows: Sequence[Timed], held: Sequence[bool] | None = None) -> list[charts.Slot]:
    """Name the intervals; hours on the axis of a day, days on that of a longer time."""
    is_long = bool(rows) and rows[-1].ends_at - rows[0].starts_at > LONGEST_DAY
    slots = []
    for row, is_held in zip(rows, held or [False] * len(rows), strict=True):
        start, end = timezone.localtime(row.starts_at), timezone.localtime(row.ends_at)
        is_tick = start.minute == 0 and start.hour % (24 if is_long else TICK_HOURS) == 0
        form = "%m-%d" if is_long else "%H:%M"
        name = f"{start:%m-%d %H:%M}" if is_long else f"{start:%H:%M}"
        slots.append(
            charts.Slot(
                f"{name}\N{EN DASH}{end:%H:%M}", f"{start:{form}}" if is_tick else "", is_held
            )
        )
    return slots

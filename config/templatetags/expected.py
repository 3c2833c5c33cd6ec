"""Charts and words of forecasts."""

from collections.abc import Sequence
from typing import Protocol

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from analytics.queries import Expected
from config.templatetags.charts import interval_slots
from config.templatetags.figures import energy_unit
from config.web import charts

register = template.Library()

MICRO = 1_000_000
WH_PER_KWH = 1000


class BothSides(Protocol):
    """What one interval is expected to send and to draw."""

    @property
    def export(self) -> Expected: ...
    @property
    def import_(self) -> Expected: ...


@register.simple_tag
def surplus_chart(rows: Sequence[BothSides], title: str) -> SafeString:
    """Draw what is expected to go out above the line and to come in below it."""
    sent, drawn = [row.export for row in rows], [row.import_ for row in rows]
    return _picture(
        charts.likely(
            interval_slots(sent),
            [
                _band("pool", sent, WH_PER_KWH),
                _band("grid", drawn, WH_PER_KWH, is_below=True),
            ],
            charts.Words(
                title,
                _("Surplus above the line, demand below it; the table has the figures."),
                energy_unit(),
            ),
        )
    )


@register.simple_tag
def expected_price_chart(rows: Sequence[Expected], title: str, unit: str) -> SafeString:
    """Draw the price that is expected."""
    return _picture(
        charts.likely(
            interval_slots(rows),
            [_band("price", rows, MICRO)],
            charts.Words(
                title, _("The expected price in its likely range; the table has the figures."), unit
            ),
        )
    )


@register.simple_tag
def surplus_legend() -> SafeString:
    """Name the colours of the chart of surplus and demand."""
    return _legend([("pool", _("expected surplus")), ("grid", _("expected demand"))])


@register.simple_tag
def expected_price_legend() -> SafeString:
    """Name the colours of the chart of prices."""
    return _legend([("price", _("expected price"))])


@register.filter
def percent(value: float | None) -> str:
    """Write how much better than naive a forecast is, as whole percent."""
    return "" if value is None else f"{round(value * 100)}\N{NO-BREAK SPACE}%"


def _band(
    css: str, rows: Sequence[Expected], divisor: int, *, is_below: bool = False
) -> charts.Band:
    def scaled(values: Sequence[int | None]) -> list[float | None]:
        return [None if value is None else value / divisor for value in values]

    return charts.Band(
        css,
        low=scaled([row.low for row in rows]),
        expected=scaled([row.expected for row in rows]),
        high=scaled([row.high for row in rows]),
        is_below=is_below,
    )


def _legend(entries: Sequence[tuple[str, str]]) -> SafeString:
    lines = [
        (format_html('<g class="stairs {}"><line x1="1" x2="23" y1="7" y2="7"/></g>', css), label)
        for css, label in entries
    ]
    ranges = [
        (
            format_html('<rect class="likely {}" width="24" height="13" rx="3"/>', css),
            _("likely range"),
        )
        for css, _label in entries[:1]
    ]
    items = format_html_join(
        "", '<li><svg viewBox="0 0 24 13" aria-hidden="true">{}</svg>{}</li>', [*lines, *ranges]
    )
    return format_html('<ul class="legend">{}</ul>', items)


def _picture(svg: str) -> SafeString:
    return mark_safe(svg)  # noqa: S308 - charts escapes every word it writes

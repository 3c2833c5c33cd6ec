"""Figures that can be found again: a machine reads scope, time, name and the exact value."""

from datetime import UTC, datetime
from typing import Protocol

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from config.templatetags.figures import NOTHING, kwh, money, money_change, price, share

register = template.Library()


class Scoped(Protocol):
    """What has figures: see `analytics.domain.figures`."""

    @property
    def of(self) -> str:
        """The scope."""

    @property
    def start(self) -> datetime:
        """First moment."""

    @property
    def end(self) -> datetime:
        """First moment after it."""


@register.simple_tag
def figure(totals: Scoped | None, name: str, currency: str = "", *, signed: bool = False) -> str:
    """Write a figure for people, and beside it which one it is and its exact value.

    ``{% figure totals "bought_wh" %}``, ``{% figure totals "saved_micro" currency signed=True %}``.
    Tests crawl pages for these and compare each with the ledger.
    """
    value = getattr(totals, name) if totals is not None else None
    if totals is None or value is None:
        return NOTHING
    return format_html(
        '<data value="{}" data-figure="{}" data-of="{}" data-from="{}" data-to="{}">{}</data>',
        value,
        name,
        totals.of,
        _utc(totals.start),
        _utc(totals.end),
        _words(name, value, currency, signed=signed),
    )


def _words(name: str, value: int | float, currency: str, *, signed: bool) -> str | SafeString:
    if name.endswith("_micro_per_kwh"):
        return price(int(value), currency)
    if name.endswith("_micro"):
        return (money_change if signed else money)(int(value), currency)
    if name.endswith("_wh"):
        return kwh(int(value))
    if isinstance(value, float):
        return share(value)
    return str(value)


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

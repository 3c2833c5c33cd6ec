"""Pricings against the grid alone: a row of the table in, a picture with words out."""

from collections.abc import Sequence
from typing import Protocol

from django import template
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from config.templatetags.figures import money_change
from config.web.charts import Words
from config.web.pricing_chart import Bar, pricing_bars

register = template.Library()


class OwnLine(Protocol):
    """A pricing of a member's month. [micro]"""

    @property
    def name(self) -> str: ...
    @property
    def pricing(self) -> str: ...
    @property
    def against_grid_micro(self) -> int: ...


@register.simple_tag
def market_gains(lines: Sequence[OwnLine], currency: str) -> SafeString:
    """Draw what the market came to for a member under each pricing, against none at all."""
    bars = [
        Bar(
            name=str(line.name),
            figure=money_change(line.against_grid_micro, currency),
            value=line.against_grid_micro,
            is_booked=line.pricing == "actual",
        )
        for line in lines
        if line.pricing != "grid_only"
    ]
    told = "; ".join(f"{bar.name} {bar.figure}" for bar in bars)
    words = Words(str(_("Against the grid alone")), told, currency)
    return mark_safe(pricing_bars(bars, words))  # noqa: S308 - it escapes every word it writes

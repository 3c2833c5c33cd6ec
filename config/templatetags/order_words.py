"""Orders in the reader's words."""

from django import template
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.templatetags.figures import energy_unit, unit_symbol
from config.web import depth_chart as drawing
from config.web.charts import Words
from marketplace.errors import ORDER_REFUSALS
from marketplace.queries.order_book import ZoneDepth

register = template.Library()

STATES = {
    "received": gettext_lazy("received, its margin is being held"),
    "accepted": gettext_lazy("in the book"),
    "refused": gettext_lazy("refused"),
    "cancelled": gettext_lazy("cancelled"),
    "expired": gettext_lazy("expired"),
    "filled": gettext_lazy("filled"),
    "partly_filled": gettext_lazy("partly filled"),
    "unfilled": gettext_lazy("not filled"),
}
SIDES = {"buy": gettext_lazy("buy"), "sell": gettext_lazy("sell")}


@register.filter
def order_state(state: str) -> str:
    """Say what has become of an order."""
    return str(STATES[state])


@register.filter
def order_side(side: str) -> str:
    """Say whether an order buys or sells."""
    return str(SIDES[side])


@register.filter
def order_refusal(code: str) -> str:
    """Say why an order was refused."""
    return _(ORDER_REFUSALS[code]) if code in ORDER_REFUSALS else code


@register.simple_tag
def depth_chart(depth: ZoneDepth, title: str, currency: str) -> SafeString:
    """Draw the book of a zone."""
    bids = [(level.price_micro_per_kwh / 1e6, level.quantity_wh / 1e3) for level in depth.bids]
    offers = [(level.price_micro_per_kwh / 1e6, level.quantity_wh / 1e3) for level in depth.offers]
    price = None if depth.indicative_price is None else depth.indicative_price / 1e6
    words = Words(
        title,
        _("Bids fall from the left, offers rise; the table has the figures."),
        unit_symbol(currency).partition("/")[0],
    )
    svg = drawing.depth_chart(bids, offers, price, words, energy_unit=energy_unit())
    return mark_safe(svg)  # noqa: S308 - charts escapes every word it writes

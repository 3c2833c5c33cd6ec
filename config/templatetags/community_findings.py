"""What the pictures of a community's day show, said in one sentence each."""

from collections.abc import Sequence

from django import template
from django.utils import timezone
from django.utils.translation import gettext as _

from analytics.domain.figures import Energies
from config.templatetags.charts import PriceRow
from config.templatetags.figures import kwh, price, price_rounded, share

register = template.Library()


@register.simple_tag
def volume_finding(energies: Energies | None) -> str:
    """Say how much was traded, and what part of the demand that met."""
    if energies is None:
        return _("Volumes")
    if not energies.sold_wh:
        return _("Neighbours traded nothing with each other")
    return _("Neighbours traded {energy}, {share} of what was drawn").format(
        energy=kwh(energies.sold_wh), share=share(energies.self_sufficiency)
    )


@register.simple_tag
def price_finding(rows: Sequence[PriceRow], currency: str) -> str:
    """Say between which prices the community traded, and when it was dearest."""
    known = [row for row in rows if row.price_micro_per_kwh is not None]
    if not known:
        return _("No price came about")
    dearest = max(known, key=lambda row: row.price_micro_per_kwh or 0)
    lowest = min(row.price_micro_per_kwh or 0 for row in known)
    if lowest == dearest.price_micro_per_kwh:
        return _("The price was {price} all along").format(price=price(lowest, currency))
    return _("The price lay between {low} and {high}, dearest at {when}").format(
        low=price_rounded(lowest),
        high=price(dearest.price_micro_per_kwh, currency),
        when=timezone.localtime(dearest.starts_at).strftime("%H:%M"),
    )


@register.simple_tag
def flow_finding(energies: Energies | None) -> str:
    """Say how much of the surplus stayed among neighbours."""
    if energies is None:
        return _("Where the energy went")
    if energies.self_consumption is None:
        return _("No roof had a surplus")
    return _("{share} of the surplus stayed among neighbours").format(
        share=share(energies.self_consumption)
    )

"""Pictures of the hour-by-hour match, with words in the reader's language."""

from collections.abc import Sequence

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from config.templatetags.figures import energy_unit, kwh, share
from config.web import charts
from config.web.certificate_forms import TECHNOLOGY_WORDS
from config.web.certificate_matching import HourOfDay, ScoredDay
from config.web.heat_map import SHADES, HeatRow, heat_map, shade_of
from marketplace.queries.certificate_hours import CertifiedHour

register = template.Library()

TICK_HOURS = 6


@register.filter
def technology(code: str) -> str:
    """Return a technology in words."""
    return str(TECHNOLOGY_WORDS[code])


@register.filter
def bundle_state(state: str) -> str:
    """Return what became of a bundle, in words."""
    words = {
        "active": pgettext("certificates", "held"),
        "cancelled": pgettext("certificates", "used"),
        "withdrawn": pgettext("certificates", "withdrawn"),
    }
    return words[state]


@register.simple_tag
def clock_chart(hours: Sequence[HourOfDay], title: str) -> SafeString:
    """Draw consumption by hour of the day: the covered part, the rest on top."""
    slots = [
        charts.Slot(
            f"{each.hour:02d}:00", f"{each.hour:02d}:00" if each.hour % TICK_HOURS == 0 else ""
        )
        for each in hours
    ]
    return _picture(
        charts.stacked_bars(
            slots,
            above=[
                charts.Series("", "pool", [each.matched_wh / 1000 for each in hours]),
                charts.Series("", "grid", [each.unmatched_wh / 1000 for each in hours]),
            ],
            below=[],
            words=charts.Words(
                title, _("Consumption by hour of the day, its certified part below."), energy_unit()
            ),
        )
    )


@register.simple_tag
def clock_legend() -> SafeString:
    """Name the colours of the clock chart."""
    return _legend([("pool", _("certified")), ("grid", _("not certified"))])


@register.simple_tag
def matching_map(days: Sequence[ScoredDay], title: str) -> SafeString:
    """Draw every hour of every day by the share of its consumption that is certified."""
    rows = [
        HeatRow(
            f"{each.day:%m-%d}",
            [_share(hour) for hour in each.hours],
            [_name(each, at, hour) for at, hour in enumerate(each.hours)],
        )
        for each in days
    ]
    told = _("Days from above, hours across; the table has the days' figures.")
    return _picture(heat_map(rows, title=title, description=told))


@register.simple_tag
def matching_legend() -> SafeString:
    """Name the shades of the heat map."""
    shades = [(shade_of(0), _("nothing certified"))]
    shades += [
        (shade_of(step / SHADES), _("up to {share}").format(share=share(step / SHADES)))
        for step in range(1, SHADES + 1)
    ]
    return _legend([*shades, (shade_of(None), _("nothing used"))])


def _share(hour: CertifiedHour | None) -> float | None:
    return hour.matched_wh / hour.used_wh if hour is not None and hour.used_wh else None


def _name(day: ScoredDay, at: int, hour: CertifiedHour | None) -> str:
    when = f"{day.day:%m-%d} {at:02d}:00"
    if hour is None or not hour.used_wh:
        return f"{when} – {_('nothing used')}"
    return _("{when}: {matched} of {used} certified").format(
        when=when, matched=kwh(hour.matched_wh), used=kwh(hour.used_wh)
    )


def _legend(entries: Sequence[tuple[str, str]]) -> SafeString:
    items = format_html_join(
        "",
        '<li><svg viewBox="0 0 24 13" aria-hidden="true">'
        '<rect class="{}" width="24" height="13" rx="3"/></svg>{}</li>',
        entries,
    )
    return format_html('<ul class="legend">{}</ul>', items)


def _picture(svg: str) -> SafeString:
    return mark_safe(svg)  # noqa: S308 - charts and heat maps escape every word they write

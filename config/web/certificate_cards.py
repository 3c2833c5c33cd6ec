"""What of a member's consumption is certified: by hour of the day, and hour by hour."""

from collections.abc import Sequence

from django.utils.translation import gettext as _

from config.templatetags.figures import energy_unit, kwh, kwh_exact, share
from config.web import charts
from config.web.certificate_days import HourOfDay, ScoredDay
from config.web.chart_cards import ChartCard, LegendItem
from config.web.heat_map import SHADES, HeatRow, heat_map, shade_of
from marketplace.queries.certificate_hours import CertifiedHour

TICK_HOURS = 6


def clock_card(hours: Sequence[HourOfDay]) -> ChartCard:
    """Draw consumption by hour of the day: certified, coverable with what is held, the rest."""
    title = finding_of_clock(hours)
    slots = [
        charts.Slot(_clock(each.hour), _clock(each.hour) if each.hour % TICK_HOURS == 0 else "")
        for each in hours
    ]
    series = [
        charts.Series(_("certified"), "pool", [each.matched_wh / 1000 for each in hours]),
        charts.Series(_("coverable with what is held"), "leaf", [
            each.held_wh / 1000 for each in hours
        ]),
        charts.Series(_("not covered"), "grid", [each.missing_wh / 1000 for each in hours]),
    ]  # fmt: skip
    told = _("Consumption by hour of the day, its certified part below.")
    return ChartCard(
        "clock",
        title,
        charts.stacked_bars(slots, series, [], charts.Words(title, told, energy_unit())),
        [_("Hour"), _("Used kWh"), *(one.label for one in series)],
        [
            (
                _clock(each.hour),
                kwh_exact(each.used_wh),
                *(kwh_exact(wh) for wh in (each.matched_wh, each.held_wh, each.missing_wh)),
            )
            for each in hours
        ],
        _("The month's hours of one place on the clock together."),
        [LegendItem(one.label, one.css) for one in series],
    )


def finding_of_clock(hours: Sequence[HourOfDay]) -> str:
    """Say how much is certified, and when most is missing."""
    used = sum(each.used_wh for each in hours)
    certified = sum(each.matched_wh for each in hours)
    held = sum(each.held_wh for each in hours)
    worst = max(hours, key=lambda each: each.missing_wh)
    if not used:
        return _("Nothing was used in this month")
    if certified == used:
        return _("Every hour is certified")
    if not worst.missing_wh:
        return _("What is held could certify every hour")
    words = {"when": _clock(worst.hour), "share": share(certified / used)}
    if certified:
        return _("{share} of the consumption is certified; most is missing at {when}").format(
            **words
        )
    if held:
        words["share"] = share(held / used)
        return _(
            "Nothing is certified yet; what is held could cover {share}, and most is missing "
            "at {when}"
        ).format(**words)
    return _("No certificate covers any hour; most is missing at {when}").format(**words)


def map_card(days: Sequence[ScoredDay]) -> ChartCard:
    """Draw every hour of every day by the share of its consumption that is certified."""
    title = finding_of_map(days)
    rows = [
        HeatRow(
            f"{each.day:%m-%d}",
            [_share(hour) for hour in each.hours],
            [_name(each, at, hour) for at, hour in enumerate(each.hours)],
        )
        for each in days
    ]
    told = _("Days from above, hours across; the table has the days' figures.")
    return ChartCard(
        "map",
        title,
        heat_map(rows, title=title, description=told),
        [_("Day"), _("Used kWh"), _("Certified kWh"), _("Held kWh"), _("Score")],
        [
            (
                each.day.isoformat(),
                kwh_exact(each.score.used_wh),
                kwh_exact(each.score.matched_wh),
                kwh_exact(each.score.held_wh),
                share(each.score.score),
            )
            for each in days
        ],
        _("Certified share of every hour"),
        _shades(),
    )


def finding_of_map(days: Sequence[ScoredDay]) -> str:
    """Say how many hours are certified in full, and how many not at all."""
    shares = [part for day in days for hour in day.hours if (part := _share(hour)) is not None]
    words = {
        "all": len(shares),
        "full": sum(part >= 1 for part in shares),
        "none": sum(not part for part in shares),
    }
    if words["none"] == words["all"]:
        return _("None of the {all} hours with consumption is certified yet").format(**words)
    return _("{full} of {all} hours are certified in full, {none} not at all").format(**words)


def _shades() -> list[LegendItem]:
    steps = [
        LegendItem(_("up to {share}").format(share=share(step / SHADES)), shade_of(step / SHADES))
        for step in range(1, SHADES + 1)
    ]
    return [
        LegendItem(_("nothing certified"), shade_of(0)),
        *steps,
        LegendItem(_("nothing used"), shade_of(None)),
    ]


def _clock(hour: int) -> str:
    return f"{hour:02d}:00"


def _share(hour: CertifiedHour | None) -> float | None:
    return hour.matched_wh / hour.used_wh if hour is not None and hour.used_wh else None


def _name(day: ScoredDay, at: int, hour: CertifiedHour | None) -> str:
    when = f"{day.day:%m-%d} {_clock(at)}"
    if hour is None or not hour.used_wh:
        return f"{when} – {_('nothing used')}"
    return _("{when}: {matched} of {used} certified").format(
        when=when, matched=kwh(hour.matched_wh), used=kwh(hour.used_wh)
    )

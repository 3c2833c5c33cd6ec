"""Who has what from the market: sufficiency, carbon, savings and how evenly, participation."""

from datetime import date

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from analytics.domain.carbon import count_carbon
from analytics.domain.figures import SavingsSpread
from config.templatetags.figures import kwh, money_change, share
from config.web import charts
from config.web.chart_kinds.bars import Bar, ranked_bars
from config.web.city import findings
from config.web.city.cards import CityCard, Column, Section, made_from, make_card, short_day
from config.web.city.energy import day_slots, sufficiency_card, zones_card
from config.web.city.look import Look
from config.web.city.measures import kilograms
from config.web.shell import ROLE_NAMES

MILLION = 1_000_000
DECILES = tuple(range(10, 100, 10))


def sections(look: Look) -> list[Section]:
    """Return the page's parts."""
    energy = [sufficiency_card(look)]
    energy += [zones_card(look)] if len(look.zone_names) > 1 else []
    return [
        Section("energy", _("Energy"), energy),
        Section("carbon", _("Carbon"), [carbon_card(look)]),
        Section("savings", _("Savings and who has them"), savings_cards(look)),
    ]


def carbon_card(look: Look) -> CityCard:
    """Show what trading spared the air, day by day."""
    carbon = look.carbon
    title = findings.carbon_avoided(carbon)
    by_day = _avoided_by_day(look)
    values = [by_day.get(day) if bucket else None for day, bucket in look.days]
    svg = charts.stacked_bars(
        day_slots(look.days),
        above=[charts.Series("", "leaf", [None if mg is None else mg / MILLION for mg in values])],
        below=[],
        words=charts.Words(title, _("Avoided carbon by day; the table has the figures."), "kg"),
    )
    columns = [
        Column(_("Day"), "day", short_day),
        Column(_("Avoided"), "avoided_mg", kilograms),
    ]
    rows = [(day, mg) for (day, _bucket), mg in zip(look.days, values, strict=True)]
    sources = "; ".join(carbon.sources) or _("none was imported")
    unknown = (
        _("{energy} had no known intensity and are left out.").format(energy=kwh(carbon.unknown_wh))
        if carbon.unknown_wh
        else ""
    )
    note = _(
        "Local energy times the grid's mean intensity of the same hour: what the grid would have"
        " stood for. Hours that may not be shown alone count with the mean of theirs in a day. It"
        " attributes; which power plant ran less, losses, and what the surplus would have replaced"
        " elsewhere are not in it. Source: {sources}."
    ).format(sources=sources)
    return make_card(
        "carbon", title, svg, columns, rows, note=f"{note} {unknown} {made_from(look)}"
    )


def _avoided_by_day(look: Look) -> dict[date, int]:
    """Return avoided carbon by civil day, of the days with any known hour. [mg]"""
    found = {
        day: count_carbon(
            uses,
            look.intensities.by_hour,
            of=look.carbon.of,
            start=look.start,
            end=look.end,
            sources=(),
        )
        for day, uses in look.uses.items()
    }
    return {day: each.avoided_mg for day, each in found.items() if each.known_hours}


def savings_cards(look: Look) -> list[CityCard]:
    """Show how savings of the month are spread, how evenly, and who takes part."""
    spreads = look.savings
    whole = next((each for each in spreads if not each.group), None)
    return [
        deciles_card(look, whole),
        groups_card(look, spreads),
        participation_card(look, spreads),
    ]


def deciles_card(look: Look, spread: SavingsSpread | None) -> CityCard:
    """Show savings as a share of the bill alone, at each tenth of the members."""
    title = findings.savings_spread(spread, look.currency)
    values = list(zip(DECILES, spread.deciles_ppm, strict=False)) if spread else []
    bars = [
        Bar(
            _("{tenth} of 10 members save less").format(tenth=at // 10), _percent(ppm), ppm / 10_000
        )
        for at, ppm in values
    ]
    svg = ranked_bars(bars, charts.Words(title, _("Savings at each tenth of the members."), "%"))
    columns = [
        Column(_("Members who save less"), "members_percent", "{} %".format),
        Column(_("Savings over the bill alone"), "savings_ppm", _percent),
    ]
    evenness = (
        _("Gini coefficient of savings: {gini} (0 is even, 1 is all with one).").format(
            gini=f"{spread.gini_ppm / MILLION:.2f}"
        )
        if spread is not None and spread.gini_ppm is not None
        else _("Tenths and a Gini coefficient are shown of larger groups only.")
    )
    note = _("{month}: what members paid and got, against the grid alone.").format(
        month=date_format(look.savings_month, "YEAR_MONTH_FORMAT")
    )
    return make_card(
        "savings",
        title,
        svg if bars else "",
        columns,
        values,
        note=f"{note} {evenness} {made_from(look)}",
    )


def groups_card(look: Look, spreads: list[SavingsSpread]) -> CityCard:
    """Compare groups of members by what they saved."""
    groups = [each for each in spreads if each.group]
    best = max(groups, key=_relative, default=None)
    title = (
        _("{group} members saved most, {share} of their bill alone").format(
            group=_group(best.group), share=share(_relative(best))
        )
        if best is not None
        else _("No group is large enough to be shown alone")
    )
    bars = [
        Bar(
            _group(each.group),
            f"{money_change(each.saved_micro, look.currency)} · {share(_relative(each))}",
            _relative(each) * 100,
        )
        for each in groups
    ]
    svg = ranked_bars(bars, charts.Words(title, _("Savings by group."), "%"))
    columns = [
        Column(_("Group"), "group", _group),
        Column(_("Members"), "members"),
        Column(_("Saved"), "saved_micro", lambda micro: money_change(micro, look.currency)),
        Column(_("Share of the bill alone"), "share_of_bill", share),
    ]
    rows = [(each.group, each.member_count, each.saved_micro, _relative(each)) for each in groups]
    note = _("A group of fewer than {minimum} members is not shown.").format(minimum=look.minimum)
    return make_card(
        "groups", title, svg if bars else "", columns, rows, note=f"{note} {made_from(look)}"
    )


def participation_card(look: Look, spreads: list[SavingsSpread]) -> CityCard:
    """Show how many members traded, and how many gained."""
    title = findings.participation(spreads)
    bars = [
        Bar(
            _group(each.group),
            f"{each.trading_count} / {each.member_count}",
            100 * each.trading_count / each.member_count,
            "c2",
        )
        for each in spreads
        if each.member_count
    ]
    svg = ranked_bars(bars, charts.Words(title, _("Share of members that traded."), "%"), whole=100)
    columns = [
        Column(_("Group"), "group", _group),
        Column(_("Members"), "members"),
        Column(_("Traded"), "trading"),
        Column(_("Gained"), "gaining"),
    ]
    rows = [
        (each.group, each.member_count, each.trading_count, each.gaining_count) for each in spreads
    ]
    note = _("Traded: bought or sold at least once in the month. Gained: saved more than nothing.")
    return make_card(
        "participation",
        title,
        svg if bars else "",
        columns,
        rows,
        note=f"{note} {made_from(look)}",
    )


def _relative(spread: SavingsSpread) -> float:
    return spread.saved_micro / abs(spread.alone_micro) if spread.alone_micro else 0.0


def _group(code: str) -> str:
    return str(ROLE_NAMES[code]) if code else _("All members")


def _percent(ppm: int) -> str:
    return share(ppm / MILLION)

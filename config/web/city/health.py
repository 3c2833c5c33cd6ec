"""How healthy the market is: depth, concentration, what it leaves over, how complete and prompt."""

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from config.templatetags.figures import energy_unit, kwh, share
from config.web.chart_kinds.bars import Bar, ranked_bars
from config.web.charts import Words
from config.web.city import findings
from config.web.city.cards import CityCard, Column, Section, made_from, make_card
from config.web.city.data_market import data_disputes_card, feeds_card
from config.web.city.look import Look
from config.web.city.measures import lasting, times_over

PERCENTILES = (10, 50, 90, 99)


def sections(look: Look) -> list[Section]:
    """Return the page's parts."""
    return [
        Section("market", _("The market"), [depth_card(look), concentration_card(look)]),
        Section("quality", _("Measured data"), [completeness_card(look), feeds_card(look)]),
        Section("settling", _("Settling"), [times_card(look), data_disputes_card(look)]),
    ]


def depth_card(look: Look) -> CityCard:
    """Show what was offered, wanted, traded and left over."""
    health = look.health
    title = findings.depth(health)
    rows = (
        [
            ("offered", _("Offered by roofs"), health.offered_wh, "sun"),
            ("wanted", _("Wanted by members"), health.wanted_wh, "home"),
            ("traded", _("Traded"), health.traded_wh, "pool"),
            ("agreed", _("of it by agreement"), health.agreed_wh, "c3"),
            ("unmatched", _("Demand without a local seller"), health.unmatched_wh, "grid"),
        ]
        if health
        else []
    )
    bars = [Bar(name, kwh(wh), wh / 1000, css) for _code, name, wh, css in rows]
    names = {code: name for code, name, _wh, _css in rows}
    svg = ranked_bars(bars, Words(title, _("Surplus, demand and trade."), energy_unit()))
    columns = [Column(_("What"), "what", names.__getitem__), Column(_("Energy"), "energy_wh", kwh)]
    note = _("{finding}.").format(finding=findings.unmatched(health))
    if health is not None and health.sellers_mean is not None and health.buyers_mean is not None:
        note += " " + _(
            "On average {sellers} members sold and {buyers} bought in an interval."
        ).format(sellers=times_over(health.sellers_mean), buyers=times_over(health.buyers_mean))
    values = [(code, wh) for code, _name, wh, _css in rows]
    return make_card(
        "depth", title, svg if rows else "", columns, values, note=f"{note} {made_from(look)}"
    )


def concentration_card(look: Look) -> CityCard:
    """Show whether few make up the market."""
    health = look.health
    title = findings.concentration(health)
    rows = [
        ("sellers", health.seller_hhi if health else None),
        ("buyers", health.buyer_hhi if health else None),
    ]
    names = {"sellers": _("Sellers"), "buyers": _("Buyers")}
    bars = [
        Bar(names[code], str(value) if value is not None else _("not shown"), value, "c5")
        for code, value in rows
    ]
    svg = ranked_bars(bars, Words(title, _("Herfindahl-Hirschman index of both sides."), ""))
    columns = [Column(_("Side"), "side", names.__getitem__), Column("HHI", "hhi")]
    note = _(
        "Herfindahl-Hirschman index: the sum of squared shares in percent, from near 0 (many alike)"
        " to 10,000 (one alone); mean over intervals, weighted by what they traded. From {moderate}"
        " on moderate, from {high} on high."
    ).format(moderate=findings.HHI_MODERATE, high=findings.HHI_HIGH)
    return make_card("concentration", title, svg, columns, rows, note=f"{note} {made_from(look)}")


def completeness_card(look: Look) -> CityCard:
    """Show how much of the time is settled, and how many readings never came."""
    basis = look.basis
    title = findings.completeness(basis.settled_count, basis.interval_count, basis.missing_count)
    rows = [
        (_("Intervals"), basis.interval_count, "c1"),
        (pgettext("of intervals", "Settled"), basis.settled_count, "pool"),
        (_("Final"), basis.final_count, "leaf"),
        (_("Readings that never came in time"), basis.missing_count, "grid"),
    ]
    # Readings are no part of the intervals: the title and the table have them.
    bars = [Bar(name, str(value), value, css) for name, value, css in rows[:3]]
    svg = ranked_bars(bars, Words(title, _("Intervals, settled and final."), ""))
    columns = [Column(_("What"), "what"), Column(_("Count"), "count")]
    note = _("An interval is settled without a reading that is missing at its deadline.")
    values = [(name, value) for name, value, _css in rows]
    return make_card("completeness", title, svg, columns, values, note=f"{note} {made_from(look)}")


def times_card(look: Look) -> CityCard:
    """Show how long it takes from delivery to settled, and to final."""
    times = look.times
    title = findings.settling(times)
    rows = list(zip(PERCENTILES, times.seconds, strict=False))
    bars = [
        Bar(_within(percent), lasting(seconds), seconds / 3600, "c2") for percent, seconds in rows
    ]
    svg = ranked_bars(bars, Words(title, _("Time from delivery to settled."), "h"))
    columns = [
        Column(_("Share"), "percent_of_intervals", _within),
        Column(_("Time"), "seconds", lasting),
    ]
    parts = [
        _("From an interval's end to its first clearing; the ledger books it within seconds."),
        _("{corrected} were cleared again, {late} at their deadline with readings missing.").format(
            corrected=times.corrected_count, late=times.late_count
        ),
    ]
    if times.final_after_days:
        parts.append(
            _("By the rules an interval is final {days} days after its end: {share} are.").format(
                days="–".join(str(days) for days in sorted(set(times.final_after_days))),
                share=share(times.final_count / times.settled_count)
                if times.settled_count
                else "–",
            )
        )
    return make_card("times", title, svg if rows else "", columns, rows, note=" ".join(parts))


def _within(percent: int) -> str:
    return _("{percent} of 100 intervals within").format(percent=percent)

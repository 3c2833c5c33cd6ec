"""Charts of an enterprise's load: what covered it, and what is expected and ordered."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from analytics.domain.figures import Basis
from config.templatetags.figures import energy_unit, kwh, share
from config.web import charts
from config.web.chart_cards import ChartCard, LegendItem
from config.web.enterprise_pages.spans import Span
from config.web.expected import Outlook
from marketplace.queries.pages import Place
from marketplace.queries.procurement import SOURCES, LoadSlot

SOURCE_NAMES: Final[Mapping[str, str | Promise]] = {
    "contract": gettext_lazy("Contracts"),
    "partner": gettext_lazy("Partners"),
    "gift": gettext_lazy("Gifts"),
    "ahead": gettext_lazy("Order book"),
    "pool": pgettext_lazy("of energy", "Pool"),
    "grid": gettext_lazy("Grid"),
}
SOURCE_CSS: Final = {
    "contract": "c1",
    "partner": "c2",
    "gift": "c3",
    "ahead": "c4",
    "pool": "pool",
    "grid": "grid",
}


def load_card(slots: Sequence[LoadSlot], span: Span, place: Place, basis: Basis) -> ChartCard:
    """Draw the load by what covered it; an hour without all its readings is missing, not zero."""
    known = [slot for slot in slots if not slot.is_missing]
    load = sum(slot.import_wh for slot in known)
    covered = sum(min(slot.covered_wh, slot.import_wh) for slot in known)
    missing = len(slots) - len(known)
    if not known:
        title = _("No hour of this time has all its readings yet")
    elif not load:
        title = _("Nothing was drawn in this time")
    else:
        best = max(known, key=lambda slot: slot.grid_wh or 0)
        text = (
            _("{share} of the load was covered; most came from the grid at {when}")
            if span.bucket == "hour"
            else _("{share} of the load was covered; most came from the grid on {when}")
        )
        title = text.format(share=share(covered / load), when=_name(best.starts_at, span, place))
    used = [source for source in SOURCES if any(source in slot.bought for slot in slots)]
    series = [
        charts.Series(
            str(SOURCE_NAMES[source]), SOURCE_CSS[source], [_part(slot, source) for slot in slots]
        )
        for source in [*used, "grid"]
    ]
    words = charts.Words(title, _("Load by where it came from"), energy_unit())
    marks = [
        charts.Slot(
            _name(slot.starts_at, span, place),
            _tick(index, slot, span, place, len(slots)),
            slot.is_missing,
        )
        for index, slot in enumerate(slots)
    ]
    note = _note(basis, place)
    if missing:
        note = f"{_('Hatched: readings are missing.')} {note}"
    return ChartCard(
        "load",
        title,
        charts.stacked_bars(marks, series, [], words),
        [_("From") if span.name == "day" else _("Day"), _("Load"), *(s.label for s in series)],
        [_row(slot, used, span, place) for slot in slots],
        note,
        [LegendItem(one.label, one.css) for one in series],
    )


def ahead_card(
    outlooks: Sequence[Outlook], ordered: Mapping[datetime, int], place: Place, now: datetime
) -> ChartCard | None:
    """Draw what is expected to be drawn by hour, and how much of it is ordered; None without."""
    expected = _by_hour(outlooks)
    if not expected:
        return None
    hours = sorted(expected)
    known = [wh for wh in expected.values() if wh is not None]
    gap = sum(
        max(0, (wh or 0) - ordered.get(hour, 0)) for hour, wh in expected.items() if wh is not None
    )
    title = _("{energy} of the next two days is not ordered yet").format(energy=kwh(gap))
    names = [date_format(hour.astimezone(place.zone), "m-d H:i") for hour in hours]
    slots = [
        charts.Slot(name, name[-5:] if index % 6 == 0 else "", expected[hour] is None)
        for index, (hour, name) in enumerate(zip(hours, names, strict=True))
    ]
    covered = [min(ordered.get(hour, 0), expected[hour] or 0) for hour in hours]
    series = [
        charts.Series(_("ordered"), "c4", [wh / 1000 for wh in covered]),
        charts.Series(
            _("not ordered"),
            "grid",
            [
                None if (wh := expected[hour]) is None else (wh - part) / 1000
                for hour, part in zip(hours, covered, strict=True)
            ],
        ),
    ]
    words = charts.Words(
        title, _("Expected load by hour, and what is ordered of it"), energy_unit()
    )
    return ChartCard(
        "ahead",
        title,
        charts.stacked_bars(slots, series, [], words),
        [_("From"), _("Expected"), _("Ordered")],
        [
            (name, _missing_or(expected[hour]), kwh(ordered.get(hour, 0)))
            for hour, name in zip(hours, names, strict=True)
        ],
        _("Forecast of {time} for {known} hours; hatched: no forecast yet.").format(
            time=date_format(outlooks[0].made_at.astimezone(place.zone), "Y-m-d H:i"),
            known=len(known),
        ),
        [LegendItem(one.label, one.css) for one in series],
    )


def _by_hour(outlooks: Sequence[Outlook]) -> dict[datetime, int | None]:
    """Add up what is expected by hour; an hour that one meter has no forecast of is not known."""
    sums: dict[datetime, int | None] = {}
    for outlook in outlooks:
        for each in outlook.intervals:
            hour = each.starts_at.replace(minute=0, second=0, microsecond=0)
            before = sums.get(hour, 0)
            unknown = each.expected is None or before is None
            sums[hour] = None if unknown else (before or 0) + (each.expected or 0)
    return sums


def _part(slot: LoadSlot, source: str) -> float | None:
    if slot.is_missing:
        return None
    if source == "grid":
        return (slot.grid_wh or 0) / 1000
    return slot.bought[source].wh / 1000 if source in slot.bought else 0.0


def _row(slot: LoadSlot, used: Sequence[str], span: Span, place: Place) -> list[str]:
    sources = [kwh(slot.bought[each].wh) if each in slot.bought else kwh(0) for each in used]
    if slot.is_missing:
        sources = [_("missing")] * len(used)
    return [
        _name(slot.starts_at, span, place),
        _missing_or(None if slot.is_missing else slot.import_wh),
        *sources,
        _missing_or(slot.grid_wh),
    ]


def _missing_or(energy_wh: int | None) -> str:
    return _("missing") if energy_wh is None else kwh(energy_wh)


def _name(at: datetime, span: Span, place: Place) -> str:
    return date_format(at.astimezone(place.zone), "H:i" if span.bucket == "hour" else "m-d")


def _tick(index: int, slot: LoadSlot, span: Span, place: Place, count: int) -> str:
    # A day of which only some hours are known has its marks closer together.
    every = max(1, min({"day": 6, "week": 1, "month": 5}[span.name], count // 4))
    return _name(slot.starts_at, span, place) if index % every == 0 else ""


def _note(basis: Basis, place: Place) -> str:
    text = _("From readings and trades of {settled} of {all} settled intervals").format(
        settled=basis.settled_count, all=basis.interval_count
    )
    if basis.as_of is None:
        return text
    as_of = date_format(basis.as_of.astimezone(place.zone) + timedelta(), "Y-m-d H:i")
    rules = ", ".join(str(each) for each in basis.rule_set_ids)
    return _("{text}; as of {as_of}; rule set {rules}.").format(
        text=text, as_of=as_of, rules=rules or "–"
    )

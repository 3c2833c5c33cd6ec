"""Steps of publishing, refusals, and the gate's report in full, in the reader's language."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

STEPS: Final = {
    "": gettext_lazy("Waiting for the file"),
    "waiting": gettext_lazy("Waiting for a worker"),
    "fetch": gettext_lazy("Fetching it from its address"),
    "recognise": gettext_lazy("Recognising the format"),
    "check": gettext_lazy("Checking it by its format's rules"),
    "gate": gettext_lazy("Going through the privacy gate"),
    "preview": gettext_lazy("Waiting for your word"),
    "package": gettext_lazy("Packaging and encrypting"),
}
ORDER: Final = ("recognise", "check", "gate", "package")
ORDER_OF_FEEDS: Final = ("fetch", "check")
PERIODS: Final = {
    "quarter": gettext_lazy("quarter of an hour"),
    "hour": gettext_lazy("hour"),
    "3-hours": gettext_lazy("three hours"),
    "6-hours": gettext_lazy("six hours"),
    "day": gettext_lazy("day"),
    "month": gettext_lazy("month"),
    "year": gettext_lazy("year"),
}
AREAS: Final = {
    "place": gettext_lazy("station"),
    "h3-9": gettext_lazy("area of 0.1 km²"),
    "h3-8": gettext_lazy("area of 0.7 km²"),
    "h3-7": gettext_lazy("area of 5 km²"),
    "h3-6": gettext_lazy("area of 36 km²"),
    "h3-5": gettext_lazy("area of 250 km²"),
    "h3-4": gettext_lazy("area of 1,800 km²"),
    "all": gettext_lazy("everywhere"),
}
FATES: Final = {
    "dropped": gettext_lazy("left out"),
    "coarsened": gettext_lazy("made coarser"),
    "kept": gettext_lazy("kept"),
}
RISKS: Final = {
    "people-not-counted": gettext_lazy(
        "No column comes near to a person: ten trips may be one person's."
    ),
    "person-by-proxy": gettext_lazy(
        "People are counted by a column that only comes near to a person."
    ),
    "no-limit-for-one": gettext_lazy("One person may hold most of a group."),
    "left-over": gettext_lazy(
        "A figure of a longer period holds trips whose hours had too few of them: that they were"
        " few is told by it."
    ),
    "same-time-again": gettext_lazy(
        "An earlier version covers some of this time: the difference of both tells of trips that"
        " were added or corrected in between."
    ),
    "known-others": gettext_lazy("Who knows all trips of a group but one knows that one too."),
    "same-answer": gettext_lazy(
        "Where a place leads to one other place only, who started there went there."
    ),
}
REASONS: Final = {
    "person": gettext_lazy("names a person"),
    "near-person": gettext_lazy("comes near to a person"),
    "vehicle": gettext_lazy("links the trips of a vehicle"),
    "identifier": gettext_lazy("names the single trip"),
    "time": gettext_lazy("tells the exact time"),
    "free-text": gettext_lazy("is free text"),
    "measure": gettext_lazy("tells single trips apart"),
    "not-asked-for": gettext_lazy("the policy does not ask for it"),
    "empty": gettext_lazy("is empty"),
}
KNOWN: Final = {
    "start": gettext_lazy("start"),
    "end": gettext_lazy("end"),
    "from": gettext_lazy("from"),
    "to": gettext_lazy("to"),
    "person": gettext_lazy("person"),
    "vehicle": gettext_lazy("vehicle"),
    "period_start": gettext_lazy("begin of the period"),
    "period": gettext_lazy("its length"),
    "area_level": gettext_lazy("size of the areas"),
    "from_area": gettext_lazy("from"),
    "to_area": gettext_lazy("to"),
}
_PPM: Final = 10**6


@dataclass(frozen=True)
class LevelRow:
    """What was told at one level."""

    words: str
    rows: int
    cells: int
    percent: float


@dataclass(frozen=True)
class ColumnRow:
    """What became of a column."""

    name: str
    fate: str
    reason: str


@dataclass(frozen=True)
class UniqueRow:
    """How alone trips stand to somebody who knows some of their columns."""

    known: str
    is_after: bool
    alone_percent: float
    below_percent: float


@dataclass(frozen=True)
class ReportWords:
    """A privacy report, as its provider's page shows it."""

    kept_percent: float
    minimum_group: int
    minimum_distinct: int
    dominance_percent: int
    levels: tuple[LevelRow, ...]
    columns: tuple[ColumnRow, ...]
    uniqueness: tuple[UniqueRow, ...]
    risks: tuple[str, ...]


def report_words(report: Mapping[str, Any]) -> ReportWords | None:
    """Return a version's privacy report in words; None where nothing is about people."""
    if not report:
        return None
    policy, rows_in = report["policy"], max(report["rows_in"], 1)
    unique = report["uniqueness"]
    return ReportWords(
        kept_percent=min(100.0, 100 * report["rows_out"] / rows_in),
        minimum_group=policy["minimum_group"],
        minimum_distinct=policy["minimum_distinct"]["n"],
        dominance_percent=policy["dominance_percent"],
        levels=tuple(_level(each, rows_in) for each in report["levels"]),
        columns=tuple(
            ColumnRow(
                each["name"],
                str(FATES.get(each["fate"], each["fate"])),
                str(REASONS.get(each["reason"], "")),
            )
            for each in report["columns"]
        ),
        uniqueness=(
            *(_unique(each, is_after=False) for each in unique["before"]),
            *(_unique(each, is_after=True) for each in unique["after"]),
        ),
        risks=tuple(str(RISKS.get(each, each)) for each in report["risks"]),
    )


def refusal_words(refusal: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return place, what is wrong and what to do of a refusal, in the reader's language."""
    if not refusal:
        return "", "", ""
    if refusal["code"] == "abandoned":
        return "", _("You gave this version up."), ""
    values = refusal.get("values") or {}
    text, remedy = (
        _filled(refusal.get(name, ""), values) for name in ("template", "remedy_template")
    )
    return refusal.get("place", ""), text, remedy


def percent_of(progress: Mapping[str, Any]) -> int:
    """Return how far a version is, all steps together. [%]"""
    step = progress.get("step", "")
    order = order_of(step)
    if step not in order:
        return 0
    share = progress.get("share_ppm", 0) / _PPM
    return int(100 * (order.index(step) + share) / len(order))


def order_of(step: str) -> tuple[str, ...]:
    """Return the steps of the work that a step is one of."""
    return ORDER_OF_FEEDS if step in ORDER_OF_FEEDS[:1] else ORDER


def _filled(template: str, values: Mapping[str, Any]) -> str:
    translated = _(template) if template else ""
    return translated.format(**values) if values else translated


def _level(level: Mapping[str, Any], rows_in: int) -> LevelRow:
    words = _("{period}, {area}").format(
        period=PERIODS.get(level["period"], level["period"]),
        area=AREAS.get(level["area"], level["area"]),
    )
    return LevelRow(words, level["rows"], level["cells"], min(100.0, 100 * level["rows"] / rows_in))


def _unique(row: Mapping[str, Any], *, is_after: bool) -> UniqueRow:
    rows = max(row["rows"], 1)
    known = _(", ").join(str(KNOWN.get(each, each)) for each in row["known"])
    return UniqueRow(known, is_after, 100 * row["alone"] / rows, 100 * row["below_minimum"] / rows)

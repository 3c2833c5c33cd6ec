"""The gate's report in plain words: what was taken away, what is left, what nobody can promise."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

RISK_LABELS: Final = {
    "people-not-counted": gettext_lazy(
        "No column comes near to a person: the smallest group counts trips, and all of them may be"
        " one person's."
    ),
    "person-by-proxy": gettext_lazy("People are counted by a column that only comes near to them."),
    "no-limit-for-one": gettext_lazy("One person may have made most trips of a group."),
    "left-over": gettext_lazy(
        "A figure for a longer time holds trips whose hours were below the smallest group."
    ),
    "known-others": gettext_lazy("Who knows all trips of a group but one knows that one too."),
    "same-answer": gettext_lazy(
        "Where a place leads to one other place only, who started there went there."
    ),
}
FATE_LABELS: Final = {
    "dropped": gettext_lazy("taken out"),
    "coarsened": gettext_lazy("made coarser"),
    "kept": gettext_lazy("kept"),
    "rotated": gettext_lazy("replaced by numbers that change every day"),
}


@dataclass(frozen=True)
class Unique:
    """How many rows stand alone for somebody who knows some columns."""

    known: str
    before: str
    after: str


@dataclass(frozen=True)
class PrivacyWords:
    """A report for a page."""

    summary: list[str]
    columns: list[tuple[str, str]]
    unique: list[Unique]
    risks: list[str]


def privacy_words(report: Mapping[str, Any]) -> PrivacyWords | None:
    """Return a report in words; None where the format is not about people and has none."""
    if not report:
        return None
    return PrivacyWords(
        _summary(report),
        [
            (str(each.get("name", "")), str(FATE_LABELS.get(each["fate"], each["fate"])))
            for each in report.get("columns", [])
        ],
        _unique(report.get("uniqueness", {})),
        [str(RISK_LABELS.get(code, code)) for code in report.get("risks", [])],
    )


def _summary(report: Mapping[str, Any]) -> list[str]:
    policy = report.get("policy", {})
    suppressed = report.get("suppressed", {})
    said = []
    if "rows_in" in report:
        said.append(
            _("About {before} trips went in; {after} rows came out.").format(
                before=report["rows_in"], after=report.get("rows_out", 0)
            )
        )
    if "minimum_group" in policy:
        said.append(
            _("No group of fewer than {n} trips is shown.").format(n=policy["minimum_group"])
        )
    if policy.get("minimum_distinct"):
        said.append(_("Each group is of at least {n} people.").format(n=policy["minimum_distinct"]))
    if "rows" in suppressed:
        said.append(
            _("About {n} trips are in no group that may be shown.").format(n=suppressed["rows"])
        )
    return said


def _unique(uniqueness: Mapping[str, Any]) -> list[Unique]:
    """Return uniqueness by what is known; the same knowledge before and after on one line."""
    before = {_known(each): each for each in uniqueness.get("before", [])}
    after = {_known(each): each for each in uniqueness.get("after", [])}
    return [
        Unique(known, _alone(before.get(known)), _alone(after.get(known)))
        for known in dict.fromkeys((*before, *after))
    ]


def _known(each: Mapping[str, Any]) -> str:
    return _(", ").join(each.get("known", []))


def _alone(each: Mapping[str, Any] | None) -> str:
    if each is None:
        return "\N{EN DASH}"
    return _("{alone} of {rows}").format(alone=each["alone"], rows=each["rows"])

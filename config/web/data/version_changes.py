"""What changed from one version of a product to another, as rows of two columns."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from config.web.data.catalogue_words import percent
from gate.manifest import Manifest
from marketplace.queries.data.products import VersionLine


@dataclass(frozen=True)
class Change:
    """One thing, as it was and as it is."""

    what: str
    old: str
    new: str

    @property
    def is_changed(self) -> bool:
        """Whether it is not as it was."""
        return self.old != self.new


@dataclass(frozen=True)
class Section:
    """Changes about one matter; ``same`` counts what is as it was."""

    title: str
    changes: tuple[Change, ...]
    same: int


def changes_between(old: VersionLine, new: VersionLine) -> list[Section]:
    """Compare two versions: their parts, columns, coverage, privacy report and findings."""
    return [
        _section(_("Files"), _files(old, new)),
        _section(_("Columns"), _columns(old, new)),
        _section(_("What it covers"), _coverage(old, new)),
        _section(_("Privacy"), _privacy(old, new)),
        _section(_("Findings of the validator"), _findings(old, new)),
    ]


def _section(title: str, found: Iterator[Change]) -> Section:
    changes = list(found)
    changed = tuple(each for each in changes if each.is_changed)
    return Section(title, changed, len(changes) - len(changed))


def _files(old: VersionLine, new: VersionLine) -> Iterator[Change]:
    # A feed's manifest names no package: its hash says whether it is the same.
    yield Change(_("Manifest"), old.manifest_sha256[:16], new.manifest_sha256[:16])
    was, is_now = _parts(old), _parts(new)
    for name in sorted(was.keys() | is_now.keys()):
        yield Change(name, was.get(name, ""), is_now.get(name, ""))


def _parts(line: VersionLine) -> dict[str, str]:
    try:
        parts = Manifest.from_bytes(line.manifest).package.parts
    except ValueError:
        return {}
    return {
        part.name: _("{bytes} bytes, {hash}").format(
            bytes=f"{part.byte_count:,}", hash=part.sha256[:12]
        )
        for part in parts
    }


def _columns(old: VersionLine, new: VersionLine) -> Iterator[Change]:
    was, is_now = _types(old.profile), _types(new.profile)
    for name in sorted(was.keys() | is_now.keys()):
        yield Change(name, was.get(name, ""), is_now.get(name, ""))


def _types(profile: Mapping[str, Any]) -> dict[str, str]:
    return {
        each["name"]: _("{type}, {nulls} empty").format(type=each["type"], nulls=each["nulls"])
        for each in profile.get("columns", [])
    }


def _coverage(old: VersionLine, new: VersionLine) -> Iterator[Change]:
    a, b = old.profile, new.profile
    yield Change(_("Rows"), f"{old.row_count:,}", f"{new.row_count:,}")
    yield Change(_("Begins"), _day(a.get("start")), _day(b.get("start")))
    yield Change(_("Ends"), _day(a.get("end")), _day(b.get("end")))
    yield Change(_("Areas on the map"), _count(a.get("coverage")), _count(b.get("coverage")))
    yield Change(
        _("Complete"), percent(a.get("completeness_ppm")), percent(b.get("completeness_ppm"))
    )
    things = {**a.get("entities", {}), **b.get("entities", {})}
    for name in sorted(things):
        yield Change(
            name, _number(a.get("entities", {}), name), _number(b.get("entities", {}), name)
        )


def _privacy(old: VersionLine, new: VersionLine) -> Iterator[Change]:
    a, b = old.privacy_report, new.privacy_report
    if not a and not b:
        return
    yield Change(_("Trips told"), _number(a, "rows_out"), _number(b, "rows_out"))
    yield Change(_("Trips that came in"), _number(a, "rows_in"), _number(b, "rows_in"))
    yield Change(
        _("Policy"), str(a.get("policy_sha256", ""))[:16], str(b.get("policy_sha256", ""))[:16]
    )
    was, is_now = _fates(a), _fates(b)
    for name in sorted(was.keys() | is_now.keys()):
        yield Change(name, was.get(name, ""), is_now.get(name, ""))


def _fates(report: Mapping[str, Any]) -> dict[str, str]:
    return {each["name"]: f"{each['fate']}: {each['reason']}" for each in report.get("columns", [])}


def _findings(old: VersionLine, new: VersionLine) -> Iterator[Change]:
    was = {each["code"]: str(each["count"]) for each in old.findings}
    is_now = {each["code"]: str(each["count"]) for each in new.findings}
    for code in sorted(was.keys() | is_now.keys()):
        yield Change(code, was.get(code, "0"), is_now.get(code, "0"))


def _day(moment: str | None) -> str:
    return (moment or "")[:16].replace("T", " ")


def _count(things: list[Any] | None) -> str:
    return str(len(things or []))


def _number(values: Mapping[str, Any], name: str) -> str:
    return f"{values[name]:,}" if name in values else ""

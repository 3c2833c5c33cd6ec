"""What a validator found: counted by code, with a few places each, and a text that says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from gate.limits import Limits

Severity = Literal["error", "warning", "info"]
ORDER: dict[Severity, int] = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True)
class Finding:
    """One kind of finding. ``place`` names the first places; ``count`` counts all of them.

    ``source`` says who found it: a validator by its name, or "gate". ``text`` never holds a cell
    of a table about people.
    """

    code: str
    severity: Severity
    place: str
    count: int
    text: str
    source: str = "gate"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Finding:
        return cls(**said)


@dataclass
class Findings:
    """Gathers findings by code; keeps few places, counts all."""

    limits: Limits
    source: str = "gate"
    _kept: dict[tuple[str, str], _Kind] = field(default_factory=dict)
    _more: int = 0

    def add(
        self,
        code: str,
        severity: Severity,
        text: str,
        *,
        place: str = "",
        count: int = 1,
        source: str = "",
    ) -> None:
        """Count a finding; the text of the first one with this code stays."""
        if count <= 0:
            return
        key = (source or self.source, code)
        kind = self._kept.get(key)
        if kind is None:
            if len(self._kept) >= self.limits.codes:
                self._more += count
                return
            kind = self._kept[key] = _Kind(severity, text)
        kind.count += count
        if place and len(kind.places) < self.limits.places and place not in kind.places:
            kind.places.append(place)

    def kept(self) -> tuple[Finding, ...]:
        """Return errors first, then by count and code."""
        found = [
            Finding(code, kind.severity, joined(kind.places), kind.count, kind.text, source)
            for (source, code), kind in self._kept.items()
        ]
        if self._more:
            text = "more kinds of findings than are kept"
            found.append(Finding("more-findings", "warning", "", self._more, text))
        found.sort(key=lambda one: (ORDER[one.severity], -one.count, one.code))
        return tuple(found)


def joined(places: Sequence[str]) -> str:
    """Return places as one text that names the file once."""
    if not places:
        return ""
    file, comma, _ = places[0].partition(", ")
    return "; ".join([places[0], *(one.removeprefix(file + comma) for one in places[1:])])


@dataclass
class _Kind:
    severity: Severity
    text: str
    count: int = 0
    places: list[str] = field(default_factory=list)

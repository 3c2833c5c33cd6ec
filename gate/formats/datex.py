"""DATEX II measured data, versions 2 and 3, read as a stream: no DTD, bounded depth and text.

No validator for it is published that could be installed; the rules are ours: the form of a
MeasuredDataPublication, and values that can be. Both versions come to the same readings.
"""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, cast
from xml.parsers import expat

from gate.errors import Refused, gettext_noop
from gate.findings import Findings, Severity
from gate.formats.checking import SAMPLE_ROWS, Checked, Options, Sample
from gate.formats.profiling import extent_of
from gate.limits import MIB, Limits
from gate.profile import Column, Profile
from gate.refusals import BROKEN

PIECE = 64 << 10
# Element to kind; several names, by version.
KINDS = {
    "vehicleFlowRate": "flow",
    "vehicleFlow": "flow",
    "speed": "speed",
    "averageVehicleSpeed": "speed",
    "percentage": "occupancy",
    "occupancy": "occupancy",
}
# What can be: vehicles an hour on ten lanes, km/h, percent.
GREATEST = {"flow": 30_000.0, "speed": 300.0, "occupancy": 100.0}
FUTURE_S = 60
RULES: dict[str, tuple[Severity, str]] = {
    "site-missing": ("error", gettext_noop("measurements without their site")),
    "time-missing": ("error", gettext_noop("measurements without their time")),
    "time-unreadable": ("error", gettext_noop("a time that can't be read")),
    "time-in-future": ("error", gettext_noop("a time in the future")),
    "value-unreadable": ("error", gettext_noop("a value that is no number")),
    "value-impossible": ("error", gettext_noop("a value that can't be")),
    "value-missing": ("info", gettext_noop("a value that the source calls missing or wrong")),
    "site-twice": ("warning", gettext_noop("a site, time and index with several values")),
    "site-unplaced": ("warning", gettext_noop("a detector whose place nobody says")),
}


@dataclass(frozen=True)
class Reading:
    """One value as the document says it; ``value`` is its text."""

    site: str
    index: str
    time: str
    kind: str
    value: str
    is_error: bool
    line: int


@dataclass
class _Parser:
    """Collects readings; a site's are held until its end, where version 3 says the time."""

    limits: Limits
    name: str
    publication: str = ""
    published_at: str = ""
    version: str = ""
    ready: list[Reading] = field(default_factory=list)
    _stack: list[str] = field(default_factory=list)
    _text: list[str] = field(default_factory=list)
    _length: int = 0
    _site: str = ""
    _time: str = ""
    _index: str = ""
    _is_error: bool = False
    _held: list[tuple[str, str, str, bool, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.expat = expat.ParserCreate(namespace_separator=" ")
        self.expat.buffer_text = True
        self.expat.StartElementHandler = self._start
        self.expat.EndElementHandler = self._end
        self.expat.CharacterDataHandler = self._chars
        self.expat.StartDoctypeDeclHandler = self._refuse_dtd
        self.expat.EntityDeclHandler = self._refuse_dtd

    def _refuse_dtd(self, *_: object) -> None:
        text, remedy = BROKEN["xml-dtd"]
        raise Refused("xml-dtd", text, self._here(), remedy)

    def _here(self) -> str:
        return f"{self.name}, line {self.expat.CurrentLineNumber}"

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(" ")[2]
        self._stack.append(name)
        self._text, self._length = [], 0
        if len(self._stack) > self.limits.xml_depth or len(attributes) > self.limits.xml_attributes:
            raise Refused(
                "xml-deep",
                gettext_noop("elements nested too deep, or with too many attributes"),
                self._here(),
                gettext_noop("This is no DATEX II document; export it again."),
            )
        kind = next((v for key, v in attributes.items() if key.endswith(" type")), "")
        if name in ("payloadPublication", "payload"):
            self.publication = kind.rpartition(":")[2]
            self.version = "3" if name == "payload" else "2"
        elif name == "siteMeasurements":
            self._site = self._time = self._index = ""
            self._held = []
        elif name == "measurementSiteReference":
            self._site = attributes.get("id", "")
        elif name in ("measuredValue", "physicalQuantity"):
            self._index = attributes.get("index", self._index)
            self._is_error = False

    def _chars(self, text: str) -> None:
        self._length += len(text)
        if self._length > self.limits.xml_text:
            raise Refused(
                "xml-text",
                gettext_noop("a text of more than {limit} characters"),
                self._here(),
                gettext_noop("This is no DATEX II document; export it again."),
                limit=self.limits.xml_text,
            )
        self._text.append(text)

    def _end(self, tag: str) -> None:
        name = tag.rpartition(" ")[2]
        self._stack.pop()
        text = "".join(self._text).strip()
        self._text = []
        parent = self._stack[-1] if self._stack else ""
        if name == "measurementSiteReference" and not self._site:
            self._site = text  # version 1 has the number as text
        elif name == "publicationTime":
            self.published_at = text
        elif (name == "measurementTimeDefault" and text) or (
            name == "timeValue" and parent == "measurementTimeDefault"
        ):
            self._time = text
        elif name == "dataError":
            self._is_error = text == "true"
        elif name in KINDS and text:
            line = self.expat.CurrentLineNumber
            self._held.append((self._index, KINDS[name], text, self._is_error, line))
        elif name == "siteMeasurements":
            self.ready += [
                Reading(self._site, index, self._time, kind, value, is_error, line)
                for index, kind, value, is_error, line in self._held
            ]


def judge(
    path: Path,
    *,
    name: str,
    at: datetime,
    companions: Mapping[str, Path],
    options: Options,
    limits: Limits,
) -> Checked:
    """Check one publication of measured data, with the table of its sites where there is one."""
    parser = _Parser(limits, name)
    sums = _Sums(Findings(limits), name, at)
    for reading in _readings(path, parser, limits):
        sums.add(reading)
    if parser.publication != "MeasuredDataPublication":
        raise Refused(
            "datex-other",
            gettext_noop("a {publication}, not a MeasuredDataPublication"),
            name,
            gettext_noop("The hall takes measured data of DATEX II versions 2 and 3."),
            publication=parser.publication[:60] or "document without publication",
        )
    extent = extent_of([])
    if "stations" in companions:
        from gate.formats.stations import read_places  # pandera: two seconds that a feed can't wait

        places = read_places(
            companions["stations"],
            name="stations",
            columns={},
            limits=limits,
            findings=sums.findings,
        ).by_site
        extent = extent_of(places[site] for site in sums.sites if site in places)
        for site in sorted(sums.sites - places.keys()):
            sums.note("site-unplaced", site[:80])
    published = _time(parser.published_at)
    if published is None and sums.last is not None:
        published = sums.last
    return Checked(
        findings=sums.findings.kept(),
        profile=Profile(
            rows=sums.rows,
            columns=sums.columns(),
            bbox=extent.bbox,
            cells=extent.cells,
            start=_iso(sums.first),
            end=_iso(sums.last),
            completeness_ppm=sums.good * 1_000_000 // sums.rows if sums.rows else None,
            entities={"detectors": len(sums.sites), **sums.kinds},
        ),
        records=sums.rows,
        source_time=published,
        sample=Sample(columns=("site", "index", "time", "kind", "value"), rows=tuple(sums.sample)),
    )


@dataclass
class _Sums:
    """What the readings of a publication come to."""

    findings: Findings
    name: str
    at: datetime
    rows: int = 0
    good: int = 0
    sites: set[str] = field(default_factory=set)
    kinds: Counter[str] = field(default_factory=Counter)
    first: datetime | None = None
    last: datetime | None = None
    sample: list[tuple[str, ...]] = field(default_factory=list)
    _extremes: dict[str, tuple[float, float]] = field(default_factory=dict)
    _seen: set[int] = field(default_factory=set)

    def note(self, code: str, place: str) -> None:
        severity, text = RULES[code]
        self.findings.add(code, severity, text, place=place)

    def add(self, one: Reading) -> None:
        self.rows += 1
        self.kinds[one.kind] += 1
        place = f"{self.name}, line {one.line}"
        if len(self.sample) < SAMPLE_ROWS:
            self.sample.append((one.site, one.index, one.time, one.kind, one.value[:40]))
        if not one.site:
            self.note("site-missing", place)
        else:
            self.sites.add(one.site)
        self._add_time(one, place)
        # A number a reading, where the texts would take ten times as much.
        key = hash((one.site, one.index, one.time, one.kind))
        if key in self._seen:
            self.note("site-twice", place)
        self._seen.add(key)
        if self._has_value(one, place):
            self.good += 1

    def _add_time(self, one: Reading, place: str) -> None:
        if not one.time:
            self.note("time-missing", place)
            return
        time = _time(one.time)
        if time is None:
            self.note("time-unreadable", place)
            return
        if time.timestamp() > self.at.timestamp() + FUTURE_S:
            self.note("time-in-future", place)
        self.first = time if self.first is None else min(self.first, time)
        self.last = time if self.last is None else max(self.last, time)

    def _has_value(self, one: Reading, place: str) -> bool:
        try:
            value = float(one.value)
        except ValueError:
            self.note("value-unreadable", place)
            return False
        # The standard's way to say "no value".
        if one.is_error or value == -1:
            self.note("value-missing", place)
            return False
        if not 0 <= value <= GREATEST[one.kind]:
            self.note("value-impossible", place)
            return False
        low, high = self._extremes.get(one.kind, (value, value))
        self._extremes[one.kind] = (min(low, value), max(high, value))
        return True

    def columns(self) -> tuple[Column, ...]:
        return tuple(
            Column(
                name=kind,
                type="number",
                nulls=0,
                least=f"{low:.12g}",
                greatest=f"{high:.12g}",
                meaning=kind,
            )
            for kind, (low, high) in sorted(self._extremes.items())
        )


def _readings(path: Path, parser: _Parser, limits: Limits) -> Iterator[Reading]:
    unpacked = 0
    with _opened(path) as file:
        try:
            while piece := file.read(PIECE):
                unpacked += len(piece)
                if unpacked > limits.unpacked_bytes:
                    raise Refused(
                        "too-large",
                        gettext_noop("more than {mib} MiB unpacked"),
                        parser.name,
                        gettext_noop("Split it into smaller files."),
                        mib=limits.unpacked_bytes // MIB,
                    )
                parser.expat.Parse(piece, False)
                yield from parser.ready
                parser.ready.clear()
            parser.expat.Parse(b"", True)
            yield from parser.ready
        except expat.ExpatError as e:
            raise Refused(
                "xml-broken",
                gettext_noop("the XML is not well-formed ({detail})"),
                f"{parser.name}, line {e.lineno}",
                gettext_noop("Publish the document again as a whole."),
                detail=expat.ErrorString(e.code) or "",
            ) from e
        except (gzip.BadGzipFile, EOFError, zlib.error) as e:
            text, remedy = BROKEN["gzip-broken"]
            raise Refused("gzip-broken", text, parser.name, remedy) from e


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        is_gzip = file.read(2) == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.open(path, "rb")) if is_gzip else path.open("rb")


def _time(text: str) -> datetime | None:
    """Return an aware time, or None; without an offset it says no instant."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.utcoffset() is not None else None


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

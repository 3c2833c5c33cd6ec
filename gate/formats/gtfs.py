"""GTFS timetables: the archive judged by us, its content by gtfs-guru.

Only in a child process: the validator takes five times the unpacked size in memory, with no limit
of its own.
"""

from __future__ import annotations

import csv
import io
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import gtfs_guru

from gate.errors import Refused, gettext_noop
from gate.findings import Findings, Severity
from gate.formats.checking import SAMPLE_ROWS, Checked, Options, Sample
from gate.formats.profiling import extent_of
from gate.limits import Limits
from gate.profile import Profile
from gate.zips import check_zip

SOURCE = "gtfs-guru"
SEVERITY: dict[str, Severity] = {"ERROR": "error", "WARNING": "warning", "INFO": "info"}
# What the validator says when it could not look at all.
NOT_CHECKED = {
    "i_o_error",
    "runtime_exception_in_loader_error",
    "runtime_exception_in_validator_error",
}
COUNTED = {
    "agencies": "agency.txt",
    "routes": "routes.txt",
    "stops": "stops.txt",
    "trips": "trips.txt",
    "stop times": "stop_times.txt",
    "shape points": "shapes.txt",
}


def judge(
    path: Path,
    *,
    name: str,
    at: datetime,
    companions: Mapping[str, Path],
    options: Options,
    limits: Limits,
) -> Checked:
    """Check a timetable as of a day; the day decides what counts as expired."""
    names = check_zip(path, name=name, limits=limits, unpacked_bytes=limits.gtfs_bytes)
    said = _validated(path, name, at, options)
    findings = Findings(limits, SOURCE)
    texts = gtfs_guru.notice_schema()
    for notice in said["notices"]:
        if notice["code"] in NOT_CHECKED:
            raise Refused(
                "gtfs-unreadable",
                gettext_noop("the timetable can't be read ({detail})"),
                name,
                gettext_noop("Export it again; a file of it is damaged or no table."),
                detail=notice["code"],
            )
        _note(findings, notice, texts, name, limits)
    with zipfile.ZipFile(path) as archive:
        entities = {what: _rows(archive, file) for what, file in COUNTED.items() if file in names}
        points, sample = _stops(archive) if "stops.txt" in names else ([], Sample())
    extent = extent_of(points)
    start, end, zone = _window(said["summary"])
    return Checked(
        findings=findings.kept(),
        profile=Profile(
            rows=entities.get("stop times", 0),
            bbox=extent.bbox,
            cells=extent.cells,
            start=start,
            end=end,
            zone=zone,
            entities=entities,
        ),
        records=entities.get("trips", 0),
        sample=sample,
    )


def _validated(path: Path, name: str, at: datetime, options: Options) -> dict[str, Any]:
    with _with_ending(path) as archive:
        try:
            result = gtfs_guru.validate(
                str(archive), country_code=options.country or None, date=at.date().isoformat()
            )
        except ValueError as e:
            text = gettext_noop("the timetable can't be opened")
            remedy = gettext_noop("Pack the files of the timetable into one zip.")
            raise Refused("gtfs-unreadable", text, name, remedy) from e
        said: dict[str, Any] = result.to_dict()
    return said


@contextmanager
def _with_ending(path: Path) -> Iterator[Path]:
    """Give the archive a path that ends in .zip: the validator goes by that."""
    with TemporaryDirectory() as folder:
        named = Path(folder) / "feed.zip"
        os.symlink(path, named)
        yield named


def _note(
    findings: Findings,
    notice: Mapping[str, Any],
    texts: Mapping[str, Any],
    name: str,
    limits: Limits,
) -> None:
    code = str(notice["code"])
    text = str(texts.get(code, {}).get("shortSummary") or code.replace("_", " "))
    severity = SEVERITY.get(str(notice["severity"]), "warning")
    samples = notice["sampleNotices"][: limits.places]
    for sample in samples:
        findings.add(code, severity, text, place=_place(sample, name))
    findings.add(code, severity, text, count=int(notice["totalNotices"]) - len(samples))


def _place(sample: Mapping[str, Any], name: str) -> str:
    file = sample.get("filename") or sample.get("childFilename") or ""
    row = sample.get("csvRowNumber") or sample.get("csvRowNumberA")
    field = sample.get("fieldName") or sample.get("childFieldName")
    value = sample.get("fieldValue")
    parts = [
        name,
        str(file),
        f"line {row}" if row else "",
        f"{field} {str(value)[:60]!r}" if field and value else str(field or ""),
    ]
    return ", ".join(part for part in parts if part)


def _rows(archive: zipfile.ZipFile, file: str) -> int:
    with archive.open(file) as raw:
        text = io.TextIOWrapper(raw, "utf-8-sig", errors="replace", newline="")
        try:
            return max(0, sum(1 for row in csv.reader(text) if row) - 1)
        except csv.Error:
            return 0


def _stops(archive: zipfile.ZipFile) -> tuple[list[tuple[float, float]], Sample]:
    points: list[tuple[float, float]] = []
    rows: list[tuple[str, ...]] = []
    with archive.open("stops.txt") as raw:
        text = io.TextIOWrapper(raw, "utf-8-sig", errors="replace", newline="")
        reader = csv.DictReader(text)
        names = tuple(reader.fieldnames or ())
        try:
            for row in reader:
                if len(rows) < SAMPLE_ROWS:
                    rows.append(tuple(str(row.get(one) or "")[:200] for one in names))
                point = _point(row)
                if point:
                    points.append(point)
        except csv.Error:
            return points, Sample()
    return points, Sample(columns=names, rows=tuple(rows))


def _point(row: Mapping[str, str | None]) -> tuple[float, float] | None:
    try:
        return float(row.get("stop_lat") or ""), float(row.get("stop_lon") or "")
    except ValueError:
        return None


def _window(summary: Mapping[str, Any]) -> tuple[str | None, str | None, str]:
    """Return the service window as a half-open period of UTC, and the first agency's zone."""
    said = summary.get("feedInfo") or {}
    agencies = summary.get("agencies") or [{}]
    try:
        zone: Any = ZoneInfo(agencies[0].get("timezone") or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        zone = UTC
    days: list[str | None] = []
    for key, more in (("feedServiceWindowStart", 0), ("feedServiceWindowEnd", 1)):
        try:
            day = date.fromisoformat(said.get(key) or "")
        except ValueError:
            days.append(None)
            continue
        begin = datetime.combine(day + timedelta(days=more), time(), zone)
        days.append(begin.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    return days[0], days[1], str(zone)

"""GBFS feeds: schemas by gbfs-validator over bytes we already have, contradictions by ourselves.

The validator would follow every address in a feed, also to files of this machine and into our own
network. It gets a fetcher that knows the given files and nothing else.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gbfs_validator import GBFS
from gbfs_validator.fetch import Fetcher, FetchError

from gate.errors import Refused, gettext_noop
from gate.findings import Findings, Severity
from gate.formats.checking import SAMPLE_ROWS, Checked, Options, Sample
from gate.formats.contradictions import note_contradictions, rows_of, seconds_of
from gate.formats.documents import parsed, read_document
from gate.formats.profiling import extent_of
from gate.limits import Limits
from gate.profile import Profile
from gate.zips import check_zip

SOURCE = "gbfs-validator"
DISCOVERY = "gbfs"
STATION_FILES = {"station_information", "station_status"}
VEHICLE_FILES = {"free_bike_status", "vehicle_status"}
# Ages of the feed go by these; the others change once a year.
LIVE_FILES = ("station_status", "vehicle_status", "free_bike_status", "vehicle_availability")
# What a buyer takes a feed for; the others say how the system works.
USED_FILES = {*STATION_FILES, *LIVE_FILES, "vehicle_types"}
FILES_MAX = 40


class Given(Fetcher):  # type: ignore[misc]  # the validator ships no types
    """Answers the validator's requests with documents that are here already."""

    def __init__(self, by_address: Mapping[str, bytes]) -> None:
        super().__init__()
        self.by_address = by_address

    def _read(self, url: str) -> bytes:
        if url not in self.by_address:
            raise FetchError(url, "not among the given files")
        return self.by_address[url]


def judge(
    path: Path,
    *,
    name: str,
    at: datetime,
    companions: Mapping[str, Path],
    options: Options,
    limits: Limits,
) -> Checked:
    """Check a feed: the discovery file with its files beside it, a folder, or a zip."""
    findings = Findings(limits, SOURCE)
    documents = _documents(path, name, companions, limits, findings)
    listed = set(addresses_of(documents[DISCOVERY]))
    docked = bool(listed & STATION_FILES) if options.docked is None else options.docked
    _note_validation(documents, findings, name, docked=docked)
    for file in sorted(listed - documents.keys()):
        # The validator passes over a listed file that its standard doesn't require.
        text = gettext_noop("a file that the feed lists is missing or unreadable")
        severity: Severity = "error" if file in USED_FILES else "info"
        findings.add("listed-file-missing", severity, text, place=file, source="gate")
    note_contradictions(documents, findings, at)
    stations = rows_of(documents.get("station_information"), "stations")
    statuses = rows_of(documents.get("station_status"), "stations")
    vehicles = [
        row for file in VEHICLE_FILES for row in rows_of(documents.get(file), "bikes", "vehicles")
    ]
    extent = extent_of(_points(stations))
    capacity = sum(one["capacity"] for one in stations if isinstance(one.get("capacity"), int))
    updated = _updated(documents)
    return Checked(
        findings=findings.kept(),
        profile=Profile(
            rows=len(statuses) or len(vehicles),
            bbox=extent.bbox,
            cells=extent.cells,
            start=None,
            end=None,
            completeness_ppm=_completeness(stations, statuses),
            entities={
                "stations": len(stations),
                "vehicles": len(vehicles),
                "capacity": capacity,
                "files": len(documents),
            },
        ),
        records=len(statuses) or len(vehicles),
        source_time=None if updated is None else datetime.fromtimestamp(updated, UTC),
        sample=_sample(stations),
    )


def addresses_of(discovery: Mapping[str, Any]) -> dict[str, str]:
    """Return file name to address, as the discovery file of GBFS 1 to 3 lists them.

    Of several languages the first counts: the files say the same.
    """
    feeds = _listed(discovery)
    return dict(reversed(feeds))


def _listed(discovery: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return name and address of every file in every language."""
    data = discovery.get("data")
    if not isinstance(data, dict):
        return []
    lists = [data, *(one for one in data.values() if isinstance(one, dict))]
    return [
        (str(feed["name"]), str(feed["url"]))
        for one in lists
        if isinstance(one.get("feeds"), list)
        for feed in one["feeds"][:FILES_MAX]
        if isinstance(feed, dict) and "name" in feed and "url" in feed
    ]


def _documents(
    path: Path,
    name: str,
    companions: Mapping[str, Path],
    limits: Limits,
    findings: Findings,
) -> dict[str, dict[str, Any]]:
    """Read all files by name; one that is no JSON is a finding, a bad discovery file the end."""
    documents: dict[str, dict[str, Any]] = {}
    for file, read in _sources(path, name, companions, limits):
        try:
            documents[file] = read()
        except Refused as refused:
            if file == DISCOVERY:
                raise
            findings.add(refused.code, "error", refused.text, place=refused.place, source="gate")
    if DISCOVERY not in documents:
        raise Refused(
            "gbfs-no-discovery",
            gettext_noop("there is no discovery file gbfs.json"),
            name,
            gettext_noop("Give the address or the file of gbfs.json, which lists the others."),
        )
    return documents


def _sources(
    path: Path, name: str, companions: Mapping[str, Path], limits: Limits
) -> Iterator[tuple[str, Any]]:
    if path.is_dir():
        for file in sorted(path.glob("*.json"))[:FILES_MAX]:
            yield file.stem, lambda file=file: read_document(file, name=file.name, limits=limits)
        return
    with path.open("rb") as begin:
        is_zip = begin.read(4) == b"PK\x03\x04"
    if is_zip:
        check_zip(path, name=name, limits=limits, unpacked_bytes=limits.json_bytes)
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist()[:FILES_MAX]:
                data = archive.read(member)
                stem = Path(member).stem
                place = f"{name}: {member}"
                yield stem, lambda d=data, p=place: parsed(d, name=p)
        return
    yield DISCOVERY, lambda: read_document(path, name=name, limits=limits)
    for file_name, file in sorted(companions.items())[:FILES_MAX]:
        yield file_name, lambda f=file, n=file_name: read_document(f, name=n, limits=limits)


def _note_validation(
    documents: Mapping[str, Mapping[str, Any]],
    findings: Findings,
    name: str,
    *,
    docked: bool,
) -> None:
    discovery = "memory:gbfs.json"
    given = {
        address: json.dumps(documents[file]).encode()
        for file, address in _listed(documents[DISCOVERY])
        if file in documents
    }
    given[discovery] = json.dumps(documents[DISCOVERY]).encode()
    manifest = _manifest_address(documents)
    if manifest and "manifest" in documents:
        given[manifest] = json.dumps(documents["manifest"]).encode()
    try:
        report = GBFS(discovery, docked=docked, fetcher=Given(given)).validation()
    except Exception as e:
        text = gettext_noop("the validator can't judge this feed")
        place = f"{name}, {type(e).__name__}"
        findings.add("not-checkable", "error", text, place=place)
        return
    if report["summary"].get("versionUnimplemented"):
        text = gettext_noop("a version of GBFS that the validator doesn't know")
        findings.add("version-unknown", "error", text, place=name)
    for file in report.get("files", []):
        # Somebody else's list of feeds, which this feed only names.
        if file["file"] != "manifest.json" or manifest in given:
            _note_file(file, findings)


def _manifest_address(documents: Mapping[str, Mapping[str, Any]]) -> str:
    data = documents.get("system_information", {}).get("data")
    return str(data.get("manifest_url") or "") if isinstance(data, dict) else ""


def _note_file(file: Mapping[str, Any], findings: Findings) -> None:
    stem = str(file["file"]).removesuffix(".json")
    if file.get("required") and not file.get("exists"):
        text = gettext_noop("a file that the standard requires is missing or unreadable")
        findings.add("file-missing", "error", text, place=stem)
    said = list(file.get("errors") or [])
    for language in file.get("languages") or []:
        said += language.get("errors") or []
    for error in said:
        path = str(error.get("instancePath") or "/")[:120]
        # By AJV's keyword: required, type, minimum, enum, format…
        code = str(error.get("keyword") or "schema")
        message = str(error.get("message") or code)[:200]
        findings.add(code, "error", message, place=f"{stem}, {path}")


def _points(stations: Any) -> list[tuple[float, float]]:
    points = []
    for one in stations:
        lat, lon = one.get("lat"), one.get("lon")
        if isinstance(lat, int | float) and isinstance(lon, int | float):
            points.append((float(lat), float(lon)))
    return points


def _completeness(stations: Any, statuses: Any) -> int | None:
    """Return how many of the described stations have a status. [ppm]"""
    described = {str(one.get("station_id")) for one in stations}
    if not described:
        return None
    heard = {str(one.get("station_id")) for one in statuses}
    return len(described & heard) * 1_000_000 // len(described)


def _updated(documents: Mapping[str, Mapping[str, Any]]) -> float | None:
    """Return when the live files were updated, of several the oldest. [s since 1970]"""
    times = [seconds_of(documents.get(one, {}).get("last_updated")) for one in LIVE_FILES]
    known = [one for one in times if one is not None and 0 < one < 1 << 33]
    return min(known) if known else None


def _sample(stations: Any) -> Sample:
    """Return the first stations; of vehicles nothing is shown, they may be with somebody."""
    columns = ("station_id", "name", "lat", "lon", "capacity")
    rows = tuple(
        tuple(_shown(one.get(column)) for column in columns) for one in stations[:SAMPLE_ROWS]
    )
    return Sample(columns=columns, rows=rows)


def _shown(value: object) -> str:
    # GBFS 3 gives names by language.
    if isinstance(value, list) and value and isinstance(value[0], dict):
        value = value[0].get("text")
    return "" if value is None else str(value)[:200]

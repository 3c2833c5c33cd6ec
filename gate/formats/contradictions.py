"""What a GBFS feed says against itself; its schemas can't see that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from gate.errors import gettext_noop
from gate.findings import Findings, Severity

FUTURE_S = 60
DAY_S = 86_400
TOO_OLD_S = DAY_S
RULES: dict[str, tuple[Severity, str]] = {
    "station-twice": ("error", gettext_noop("a station stands there twice")),
    "station-unknown": ("error", gettext_noop("a status of a station that nobody describes")),
    "station-without-status": ("error", gettext_noop("a station without a status")),
    "count-over-capacity": ("error", gettext_noop("vehicles and docks are more than the capacity")),
    "type-counts-differ": ("error", gettext_noop("vehicles by type don't add up to the total")),
    "dock-counts-differ": ("error", gettext_noop("docks by type are more than the total")),
    "vehicle-type-unknown": ("error", gettext_noop("a vehicle type that nobody describes")),
    "not-installed-but-renting": ("error", gettext_noop("a station that isn't there rents out")),
    "vehicle-twice": ("error", gettext_noop("a vehicle stands there twice")),
    "time-in-future": ("error", gettext_noop("a time in the future")),
    "report-old": ("warning", gettext_noop("a station last heard of more than a day ago")),
    "place-zero": ("warning", gettext_noop("latitude and longitude are 0")),
}


def note_contradictions(
    documents: Mapping[str, Mapping[str, Any]], findings: Findings, at: datetime
) -> None:
    """Compare the files of a feed with each other and with the clock.

    Documents that don't have the form of the standard say so elsewhere and are passed over.
    """
    for name, document in documents.items():
        updated = seconds_of(document.get("last_updated"))
        if updated is not None and updated > at.timestamp() + FUTURE_S:
            severity, text = RULES["time-in-future"]
            place = f"{name}, /last_updated"
            findings.add("time-in-future", severity, text, place=place, source="gate")
    for code, place in _found(documents, at):
        severity, text = RULES[code]
        findings.add(code, severity, text, place=place, source="gate")


def rows_of(document: Mapping[str, Any] | None, *keys: str) -> Sequence[Mapping[str, Any]]:
    """Return the objects of a list inside ``data``, or none where it isn't one."""
    data = (document or {}).get("data")
    if not isinstance(data, dict):
        return ()
    rows: list[Any] = next((data[key] for key in keys if isinstance(data.get(key), list)), [])
    return [row for row in rows if isinstance(row, dict)]


def seconds_of(value: object) -> float | None:
    """Return a time of GBFS 2 (seconds) or 3 (RFC 3339) as seconds since 1970. [s]"""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, str):
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            return None
        return time.timestamp() if time.utcoffset() is not None else None
    return None


def _found(documents: Mapping[str, Mapping[str, Any]], at: datetime) -> Iterator[tuple[str, str]]:
    described: dict[str, Mapping[str, Any]] = {}
    for number, row in enumerate(rows_of(documents.get("station_information"), "stations")):
        place = f"station_information, /data/stations/{number}"
        if str(row.get("station_id")) in described:
            yield "station-twice", place
        if row.get("lat") == 0 and row.get("lon") == 0:
            yield "place-zero", place
        described.setdefault(str(row.get("station_id")), row)
    types = documents.get("vehicle_types")
    known = {str(row.get("vehicle_type_id")) for row in rows_of(types, "vehicle_types")}
    heard: set[str] = set()
    for number, row in enumerate(rows_of(documents.get("station_status"), "stations")):
        place = f"station_status, /data/stations/{number}"
        station = str(row.get("station_id"))
        if station in heard:
            yield "station-twice", place
        heard.add(station)
        if "station_information" in documents and station not in described:
            yield "station-unknown", place
        for code in _station(row, described.get(station, {}), at):
            yield code, place
        if types is not None and not _types_of(row) <= known:
            yield "vehicle-type-unknown", place
    if "station_status" in documents:
        for station in sorted(described.keys() - heard):
            yield "station-without-status", f"station {station[:60]}"
    yield from _vehicles(documents, known if types is not None else None)


def _station(row: Mapping[str, Any], described: Mapping[str, Any], at: datetime) -> Iterator[str]:
    vehicles = _count(row, "num_bikes_available", "num_vehicles_available")
    docks = _count(row, "num_docks_available")
    broken = _count(row, "num_bikes_disabled", "num_vehicles_disabled") or 0
    closed = _count(row, "num_docks_disabled") or 0
    capacity = _count(described, "capacity")
    # Where somebody parks vehicles by hand, or there is no dock at all, there is no such limit.
    is_free = described.get("is_virtual_station") or described.get("is_valet_station")
    if (
        vehicles is not None
        and docks is not None
        and capacity is not None
        and not is_free
        and (vehicles + broken + docks + closed > capacity)
    ):
        yield "count-over-capacity"
    by_type = _counts(row.get("vehicle_types_available"))
    if by_type is not None and vehicles is not None and by_type != vehicles:
        yield "type-counts-differ"
    by_dock = _counts(row.get("vehicle_docks_available"))
    if by_dock is not None and docks is not None and by_dock > docks:
        yield "dock-counts-differ"
    if row.get("is_installed") is False and (row.get("is_renting") or row.get("is_returning")):
        yield "not-installed-but-renting"
    reported = seconds_of(row.get("last_reported"))
    if reported is not None and reported > at.timestamp() + FUTURE_S:
        yield "time-in-future"
    elif reported is not None and reported < at.timestamp() - TOO_OLD_S:
        yield "report-old"


def _vehicles(
    documents: Mapping[str, Mapping[str, Any]], known: set[str] | None
) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for file in ("free_bike_status", "vehicle_status"):
        for number, row in enumerate(rows_of(documents.get(file), "bikes", "vehicles")):
            place = f"{file}, /data/{number}"
            vehicle = str(row.get("bike_id", row.get("vehicle_id")))
            if vehicle in seen:
                yield "vehicle-twice", place
            seen.add(vehicle)
            kind = row.get("vehicle_type_id")
            if known is not None and kind is not None and str(kind) not in known:
                yield "vehicle-type-unknown", place


def _count(row: Mapping[str, Any], *keys: str) -> int | None:
    for key in keys:
        value = row.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


def _counts(rows: object) -> int | None:
    if not isinstance(rows, list):
        return None
    counts = [_count(row, "count") for row in rows if isinstance(row, dict)]
    return sum(one for one in counts if one is not None)


def _types_of(row: Mapping[str, Any]) -> set[str]:
    rows = row.get("vehicle_types_available")
    found = rows if isinstance(rows, list) else []
    return {str(one.get("vehicle_type_id")) for one in found if isinstance(one, dict)}

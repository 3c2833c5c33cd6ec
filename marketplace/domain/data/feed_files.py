"""The files of a live feed: which there are, and what buyers are given in place of what came.

A buyer gets the hall's addresses in place of the source's, and vehicles under names that are the
buyer's alone, so that two buyers can not join what they bought. What names a vehicle beside that
(its plate, the addresses that open it) is left out.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from marketplace.errors import N_, Invalid

DISCOVERY: Final = "gbfs"
SYSTEM: Final = "system_information"
# Stands for the hall's own address in a stored discovery file.
PLACE_OF_FEED: Final = "heliopolis-feed:"
# Files of GBFS 2.x and 3.x that are passed on. What lists other feeds is not: those are not ours.
GBFS_FILES: Final = frozenset(
    {
        DISCOVERY,
        "system_information",
        "vehicle_types",
        "station_information",
        "station_status",
        "vehicle_status",
        "free_bike_status",
        "system_hours",
        "system_calendar",
        "system_regions",
        "system_pricing_plans",
        "system_alerts",
        "geofencing_zones",
    }
)
VEHICLE_FILES: Final[Mapping[str, tuple[str, str]]] = {
    "vehicle_status": ("vehicles", "vehicle_id"),
    "free_bike_status": ("bikes", "bike_id"),
}
# What GBFS 2.x and 3.x say of a vehicle; any other field may name it.
VEHICLE_FIELDS: Final = frozenset(
    {
        "lat",
        "lon",
        "is_reserved",
        "is_disabled",
        "vehicle_type_id",
        "last_reported",
        "current_range_meters",
        "current_fuel_percent",
        "station_id",
        "home_station_id",
        "pricing_plan_id",
        "vehicle_equipment",
        "available_until",
    }
)
MAIN_FILES: Final[Mapping[str, str]] = {
    "gbfs": f"{DISCOVERY}.json",
    "gtfs": "gtfs.zip",
    "gtfs-rt": "gtfs-rt.pb",
    "datex": "datex.xml",
    "counts": "counts.csv",
}
MEDIA_TYPES: Final[Mapping[str, str]] = {
    "json": "application/json",
    "zip": "application/zip",
    "pb": "application/x-protobuf",
    "xml": "application/xml",
    "csv": "text/csv; charset=utf-8",
}
# How often the hall looks where nothing younger is promised. [s]
_LOOKS_S: Final[Mapping[str, int]] = {"gtfs": 900, "counts": 900}
_LIVE_LOOKS_S: Final = 60
_FASTEST_LOOKS_S: Final = 20


@dataclass(frozen=True)
class Discovery:
    """What a discovery file lists: an address for each file; of several languages, one."""

    document: dict[str, Any]
    language: str | None
    urls: Mapping[str, str]


def look_every_s(feed_format: str, *, max_age_s: int) -> int:
    """Return how often the hall looks at a feed: at least twice in the age that is promised. [s]"""
    usual = _LOOKS_S.get(feed_format, _LIVE_LOOKS_S)
    return min(usual, max(_FASTEST_LOOKS_S, max_age_s // 2)) if max_age_s else usual


def media_type(name: str) -> str:
    """Return the media type of a file by the end of its name."""
    return MEDIA_TYPES[name.rpartition(".")[2]]


def read_discovery(body: bytes) -> Discovery:
    """Read a discovery file of GBFS 2.x or 3.x; files that are not passed on are left out.

    Raises
    ------
    Invalid
        If it is none, or lists nothing that is passed on.
    """
    document = read_json(body)
    try:
        data, language = document["data"], None
        if "feeds" not in data:
            language = "en" if "en" in data else min(data)
            data = data[language]
        urls = {str(each["name"]): str(each["url"]) for each in data["feeds"]}
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid("gbfs", N_("This is no discovery file of GBFS.")) from error
    urls = {name: url for name, url in urls.items() if name in GBFS_FILES - {DISCOVERY}}
    if not urls:
        raise Invalid("gbfs", N_("The discovery file lists no file of GBFS."))
    return Discovery(document, language, urls)


def served_discovery(found: Discovery, names: Collection[str]) -> bytes:
    """Return the discovery file as buyers get it: the files that are there, at the hall."""
    feeds = [
        {"name": name, "url": f"{PLACE_OF_FEED}{name}.json"} for name in found.urls if name in names
    ]
    listed: dict[str, Any] = {"feeds": feeds}
    data = listed if found.language is None else {found.language: listed}
    return write_json({**found.document, "data": data})


def at_address(body: bytes, address: str) -> bytes:
    """Return a stored discovery file with an address of the hall, ending in a slash, in it."""
    return body.replace(PLACE_OF_FEED.encode(), address.encode())


def as_given_out(name: str, body: bytes, rename: Callable[[str], str]) -> bytes:
    """Return a file of GBFS as it may be given out.

    Vehicles have other names, and no addresses that open them; the list of all the source's own
    feeds is not named any more.

    Parameters
    ----------
    name : str
        The file, as GBFS names it; files without either come back as they are.
    rename : callable
        Gives the same vehicle the same name.
    """
    if name == SYSTEM:
        document = read_json(body)
        if isinstance(document.get("data"), dict) and document["data"].pop("manifest_url", None):
            return write_json(document)
    if name not in VEHICLE_FILES:
        return body
    key, identifier = VEHICLE_FILES[name]
    document = read_json(body)
    document["data"] = {key: [_unnamed(each, identifier, rename) for each in document["data"][key]]}
    return write_json(document)


def _unnamed(
    vehicle: Mapping[str, Any], identifier: str, rename: Callable[[str], str]
) -> dict[str, Any]:
    known = {name: value for name, value in vehicle.items() if name in VEHICLE_FIELDS}
    return {identifier: rename(str(vehicle[identifier])), **known}


def record_count(name: str, body: bytes) -> int:
    """Return how many things a file of GBFS lists; one that lists nothing counts as one record."""
    data = read_json(body).get("data")
    if isinstance(data, dict):
        lists = [value for value in data.values() if isinstance(value, list)]
        if len(lists) == 1 and name != DISCOVERY:
            return len(lists[0])
    return 1


def read_json(body: bytes) -> dict[str, Any]:
    """Read a JSON object that nobody checked yet.

    Raises
    ------
    Invalid
        If it is none: cut off, nested without end, or with numbers that are none.
    """
    try:
        document = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Invalid("gbfs", N_("This is no JSON document.")) from error
    if not isinstance(document, dict):
        raise Invalid("gbfs", N_("This is no JSON document."))
    return document


def write_json(document: Mapping[str, Any]) -> bytes:
    """Write a document as it is given to buyers."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _refuse(name: str) -> None:
    raise ValueError(name)

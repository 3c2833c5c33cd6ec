"""Tell what a file is by its bytes alone; the name counts for nothing.

At most 256 KiB and a zip's directory are read. Recognition proposes, a person confirms, the
format's validator decides.
"""

from __future__ import annotations

import csv
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from gate.bounded import bounded
from gate.errors import Refused
from gate.limits import Limits
from gate.roles import format_of_columns
from gate.zips import check_directory

HEAD = 256 * 1024
GTFS_CORE = {"agency.txt", "routes.txt", "trips.txt", "stop_times.txt", "stops.txt"}
# The one member of "data" by which a GBFS file tells what it is.
GBFS_MEMBERS = {
    "bikes": "free_bike_status",
    "vehicles": "vehicle_status",
    "feeds": "gbfs",
    "vehicle_types": "vehicle_types",
    "plans": "system_pricing_plans",
    "regions": "system_regions",
    "alerts": "system_alerts",
    "geofencing_zones": "geofencing_zones",
    "rental_hours": "system_hours",
    "calendars": "system_calendar",
    "versions": "gbfs_versions",
    "datasets": "manifest",
}
DELIMITERS = ",;\t|"
# Declarations and comments before the first element, and columns looked at.
PROLOGUE_MAX = 100
COLUMNS_MAX = 1000


@dataclass(frozen=True)
class Recognised:
    """What a file is: a format of the hall, "table", "unknown" or "broken".

    ``detail`` says more: the version, the file of a GBFS feed, or why it is broken (a key of
    `gate.refusals.BROKEN`). ``compression`` is "gzip", "zip" or empty; ``container`` is csv,
    parquet, xml, json, protobuf or zip.
    """

    format: str
    detail: str = ""
    compression: str = ""
    container: str = ""


def recognise(path: Path) -> Recognised:
    """Tell what the file is; never raises for what it holds."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEAD)
        file.seek(max(0, size - 4))
        tail = file.read(4)
    if not head:
        return Recognised("broken", "empty")
    if head[:4] in (b"PAR1", b"PARE"):
        return _parquet(path, is_whole=tail == b"PAR1", is_encrypted=head[:4] == b"PARE")
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _zip(path)
    if head[:2] == b"\x1f\x8b":
        return _gzip(head, size)
    if version := realtime_version(head):
        return Recognised("gtfs-rt", version, "", "protobuf")
    return _text(head, "", is_cut=size > len(head))


def _parquet(path: Path, *, is_whole: bool, is_encrypted: bool) -> Recognised:
    if is_encrypted:
        return Recognised("broken", "parquet-encrypted", "", "parquet")
    if not is_whole:
        return Recognised("broken", "parquet-cut", "", "parquet")
    try:
        asked = {"path": str(path.absolute())}
        names = bounded("gate.parquet:column_names", asked, limits=Limits())
    except Refused:
        return Recognised("broken", "parquet-footer", "", "parquet")
    return Recognised(format_of_columns(names), "", "", "parquet")


def _zip(path: Path) -> Recognised:
    try:
        check_directory(path, name=path.name)
        with zipfile.ZipFile(path) as archive:
            names = {name.lower() for name in archive.namelist()}
    except Refused as refused:
        return Recognised("broken", refused.code, "zip", "zip")
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return Recognised("broken", "zip-broken", "zip", "zip")
    bare = {name.rsplit("/", 1)[-1] for name in names}
    if len(GTFS_CORE & names) >= 3:
        return Recognised("gtfs", "", "zip", "zip")
    if len(GTFS_CORE & bare) >= 3:
        return Recognised("broken", "gtfs-in-folder", "zip", "zip")
    if "gbfs.json" in bare:
        return Recognised("gbfs", "gbfs", "zip", "zip")
    return Recognised("unknown", "zip", "zip", "zip")


def _gzip(head: bytes, size: int) -> Recognised:
    try:
        inner = zlib.decompressobj(31).decompress(head, HEAD)
    except zlib.error:
        return Recognised("broken", "gzip-broken", "gzip")
    if not inner:
        return Recognised("broken", "empty", "gzip")
    return _text(inner, "gzip", is_cut=len(inner) == HEAD or size > len(head))


def realtime_version(head: bytes) -> str:
    """Return the version of a GTFS-Realtime message, or nothing for other bytes.

    Its field 1 (the header) comes first and starts with a version like "2.0"; after it only
    entities follow. No text can look like that.
    """
    try:
        if head[:1] != b"\x0a":
            return ""
        length, start = _varint(head, 1)
        header = head[start : start + length]
        if length > 256 or len(header) < length or header[:1] != b"\x0a":
            return ""
        count, begin = _varint(header, 1)
        version = header[begin : begin + count].decode("ascii")
    except (ValueError, IndexError):
        return ""
    follows = head[start + length : start + length + 1]
    is_one = re.fullmatch(r"\d{1,2}\.\d{1,2}", version) and follows in (b"", b"\x12")
    return version if is_one else ""


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 64, 7):
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
    raise ValueError("a number of more than 64 bits")


def _text(data: bytes, compression: str, *, is_cut: bool) -> Recognised:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return Recognised("broken", "utf16", compression)
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as e:
        if not is_cut or e.start <= len(data) - 4:
            is_text = sum(byte < 9 for byte in data[:4096]) == 0
            return Recognised("broken", "encoding" if is_text else "binary", compression)
        text = data[: e.start].decode("utf-8")
    if "\0" in text:
        return Recognised("broken", "nul", compression)
    text = text.lstrip()
    if text[:1] == "<":
        return _xml(text, compression)
    if text[:1] in ("{", "["):
        return _json(text, compression)
    return _csv(text, compression, is_cut=is_cut)


def _xml(text: str, compression: str) -> Recognised:
    if re.match(r"(?i)<!doctype html|<html", text):
        return Recognised("broken", "html", compression, "xml")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        return Recognised("broken", "xml-dtd", compression, "xml")
    root = re.match(r"<(?:[\w.-]{1,99}:)?([A-Za-z][\w.-]{0,99})[\s>/]", _after_prologue(text))
    name = root[1] if root else ""
    version = re.search(r"http://datex2\.eu/schema/(\d)(?:/|_)", text)
    if version or name in ("d2LogicalModel", "D2LogicalModel", "messageContainer"):
        return Recognised("datex", version[1] if version else "", compression, "xml")
    return Recognised("unknown", f"XML: {name[:60]}", compression, "xml")


def _after_prologue(text: str) -> str:
    """Return the text from its first element on: a search by pattern could take minutes here."""
    for _ in range(PROLOGUE_MAX):
        end = "?>" if text.startswith("<?") else "-->" if text.startswith("<!--") else ""
        if not end:
            break
        text = text.partition(end)[2].lstrip()
    return text


def _json(text: str, compression: str) -> Recognised:
    head = text[:65536]
    envelope = r'"(last_updated|ttl|data|header|entity)"\s*:'
    keys = set(re.findall(envelope, head))
    if {"last_updated", "ttl", "data"} <= keys:
        return Recognised("gbfs", gbfs_file(text), compression, "json")
    if {"header", "entity"} <= keys:
        return Recognised("unknown", "GTFS-Realtime as JSON", compression, "json")
    return Recognised("unknown", "JSON", compression, "json")


def gbfs_file(text: str) -> str:
    """Return which file of a GBFS feed this is, as its discovery file would name it."""
    inner = re.search(r'"data"\s*:\s*\{\s*"([^"]{1,40})"', text)
    key = inner[1] if inner else ""
    if key == "stations":
        is_status = re.search(r'"(num_bikes_available|num_vehicles_available|is_renting)"', text)
        return "station_status" if is_status else "station_information"
    if '"feeds"' in text and re.fullmatch(r"[a-z]{2,3}(-[A-Za-z]{2,4})?", key):
        return "gbfs"
    if key not in GBFS_MEMBERS and '"system_id"' in text:
        return "system_information"
    return GBFS_MEMBERS.get(key, key)


def _csv(text: str, compression: str, *, is_cut: bool) -> Recognised:
    lines = text.splitlines()[:50]
    if is_cut and len(lines) < 2:
        return Recognised("broken", "one-line", compression, "csv")
    if is_cut and len(lines) < 50:
        lines = lines[:-1]
    if not lines:
        return Recognised("unknown", "text", compression)
    delimiter = max(DELIMITERS, key=lines[0].count)
    try:
        rows = list(csv.reader(lines, delimiter=delimiter))
    except csv.Error:
        return Recognised("broken", "csv-quote", compression, "csv")
    header = [cell.strip() for cell in rows[0]]
    if len(header) < 2 or len({len(row) for row in rows if row}) > 3:
        return Recognised("unknown", "text", compression)
    if any(re.fullmatch(r"-?\d+(\.\d+)?", cell) for cell in header):
        return Recognised("broken", "csv-no-header", compression, "csv")
    return Recognised(format_of_columns(header[:COLUMNS_MAX]), delimiter, compression, "csv")

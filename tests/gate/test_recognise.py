"""What a file is, told by its bytes; and what is said of those that are nothing we take."""

from __future__ import annotations

import gzip
import json
import struct
import time
from pathlib import Path

import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest
from google.transit import gtfs_realtime_pb2

from gate.recognise import recognise
from gate.refusals import BROKEN, refusal_of
from tests.gate.mutilated import (
    COUNTS,
    GTFS,
    STATIONS,
    TRIPS,
    V2,
    V3,
    gbfs,
    parquet_of,
    parquet_parts,
    zipped,
)


def message() -> bytes:
    feed = gtfs_realtime_pb2.FeedMessage()
    feed.header.gtfs_realtime_version = "2.0"
    feed.header.timestamp = 1_790_000_000
    entity = feed.entity.add()
    entity.id = "1"
    data: bytes = feed.SerializeToString()
    return data


FEED = {name: json.dumps(document) for name, document in gbfs().items()}
SOUND: dict[str, tuple[bytes, str, str]] = {
    "trips": (TRIPS.encode(), "trips", ","),
    "trips with semicolons": (TRIPS.replace(",", ";").encode(), "trips", ";"),
    "trips after a byte order mark": (TRIPS.encode("utf-8-sig"), "trips", ","),
    "counts": (COUNTS.encode(), "counts", ","),
    "counts packed": (gzip.compress(COUNTS.encode()), "counts", ","),
    "stations": (STATIONS.encode(), "stations", ","),
    "some table": (b"a,b\n1,2\n", "table", ","),
    "DATEX 2": (V2.encode(), "datex", "2"),
    "DATEX 3": (V3.encode(), "datex", "3"),
    "a message": (message(), "gtfs-rt", "2.0"),
    "discovery": (FEED["gbfs"].encode(), "gbfs", "gbfs"),
    "status": (FEED["station_status"].encode(), "gbfs", "station_status"),
    "information": (FEED["station_information"].encode(), "gbfs", "station_information"),
    "system": (FEED["system_information"].encode(), "gbfs", "system_information"),
    "other JSON": (b'{"a": 1}', "unknown", "JSON"),
    "other XML": (b"<feed></feed>", "unknown", "XML: feed"),
    "prose": (b"Dear all\n\nthis is no table.\n", "unknown", "text"),
}
BAD: dict[str, bytes] = {
    "empty": b"",
    "utf16": TRIPS.encode("utf-16"),
    "encoding": "id,Straße\n1,x\n".encode("latin-1"),
    "binary": bytes(range(1, 256)),
    "nul": b"a,b\n1,\0\n",
    "html": b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>",
    "xml-dtd": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    "one-line": b"x" * 300_000,
    "csv-no-header": b"1,2\n3,4\n",
    "gzip-broken": b"\x1f\x8b\x08\x00" + b"\xff" * 40,
    "zip-broken": b"PK\x03\x04" + b"\0" * 100,
    "zip-many": b"PK\x03\x04" + b"\0" * 99 + b"PK\x05\x06" + b"\0" * 8 + b"\xff" * 8 + b"\0" * 2,
    "parquet-cut": parquet_of(*parquet_parts())[:-20],
    "parquet-encrypted": b"PARE" + b"\0" * 40 + b"PARE",
    "parquet-footer": b"PAR1" + b"\xff" * 40 + b"\x20\0\0\0PAR1",
}


@pytest.mark.parametrize("name", SOUND)
def test_a_file_is_told_by_its_bytes(tmp_path: Path, name: str) -> None:
    data, format_, detail = SOUND[name]
    path = tmp_path / "upload"
    path.write_bytes(data)

    found = recognise(path)

    assert (found.format, found.detail) == (format_, detail)
    taken = format_ not in ("unknown", "table")
    assert (refusal_of(found, "upload") is None) == taken


@pytest.mark.parametrize("code", BAD)
def test_what_is_broken_says_how_and_what_to_do(tmp_path: Path, code: str) -> None:
    path = tmp_path / "upload"
    path.write_bytes(BAD[code])

    found = recognise(path)
    refusal = refusal_of(found, "my file.csv")

    assert (found.format, found.detail) == ("broken", code)
    assert refusal is not None
    assert str(refusal).startswith("my file.csv: ")
    assert refusal.remedy.endswith(".")
    assert code in BROKEN


def test_archives_and_columns_are_told_by_what_is_inside(tmp_path: Path) -> None:
    inside = {f"feed/{name}": text for name, text in GTFS.items()}
    assert recognise(zipped(tmp_path / "a", GTFS)).format == "gtfs"
    assert recognise(zipped(tmp_path / "b", inside)).detail == "gtfs-in-folder"
    feed = {f"{name}.json": text for name, text in FEED.items()}
    assert recognise(zipped(tmp_path / "c", feed)).format == "gbfs"
    assert recognise(zipped(tmp_path / "d", {"a.txt": "x"})).format == "unknown"
    (tmp_path / "e").write_text(TRIPS)
    pq.write_table(pcsv.read_csv(tmp_path / "e"), tmp_path / "f")
    assert recognise(tmp_path / "f").format == "trips"


def test_no_text_takes_long_to_tell(tmp_path: Path) -> None:
    """Patterns that search again from each place would take a minute on one of these."""
    path = tmp_path / "upload"
    begun = time.monotonic()
    for text in ("<a " + "<!--" * 60_000, "<" + "<?" * 120_000, "<!--" * 60_000, "a," * 120_000):
        path.write_text(text + "\n" + text)
        assert recognise(path).format in ("unknown", "broken", "table")
    assert time.monotonic() - begun < 5


def test_an_archive_in_the_long_form_is_told_too(tmp_path: Path) -> None:
    """Tools that write before they know the length use it for small archives as well."""
    path = zipped(tmp_path / "feed", GTFS)
    data = path.read_bytes()
    at = data.rindex(b"PK\x05\x06")
    size, offset = struct.unpack("<II", data[at + 12 : at + 20])
    entries = struct.unpack("<H", data[at + 10 : at + 12])[0]
    for length, format_, detail in ((size, "gtfs", ""), (1 << 40, "broken", "zip-many")):
        end = struct.pack(
            "<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, entries, entries, length, offset
        )
        locator = struct.pack("<IIQI", 0x07064B50, 0, at, 1)
        path.write_bytes(data[:at] + end + locator + data[at:])
        found = recognise(path)
        assert (found.format, found.detail) == (format_, detail)

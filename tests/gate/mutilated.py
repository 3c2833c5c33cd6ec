"""Small sound inputs of each format, made here, and ways to break them."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gate.formats import Checked, Options
from gate.formats.checking import judge
from gate.limits import Limits

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
TRIPS = """trip_id,start_time,end_time,start_station_id,end_station_id,duration,note
1,2026-03-01 08:00:00,2026-03-01 08:20:00,A,B,1200,x
2,2026-03-01 09:00:00,2026-03-01 09:10:00,B,A,600,y
"""
COUNTS = """detector_id,time,vehicles
D1,2026-03-01 00:00,12
D1,2026-03-01 00:15,14
D2,2026-03-01 00:00,3
D2,2026-03-01 00:15,0
D2,2026-03-01 00:30,5
"""
STATIONS = "station_id,lat,lon\nA,48.1,11.5\nB,48.2,11.6\n"
GTFS: dict[str, str] = {
    "agency.txt": "agency_id,agency_name,agency_url,agency_timezone\n"
    "A,City,https://example.org,Europe/Berlin\n",
    "stops.txt": "stop_id,stop_name,stop_lat,stop_lon\nS1,One,48.1,11.5\nS2,Two,48.2,11.6\n",
    "routes.txt": "route_id,agency_id,route_short_name,route_type\nR,A,1,3\n",
    "calendar.txt": "service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,"
    "start_date,end_date\nW,1,1,1,1,1,1,1,20260301,20261231\n",
    "trips.txt": "route_id,service_id,trip_id\nR,W,T1\n",
    "stop_times.txt": "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n"
    "T1,08:00:00,08:00:00,S1,1\nT1,08:10:00,08:10:00,S2,2\n",
}
V3 = """<?xml version="1.0"?>
<mc:messageContainer xmlns:mc="http://datex2.eu/schema/3/messageContainer"
 xmlns:roa="http://datex2.eu/schema/3/roadTrafficData" xmlns:com="http://datex2.eu/schema/3/common">
<mc:payload xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
 xsi:type="roa:MeasuredDataPublication" lang="en">
<com:publicationTime>2026-10-01T18:58:00Z</com:publicationTime>
<roa:siteMeasurements>
<roa:measurementSiteReference id="D1" version="1"/>
<roa:physicalQuantity index="1"><roa:physicalQuantity xsi:type="roa:SinglePhysicalQuantity">
<roa:basicData xsi:type="roa:TrafficFlow"><roa:vehicleFlow>
<com:vehicleFlowRate>240</com:vehicleFlowRate>
</roa:vehicleFlow></roa:basicData></roa:physicalQuantity></roa:physicalQuantity>
<roa:measurementTimeDefault><roa:timeValue>2026-10-01T18:55:00Z</roa:timeValue>
</roa:measurementTimeDefault></roa:siteMeasurements></mc:payload></mc:messageContainer>
"""
V2 = """<?xml version="1.0"?>
<d2LogicalModel xmlns="http://datex2.eu/schema/2/2_0"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" modelBaseVersion="2">
<payloadPublication xsi:type="MeasuredDataPublication" lang="en">
<publicationTime>2026-10-01T18:58:00Z</publicationTime>
<siteMeasurements><measurementSiteReference id="D1" version="1"/>
<measurementTimeDefault>2026-10-01T18:55:00Z</measurementTimeDefault>
<measuredValue index="1"><measuredValue><basicData xsi:type="TrafficFlow"><vehicleFlow>
<vehicleFlowRate>240</vehicleFlowRate></vehicleFlow></basicData></measuredValue></measuredValue>
</siteMeasurements></payloadPublication></d2LogicalModel>
"""


def judged(
    path: Path,
    format_: str,
    *,
    at: datetime = AT,
    zone: str = "UTC",
    columns: Mapping[str, str] | None = None,
    companions: Mapping[str, Path] | None = None,
    limits: Limits | None = None,
) -> Checked:
    """Check in this process: for inputs that do no more harm than to be wrong."""
    said = judge(
        format=format_,
        path=str(path),
        name=path.name,
        at=at.isoformat(),
        companions={key: str(one) for key, one in (companions or {}).items()},
        options=Options(zone=zone, columns=columns or {}).as_json(),
        limits=(limits or Limits()).as_json(),
    )
    json.dumps(said, allow_nan=False)
    return Checked.from_json(said)


def codes(checked: Checked) -> dict[str, int]:
    return {one.code: one.count for one in checked.findings}


def zipped(path: Path, files: Mapping[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def gbfs(change: Callable[[dict[str, Any]], object] = lambda _: None) -> dict[str, Any]:
    """Return a small sound feed of GBFS 2.3, after a change to it."""
    updated = int(AT.timestamp()) - 30
    head = {"last_updated": updated, "ttl": 60, "version": "2.3"}
    names = ("system_information", "station_information", "station_status", "vehicle_types")
    feeds = [{"name": one, "url": f"https://bikes.example/{one}.json"} for one in names]
    system = {
        "system_id": "b",
        "language": "en",
        "name": "Bikes",
        "timezone": "Europe/Berlin",
    }
    stations = [
        {"station_id": f"S{n}", "name": f"{n}", "lat": 48.1 + n, "lon": 11.5, "capacity": 10}
        for n in range(2)
    ]
    status = [
        {
            "station_id": f"S{n}",
            "num_bikes_available": 4,
            "num_bikes_disabled": 1,
            "num_docks_available": 5,
            "is_installed": True,
            "is_renting": True,
            "is_returning": True,
            "last_reported": updated,
            "vehicle_types_available": [{"vehicle_type_id": "bike", "count": 4}],
        }
        for n in range(2)
    ]
    kinds = [{"vehicle_type_id": "bike", "form_factor": "bicycle", "propulsion_type": "human"}]
    feed: dict[str, Any] = {
        "gbfs": {**head, "data": {"en": {"feeds": feeds}}},
        "system_information": {**head, "data": system},
        "station_information": {**head, "data": {"stations": stations}},
        "station_status": {**head, "data": {"stations": status}},
        "vehicle_types": {**head, "data": {"vehicle_types": kinds}},
    }
    change(feed)
    return feed


def written(folder: Path, feed: Mapping[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, document in feed.items():
        text = document if isinstance(document, str) else json.dumps(document)
        (folder / f"{name}.json").write_text(text)
    return folder


def parquet_parts() -> tuple[bytes, bytes]:
    """Return body and footer of a sound file of 40,000 trips in row groups of 10,000."""
    rows = 40_000
    start = pa.array([1_772_350_000_000_000 + 1_000_000 * n for n in range(rows)], pa.int64())
    end = pa.array([1_772_350_600_000_000 + 1_000_000 * n for n in range(rows)], pa.int64())
    type_ = pa.timestamp("us", "UTC")
    table = pa.table(
        {
            "start_time": start.cast(type_),
            "end_time": end.cast(type_),
            "start_station_id": [f"S{n % 97}" for n in range(rows)],
            "end_station_id": [f"S{n % 89}" for n in range(rows)],
        }
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", row_group_size=10_000)
    data = sink.getvalue().to_pybytes()
    length = struct.unpack("<I", data[-8:-4])[0]
    return data[: -8 - length], data[-8 - length : -8]


def parquet_of(body: bytes, footer: bytes) -> bytes:
    return body + footer + struct.pack("<I", len(footer)) + b"PAR1"


def varint(number: int) -> bytes:
    """Return a number as Thrift's compact protocol writes it: zigzag, seven bits a byte."""
    number = (number << 1) ^ (number >> 63)
    out = b""
    while True:
        bits, number = number & 127, number >> 7
        if not number:
            return out + bytes([bits])
        out += bytes([bits | 128])

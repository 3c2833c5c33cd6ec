"""A bike-share operator's own server for the demo: GBFS 2.3 of stations that are made up.

    python -m config.embedded.demo_feed PORT STATIONS_CSV

On loopback only. How many bikes stand at a station follows from the clock, so that two looks at
the same moment agree and a restart changes nothing.
"""

import csv
import json
import math
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

VERSION: Final = "2.3"
TTL_S: Final = 60
DAY_S: Final = 86_400
Document = dict[str, Any]


def main(argv: list[str]) -> int:
    """Serve until the process is stopped."""
    port, stations = int(argv[1]), read_stations(Path(argv[2]))
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(stations, port))
    server.serve_forever()
    return 0


def read_stations(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table of stations."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def documents(
    stations: list[dict[str, str]], *, base: str, now_s: int
) -> dict[str, Callable[[], Document]]:
    """Return what the server answers by name."""

    def wrapped(data: Document) -> Document:
        return {"last_updated": now_s, "ttl": TTL_S, "version": VERSION, "data": data}

    names = ("system_information", "station_information", "station_status")
    feeds = [{"name": name, "url": f"{base}/{name}.json"} for name in names]
    system = {
        "system_id": "heliopolis_bikes",
        "language": "en",
        "name": "Heliopolis Bikes (synthetic)",
        "timezone": "Asia/Shanghai",
    }
    return {
        "gbfs": lambda: wrapped({"en": {"feeds": feeds}}),
        "system_information": lambda: wrapped(system),
        "station_information": lambda: wrapped({"stations": [_station(row) for row in stations]}),
        "station_status": lambda: wrapped({"stations": [_status(row, now_s) for row in stations]}),
    }


def _station(row: dict[str, str]) -> Document:
    return {
        "station_id": row["station_id"],
        "name": row["name"],
        "lat": float(row["lat"]),
        "lon": float(row["lon"]),
        "capacity": int(row["dock_count"]),
    }


def _status(row: dict[str, str], now_s: int) -> Document:
    """Return a station's bikes: full by night where people live, by day where they work."""
    capacity, number = int(row["dock_count"]), int(row["station_id"])
    minute = now_s - now_s % 60
    phase = 0.0 if number <= 9 else math.pi
    wave = math.cos(2 * math.pi * (minute % DAY_S) / DAY_S + phase)
    ripple = math.sin(minute / 700 + number)
    bikes = round(capacity * (0.5 + 0.35 * wave + 0.1 * ripple))
    bikes = min(max(bikes, 0), capacity)
    return {
        "station_id": row["station_id"],
        "num_bikes_available": bikes,
        "num_docks_available": capacity - bikes,
        "is_installed": True,
        "is_renting": True,
        "is_returning": True,
        "last_reported": minute,
    }


def _handler(stations: list[dict[str, str]], port: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.removeprefix("/").removesuffix(".json")
            base = f"http://127.0.0.1:{port}"
            known = documents(stations, base=base, now_s=int(time.time()))
            if name not in known:
                self.send_error(404)
                return
            body = json.dumps(known[name]()).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            """Say nothing: the hall asks every minute."""

    return Handler


if __name__ == "__main__":
    sys.exit(main(sys.argv))

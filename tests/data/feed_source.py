"""A provider's own server on this machine: made-up GBFS, or any files, and how they fail."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Source:
    """What the server answers, by path; tests change it while it runs."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.status = 200
        self.hangs = threading.Event()
        self.over = threading.Event()
        self.asked: list[str] = []
        self.port = 0

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}"

    def put(self, name: str, document: dict[str, Any]) -> None:
        self.files[f"/{name}"] = json.dumps(document).encode()

    def get(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.files[f"/{name}"])
        return found

    def put_folder(self, folder: Path, now: datetime) -> None:
        """Serve a folder of GBFS as if it had been written now, and at this server."""
        for path in folder.glob("*.json"):
            self.put(path.stem, json.loads(path.read_text(encoding="utf-8")))
        discovery = self.get("gbfs")
        lists = [discovery["data"], *discovery["data"].values()]
        for each in lists:
            for feed in each.get("feeds", []) if isinstance(each, dict) else []:
                feed["url"] = self.url(feed["name"])
        self.put("gbfs", discovery)
        self.freshen(now)

    def freshen(self, now: datetime) -> None:
        """Write every file anew as of a moment."""
        for path in list(self.files):
            if "." in path:
                continue
            document = json.loads(self.files[path])
            is_text = isinstance(document["last_updated"], str)
            moment: int | str = now.isoformat() if is_text else int(now.timestamp())
            document["last_updated"] = moment
            for station in document["data"].get("stations", []):
                if "last_reported" in station:
                    station["last_reported"] = moment
            self.put(path.removeprefix("/"), document)

    def put_stations(self, count: int, now: datetime) -> None:
        """Serve a made-up system of stations, each with five bikes and five docks."""
        stations = [{"station_id": f"s{number}"} for number in range(count)]
        bodies: dict[str, dict[str, Any]] = {
            "system_information": {
                "system_id": "made-up",
                "language": "en",
                "name": "Made-up bikes",
                "timezone": "Etc/UTC",
            },
            "station_information": {
                "stations": [
                    {**one, "name": "Corner", "lat": 10.0 + at, "lon": 20.0, "capacity": 10}
                    for at, one in enumerate(stations)
                ]
            },
            "station_status": {
                "stations": [
                    {
                        **one,
                        "num_bikes_available": 5,
                        "num_docks_available": 5,
                        "is_installed": True,
                        "is_renting": True,
                        "is_returning": True,
                        "last_reported": 0,
                    }
                    for one in stations
                ]
            },
        }
        feeds = [{"name": name, "url": self.url(name)} for name in bodies]
        bodies["gbfs"] = {"en": {"feeds": feeds}}
        for name, data in bodies.items():
            self.put(name, {"last_updated": 0, "ttl": 0, "version": "2.3", "data": data})
        self.freshen(now)


@contextmanager
def running_source() -> Iterator[Source]:
    """Run the server until left."""
    source = Source()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            source.asked.append(self.path)
            if source.hangs.is_set():
                source.over.wait(30)
                return
            body = source.files.get(self.path)
            self.send_response(source.status if body is not None else 404)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    source.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield source
    finally:
        source.over.set()
        server.shutdown()
        thread.join()
        server.server_close()

"""Catalogue search with facets over many products, against reading a single one.

Both over HTTP, of the same web server on the same durable database, in turns: as pages, and over
the API. What the database alone takes is printed beside it.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from random import Random
from statistics import quantiles
from typing import Final
from urllib.parse import urlencode

from benchmarks.catalogue_hall import SEED, searches
from benchmarks.servers import PROJECT, child_environment, durable_servers, make_database
from benchmarks.table import Row
from benchmarks.web_server import web_server

PRODUCTS: Final = 16_000
RATIO_MAX: Final = 8.0
ASKED: Final = 240
WARM: Final = 12
# Facets in the words of the API, where they are others than the page's.
_OF_API: Final = {"q": "text", "from": "first_day", "to": "last_day", "format": "data_format"}


def measure() -> list[Row]:
    """Make the hall, ask it, and compare the 95th percentiles."""
    with durable_servers() as (pair, folder):
        make_database(pair, folder, "catalogue")
        environment = {
            **child_environment(pair, folder, "catalogue"),
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "HELIOPOLIS_SECRET_KEY": "only-for-measuring",
        }
        argv = [sys.executable, "-m", "benchmarks.catalogue_hall", str(PRODUCTS)]
        done = subprocess.run(
            argv, cwd=PROJECT, env=environment, check=True, stdout=subprocess.PIPE, text=True
        )
        made = json.loads(done.stdout)
        with web_server(environment, workers=1) as port:
            asker = Asker(port, made["session"], made["ids"])
            page, product = asker.turns("/catalogue", "/catalogue/{}")
            found, single = asker.turns("/api/v1/data/catalogue/", "/api/v1/data/catalogue/{}/")
    label = f"catalogue of {PRODUCTS:,}"
    return [
        Row(f"{label}, search page / product page, p95", page / product, "x", RATIO_MAX),
        Row(f"{label}, search / product over the API, p95", found / single, "x", RATIO_MAX),
        Row(f"{label}, search page, p95", page * 1e3, "ms"),
        Row(f"{label}, product page, p95", product * 1e3, "ms"),
        Row(f"{label}, search over the API, p95", found * 1e3, "ms"),
        Row(f"{label}, product over the API, p95", single * 1e3, "ms"),
        Row(f"{label}, search without HTTP, p95", _p95(made["search_s"]) * 1e3, "ms"),
        Row(f"{label}, row by key without HTTP, p95", _p95(made["read_s"]) * 1e3, "ms"),
        Row(f"{label}, writing all entries", made["written_s"], "s"),
    ]


class Asker:
    """Somebody signed in who asks over one connection."""

    def __init__(self, port: int, session: str, ids: list[int]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = {"Cookie": f"sessionid={session}"}
        self._ids = ids

    def turns(self, search: str, product: str) -> tuple[float, float]:
        """Search and read in turns; return both 95th percentiles. [s]"""
        random = Random(SEED)
        asked = searches(random)
        searched: list[float] = []
        read: list[float] = []
        for _ in range(WARM + ASKED):
            query = urlencode(_written(next(asked), is_api=search.startswith("/api/")))
            searched.append(self._ask(f"{search}?{query}"))
            read.append(self._ask(product.format(random.choice(self._ids))))
        return _p95(searched[WARM:]), _p95(read[WARM:])

    def _ask(self, path: str) -> float:
        started = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        took = time.perf_counter() - started
        if answer.status != http.client.OK:
            raise RuntimeError(f"{path} answered {answer.status}: {body[:200]!r}")
        return took


def _written(query: dict[str, str], *, is_api: bool) -> dict[str, str]:
    """Return a search as the page or the API takes it: degrees or microdegrees."""
    if not is_api:
        return query
    edges = ("west", "south", "east", "north")
    return {
        _OF_API.get(name, name): str(round(float(value) * 10**6)) if name in edges else value
        for name, value in query.items()
    }


def _p95(seconds: list[float]) -> float:
    return quantiles(seconds, n=20)[-1]

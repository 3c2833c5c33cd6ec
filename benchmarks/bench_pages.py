"""Server time of every page of a large synthetic city, beside a trivial page of the same run.

    python -m benchmarks.bench_pages            # of the city in DATABASE_URL, page by page

A page is whatever somebody of the city reaches from their home by links: one of each kind. Cold is
the first request for it after the database and the process were started anew; warm is what comes
after. Times are those of the server's work, without network: middleware, view, queries, template.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from html import unescape
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from benchmarks.servers import (
    PROJECT,
    child_environment,
    durable_servers,
    make_database,
    write_out,
)
from benchmarks.table import Row, format_table

if TYPE_CHECKING:
    from django.test import Client

HOUSEHOLDS: Final = 10_000
DAYS: Final = 7
PAST_DAYS: Final = 365
WARM_RATIO_MAX: Final = 6.0
COLD_RATIO_MAX: Final = 25.0
WARM_P95_MS: Final = 150.0
COLD_P95_MS: Final = 600.0
WARM_TURNS: Final = 20
PAGES_MAX: Final = 80  # of one person
TRIVIAL: Final = "mail_settings"
_LINK: Final = re.compile(r"""\b(?:href|hx-get)="(/[^"#]*)""")
# No pages: they end a session, or are files and streams.
_LEFT_OUT: Final = re.compile(r"\.(?:csv|json|pdf|parquet|css|js|svg|xlsx|zip)\b|sign-out|/static/")
_CHILD: Final = "import django; django.setup(); from benchmarks import bench_pages as b; b.look()"


@dataclass
class Page:
    """One page as one person sees it. [ms], [bytes]"""

    person: str
    name: str
    path: str
    cold_ms: float
    size: int
    status: int
    warm_ms: list[float] = field(default_factory=list)

    @property
    def p95_ms(self) -> float:
        """Return what 95 of 100 warm requests stay below."""
        return quantiles(self.warm_ms, n=20, method="inclusive")[-1]


def measure() -> list[Row]:
    """Build the city, start everything anew, and look at every page."""
    with durable_servers() as (pair, folder):
        make_database(pair, folder, "pages")
        environment = {
            **child_environment(pair, folder, "pages"),
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "HELIOPOLIS_SECRET_KEY": "only-for-measuring",
        }
        # Receipts are pages too, and need the log's key.
        subprocess.run(
            [sys.executable, "manage.py", "log_keys"],
            cwd=PROJECT,
            env=environment,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        started = time.perf_counter()
        size = [f"--households={HOUSEHOLDS}", f"--days={DAYS}", f"--rollup-days={PAST_DAYS}"]
        subprocess.run(
            [sys.executable, "manage.py", "seed_city", *size],
            cwd=PROJECT,
            env=environment,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        seeded_s = time.perf_counter() - started
        write_out(pair)
        pair.postgres.stop()
        pair.postgres.start()
        environment |= child_environment(pair, folder, "pages")
        out = folder / "pages.json"
        subprocess.run(
            [sys.executable, "-c", _CHILD, str(out)], cwd=PROJECT, env=environment, check=True
        )
        pages = [Page(**each) for each in json.loads(out.read_text(encoding="utf-8"))]
    return [*rows_of(pages), Row("pages, city seeded in", seeded_s, "s")]


def rows_of(pages: list[Page]) -> list[Row]:
    """Return the worst of all pages against the limits, then each page."""
    every = [took for each in pages if each.name == TRIVIAL for took in each.warm_ms]
    trivial = quantiles(every, n=20, method="inclusive")[-1]
    warm = max(pages, key=lambda each: each.p95_ms)
    cold = max(pages, key=lambda each: each.cold_ms)
    size = f"{HOUSEHOLDS:,} households"
    return [
        Row(
            f"pages, {size}: slowest warm p95 ({warm.name}) / trivial page",
            warm.p95_ms / trivial,
            "x",
            WARM_RATIO_MAX,
        ),
        Row(
            f"pages, {size}: slowest cold ({cold.name}) / trivial page",
            cold.cold_ms / trivial,
            "x",
            COLD_RATIO_MAX,
        ),
        Row(f"pages, {size}: slowest warm p95", warm.p95_ms, "ms", WARM_P95_MS),
        Row(f"pages, {size}: slowest cold", cold.cold_ms, "ms", COLD_P95_MS),
        Row("pages, trivial page, warm p95", trivial, "ms"),
        *(
            Row(f"page {each.name} as {each.person}, warm p95", each.p95_ms, "ms")
            for each in sorted(pages, key=lambda each: -each.p95_ms)
        ),
    ]


def look() -> None:
    """Look at every page of every person, in a process of its own, and write what it took."""
    pages = look_at_pages()
    Path(sys.argv[1]).write_text(json.dumps([asdict(each) for each in pages]), encoding="utf-8")


def look_at_pages() -> list[Page]:
    """Return every page that anybody of the city reaches: first cold, then warm."""
    from config.seed.city import PEOPLE

    found = [(person.email, _reached(person.role, _signed_in(person.email))) for person in PEOPLE]
    for email, pages in found:
        client = _signed_in(email)
        # Turn by turn, so that whatever else the machine does meanwhile is spread over all.
        for _ in range(WARM_TURNS):
            for page in pages:
                page.warm_ms.append(_timed(client, page.path)[0])
    return [page for _, pages in found for page in pages]


def _signed_in(email: str) -> Client:
    from django.test import Client

    from marketplace.models import User

    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.get(email=email), "django.contrib.auth.backends.ModelBackend")
    return client


def _reached(role: str, client: Client) -> list[Page]:
    """Follow links from home, and return the first page of each name."""
    from django.urls import Resolver404, resolve, reverse

    waiting, known = deque(["/", reverse(TRIVIAL)]), set[str]()
    pages: list[Page] = []
    while waiting and len(pages) < PAGES_MAX:
        path = waiting.popleft()
        try:
            name = resolve(urlsplit(path).path).view_name
        except Resolver404:
            continue
        if name in known:
            continue
        took, status, body, target = _timed(client, path)
        if target:
            waiting.appendleft(target)
            continue
        known.add(name)
        if body is None:
            continue
        pages.append(Page(role, name, path, took, len(body), status))
        waiting += [
            link for link in map(unescape, _LINK.findall(body)) if not _LEFT_OUT.search(link)
        ]
    return pages


def _timed(client: Client, path: str) -> tuple[float, int, str | None, str]:
    """Return the time [ms], the status, the body of a page, and where else it leads."""
    started = time.perf_counter()
    response = client.get(path)
    body = b"" if response.streaming else response.content
    took = (time.perf_counter() - started) * 1000
    if response.status_code in {301, 302, 303}:
        return took, response.status_code, None, response.headers["Location"]
    if not response.headers.get("Content-Type", "").startswith("text/html"):
        return took, response.status_code, None, ""
    return took, response.status_code, body.decode(), ""


def main() -> None:
    """Look at the pages of the city that the environment names, and print them."""
    import django

    django.setup()
    pages = look_at_pages()
    print(format_table(rows_of(pages)))
    for each in sorted(pages, key=lambda page: -page.cold_ms):
        print(
            f"{each.p95_ms:8.0f} ms p95 {each.cold_ms:8.0f} ms cold {each.size / 1024:6.0f} kB"
            f" {each.status} {each.person:14} {each.name:28} {each.path}"
        )


if __name__ == "__main__":
    main()

"""A real browser on a real web server on a committed database."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import pytest
from playwright.sync_api import Browser, sync_playwright

from analytics.services import make_forecasts
from tests import databases
from tests.conftest import CommittedDatabase
from tests.web.city import NOW, City, build_city

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def chromium() -> None:
    """Skip where there is no browser."""
    if not CHROMIUM.exists():
        pytest.skip(f"no browser: {CHROMIUM} is not there")


@pytest.fixture
def served_city(
    chromium: None, committed_db: CommittedDatabase, tmp_path: Path
) -> Iterator[tuple[City, str]]:
    """Return a city and the address of a web server that shows it."""
    city = build_city(tmp_path)
    assert make_forecasts(place=city.place(), now=NOW)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"]
    command += ["--threads", "4", "--log-level", "error", "config.wsgi:application"]
    environment = {**os.environ, **committed_db.env}
    with subprocess.Popen(command, cwd=databases.PROJECT, env=environment) as server:
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(f"{address}/healthz")
            yield city, address
        finally:
            server.terminate()


@pytest.fixture
def browser(served_city: tuple[City, str]) -> Iterator[Browser]:
    # After the database and away before it: Playwright's loop runs in this thread, and Django
    # refuses to touch a database where one runs.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


def _wait_for(url: str) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(url):  # noqa: S310 - our own address
                return
        except (URLError, ConnectionError):
            time.sleep(0.1)
    raise TimeoutError(url)

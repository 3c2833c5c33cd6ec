"""A real browser on a real web server on a database of its own, all for one session."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import URLError

import pytest
from django.conf import settings
from playwright.sync_api import Browser, sync_playwright
from pytest_django.plugin import DjangoDbBlocker

from analytics.services import make_forecasts, publish_due_figures
from config.log.keys import make_signer, read_policy
from ledger.services.attestation import attest_checkpoint
from ledger.services.log_folder import LogFolder
from ledger.services.publisher import LogPublisher
from marketplace.models import User
from marketplace.services.data.catalogue import refresh_many
from marketplace.services.wallets import open_wallet, post_deposit
from tests import databases
from tests.data import catalogue_products as products
from tests.data.busy_market import trade
from tests.data.exchanging import Trader
from tests.log.lying_operator import working_on
from tests.web.city import NOW, City, address, build_city

CHROMIUM = Path("/usr/bin/chromium")
# The city's month is over by then, and its public figures are due.
PUBLISHED = datetime(2026, 7, 6, tzinfo=UTC)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def chromium() -> None:
    """Skip where there is no browser."""
    if not CHROMIUM.exists():
        pytest.skip(f"no browser: {CHROMIUM} is not there")


@pytest.fixture(scope="session")
def served_city(
    chromium: None,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[City, str]]:
    """Return a city with a published log, and the address of a web server that shows it."""
    folder, database = tmp_path_factory.mktemp("served"), f"{databases.worker_name()}_served"
    databases.clone_template(database)
    places = {
        f"LOG_{name}": folder / name.lower() for name in ("FOLDER", "KEY_FILE", "POLICY_FILE")
    }
    places |= {"DATA_FOLDER": folder / "data", "DATA_KEY_FILE": folder / "data.key"}
    with django_db_blocker.unblock(), working_on(database, places):
        city = build_city(folder)
        assert make_forecasts(place=city.place(), now=NOW)
        assert publish_due_figures(now=PUBLISHED) == 1
        _list_data(city)
        _trade_data(city)
        _publish()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"]
    command += ["--threads", "4", "--log-level", "error", "config.wsgi:application"]
    environment = {
        **os.environ,
        "DATABASE_URL": databases.url_of(os.environ["DATABASE_URL"], database),
        **{f"HELIOPOLIS_{name.removesuffix('_FILE')}": str(at) for name, at in places.items()},
    }
    with subprocess.Popen(command, cwd=databases.PROJECT, env=environment) as server:
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(f"{address}/healthz")
            yield city, address
        finally:
            server.terminate()
    databases.drop(database)


def _list_data(city: City) -> None:
    """List a file and a feed that was looked at, far from each other."""
    provider = city.participant_ids["dora"]
    cairns = products.profile(bbox=[145_600_000, -17_000_000, 145_800_000, -16_800_000])
    file = products.product(provider, now=NOW, title="Loop counts of the harbour")
    feed = products.product(provider, "gbfs", now=NOW, title="Bikes of Cairns", profile=cairns)
    products.look(feed, until=NOW)
    refresh_many(product_ids=[file, feed], now=NOW)


def _trade_data(city: City) -> None:
    """Let Erin ask, buy, complain and pay."""
    dora, erin = (
        Trader(User.objects.get(email=address(name)), city.participant_ids[name])
        for name in ("dora", "erin")
    )
    for each in (dora, erin):
        open_wallet(participant_id=each.participant_id, currency="CNY")
    now = datetime.now(UTC)
    post_deposit(participant_id=erin.participant_id, amount_micro=10**9, reference="erin", now=now)
    trade(dora, erin, now)


def _publish() -> None:
    """Sign what is booked; without a policy the log alone attests."""
    now = datetime.now(UTC)
    publisher = LogPublisher(folder=LogFolder(settings.LOG_FOLDER), signer=make_signer())
    publisher.open()
    signed = publisher.publish_new(now=now)
    assert signed is not None
    attest_checkpoint(size=signed.size, policy=read_policy(), now=now)


@pytest.fixture(scope="module")
def browser(served_city: tuple[City, str]) -> Iterator[Browser]:
    # Away before other tests: Playwright's loop runs in this thread, and Django refuses to touch a
    # database where one runs.
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

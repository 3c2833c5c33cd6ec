"""Show 2: `./dev run` attests with one validator gone, waits with two gone, and catches up."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.embedded import process
from ledger.domain import notes
from ledger.domain.notes import Note
from ledger.domain.policy import Policy
from tests.embedded.processes import processes_of, wait_until
from tests.embedded.test_supervisor import PROJECT, Run

# A command of the application: a document, so that the next block has something to say.
SUBMIT = """
import sys, django
django.setup()
from datetime import UTC, datetime
from ledger.domain.documents import Document
from ledger.services import submit
document = Document("note", {"text": sys.argv[1]})
submit(commands=[document.command(sys.argv[1])], submitted_at=datetime.now(UTC))
"""


class City(Run):
    """The whole program, and its log as anybody sees it."""

    def get(self, path: str) -> bytes | None:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self.address}/log/{path}", timeout=10) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def size(self, path: str) -> int:
        data = self.get(path)
        return 0 if data is None else notes.Checkpoint.parse(Note.parse(data).text).size

    def submit(self, key: str) -> None:
        """Have something booked, and wait until the log has signed it."""
        before = self.size("pending")
        servers = json.loads((self.state / "servers.json").read_text())["environment"]
        environment = {
            **os.environ,
            **servers,
            "HELIOPOLIS_STATE": str(self.state),
            "HELIOPOLIS_SECRET_KEY": "only-for-tests",
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }
        subprocess.run(
            [sys.executable, "-c", SUBMIT, key], cwd=PROJECT, env=environment, check=True
        )
        wait_until(lambda: self.size("pending") > before)

    def hold_down(self, number: int) -> None:
        """Kill a validator, and let it fail at every start until it may come back."""
        self.config(number).rename(self.config(number).with_name("away.toml"))
        os.kill(self.pid_of(f"validators/{number}/validator.toml"), signal.SIGKILL)
        wait_until(lambda: not self.is_running(number))

    def let_come_back(self, number: int) -> None:
        self.config(number).with_name("away.toml").rename(self.config(number))
        wait_until(lambda: self.is_running(number), seconds=60)

    def is_running(self, number: int) -> bool:
        wanted = f"validators/{number}/validator.toml"
        return any(re.search(wanted, line) for line in processes_of(self.state))

    def config(self, number: int) -> Path:
        return self.state / "validators" / str(number) / "validator.toml"


@pytest.fixture(scope="module")
def city(make_open_folder: Callable[[], Path]) -> Iterator[City]:
    named = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "HELIOPOLIS_SECRET_KEY", "PORT")
    kept = {name: value for name, value in os.environ.items() if name not in named}
    state = make_open_folder() / "state"
    city = City({**kept, "HELIOPOLIS_STATE": str(state)}, process.free_port())
    city.wait_until_up()
    yield city
    city.end(signal.SIGTERM)
    assert city.process.stdout is not None
    city.process.stdout.close()
    assert processes_of(city.state) == []


def test_it_is_attested_says_what_that_shows_and_survives_one_of_four(city: City) -> None:
    assert "they\nare not independent" in city.said
    wait_until(lambda: city.size("checkpoint") == city.size("pending") > 0, seconds=60)
    policy = Policy.parse(city.get("policy") or b"")
    verdict = policy.verify(Note.parse(city.get("checkpoint") or b""))
    assert verdict.satisfied
    assert len(verdict.cosigned & set(policy.cosigners().validators)) >= 3
    assert len(policy.cosigners().validators) == 4

    city.hold_down(4)
    city.submit("with-one-gone")
    wait_until(lambda: city.size("checkpoint") == city.size("pending"), seconds=60)

    city.hold_down(3)
    attested = city.size("checkpoint")
    city.submit("with-two-gone")
    wait_until(lambda: is_cosigned_by(city, 1) and is_cosigned_by(city, 2), seconds=60)
    assert city.size("checkpoint") == attested < city.size("pending")
    assert city.health() == 200

    city.let_come_back(3)
    wait_until(lambda: city.size("checkpoint") == city.size("pending"), seconds=60)
    assert city.get("objections") == b""


def is_cosigned_by(city: City, number: int) -> bool:
    """Tell whether a validator that runs has cosigned what is pending."""
    run = subprocess.run(
        [sys.executable, "-m", "validator.main", "status", "--config", str(city.config(number))],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    cosigned = json.loads(run.stdout)["cosigned"]
    return bool(cosigned["leaves"] == city.size("pending") and cosigned["delivered"])


def test_openings_are_closed_and_files_are_cached_for_ever(city: City) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        city.get("openings/1")
    caught.value.close()
    assert caught.value.code == 401
    assert caught.value.headers["WWW-Authenticate"] == "Bearer"

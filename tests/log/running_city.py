"""A small city as processes: web, worker, publisher, a witness and four validators.

What ``./dev run`` starts, without its servers and its demo: a street with two settled hours.
"""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

from django.core.management import call_command

from config.embedded import cosigners
from config.embedded.process import free_port
from ledger.domain import notes
from ledger.domain.growing_log import entries_in
from ledger.domain.notes import Note
from ledger.domain.tiles import bundles_between, tiles_between
from ledger.services import SettlementWorker, submit
from marketplace.services.market_day import advance_community
from tests import databases
from tests.embedded.processes import wait_until
from tests.ledger.bookkeeping import open_account
from tests.log.lying_operator import transfer, working_on
from tests.market.street import Street, at

FLOWS = {"alice": (0, 1000), "bob": (0, 500), "charlie": (1000, 0), "dora": (500, 0)}


class RunningCity:
    """Everything that runs, and the log as anybody sees it."""

    def __init__(self, database: str, state: Path) -> None:
        self.database, self.state = database, state
        self.address = f"http://127.0.0.1:{free_port()}"
        self.environment = {
            **os.environ,
            "DATABASE_URL": databases.url_of(os.environ["DATABASE_URL"], database),
            "DATABASE_OWNER_URL": databases.url_of(os.environ["DATABASE_OWNER_URL"], database),
            "HELIOPOLIS_STATE": str(state),
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    @property
    def folder(self) -> Path:
        return self.state / "publication"

    def start(self) -> None:
        self.manage("trial_cosigners", self.address)
        host = self.address.removeprefix("http://")
        web = ("gunicorn", "config.wsgi", f"--bind={host}", "--workers=2", "--threads=4")
        self.spawn("web", "-m", *web, "--no-control-socket")
        self.spawn("settlement", "manage.py", "settlement_worker", "--skip-checks")
        self.spawn("publisher", "manage.py", "publish_log", "--skip-checks")
        for name, command in cosigners.commands(self.state).items():
            self.spawn(name, *map(str, command[1:]))
        wait_until(self.is_attested, seconds=90)

    def spawn(self, name: str, *words: str) -> None:
        """Start a program of Python under a name."""
        with (self.state / f"{name}.log").open("ab") as said:
            self.processes[name] = subprocess.Popen(
                [sys.executable, *words],
                cwd=databases.PROJECT,
                env=self.environment,
                stdout=said,
                stderr=said,
            )

    def stop(self) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def pause(self, number: int) -> None:
        """Let a validator say nothing, as one whose machine has gone."""
        self.processes[f"validator-{number}"].send_signal(signal.SIGSTOP)

    def go_on(self, number: int) -> None:
        self.processes[f"validator-{number}"].send_signal(signal.SIGCONT)

    def manage(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *words, "--skip-checks"],
            cwd=databases.PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def verify(self) -> str:
        """Return what ``verify_ledger`` complains of; here, as a process takes seconds to start."""
        complaints = StringIO()
        with working_on(self.database, self.places()), suppress(SystemExit):
            call_command("verify_ledger", quiet=True, stdout=StringIO(), stderr=complaints)
        return complaints.getvalue()

    def book(self, key: str) -> None:
        """Submit a gift, and wait until the log has signed it."""
        before = self.size("pending")
        with working_on(self.database, self.places()):
            guest, till = open_account("guest"), open_account("till")
            submit(commands=[transfer(key, guest, till, 7)], submitted_at=datetime.now(UTC))
        wait_until(lambda: self.size("pending") > before)

    def places(self) -> Mapping[str, Path]:
        """Return the settings of the log in this city."""
        return {
            "LOG_FOLDER": self.folder,
            "LOG_KEY_FILE": self.state / "keys" / "log.key",
            "LOG_POLICY_FILE": self.state / "policy",
        }

    # The log as anybody sees it.

    def get(self, path: str) -> bytes | None:
        try:
            with self._opener.open(f"{self.address}/log/{path}", timeout=10) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 404:
                return None
            raise
        except OSError:
            return None  # not there yet, or too busy

    def note(self, path: str) -> Note:
        return Note.parse(self.get(path) or b"")

    def size(self, path: str) -> int:
        data = self.get(path)
        return 0 if data is None else notes.Checkpoint.parse(Note.parse(data).text).size

    def is_attested(self) -> bool:
        return self.size("checkpoint") == self.size("pending") > 0

    def tiles(self) -> dict[str, bytes]:
        """Return the tiles and bundles of the attested log, by path."""
        size = self.size("checkpoint")
        paths = [tile.path for tile in (*tiles_between(0, size), *bundles_between(0, size))]
        return {path: data for path in paths if (data := self.get(path)) is not None}

    def credential(self, name: str) -> str:
        return self.manage("openings_credential", name).stdout.strip()


def entries_of(tiles: Mapping[str, bytes]) -> list[bytes]:
    """Return the entries in bundles."""
    bundles = sorted(path for path in tiles if path.startswith("tile/entries/"))
    return [entry for path in bundles for entry in entries_in(tiles[path])]


@contextmanager
def running_city(state: Path) -> Iterator[RunningCity]:
    """Make a city of two settled hours and let it run."""
    database = f"{databases.worker_name()}_running"
    databases.clone_template(database)
    state.mkdir()
    city = RunningCity(database, state)
    try:
        with working_on(database, city.places()):
            street = Street()
            for hour in range(2):
                street.send(FLOWS, hour=hour, now=at(hour + 1))
            settle(street)
        city.start()
        yield city
    finally:
        city.stop()
        databases.drop(database)


def settle(street: Street) -> None:
    worker = SettlementWorker(holder="street")
    assert worker.take_head()
    moved = True
    while moved:
        moved = advance_community(community_id=street.community.id, now=at(2)).any
        moved = bool(worker.settle_inbox(now=datetime.now(UTC))) or moved
    worker.give_back()


def status_of(program: Path, config: Path) -> dict[str, object]:
    """Return what a validator's own command says of it."""
    done = subprocess.run(
        [str(program), "status", "--config", str(config)],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, object] = json.loads(done.stdout or "{}")
    return found

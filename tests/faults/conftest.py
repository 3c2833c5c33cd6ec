"""A file of readings, the books it comes to undisturbed, and a process that forks replays."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from config.embedded import migrations
from config.embedded.postgres import ADMIN, APP, OWNER, Postgres
from tests import databases
from tests.faults.books import Books, read_books, write_homes

KILLED = -signal.SIGKILL
_numbers = itertools.count(1)


class Replayer:
    """Replays in forks of one process that has loaded everything."""

    def __init__(self, readings: Path, environment: Mapping[str, str]) -> None:
        self.readings = readings
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.replayer"],
            cwd=databases.PROJECT,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, database: str, *, forgetful: bool = False) -> int:
        """Begin a replay and return its process id; ``wait`` must follow."""
        assert self._process.stdin is not None
        request = {"path": str(self.readings), "database": database, "forgetful": forgetful}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def wait(self) -> int:
        """Return the exit status of the replay that was started; negative: the signal."""
        return self._answer()

    def run(self, database: str, *, forgetful: bool = False) -> int:
        self.start(database, forgetful=forgetful)
        return self.wait()

    def kill_after(self, seconds: float, database: str, *, forgetful: bool = False) -> int:
        """Begin a replay, kill it after a while, and return its exit status."""
        pid = self.start(database, forgetful=forgetful)
        time.sleep(seconds)
        # One that has ended by itself is collected already; the status says which it was.
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return self.wait()

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def _answer(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())


@dataclass(frozen=True)
class Undisturbed:
    """What the file comes to when nobody disturbs, and how long that takes. [s]"""

    books: Books
    seconds: float


@pytest.fixture(scope="session")
def migrated(make_open_folder: Callable[[], Path]) -> Path:
    """Return the folder of a cluster, stopped, whose database is as after the last migration."""
    folder = make_open_folder()
    server = Postgres(folder)
    server.start()
    try:
        databases.fill(server.url(OWNER))
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity=0", "--skip-checks"],
            cwd=databases.PROJECT,
            env=environment_of_server(server),
            check=True,
        )
        with psycopg.connect(server.url(ADMIN), autocommit=True) as connection:
            connection.execute("CHECKPOINT")
    finally:
        server.stop()
    # Who starts a copy need not look whether something is pending.
    (folder / "migrated").write_text(migrations.fingerprint())
    return folder


def environment_of_server(server: Postgres) -> dict[str, str]:
    return {
        **os.environ,
        "DATABASE_URL": server.url(APP),
        "DATABASE_OWNER_URL": server.url(OWNER),
        "HELIOPOLIS_APP_ROLE": APP,
    }


@pytest.fixture(scope="module")
def homes_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_homes(tmp_path_factory.mktemp("homes") / "homes.csv")


@pytest.fixture(scope="module")
def replayer(homes_csv: Path, django_db_setup: None) -> Iterator[Replayer]:
    """Replay on databases of the test session's server."""
    replayer = Replayer(homes_csv, os.environ)
    yield replayer
    replayer.close()


@pytest.fixture(scope="module")
def second_replayer(homes_csv: Path, django_db_setup: None) -> Iterator[Replayer]:
    """Replay beside the first."""
    replayer = Replayer(homes_csv, os.environ)
    yield replayer
    replayer.close()


@pytest.fixture(scope="session")
def fresh_database() -> Callable[[], AbstractContextManager[str]]:
    """Return what makes a migrated database for a while, by name."""

    @contextmanager
    def make() -> Iterator[str]:
        name = f"{databases.worker_name()}_fault_{next(_numbers)}"
        databases.clone_template(name)
        try:
            yield name
        finally:
            databases.drop(name)

    return make


@pytest.fixture(scope="module")
def undisturbed(
    replayer: Replayer, fresh_database: Callable[[], AbstractContextManager[str]]
) -> Undisturbed:
    with fresh_database() as database:
        assert replayer.run(database) == 0  # the first waits until the forker has loaded everything
    with fresh_database() as database:
        started = time.monotonic()
        assert replayer.run(database) == 0
        seconds = time.monotonic() - started
        return Undisturbed(read_books(owner_url(database)), seconds)


def owner_url(database: str) -> str:
    return databases.url_of(os.environ["DATABASE_OWNER_URL"], database)

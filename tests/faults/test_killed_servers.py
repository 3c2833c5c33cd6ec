"""PostgreSQL or the whole program killed under a replay; servers are durable here."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
from shutil import copytree

import psycopg
import pytest
from psycopg import sql

from config.embedded.pair import Pair
from config.embedded.postgres import DATABASE, OWNER, Postgres
from tests import databases
from tests.embedded.processes import wait_until
from tests.faults.books import read_books
from tests.faults.conftest import KILLED, Replayer, Undisturbed, environment_of_server

KILLS_A_DATABASE = 3
PROGRAM_KILLS = 3


@pytest.fixture(scope="module")
def server(migrated: Path, make_open_folder: Callable[[], Path]) -> Iterator[Postgres]:
    """Run a durable PostgreSQL for this module alone, with one migrated database."""
    server = Postgres(copytree(migrated, make_open_folder() / "pg"), durable=True)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def replayer_on_server(homes_csv: Path, server: Postgres) -> Iterator[Replayer]:
    replayer = Replayer(homes_csv, environment_of_server(server))
    yield replayer
    replayer.close()


@pytest.mark.parametrize("whom", ["the server", "a session of it"])
def test_postgresql_killed_under_a_replay(
    whom: str, server: Postgres, replayer_on_server: Replayer, undisturbed: Undisturbed
) -> None:
    random = Random(whom)
    database = _copy_database(server, whom.replace(" ", "_"))
    failed = 0
    for _ in range(KILLS_A_DATABASE):
        _wait_for_session(server, database, replayer_on_server.start(database))
        time.sleep(random.uniform(0, undisturbed.seconds * 0.6))
        if whom == "the server":
            os.kill(server.pid, signal.SIGKILL)
        else:
            # The others are ended by the server, which recovers from its log by itself.
            for pid in _sessions(server, database):
                os.kill(pid, signal.SIGKILL)
        failed += replayer_on_server.wait() != 0
        if whom == "the server":
            server.stop()
            server.start()
        wait_until(lambda: _answers(server, database))

    assert failed, "every replay had ended before its server was killed"
    assert replayer_on_server.run(database) == 0
    assert read_books(_url(server, OWNER, database)) == undisturbed.books


def test_the_whole_program_killed_under_a_replay(
    homes_csv: Path, migrated: Path, fresh_state: dict[str, str], undisturbed: Undisturbed
) -> None:
    random = Random(7)
    state = Path(fresh_state["HELIOPOLIS_STATE"])
    copytree(migrated, state / "pg")
    command = [sys.executable, "manage.py", "replay", str(homes_csv), "--skip-checks"]
    command += ["--community", "Fault Lane"]
    statuses = []
    for _ in range(PROGRAM_KILLS):
        program = subprocess.Popen(
            command, cwd=databases.PROJECT, env=fresh_state, stdout=subprocess.DEVNULL
        )
        wait_until(partial(_has_begun, state, program), seconds=60)
        time.sleep(random.uniform(0, undisturbed.seconds))
        program.kill()
        statuses.append(program.wait())

    subprocess.run(
        command, cwd=databases.PROJECT, env=fresh_state, stdout=subprocess.DEVNULL, check=True
    )

    assert KILLED in statuses
    pair = Pair(state)
    pair.start()
    try:
        assert read_books(pair.postgres.url(OWNER)) == undisturbed.books
    finally:
        pair.stop()


def _url(server: Postgres, role: str, database: str) -> str:
    return databases.url_of(server.url(role), database)


def _copy_database(server: Postgres, name: str) -> str:
    with psycopg.connect(_url(server, OWNER, "postgres"), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(DATABASE)
            )
        )
    return name


def _sessions(server: Postgres, database: str) -> list[int]:
    with psycopg.connect(_url(server, OWNER, "postgres")) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = %s", [database]
        ).fetchall()
    return [pid for (pid,) in rows]


def _wait_for_session(server: Postgres, database: str, replay: int) -> None:
    """Wait until the replay has a session; one that has ended already has none any more."""
    wait_until(
        lambda: bool(_sessions(server, database)) or not Path(f"/proc/{replay}").exists(),
        seconds=60,
    )


def _answers(server: Postgres, database: str) -> bool:
    with suppress(psycopg.OperationalError):
        psycopg.connect(_url(server, OWNER, database)).close()
        return True
    return False


def _has_begun(state: Path, program: subprocess.Popen[bytes]) -> bool:
    """Return whether the program's replay has stored something, or has ended already."""
    if program.poll() is not None:
        return True
    with suppress(OSError, ValueError, KeyError, psycopg.Error):
        holder = json.loads((state / "servers.json").read_text())
        if holder["pid"] != program.pid:
            return False  # the file of the one that was killed before
        with psycopg.connect(holder["environment"]["DATABASE_OWNER_URL"]) as connection:
            row = connection.execute("SELECT count(*) FROM marketplace_community").fetchone()
            return row is not None and row[0] > 0
    return False

"""A disk without room, for tables, for the database's log, for the published files: all waits."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psycopg
import pytest

from config.embedded.postgres import OWNER
from ledger.domain.commands import Command, Transfers
from tests import databases
from tests.embedded.processes import wait_until
from tests.faults.conftest import environment_of_server
from tests.faults.tiny_disk import MEBIBYTE, PostgresOnTinyDisks, TinyDisk, tiny_disks

COMMANDS, LEGS = 16, 5_000
ROOM, TABLES_ROOM, WAL_ROOM = 512 * MEBIBYTE, 64 * MEBIBYTE, 96 * MEBIBYTE


@dataclass(frozen=True)
class Cramped:
    """A database on small disks."""

    server: PostgresOnTinyDisks
    tables: TinyDisk
    wal: TinyDisk

    @property
    def environment(self) -> dict[str, str]:
        return environment_of_server(self.server)

    def ask(self, query: str) -> int:
        with psycopg.connect(self.server.url(OWNER)) as connection:
            row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return int(row[0])

    def waiting(self) -> int:
        return self.ask("SELECT count(*) FROM ledger_inboxcommand WHERE state = 0")

    def verify(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", "verify_ledger", "--quiet", "--skip-checks"],
            cwd=databases.PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def cramped(migrated: Path) -> Iterator[Cramped]:
    server = PostgresOnTinyDisks(migrated)
    owner = server.tables.stat().st_uid
    sizes = {
        server.data: ROOM,  # what lies beside the two; the next test begins with the same
        server.tables: used(server.tables) + TABLES_ROOM,
        server.wal: WAL_ROOM,
    }
    with tiny_disks(sizes, user=owner if os.geteuid() == 0 else None) as (keeper, disks):
        server.keeper = keeper
        server.start()
        try:
            yield Cramped(server, disks[server.tables], disks[server.wal])
        finally:
            server.stop()


def used(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*"))


@contextmanager
def settlement_worker(cramped: Cramped, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as said:
        worker = subprocess.Popen(
            [sys.executable, "manage.py", "settlement_worker", "--skip-checks"],
            cwd=databases.PROJECT,
            env=cramped.environment,
            stderr=said,
        )
    try:
        yield worker
    finally:
        worker.terminate()
        worker.wait(30)


def submit_much(cramped: Cramped) -> None:
    """Submit more than there will be room for; the tables' owner writes it, as submitting does."""
    with psycopg.connect(cramped.server.url(OWNER)) as connection:
        pair = [
            connection.execute(
                "INSERT INTO ledger_account (path, unit) VALUES (%s, 'CNY/6') RETURNING id", [path]
            ).fetchone()
            for path in ("bank", "alice")
        ]
        bank, alice = (np.full(LEGS, row[0], dtype=np.int64) for row in pair if row)
        one = np.ones(LEGS, dtype=np.int64)
        for number in range(COMMANDS):
            command = Command.of(f"deposit-{number}", Transfers(bank, alice, one, one))
            connection.execute(
                "INSERT INTO ledger_inboxcommand (key, fingerprint, body, transfer_count, state,"
                " refusal, submitted_at) VALUES (%s, %s, %s, %s, 0, '', now())",
                [command.key, command.fingerprint, command.body, LEGS],
            )


@pytest.mark.parametrize("full", ["tables", "wal"])
def test_the_worker_waits_for_room_and_goes_on_by_itself(
    cramped: Cramped, full: str, tmp_path: Path
) -> None:
    submit_much(cramped)
    disk = cramped.tables if full == "tables" else cramped.wal
    disk.fill(leave_bytes=8 * MEBIBYTE if full == "tables" else 0)
    with settlement_worker(cramped, tmp_path / "worker.log") as worker:
        wait_until(lambda: "No space left" in cramped.server.log.read_text())
        wait_until(lambda: "no database, next try" in (tmp_path / "worker.log").read_text())
        assert worker.poll() is None
        if full == "tables":
            assert_whole_blocks(cramped)

        disk.make_room()
        if not cramped.server.is_running:
            cramped.server.start()  # whoever watches over servers does this
        wait_until(lambda: answers(cramped) and cramped.waiting() == 0, seconds=60)

        assert worker.poll() is None
    done = cramped.verify()
    assert done.returncode == 0, done.stderr
    assert f"{COMMANDS * LEGS} transfers of {COMMANDS} commands (0 refused)" in done.stdout


def assert_whole_blocks(cramped: Cramped) -> None:
    """What is there is whole, and the rest waits."""
    waiting = cramped.waiting()
    assert waiting > 0
    assert cramped.ask("SELECT count(*) FROM ledger_transfer") == LEGS * (COMMANDS - waiting)
    done = cramped.verify()
    assert done.returncode == 0, done.stderr


def answers(cramped: Cramped) -> bool:
    with suppress(psycopg.OperationalError):
        psycopg.connect(cramped.server.url(OWNER)).close()
        return True
    return False

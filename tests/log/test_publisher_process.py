"""Publishers as processes: one publishes, another takes over from a kill or a lost session."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import psycopg
import pytest

from ledger.models import Checkpoint, PublisherState
from ledger.queries import PUBLISHER_TURN
from tests.databases import PROJECT
from tests.embedded.processes import wait_until
from tests.log.hall import Hall


class Publishers:
    """Some processes, each by its letter."""

    def __init__(self, hall: Hall) -> None:
        self.hall = hall
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        log = self.hall.state / f"{name}.log"
        with log.open("ab") as output:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "manage.py", "publish_log", "--skip-checks"],
                cwd=PROJECT,
                env=dict(self.hall.database.env),
                stdout=output,
                stderr=output,
            )

    def said(self, name: str) -> str:
        return (self.hall.state / f"{name}.log").read_text()

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def end(self) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for name, process in self.processes.items():
            # By the signal itself: one that was still starting.
            assert process.wait(20) in (0, -signal.SIGTERM), self.said(name)


@pytest.fixture
def publishers(hall: Hall) -> Iterator[Publishers]:
    publishers = Publishers(hall)
    yield publishers
    for name in list(publishers.processes):
        publishers.kill(name)


def published(blocks: int) -> bool:
    """Tell whether so many blocks are under the newest checkpoint."""
    return Checkpoint.objects.filter(block=blocks, attested_at__isnull=False).exists()


def test_one_publishes_and_others_take_over(hall: Hall, publishers: Publishers) -> None:
    publishers.start("a")
    wait_until(lambda: "publishes from entry 0" in publishers.said("a"))
    publishers.start("b")
    hall.book(300)
    wait_until(lambda: published(1))
    assert publishers.said("b") == ""

    publishers.kill("a")
    hall.book(10)
    wait_until(lambda: published(2))
    assert "publishes from entry" in publishers.said("b")
    publishers.start("a")

    # The database drops the session of the one that publishes, as a restart would.
    with psycopg.connect(hall.database.owner_url, autocommit=True) as owner:
        dropped = owner.execute(
            "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_database d"
            " ON d.oid = l.database WHERE d.datname = current_database()"
            " AND l.locktype = 'advisory' AND l.objid = %s",
            [PUBLISHER_TURN],
        ).fetchall()
    assert dropped == [(True,)]
    hall.book(500)
    wait_until(lambda: published(3))
    wait_until(lambda: hall.checkpoint() == hall.pending())
    hall.check_files()
    publishers.end()
    assert PublisherState.objects.get().stopped_because == ""


def test_kills_at_any_moment_leave_one_growing_log(hall: Hall, publishers: Publishers) -> None:
    for round_ in range(1, 7):
        publishers.start("a")
        if round_ == 1:
            wait_until(lambda: "publishes" in publishers.said("a"))
        hall.book(90 * round_, blocks=2)
        # Each time a little later: in the start, in the tiles, in the signature, behind it.
        time.sleep(0.3 * round_)
        publishers.kill("a")
    publishers.start("a")
    wait_until(lambda: published(12))
    wait_until(lambda: hall.folder.read("checkpoint") is not None)
    wait_until(lambda: hall.checkpoint() == hall.pending())

    publishers.end()
    hall.check_files()
    sizes = list(Checkpoint.objects.order_by("size").values_list("block_id", flat=True))
    assert sizes == sorted(sizes)
    assert "stopped" not in publishers.said("a")


def test_a_disk_that_cannot_be_written_is_said_and_waited_for(
    hall: Hall, publishers: Publishers
) -> None:
    hall.folder.root.mkdir()
    in_the_way = hall.folder.root / "tile"
    in_the_way.write_bytes(b"")
    hall.book(300)
    publishers.start("a")
    wait_until(lambda: publishers.said("a").count("next try in") >= 2)
    assert Checkpoint.objects.count() == 0
    assert hall.folder.read("pending") is None

    in_the_way.unlink()

    wait_until(lambda: published(1))
    wait_until(lambda: hall.folder.read("checkpoint") is not None)
    hall.check_files()

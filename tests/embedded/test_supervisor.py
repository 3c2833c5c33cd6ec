"""``./dev run`` as a person sees it: one program that comes up, survives, and leaves nothing."""

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from config.embedded import process
from tests.embedded.processes import processes_of, wait_until

PROJECT = Path(__file__).resolve().parents[2]


class Run:
    """The whole program, started and read up to the line with its address."""

    def __init__(self, environment: dict[str, str], port: int) -> None:
        self.state = Path(environment["HELIOPOLIS_STATE"])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "config.embedded.supervisor"],
            cwd=PROJECT,
            env={**environment, "PORT": str(port)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.address = f"http://127.0.0.1:{port}"
        self.said = ""

    def wait_until_up(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if line.startswith("Heliopolis is at"):
                return
        pytest.fail(f"it ended before it was up:\n{self.said}")

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=90)
        self.said += rest
        return self.process.returncode

    def health(self) -> int:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self.address}/healthz", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def pid_of(self, pattern: str) -> int:
        """Return the first process of the program whose command line matches."""
        found = [line for line in processes_of(self.state) if re.search(pattern, line)]
        return min(int(line.split()[0]) for line in found)


@pytest.fixture(scope="module")
def environment(make_open_folder: Callable[[], Path]) -> dict[str, str]:
    """Return the environment of a checkout whose state all tests here share."""
    named = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "HELIOPOLIS_SECRET_KEY", "PORT")
    kept = {name: value for name, value in os.environ.items() if name not in named}
    return {**kept, "HELIOPOLIS_STATE": str(make_open_folder() / "state")}


@pytest.fixture
def run(environment: dict[str, str]) -> Iterator[Run]:
    run = Run(environment, process.free_port())
    yield run
    run.process.kill()
    run.process.wait()
    if run.process.stdout is not None:
        run.process.stdout.close()
    wait_until(lambda: processes_of(run.state) == [])


def test_it_comes_up_sends_others_away_and_ctrl_c_leaves_nothing(
    run: Run, environment: dict[str, str]
) -> None:
    run.wait_until_up()

    assert run.address in run.said
    # The demo's day and sign-ins, at the first start and at every later one.
    assert "operator@heliopolis.example" in run.said
    assert run.health() == 200
    for part in ("gunicorn", "celery.* worker", "celery.* beat", "settlement_worker"):
        assert run.pid_of(part)

    second = Run(environment, process.free_port())
    said, _ = second.process.communicate(timeout=30)

    assert second.process.returncode == 1
    assert f"already runs at {run.address}" in said
    assert run.health() == 200
    assert run.end(signal.SIGINT) == 0
    assert processes_of(run.state) == []


def test_kill_9_leaves_nothing(run: Run) -> None:
    run.wait_until_up()

    run.process.kill()
    run.process.wait()

    wait_until(lambda: processes_of(run.state) == [], seconds=30)


def test_what_dies_comes_back(run: Run) -> None:
    run.wait_until_up()
    patterns = ("gunicorn", "valkey-server", r"bin/postgres -D", "settlement_worker", "beat")
    for pattern in (*patterns, "publish_log", "witness.toml", "validators/1"):
        victim = run.pid_of(pattern)
        os.kill(victim, signal.SIGKILL)
        wait_until(partial(is_gone, victim))
        wait_until(partial(is_there, run, pattern))

    wait_until(lambda: run.health() == 200)
    assert run.end(signal.SIGHUP) == 0
    assert processes_of(run.state) == []
    assert "starting it again" in run.said


def is_gone(pid: int) -> bool:
    return not process.is_alive(pid)


def is_there(run: Run, pattern: str) -> bool:
    return any(re.search(pattern, line) for line in processes_of(run.state))


def test_a_busy_port_is_a_clear_message(environment: dict[str, str]) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        run = Run(environment, port)
        said, _ = run.process.communicate(timeout=30)

    assert run.process.returncode == 1
    assert f"port {port} is in use" in said
    assert "PORT=" in said

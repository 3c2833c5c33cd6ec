"""``./dev run`` as a person sees it: one program that comes up, survives, and leaves nothing.

It is a dozen processes: tests that do not end it share one.
"""

import os
import signal
import socket
import urllib.error
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from config.embedded import process
from ledger.domain.notes import Note
from ledger.domain.policy import Policy
from tests.conftest import environment_of
from tests.embedded.processes import processes_of, wait_until
from tests.embedded.whole_program import WholeProgram


@pytest.fixture(scope="module")
def environment(make_open_folder: Callable[[], Path]) -> dict[str, str]:
    """Return the environment of a checkout whose state all tests here share."""
    return environment_of(make_open_folder())


@pytest.fixture(scope="module")
def started() -> Iterator[list[WholeProgram]]:
    started: list[WholeProgram] = []
    yield started
    for program in started:
        program.kill()


@pytest.fixture
def city(environment: dict[str, str], started: list[WholeProgram]) -> WholeProgram:
    """Return the program, up; started anew where a test has ended it."""
    if not started or not started[-1].is_running():
        started.append(WholeProgram(environment, process.free_port()))
        started[-1].wait_until_it_says()
    return started[-1]


def test_it_comes_up_and_sends_others_away(city: WholeProgram, environment: dict[str, str]) -> None:
    assert city.address in city.said
    # The demo's day and sign-ins, at the first start and at every later one.
    assert "operator@heliopolis.example" in city.said
    assert city.health() == 200
    for part in ("gunicorn", "celery.* worker", "celery.* beat", "settlement_worker"):
        assert city.pid_of(part)

    second = WholeProgram(environment, process.free_port())
    said, _ = second.process.communicate(timeout=30)

    assert second.process.returncode == 1
    assert f"already runs at {city.address}" in said
    assert city.health() == 200


def test_it_is_attested_says_what_that_shows_and_survives_one_of_four(city: WholeProgram) -> None:
    assert "they\nare not independent" in city.said
    wait_until(city.is_attested, seconds=60)
    policy = Policy.parse(city.get("policy") or b"")
    verdict = policy.verify(Note.parse(city.get("checkpoint") or b""))
    assert verdict.satisfied
    assert len(verdict.cosigned & set(policy.cosigners().validators)) >= 3
    assert len(policy.cosigners().validators) == 4

    city.hold_down(4)
    city.submit("with-one-gone")
    wait_until(city.is_attested, seconds=60)

    city.hold_down(3)
    attested = city.size("checkpoint")
    city.submit("with-two-gone")
    wait_until(lambda: city.has_cosigned(1) and city.has_cosigned(2), seconds=60)
    assert city.size("checkpoint") == attested < city.size("pending")
    assert city.health() == 200

    city.let_come_back(3)
    wait_until(city.is_attested, seconds=60)
    assert city.get("objections") == b""
    city.let_come_back(4)


def test_openings_are_closed(city: WholeProgram) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        city.get("openings/1")
    caught.value.close()
    assert caught.value.code == 401
    assert caught.value.headers["WWW-Authenticate"] == "Bearer"


def test_what_dies_comes_back(city: WholeProgram) -> None:
    patterns = {
        "web": "gunicorn",
        "Valkey": "valkey-server",
        "PostgreSQL": r"bin/postgres -D",
        "settlement": "settlement_worker",
        "schedule": "beat",
        "publisher": "publish_log",
        "witness": "witness.toml",
        "validator-1": "validators/1",
    }
    for name, pattern in patterns.items():
        # It may have died of what was killed before.
        wait_until(partial(city.runs, pattern), seconds=60)
        victim = city.pid_of(pattern)
        os.kill(victim, signal.SIGKILL)
        city.wait_until_it_says(f"{name} stopped")
        wait_until(partial(is_gone, victim))
        wait_until(partial(city.runs, pattern), seconds=60)

    assert "starting it again" in city.said
    wait_until(lambda: city.health() == 200, seconds=60)


def is_gone(pid: int) -> bool:
    return not process.is_alive(pid)


def test_ctrl_c_leaves_nothing(city: WholeProgram) -> None:
    assert city.end(signal.SIGINT) == 0
    assert processes_of(city.state) == []
    assert "stopped; nothing is left running" in city.said


def test_kill_9_leaves_nothing(city: WholeProgram) -> None:
    city.process.kill()
    city.process.wait()

    wait_until(lambda: processes_of(city.state) == [])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_it_may_be_stopped_while_it_starts(
    fresh_state: dict[str, str], number: signal.Signals
) -> None:
    # A program that is started with nohup goes on: these tests may be, this program is not.
    inherited = signal.signal(number, lambda *_: None)
    try:
        program = WholeProgram(fresh_state, process.free_port())
    finally:
        signal.signal(number, inherited)
    program.wait_until_it_says("starting PostgreSQL")

    assert program.end(number) == 0
    assert processes_of(program.state) == []


def test_a_busy_port_is_a_clear_message(environment: dict[str, str]) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        program = WholeProgram(environment, port)
        said, _ = program.process.communicate(timeout=30)

    assert program.process.returncode == 1
    assert f"port {port} is in use" in said
    assert "PORT=" in said

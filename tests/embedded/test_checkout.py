"""One checkout's servers, used by many commands at once and by the next after a kill."""

import json
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import environment_of
from tests.embedded.processes import processes_of, wait_until

PROJECT = Path(__file__).resolve().parents[2]

# A command that uses the servers, says where they are, and stays until its input ends.
STAYS = """
import os, sys
from config.embedded import checkout
state = checkout.state_folder()
with checkout.servers(state, migrate=False):
    print(os.environ["DATABASE_URL"], flush=True)
    sys.stdin.read()
print("left", flush=True)
"""


class Stay:
    """A command in a process of its own, for as long as the test wants."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", STAYS],
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def leave(self) -> str:
        """End the command and return what it said on the way out."""
        _, said = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, said
        return said


@pytest.fixture
def state(fresh_state: dict[str, str]) -> Path:
    return Path(fresh_state["HELIOPOLIS_STATE"])


def test_the_second_command_uses_the_servers_of_the_first(
    fresh_state: dict[str, str], state: Path
) -> None:
    holder, user = Stay(fresh_state), Stay(fresh_state)

    assert holder.url == user.url != ""
    user.leave()
    holder.leave()
    assert processes_of(state) == []


def test_the_holder_leaves_last(fresh_state: dict[str, str], state: Path) -> None:
    holder, user = Stay(fresh_state), Stay(fresh_state)
    assert holder.process.stdin is not None
    assert holder.process.stderr is not None
    holder.process.stdin.close()

    assert "waiting for other commands" in holder.process.stderr.readline()
    assert holder.process.poll() is None
    user.leave()
    holder.process.wait(60)
    for pipe in (holder.process.stdout, holder.process.stderr):
        assert pipe is not None
        pipe.close()
    assert processes_of(state) == []


def test_kill_9_of_the_holder_leaves_nothing_and_stops_nobody_else(
    fresh_state: dict[str, str], state: Path
) -> None:
    holder = Stay(fresh_state)
    holder.process.kill()
    holder.process.communicate()
    # At once, while the old servers may still be on their way out.
    successor = Stay(fresh_state)

    assert successor.url not in ("", holder.url)
    successor.leave()
    wait_until(lambda: processes_of(state) == [])


def test_two_states_have_two_servers(fresh_state: dict[str, str], open_folder: Path) -> None:
    one, two = (
        Stay(fresh_state),
        Stay({**fresh_state, "HELIOPOLIS_STATE": str(open_folder / "two")}),
    )

    assert one.url != two.url
    one.leave()
    two.leave()


@pytest.fixture(scope="module")
def used(make_open_folder: Callable[[], Path]) -> dict[str, str]:
    """Return the environment of a checkout in which a first command was given."""
    used = environment_of(make_open_folder())
    assert_migrated(used)
    return used


def assert_migrated(environment: dict[str, str]) -> None:
    """Let a command look at its database."""
    question = (
        "from django.db import connection as c\n"
        "k = c.cursor()\n"
        "k.execute('SELECT current_user, count(*) > 0 FROM django_migrations')\n"
        "print(k.fetchone())"
    )
    run = subprocess.run(
        [sys.executable, "manage.py", "shell", "-v0", "-c", question],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout == "('heliopolis_app', True)\n", run.stderr


def test_a_command_in_a_fresh_checkout_finds_a_migrated_database(used: dict[str, str]) -> None:
    assert_migrated(used)  # and so does the second

    state = Path(used["HELIOPOLIS_STATE"])
    for name in ("secret_key", "pg/passwords.json"):
        assert stat.S_IMODE((state / name).stat().st_mode) == 0o600
    assert not (state / "servers.json").exists()
    assert processes_of(state) == []


def test_a_terminated_holder_stops_its_servers(used: dict[str, str]) -> None:
    command = ["manage.py", "shell", "-v0", "-c", "import time; print('here'); time.sleep(600)"]
    sleeper = subprocess.Popen(
        [sys.executable, "-u", *command],
        cwd=PROJECT,
        env=used,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert sleeper.stdout is not None
    assert sleeper.stdout.readline() == "here\n"
    sleeper.send_signal(signal.SIGTERM)
    sleeper.stdout.close()

    assert sleeper.wait(60) == 128 + signal.SIGTERM
    assert processes_of(Path(used["HELIOPOLIS_STATE"])) == []


def test_the_file_of_a_killed_holder_is_not_believed(
    fresh_state: dict[str, str], state: Path
) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    state.mkdir()
    false = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    content = {"pid": gone.pid, "address": None, "environment": false}
    (state / "servers.json").write_text(json.dumps(content))

    command = Stay(fresh_state)

    assert command.url != false["DATABASE_URL"]
    command.leave()


def test_one_server_of_two_in_the_environment_is_a_clear_message(
    fresh_state: dict[str, str],
) -> None:
    half = {**fresh_state, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    run = subprocess.run(
        [sys.executable, "manage.py", "showmigrations"],
        cwd=PROJECT,
        env=half,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 1
    assert "DATABASE_URL is set alone" in run.stderr

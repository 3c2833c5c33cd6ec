"""A hall with a web server of its own, and a worker that moves when the test says so."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.error import URLError

from cryptography.hazmat.primitives import serialization
from django.conf import settings
from django.db import connection
from django.test import override_settings

from client.files import keep
from client.main import main
from config.log.keys import make_signer, read_policy
from ledger.services.attestation import attest_checkpoint
from ledger.services.log_folder import LogFolder
from ledger.services.publisher import LogPublisher
from marketplace.services.data.version_work import work_waiting_versions
from marketplace.services.tokens import renew_token
from tests import databases
from tests.data.exchanging import Trader, go_on

KILLED = -signal.SIGKILL
_inherited: list[object] = []


@dataclass
class ServedHall:
    """Where the hall answers, its clock, and its database's environment."""

    address: str
    folder: Path
    command: Sequence[str]
    env: Mapping[str, str]
    ahead: timedelta = timedelta()
    _server: "subprocess.Popen[bytes] | None" = None
    _tokens: dict[int, str] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        """What the clock of scans and worker says."""
        return datetime.now(UTC) + self.ahead

    def start(self) -> None:
        """Start the web server and wait until it answers."""
        self._server = subprocess.Popen(
            self.command, cwd=databases.PROJECT, env=dict(self.env), start_new_session=True
        )
        wait_for(f"{self.address}/healthz")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the web server and its workers with everything that they were doing."""
        assert self._server is not None
        os.killpg(self._server.pid, how)
        self._server.wait(30)

    def go_on(self, *, rounds: int = 3) -> None:
        """Let ledger and scans do what is due."""
        work_waiting_versions(now=self.now)
        go_on(self.now, rounds=rounds)

    def keep_keys(self, *traders: Trader) -> None:
        """Write the key files of traders who sign for themselves."""
        for each in traders:
            assert each.own_key is not None
            pem = each.own_key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            keep(self.folder / f"{each.participant_id}.key", pem, is_secret=True)

    def publish_log(self) -> Path:
        """Have everything that is booked attested; return the policy to trust."""
        publisher = LogPublisher(folder=LogFolder(settings.LOG_FOLDER), signer=make_signer())
        publisher.open()
        signed = publisher.publish_new(now=self.now)
        if signed is not None:
            attest_checkpoint(size=signed.size, policy=read_policy(), now=self.now)
        policy = self.folder / "trusted-policy"
        policy.write_text(f"log {make_signer().key}\nquorum none\n", encoding="utf-8")
        return policy

    def client(self, who: Trader, *arguments: str, death: "Death | None" = None) -> int:
        """Run the client in a process of its own; return its exit code, negative: the signal."""
        return ended(self.start_client(who, *arguments, death=death))

    def start_client(self, who: Trader, *arguments: str, death: "Death | None" = None) -> int:
        """Start the client beside the test; return its process id, for `ended`."""
        token = self._tokens.get(who.participant_id) or renew_token(user_id=who.user.pk)
        self._tokens[who.participant_id] = token
        environment = {"HELIOPOLIS_TOKEN": token, "HELIOPOLIS_HALL": self.address}
        key = self.folder / f"{who.participant_id}.key"
        if key.exists():
            environment["HELIOPOLIS_KEY"] = str(key)
        return fork(lambda: _client(environment, arguments, death))


@dataclass(frozen=True)
class Death:
    """Kill the process before or after the n-th call of a function."""

    owner: object
    name: str
    call: int = 1
    before: bool = False

    def prepare(self) -> None:
        """Put the killer in the function's place."""
        real: Callable[..., object] = getattr(self.owner, self.name)
        calls = 0

        def dying(*args: object, **named: object) -> object:
            nonlocal calls
            calls += 1
            if calls == self.call and self.before:
                os.kill(os.getpid(), signal.SIGKILL)
            result = real(*args, **named)
            if calls == self.call:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        setattr(self.owner, self.name, dying)


def fork(act: Callable[[], int | None]) -> int:
    """Do something in a fork, which may be killed; return its process id."""
    pid = os.fork()
    if pid == 0:
        # The parent's session stays the parent's: the fork opens one of its own when it needs one.
        _inherited.append(connection.connection)
        connection.connection = None
        status = 1
        try:
            status = act() or 0
        except BaseException as error:
            print(f"fork: {error!r}", file=sys.stderr, flush=True)
        os._exit(status)
    return pid


def ended(pid: int) -> int:
    """Wait for a fork; return its exit status, negative: the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def ended_now(pid: int) -> int | None:
    """Return the exit status of a fork if it has ended."""
    found, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def _client(environment: Mapping[str, str], arguments: Sequence[str], death: Death | None) -> int:
    os.environ.update(environment)
    if death is not None:
        death.prepare()
    return main(arguments)


@contextmanager
def served_hall(folder: Path, env: Mapping[str, str]) -> Iterator[ServedHall]:
    """Serve a committed database; the test's own process shares its folders and keys."""
    places = {
        "DATA_FOLDER": folder / "data",
        "DATA_KEY_FILE": folder / "data.key",
        "LOG_FOLDER": folder / "log",
        "LOG_KEY_FILE": folder / "log.key",
        "LOG_POLICY_FILE": folder / "policy",
    }
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--preload"]
    command += ["--threads", "4", "--log-level", "error", "config.wsgi:application"]
    environment = {
        **env,
        **{f"HELIOPOLIS_{name.removesuffix('_FILE')}": str(at) for name, at in places.items()},
    }
    with override_settings(**places):
        make_signer()
        hall = ServedHall(f"http://127.0.0.1:{port}", folder, command, environment)
        try:
            hall.start()
            yield hall
        finally:
            hall.stop(signal.SIGKILL)


def wait_for(url: str) -> None:
    """Wait until an address answers."""
    for _ in range(1200):  # a busy machine starts slowly
        try:
            with urllib.request.urlopen(url):  # noqa: S310 - our own address
                return
        except (URLError, ConnectionError):
            time.sleep(0.1)
    raise TimeoutError(url)

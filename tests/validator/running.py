"""A witness as its operator runs it: a process, a configuration, a state file, HTTP."""

import http.client
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.databases import PROJECT
from tests.validator.small_log import LOG_KEY, ORIGIN
from validator.keys import make_key_file
from validator.notes import SigningKey

NAME = "alice.example/w1"
PLAIN = (sys.executable, "-m", "validator.witness_server")


@dataclass(frozen=True)
class Reply:
    status: int
    body: str
    content_type: str


@dataclass(frozen=True)
class RunningWitness:
    process: subprocess.Popen[str]
    port: int

    def submit(self, body: bytes) -> Reply:
        """Send one request; raise an OSError or HTTPException when no answer comes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", "/add-checkpoint", body)
            return reply_of(connection.getresponse())
        finally:
            connection.close()


def reply_of(response: http.client.HTTPResponse) -> Reply:
    text = response.read().decode()
    return Reply(response.status, text, response.headers["Content-Type"])


def set_up(folder: Path) -> tuple[Path, SigningKey]:
    """Write a configuration; return its path and the witness's key."""
    key = make_key_file(folder / "witness.key", name=NAME)
    config = folder / "witness.toml"
    config.write_text(
        f'key = "witness.key"\nstate = "witness.sqlite3"\nlisten = "127.0.0.1:0"\n\n'
        f'[[log]]\norigin = "{ORIGIN}"\nkeys = ["{LOG_KEY.verifier}"]\n'
    )
    return config, key


@contextmanager
def running(config: Path, *, command: Sequence[str] = PLAIN) -> Iterator[RunningWitness]:
    """Run a witness until the block ends; then kill it, however it is."""
    process = subprocess.Popen(
        [*command, "--config", str(config)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise AssertionError(process.communicate()[1])
        yield RunningWitness(process, int(line.rsplit(":", 1)[1]))
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()

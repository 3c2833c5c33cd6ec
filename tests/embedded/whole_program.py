"""``./dev run`` as a process of a test: what it says and runs, and its log as anybody sees it."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from ledger.domain import notes
from ledger.domain.notes import Note
from tests.embedded.processes import processes_of, wait_until

PROJECT = Path(__file__).resolve().parents[2]

# A command of the application: a document, so that the next block has something to say.
SUBMIT = """
import sys, django
django.setup()
from datetime import UTC, datetime
from ledger.domain.documents import Document
from ledger.services import submit
document = Document("note", {"text": sys.argv[1]})
submit(commands=[document.command(sys.argv[1])], submitted_at=datetime.now(UTC))
"""


class WholeProgram:
    """The whole program, started."""

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
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def wait_until_it_says(self, beginning: str = "Heliopolis is at") -> None:
        """Read up to a line, by default the one with its address: then it is up."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if line.startswith(beginning):
                return
        pytest.fail(f"it ended before it said {beginning!r}:\n{self.said}")

    def is_running(self) -> bool:
        return self.process.poll() is None

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=90)
        self.said += rest
        return self.process.returncode

    def kill(self) -> None:
        """End it as the kernel would, and wait until everything that it ran has gone."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        wait_until(lambda: processes_of(self.state) == [])

    def health(self) -> int:
        try:
            with self._opener.open(f"{self.address}/healthz", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def pid_of(self, pattern: str) -> int:
        """Return the first process of the program whose command line matches."""
        return min(int(line.split()[0]) for line in self._matching(pattern))

    def runs(self, pattern: str) -> bool:
        return bool(self._matching(pattern))

    def _matching(self, pattern: str) -> list[str]:
        return [line for line in processes_of(self.state) if re.search(pattern, line)]

    # The log as anybody sees it.

    def get(self, path: str) -> bytes | None:
        try:
            with self._opener.open(f"{self.address}/log/{path}", timeout=10) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def size(self, path: str) -> int:
        data = self.get(path)
        return 0 if data is None else notes.Checkpoint.parse(Note.parse(data).text).size

    def is_attested(self) -> bool:
        return self.size("checkpoint") == self.size("pending") > 0

    def submit(self, key: str) -> None:
        """Have something booked, and wait until the log has signed it."""
        before = self.size("pending")
        servers = json.loads((self.state / "servers.json").read_text())["environment"]
        environment = {
            **os.environ,
            **servers,
            "HELIOPOLIS_STATE": str(self.state),
            "HELIOPOLIS_SECRET_KEY": "only-for-tests",
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }
        subprocess.run(
            [sys.executable, "-c", SUBMIT, key], cwd=PROJECT, env=environment, check=True
        )
        wait_until(lambda: self.size("pending") > before)

    # Its validators.

    def hold_down(self, number: int) -> None:
        """Kill a validator, and let it fail at every start until it may come back."""
        self.config(number).rename(self.config(number).with_name("away.toml"))
        os.kill(self.pid_of(f"validators/{number}/validator.toml"), signal.SIGKILL)
        wait_until(lambda: not self.runs(f"validators/{number}/validator.toml"))

    def let_come_back(self, number: int) -> None:
        self.config(number).with_name("away.toml").rename(self.config(number))

    def has_cosigned(self, number: int) -> bool:
        """Tell whether a validator that runs has cosigned what is pending."""
        command = ["-m", "validator.main", "status", "--config", str(self.config(number))]
        run = subprocess.run(
            [sys.executable, *command], cwd=PROJECT, capture_output=True, text=True, check=True
        )
        cosigned = json.loads(run.stdout)["cosigned"]
        return bool(cosigned["leaves"] == self.size("pending") and cosigned["delivered"])

    def config(self, number: int) -> Path:
        return self.state / "validators" / str(number) / "validator.toml"

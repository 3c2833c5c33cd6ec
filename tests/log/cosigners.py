"""Wilma witnesses; Vera, Victor and Viktor validate, two of them are enough."""

import subprocess
import sys
import time
from collections.abc import Callable

from django.test import Client

from config.embedded.process import free_port
from ledger.domain.notes import Note, Signer, cosign
from tests.databases import PROJECT
from tests.log.hall import FakeWitness, Hall, cosigner

GROUPS = """
group witnesses any wilma
group validators 2 vera victor viktor
group both all witnesses validators
quorum both
"""

WILMA_AND_OTHERS = ("wilma", "vera", "victor", "viktor")
VALIDATOR = (sys.executable, "-m", "validator.main")


class Cosigners:
    """Wilma witnesses; Vera, Victor and Viktor validate, two of them are enough."""

    def __init__(self, hall: Hall) -> None:
        self.hall = hall
        self.keys: dict[str, Signer] = {
            name: cosigner(f"{name}.example") for name in WILMA_AND_OTHERS
        }
        self.servers: list[FakeWitness] = []

    def witness(self, answer: Callable[[bytes], tuple[int, str, str]]) -> FakeWitness:
        """Let Wilma answer like this from now on."""
        server = FakeWitness(answer)
        self.servers.append(server)
        self.hall.write_policy(GROUPS, self.keys, {"wilma": server.url})
        return server

    def hand_in(self, name: str, *, note: Note | None = None, ahead_seconds: int = 0) -> int:
        """Let a validator cosign what is pending and hand it in; return the answer's status."""
        text = (note or self.hall.pending()).text
        at = int(time.time()) + ahead_seconds
        signed = Note(text, (cosign(text, self.keys[name], timestamp=at),))
        return post("/log/cosignatures", str(signed))


def post(path: str, body: str | bytes) -> int:
    answer = Client().post(path, data=body, content_type="text/plain")
    return answer.status_code


class RealWitness:
    """The witness of the other implementation, as a process with a state of its own."""

    def __init__(self, hall: Hall) -> None:
        self.folder = hall.state / "witness"
        self.folder.mkdir()
        self.port = free_port()
        made = subprocess.run(
            [*VALIDATOR, "make-key", "wilma.example", self.key_file],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stderr
        self.vkey = made.stdout.strip()
        (self.folder / "witness.toml").write_text(
            f'key = "witness.key"\nstate = "witness.sqlite3"\nlisten = "127.0.0.1:{self.port}"\n'
            f'[[log]]\norigin = "hall.example/log"\nkeys = ["{hall.signer.key}"]\n'
        )
        (hall.state / "policy").write_text(
            f"log {hall.signer.key}\nwitness wilma {self.vkey} http://127.0.0.1:{self.port}\n"
            f"witness vera {cosigner('vera.example').key}\n"
            "group witnesses any wilma\ngroup validators any vera\nquorum witnesses\n"
        )
        self.process: subprocess.Popen[str] | None = None

    @property
    def key_file(self) -> str:
        return str(self.folder / "witness.key")

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "validator.witness_server"),
                *("--config", str(self.folder / "witness.toml")),
            ],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        assert "listens" in self.process.stdout.readline()

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()

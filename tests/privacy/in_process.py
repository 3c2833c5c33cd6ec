"""Real validators of a real hall, without a network between them."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from django.test import Client

from ledger.services.attestation import grant_openings
from ledger.services.log_state import microseconds
from tests.log.hall import Hall
from tests.privacy.pruned_story import LATER
from validator import client as validator_client
from validator.config import CREDENTIAL_NAME, POLICY_NAME, make_folder, read_config
from validator.follow import Follower
from validator.store import Store


class InProcess(validator_client.Hall):
    """Asks the hall's views without a network."""

    def __init__(self, credential: str) -> None:
        super().__init__("http://hall.example/log", credential)
        self._client = Client()

    def get_all(self, paths: Sequence[str]) -> Iterator[bytes]:
        return map(self.get, paths)

    def _once(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        kind = headers.get("Content-Type", "text/plain")
        answer = self._client.generic(method, path, body or b"", kind, headers=headers)
        return answer.status_code, answer.getvalue()


@contextmanager
def validator(folder: Path, hall: Hall, now: datetime) -> Iterator[Follower]:
    """Run a validator of a name, with the state it has, until the block ends."""
    state = folder / "state"
    if not folder.exists():
        token = grant_openings(name=folder.name, now=now)
        make_folder(folder, log="http://hall.example/log", name=f"{folder.name}.example/v")
        (folder / CREDENTIAL_NAME).write_text(token + "\n")
        (folder / POLICY_NAME).write_text(f"log {hall.signer.key}\nquorum none\n")
    config = read_config(folder / "validator.toml")
    with closing(Store(state)) as store, closing(InProcess(config.credential)) as client:
        yield Follower(
            hall=client,
            store=store,
            key=config.key,
            policy=config.policy,
            clock=lambda: microseconds(now),
        )


def follow(folder: Path, hall: Hall, *, now: datetime = LATER) -> tuple[int, int, list[str]]:
    """Let a validator follow to the end; return its blocks, what it cosigned, its objections."""
    with validator(folder, hall, now) as follower:
        while follower.step():
            pass
        objections = [f"{each.code}: {each.explanation}" for each in follower.journal.objections()]
        return follower._store.position().block, follower.journal.cosigned().size, objections

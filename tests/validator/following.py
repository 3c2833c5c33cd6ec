"""A validator set up against a fake hall, and what it has handed in there."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.validator.fake_hall import CREDENTIAL, FakeHall
from tests.validator.ledger_twin import ORIGIN
from validator.client import Hall
from validator.config import CREDENTIAL_NAME, POLICY_NAME, make_folder, read_config
from validator.follow import Follower
from validator.notes import LOG, Checkpoint, Note, VerifierKey
from validator.store import Store

NAME = "alice.example/v1"


def set_up(folder: Path, hall: FakeHall) -> Path:
    key = make_folder(folder, log=hall.url, name=NAME, poll_seconds=0.02)
    (folder / POLICY_NAME).write_text(
        f"log {hall.ledger.key.verifier}\nwitness alice {key.verifier}\nquorum alice\n"
    )
    (folder / CREDENTIAL_NAME).write_text(CREDENTIAL + "\n")
    return folder


@contextmanager
def following(folder: Path, hall: FakeHall) -> Iterator[Follower]:
    """Run a validator in this process until the block ends."""
    config = read_config(folder / "validator.toml")
    with (
        closing(Store(config.state)) as store,
        closing(Hall(config.log, config.credential, timeout_seconds=5)) as client,
    ):
        yield Follower(
            hall=client,
            store=store,
            key=config.key,
            policy=config.policy,
            clock=lambda: hall.ledger.time,
        )


def cosigned_sizes(hall: FakeHall, folder: Path) -> list[int]:
    """Return the sizes of the checkpoints handed in, each with a signature that verifies."""
    key = read_config(folder / "validator.toml").key.verifier
    sizes = []
    for body in hall.cosignatures:
        note = Note.parse(body)
        assert [verified.key for verified in note.verified([key])] == [key]
        checkpoint = Checkpoint.parse(note.text)
        assert checkpoint == Checkpoint.parse(
            Note.parse(hall.ledger.checkpoint(checkpoint.size)).text
        )
        sizes.append(checkpoint.size)
    return sizes


def objected(hall: FakeHall, folder: Path) -> list[tuple[str, str]]:
    """Return leaf and code of the objections handed in, each with a signature that verifies."""
    key = read_config(folder / "validator.toml").key
    plain = VerifierKey(key.name, LOG, key.verifier.public_key)
    found = []
    for body in hall.objections:
        note = Note.parse(body)
        assert note.verified([plain])
        title, origin, _size, _root, leaf, code, _explanation = note.text.splitlines()
        assert (title, origin) == ("heliopolis objection v1", ORIGIN)
        found.append((leaf, code))
    return found

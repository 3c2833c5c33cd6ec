"""Real validators and a real hall: those who were there and those who come later judge alike."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from django.test import Client

from ledger.services import submit
from ledger.services.attestation import grant_openings
from ledger.services.log_state import microseconds
from tests.ledger.bookkeeping import command, hold, post
from tests.log.hall import Hall
from tests.privacy.pruned_story import LATER, Story, answer_of, foreign, tell
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
def validator(folder: Path, story: Story) -> Iterator[Follower]:
    """Run a validator of a name, with the state it has, until the block ends."""
    state = folder / "state"
    if not folder.exists():
        token = grant_openings(name=folder.name, now=LATER)
        make_folder(folder, log="http://hall.example/log", name=f"{folder.name}.example/v")
        (folder / CREDENTIAL_NAME).write_text(token + "\n")
        (folder / POLICY_NAME).write_text(f"log {story.hall.signer.key}\nquorum none\n")
    config = read_config(folder / "validator.toml")
    with closing(Store(state)) as store, closing(InProcess(config.credential)) as hall:
        yield Follower(
            hall=hall,
            store=store,
            key=config.key,
            policy=config.policy,
            clock=lambda: microseconds(LATER),
        )


def follow(folder: Path, story: Story) -> tuple[int, int, list[str]]:
    """Let a validator follow to the end; return its blocks, what it cosigned, its objections."""
    with validator(folder, story) as follower:
        while follower.step():
            pass
        objections = [f"{each.code}: {each.explanation}" for each in follower.journal.objections()]
        return follower._store.position().block, follower.journal.cosigned().size, objections


def test_old_and_new_validators_agree_after_a_period_is_gone(hall: Hall, tmp_path: Path) -> None:
    story = tell(hall)
    ada, ben, eve = (tmp_path / name for name in ("ada", "ben", "eve"))
    assert follow(ada, story)[0] == 5

    story.prune_wholly()
    # Ada goes on, Ben starts from the snapshot.
    for each in (ada, ben):
        assert follow(each, story)[0::2] == (6, [])
    later = [
        command("corrects", (story.bob, story.alice, 1), corrects=["gifts/0"]),
        command("corrects late", (story.bob, story.alice, 1), corrects=["less/0"]),
        post("twice", story.alice, story.bob, 1, of="ends/0"),
        post("at last", story.alice, story.bob, 40, of="stays/0"),
        post("too late", story.alice, story.bob, 40, of="stays/0"),
        hold("more", story.alice, story.bob, 11),
    ]
    submit(commands=[foreign(each) for each in later], submitted_at=LATER)
    assert answer_of(story, "corrects") == "corrected_unknown"

    ends = [follow(each, story) for each in (ada, ben, eve)]

    size = hall.pending().text.split("\n")[1]
    assert ends == [(7, int(size), [])] * 3


def test_a_validator_that_slept_through_the_pruning_starts_from_the_snapshot(
    hall: Hall, tmp_path: Path
) -> None:
    """It has followed a part of the period, and must see that the log still extends that."""
    ada = tmp_path / "ada"
    seen: list[int] = []
    story = tell(hall, halfway=lambda story: seen.append(follow(ada, story)[0]))
    assert seen == [1]

    story.prune_wholly()

    assert follow(ada, story)[0::2] == (6, [])

"""Starting behind a pruned period: only from a state that an attested block commits to."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.validator.fake_hall import FakeHall, bundle, serving
from tests.validator.follower import Memory
from tests.validator.following import cosigned_sizes, following, objected, set_up
from tests.validator.interval_story import logged, told_story
from tests.validator.ledger_twin import PADDING, Ledger, Leg, base64, canonical, digest
from validator.errors import Malformed, SignatureFailed
from validator.notes import COSIGNER, Note, SigningKey
from validator.policy import read_policy
from validator.snapshot import read_snapshot
from validator.store import Store
from validator.terms_store import TermsStore

BOB = SigningKey("bob.example/w1", COSIGNER, digest(b"bob"))


@dataclass
class Town:
    """A hall whose first two blocks are pruned, and a validator that has seen none of it."""

    hall: FakeHall
    folder: Path
    snapshot: list[str]

    def serve(self) -> None:
        text = "".join(line + "\n" for line in self.snapshot)
        self.hall.forged["openings/snapshot"] = text.encode()
        self.hall.pruned = {"openings/1", "openings/2"}

    def attest(self) -> None:
        note = Note.parse(self.hall.ledger.checkpoint())
        signed = Note(note.text, (*note.signatures, BOB.cosign(note.text, time=1)))
        self.hall.forged["checkpoint"] = str(signed).encode()


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    ledger = Ledger()
    for number in (1, 2, 3):
        ledger.open(number, limit=None if number == 1 else 100)
    ledger.submit("gift", Leg(1, 2, 50))
    ledger.seal()
    ledger.submit("holds", Leg(1, 2, 5, kind="hold"), Leg(2, 3, 6, kind="hold", expires=9))
    ledger.submit("ends", Leg(1, 2, 5, kind="release", hold="holds/0"))
    ledger.document("note", "text", {}, {})
    ledger.seal()
    snapshot = snapshot_of(ledger)
    last = ledger.next_transfer - 1
    # The block with the document: until its leaf, references to the period are still understood.
    ledger.submit("late", Leg(2, 1, 1, corrects="gift/0"))
    ledger.submit("again", Leg(1, 2, 5, kind="release", hold="holds/0"), answer="hold_resolved")
    ledger.submit("rests", Leg(1, 2, 1), document="note")
    ledger.document("pruned:2", "pruned", {"block": "2", "transfer": str(last)}, {})
    ledger.submit("later", Leg(2, 1, 1, corrects="gift/0"), answer="corrected_unknown")
    ledger.submit("more", Leg(1, 2, 5, kind="release", hold="holds/0"), answer="hold_unknown")
    ledger.submit("open", Leg(2, 3, 6, kind="release", hold="holds/1"))
    ledger.submit("over", Leg(2, 3, 6, kind="release", hold="holds/1"), answer="hold_unknown")
    ledger.seal()
    with serving(FakeHall(ledger)) as hall:
        town = Town(hall, set_up(tmp_path, hall), snapshot)
        policy = town.folder / "policy.txt"
        policy.write_text(f"log {ledger.key.verifier}\nwitness bob {BOB.verifier}\nquorum bob\n")
        town.serve()
        town.attest()
        yield town


def snapshot_of(ledger: Ledger) -> list[str]:
    """Return the lines of the state after the last block."""
    last = ledger.next_transfer - 1
    head = {
        "block": str(len(ledger.blocks)),
        "next_transfer": str(last + 1),
        "padding": base64(PADDING),
        "pruned": "0",
        "size": str(len(ledger.entries)),
        "state": base64(ledger.root()),
        "time": str(ledger.time),
    }
    accounts = [
        {
            "account": str(one.number),
            "counters": [str(counter) for counter in one.counters],
            "limit": None if one.limit is None else str(one.limit),
            "salt": base64(one.salt),
            "unit": one.unit,
        }
        for one in ledger.accounts.values()
    ]
    holds = [
        {
            "amount": str(held.leg.amount),
            "credit": str(held.leg.credit),
            "debit": str(held.leg.debit),
            "expires": str(held.leg.expires),
            "hold": reference,
            "id": str(held.id),
        }
        for reference, held in ledger.holds.items()
    ]
    rest = [
        {"document": "note", "kind": "text"},
        {"command": "gift", "first": "1", "legs": "1"},
        {"command": "holds", "first": "2", "legs": "2"},
        {"ended": "holds/0"},
    ]
    return [canonical(line) for line in (head, *accounts, *holds, *rest)]


def test_a_new_validator_starts_behind_the_pruned_period(town: Town) -> None:
    with following(town.folder, town.hall) as follower:
        follower.step()
    # What it began with is on disk as well.
    ledger = town.hall.ledger
    ledger.submit("next", Leg(1, 3, 5))
    ledger.seal()
    with following(town.folder, town.hall) as follower:
        follower.step()

    assert cosigned_sizes(town.hall, town.folder) == [ledger.blocks[3].first, len(ledger.entries)]
    assert town.hall.objections == []
    store = Store(town.folder / "state")
    assert store.started_after() == 2
    assert not TermsStore(store).is_whole
    store.close()


def test_who_was_there_from_the_beginning_judges_alike(town: Town) -> None:
    town.hall.pruned = set()
    with following(town.folder, town.hall) as follower:
        follower.step()

    assert cosigned_sizes(town.hall, town.folder) == [len(town.hall.ledger.entries)]
    assert "openings/snapshot" not in town.hall.asked


def test_one_who_fell_behind_goes_on_from_the_snapshot(town: Town) -> None:
    town.hall.pruned, town.hall.size = set(), town.hall.ledger.blocks[1].first
    with following(town.folder, town.hall) as follower:
        follower.step()
    town.serve()
    town.hall.size = None
    with following(town.folder, town.hall) as follower:
        follower.step()
    ledger = town.hall.ledger
    ledger.submit("ends", Leg(1, 3, 5))
    sealed = ledger.seal()
    ledger.submit("gift", Leg(1, 3, 5))
    ledger.seal()
    with following(town.folder, town.hall) as follower:
        follower.step()

    # It was not there when "ends" was used; "gift" it remembers from the first block.
    assert objected(town.hall, town.folder) == [(str(sealed.first + 3), "key_reused")]


def step_in_vain(town: Town) -> str:
    with (
        following(town.folder, town.hall) as follower,
        pytest.raises((Malformed, SignatureFailed)) as caught,
    ):
        follower.step()
    assert town.hall.cosignatures == []
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"50"', '"51"', "not those of its block"),
        ('"block":"2"', '"block":"1"', "of another block"),
        ('"limit":"100"', '"limit":"101"', "not those of its block"),
        ('"hold":"holds/1"', '"hold":"holds"', "has no name"),
        ('{"ended":', '{"endet":', "no known form"),
        ('"credit":"3"', '"credit":"33"', "contradicts another"),
    ],
)
def test_another_state_is_not_started_from(town: Town, old: str, new: str, said: str) -> None:
    text = "\n".join(town.snapshot)
    assert old in text
    town.snapshot = text.replace(old, new).split("\n")
    town.serve()

    assert said in step_in_vain(town)


def test_a_snapshot_of_another_place_is_not_started_from(town: Town) -> None:
    size = str(town.hall.ledger.blocks[2].first)
    town.snapshot[0] = town.snapshot[0].replace(f'"size":"{size}"', '"size":"5"')
    town.serve()

    assert "does not stand after a block" in step_in_vain(town)


def test_a_state_that_only_the_served_bytes_hold_is_not_started_from(town: Town) -> None:
    """The hall makes up accounts, and serves a leaf that fits them in place of the attested one."""
    town.snapshot[1] = town.snapshot[1].replace('"50"', '"60"')
    text = "".join(line + "\n" for line in town.snapshot)
    made_up = base64(read_snapshot(text.encode(), Memory()).state.root())
    ledger, head = town.hall.ledger, json.loads(town.snapshot[0])
    entries, at = list(ledger.entries), int(head["size"]) - 1
    entries[at] = canonical(json.loads(entries[at]) | {"state": made_up}).encode()
    town.hall.forged[f"tile/entries/000.p/{len(entries)}"] = bundle(entries)
    town.snapshot[0] = canonical(head | {"state": made_up})
    # Pending has grown since: its own bundle is another file, and honest.
    ledger.seal()
    town.serve()

    assert "not in the attested log" in step_in_vain(town)


def test_without_a_quorum_there_is_no_start(town: Town) -> None:
    town.hall.forged["checkpoint"] = town.hall.ledger.checkpoint()

    assert "no quorum" in step_in_vain(town)


def test_books_of_before_are_known_by_name(tmp_path: Path) -> None:
    """A correction of a pruned book cannot be recomputed; what follows from it can."""
    ledger, _ = logged(told_story())
    pruned = logged_until(1)
    with serving(FakeHall(ledger)) as hall:
        folder = set_up(tmp_path, hall)
        (folder / "policy.txt").write_text(
            f"log {ledger.key.verifier}\nwitness bob {BOB.verifier}\nquorum bob\n"
        )
        lines = snapshot_of(pruned)[: 1 + len(pruned.accounts)]
        lines += [canonical({"document": key, "kind": kind_of(key)}) for key in pruned.documents]
        town = Town(hall, folder, lines)
        town.serve()
        hall.pruned = {f"openings/{block + 1}" for block in range(len(pruned.blocks))}
        town.attest()
        with following(folder, hall) as follower:
            follower.step()

        assert hall.objections == []
        assert cosigned_sizes(hall, folder) == [len(ledger.entries)]


def logged_until(revisions: int) -> Ledger:
    """Return the example's log up to the money of some of its revisions."""
    story = told_story()
    story.revisions = story.revisions[:revisions]
    ledger, _ = logged(story)
    return ledger


def kind_of(key: str) -> str:
    return "rules" if key.startswith("rules:") else "interval"


def test_a_policy_is_read_as_its_specification_says(tmp_path: Path) -> None:
    log = Ledger().key.verifier
    keys = [SigningKey(f"w{at}.example", COSIGNER, digest(bytes([at]))) for at in range(4)]
    names = [f"witness w{at} {key.verifier}" for at, key in enumerate(keys)]
    path = tmp_path / "policy"
    lines = [
        "# whom we trust",
        f" log\t{log} https://hall.example/log",
        *names,
        "group validators 2 w0 w1 w2",
        "group both all validators w3",
        "quorum both",
    ]
    path.write_text("".join(line + "\n" for line in lines))
    policy = read_policy(path)
    text = Note.parse(Ledger().checkpoint(0)).text

    def is_attested(*by: int) -> bool:
        return policy.is_attested(Note(text, tuple(keys[at].cosign(text, time=1) for at in by)))

    assert is_attested(0, 2, 3)
    assert is_attested(0, 1, 2, 3)
    assert not is_attested(0, 1, 2)
    assert not is_attested(0, 0, 3)
    assert not is_attested(3)

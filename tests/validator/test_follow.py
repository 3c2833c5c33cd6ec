"""Following a log over HTTP: what holds is cosigned, what does not is objected to, all is kept."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import PROJECT
from tests.validator.fake_hall import FakeHall, bundle, flipped, serving
from tests.validator.following import NAME, cosigned_sizes, following, objected, set_up
from tests.validator.ledger_twin import ORIGIN, Draft, Ledger, Leg
from tests.validator.test_lies import ledger_about_to_lie
from validator import follow
from validator.errors import HallSilent, SignatureFailed
from validator.follow import Follower
from validator.keys import make_key_file
from validator.merkle import CompactRange, leaf_hash
from validator.notes import Checkpoint, Note


@pytest.fixture
def hall() -> Iterator[FakeHall]:
    with serving(FakeHall(ledger_about_to_lie())) as hall:
        yield hall


@pytest.fixture
def folder(hall: FakeHall, tmp_path: Path) -> Path:
    return set_up(tmp_path, hall)


@pytest.fixture
def follower(hall: FakeHall, folder: Path) -> Iterator[Follower]:
    with following(folder, hall) as follower:
        yield follower


def grow(ledger: Ledger, *, blocks: int = 1, commands: int = 3) -> None:
    for _ in range(blocks):
        for _ in range(commands):
            number = ledger.next_transfer
            ledger.submit(f"grow:{number}", Leg(1, 2, 1), Leg(2, 1, 1))
        ledger.seal()


def test_each_checkpoint_is_cosigned_once(hall: FakeHall, folder: Path, follower: Follower) -> None:
    for _ in range(3):
        grow(hall.ledger)
        follower.step()
        follower.step()

    ends = [len(hall.ledger.entries) for _ in "1"]
    assert cosigned_sizes(hall, folder)[-1:] == ends
    assert len(hall.cosignatures) == 3
    assert hall.objections == []


def test_before_the_first_checkpoint_it_waits(tmp_path: Path) -> None:
    with serving(FakeHall(Ledger())) as hall:
        folder = set_up(tmp_path, hall)
        with following(folder, hall) as follower:
            assert follower.step() is False
            assert "no checkpoint yet" in follower.journal.notice().text


def test_a_long_log_is_followed_in_stretches(
    hall: FakeHall, folder: Path, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Full tiles of two levels, and stretches that end in the middle of blocks.
    monkeypatch.setattr(follow, "LEAVES_AT_ONCE", 700)
    grow(hall.ledger, blocks=9, commands=50)
    grow(hall.ledger, commands=300)

    follower.step()

    assert cosigned_sizes(hall, folder) == [len(hall.ledger.entries)]
    assert len(hall.ledger.entries) > 256 * 8


def test_bundles_that_became_whole_are_read_in_place_of_partial_ones(
    hall: FakeHall, folder: Path, follower: Follower
) -> None:
    grow(hall.ledger, commands=20)
    size = len(hall.ledger.entries)
    grow(hall.ledger, commands=200)
    hall.size = size
    partial = hall.piece
    hall.piece = lambda path: None if ".p/" in path else partial(path)  # type: ignore[method-assign]  # partial pieces are deleted

    follower.step()

    assert cosigned_sizes(hall, folder) == [size]


def test_an_objection_is_signed_and_published_and_nothing_more_is_cosigned(
    hall: FakeHall, folder: Path, follower: Follower
) -> None:
    follower.step()
    sealed = hall.ledger.lie(edit_a_transfer)
    follower.step()
    grow(hall.ledger)
    follower.step()

    assert cosigned_sizes(hall, folder) == [sealed.first]
    assert objected(hall, folder) == [(str(sealed.first + 2), "transfer")]
    assert follower.journal.watched() is not None


def test_after_an_objection_a_fork_is_still_noticed(
    hall: FakeHall, folder: Path, follower: Follower
) -> None:
    hall.ledger.lie(edit_a_transfer)
    grow(hall.ledger)
    follower.step()
    follower.step()
    size = len(hall.ledger.entries)
    hall.ledger.entries[3] = hall.ledger.entries[2]
    grow(hall.ledger)
    follower.step()

    assert objected(hall, folder)[1:] == [(str(size), "fork")]


def test_a_fork_of_one_size_is_objected_to(
    hall: FakeHall, folder: Path, follower: Follower
) -> None:
    follower.step()
    size = len(hall.ledger.entries)
    hall.ledger.entries[2] = hall.ledger.entries[1]
    follower.step()

    assert objected(hall, folder) == [(str(size), "fork")]
    assert len(hall.cosignatures) == 1


def test_a_fork_below_is_told_from_a_torn_tile(
    hall: FakeHall, folder: Path, follower: Follower
) -> None:
    follower.step()
    size = len(hall.ledger.entries)
    hall.ledger.entries[2] = hall.ledger.entries[1]
    grow(hall.ledger)
    follower.step()

    assert objected(hall, folder) == [(str(size), "fork")]


def test_an_old_checkpoint_of_the_same_log_is_no_fork(
    hall: FakeHall, folder: Path, follower: Follower
) -> None:
    size = len(hall.ledger.entries)
    grow(hall.ledger)
    follower.step()
    hall.size = size
    follower.step()
    assert hall.objections == []

    # A size that no block ended with says nothing about what was followed.
    hall.forged["pending"] = forged_checkpoint(hall, size + 1)
    follower.step()
    assert objected(hall, folder) == []

    grow(hall.ledger)
    del hall.forged["pending"]
    hall.size = None
    follower.step()
    assert len(hall.cosignatures) == 2


def test_another_old_checkpoint_is_a_fork(hall: FakeHall, folder: Path, follower: Follower) -> None:
    size = hall.ledger.seal().first
    follower.step()
    hall.forged["pending"] = forged_checkpoint(hall, size)
    follower.step()

    assert objected(hall, folder) == [(str(size), "fork")]


@pytest.mark.parametrize("torn", ["flipped", "cut", "exchanged"])
def test_torn_bytes_are_objected_to_until_they_are_whole_again(
    hall: FakeHall, folder: Path, follower: Follower, torn: str
) -> None:
    grow(hall.ledger)
    path = f"tile/entries/000.p/{len(hall.ledger.entries)}"
    whole = hall.piece(path)
    assert whole is not None
    entries = list(hall.ledger.entries)
    entries[3], entries[4] = entries[4], entries[3]
    forged = {"flipped": flipped(whole, 300), "cut": whole[:-1], "exchanged": bundle(entries)}
    hall.forged[path] = forged[torn]
    follower.step()
    follower.step()

    assert [code for _, code in objected(hall, folder)] == ["tile"]
    assert hall.cosignatures == []

    hall.forged.clear()
    follower.step()
    assert cosigned_sizes(hall, folder) == [len(hall.ledger.entries)]
    assert [objection.lifted for objection in follower.journal.objections()] == [True]


def test_a_hall_that_falls_silent_is_waited_for(
    hall: FakeHall, folder: Path, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("validator.client.PAUSE_SECONDS", 0.001)
    grow(hall.ledger, blocks=3)
    hall.silent = ("openings/2",)
    with pytest.raises(HallSilent, match="503 too much to do"):
        follower.step()
    hall.silent = ("cosignatures",)
    follower.step()
    assert "not handed in yet" in follower.journal.notice().text
    assert hall.cosignatures == []
    hall.silent = ()
    follower.step()

    assert cosigned_sizes(hall, folder) == [len(hall.ledger.entries)]
    assert hall.objections == []


def test_a_checkpoint_that_the_log_did_not_sign_accuses_nobody(
    hall: FakeHall, follower: Follower
) -> None:
    hall.forged["pending"] = flipped(hall.ledger.checkpoint(), -9)
    with pytest.raises(SignatureFailed):
        follower.step()

    assert hall.objections == []


def test_two_validators_do_not_share_a_state(folder: Path, follower: Follower) -> None:
    again = subprocess.run(
        [sys.executable, "-m", "validator.main", "--config", str(folder / "validator.toml")],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert again.returncode == 2
    assert "another validator runs on this state" in again.stderr


def test_a_killed_validator_goes_on_where_it_was(hall: FakeHall, folder: Path) -> None:
    """Killed again and again at any moment, it cosigns growing sizes and never objects."""
    command = [sys.executable, "-m", "validator.main", "--config", str(folder / "validator.toml")]
    for round_ in range(5):
        grow(hall.ledger, blocks=20, commands=20)
        process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL)
        time.sleep(0.5 + 0.07 * round_)
        process.send_signal(signal.SIGKILL)
        process.wait()
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL)
    size = len(hall.ledger.entries)
    deadline = time.monotonic() + 60
    while cosigned_sizes(hall, folder)[-1:] != [size] and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)

    assert process.wait(timeout=20) == 0
    sizes = cosigned_sizes(hall, folder)
    assert sizes[-1] == size
    assert sizes == sorted(sizes)
    assert hall.objections == []
    status = subprocess.run(
        [*command[:3], "status", *command[3:]],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert f'"leaves": {size}' in status.stdout


def test_what_was_saved_is_the_state_that_was_left(hall: FakeHall, folder: Path) -> None:
    ledger = hall.ledger
    ledger.submit("hold", Leg(1, 2, 5, kind="hold"), Leg(1, 2, 6, kind="hold"))
    ledger.seal()
    with following(folder, hall) as follower:
        follower.step()
    ledger.submit("release", Leg(1, 2, 5, kind="release", hold="hold/0"))
    ledger.submit("again", Leg(1, 2, 5, kind="release", hold="hold/0"), answer="hold_resolved")
    ledger.submit("corrects", Leg(2, 1, 5, corrects="sale/0"))
    for number in range(100, 180):
        ledger.open(number)
    ledger.seal()
    ledger.submit("sale", Leg(1, 2, 1))
    key_reused = ledger.seal().first

    with following(folder, hall) as follower:
        follower.step()

    assert objected(hall, folder) == [(str(key_reused), "key_reused")]


def test_a_cosignature_is_never_taken_back(folder: Path, follower: Follower) -> None:
    key = make_key_file(folder / "other.key", name=NAME)
    tree = CompactRange().extended([leaf_hash(b"one"), leaf_hash(b"two")])
    newer = Checkpoint(ORIGIN, 2, tree.root())
    follower.journal.cosign(newer, str(newer), key, time=100)
    for checkpoint in (
        Checkpoint(ORIGIN, 1, leaf_hash(b"one")),
        Checkpoint(ORIGIN, 2, leaf_hash(b"two")),
    ):
        with pytest.raises(ValueError, match="were cosigned"):
            follower.journal.cosign(checkpoint, str(checkpoint), key, time=100)

    # A clock that was set back does not make a new statement look old.
    later = Checkpoint(ORIGIN, 3, tree.extended([leaf_hash(b"three")]).root())
    assert follower.journal.cosign(later, str(later), key, time=50).time == 100


def edit_a_transfer(draft: Draft) -> None:
    opening = draft.leaves[2].opening
    assert opening is not None
    draft.leaves[2].opening = opening.replace('"7"', '"8"')


def forged_checkpoint(hall: FakeHall, size: int) -> bytes:
    text = str(Checkpoint(ORIGIN, size, leaf_hash(b"")))
    return str(Note(text, (hall.ledger.key.sign(text),))).encode()

"""What a witness answers: every status of the specification, honest logs and lying ones."""

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.validator import trees
from tests.validator.small_log import (
    LOG_KEY,
    ORIGIN,
    STRANGER,
    checkpoint,
    leaves,
    signed,
    submission,
)
from validator.notes import COSIGNER, LOG, Note, Signature, SigningKey, to_base64
from validator.witness import SIZE_TYPE, Answer, Witness
from validator.witness_store import Held, WitnessRecord, WitnessStore

ALICE = SigningKey("alice.example/w1", COSIGNER, b"a" * 32)
OTHER_LOG = SigningKey("other.example/log", LOG, b"o" * 32)
NOW = 1_790_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[WitnessStore]:
    store = WitnessStore(tmp_path / "witness.sqlite3")
    yield store
    store.close()


@pytest.fixture
def alice(store: WitnessStore) -> Witness:
    logs = {ORIGIN: [LOG_KEY.verifier], OTHER_LOG.name: [OTHER_LOG.verifier]}
    return Witness(key=ALICE, logs=logs, store=store)


def cosigned(answer: Answer, entries: list[bytes], *, at: int = NOW) -> bool:
    """Tell whether an answer is one cosignature of Alice's over these entries."""
    if answer.status != 200:
        return False
    note = Note.parse(f"{checkpoint(entries)}\n{answer.body}".encode())
    (found,) = note.verified([ALICE.verifier])
    return found.time == at


def test_a_log_that_grows_is_cosigned(alice: Witness) -> None:
    sizes = [0, 1, 1, 3, 10, 64, 65]
    before = 0
    for step, size in enumerate(sizes):
        entries = leaves(size)
        answer = alice.add_checkpoint(body=submission(before, entries), now=NOW + step)
        assert cosigned(answer, entries, at=NOW + step), answer
        assert answer.body.startswith("\u2014 alice.example/w1 ")
        before = size


def test_a_wrong_old_size_is_answered_with_the_right_one(alice: Witness) -> None:
    alice.add_checkpoint(body=submission(0, leaves(5)), now=NOW)

    for old_size in (0, 3, 6, 9):
        answer = alice.add_checkpoint(body=submission(old_size, leaves(9)), now=NOW)
        assert answer == Answer(answer.status, "5\n", SIZE_TYPE)
        assert answer.status == 409
    assert cosigned(alice.add_checkpoint(body=submission(5, leaves(9)), now=NOW), leaves(9))


def test_who_is_not_known_here(alice: Witness) -> None:
    elsewhere = submission(0, leaves(2), origin="else.example/log")
    assert alice.add_checkpoint(body=elsewhere, now=NOW).status == 404
    stranger = submission(0, leaves(2), key=STRANGER)
    assert alice.add_checkpoint(body=stranger, now=NOW).status == 403
    another = submission(0, leaves(2), key=OTHER_LOG)
    assert alice.add_checkpoint(body=another, now=NOW).status == 403
    broken = submission(0, leaves(2)).replace(b"\n2\n", b"\n3\n")
    assert alice.add_checkpoint(body=broken, now=NOW).status == 403
    # A signature of somebody else beside the log's own is ignored.
    beside = submission(0, leaves(2)) + str(STRANGER.sign("other\n")).encode()
    assert cosigned(alice.add_checkpoint(body=beside, now=NOW), leaves(2))


def test_a_log_s_cosigner_key_does_not_sign_for_it(alice: Witness) -> None:
    head = checkpoint(leaves(2))
    line = SigningKey(ORIGIN, COSIGNER, LOG_KEY.seed).cosign(str(head), time=NOW)

    answer = alice.add_checkpoint(body=f"old 0\n\n{head}\n{line}".encode(), now=NOW)

    assert answer.status == 403


HASH = to_base64(b"h" * 32).encode() + b"\n"
NOTE = signed(checkpoint(leaves(5))).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 0\n",
        b"old 0\n" + NOTE,
        b"\n" + NOTE,
        b"0\n\n" + NOTE,
        b"OLD 0\n\n" + NOTE,
        b"old  0\n\n" + NOTE,
        b"old 00\n\n" + NOTE,
        b"old -1\n\n" + NOTE,
        b"old \n\n" + NOTE,
        b"old 0 \n\n" + NOTE,
        b"old 0\r\n\r\n" + NOTE,
        b"old 9223372036854775808\n\n" + NOTE,
        b"old 6\n\n" + NOTE,
        b"old 0\nshort\n\n" + NOTE,
        b"old 0\naGFzaA==\n\n" + NOTE,
        b"old 0\n\xe2\x80\x94\n\n" + NOTE,
        b"old 3\n" + HASH * 64 + b"\n" + NOTE,
        b"old 0\n\n" + NOTE[:-1],
        b"old 0\n\n" + NOTE.replace(b"\n5\n", b"\nfive\n"),
        b"old 0\n\n" + NOTE.partition(b"\n")[2],
        b"old 0\n\nnothing but text\n",
    ],
    ids=lambda body: repr(body[:16]),
)
def test_what_is_no_submission(alice: Witness, body: bytes) -> None:
    answer = alice.add_checkpoint(body=body, now=NOW)

    assert answer.status == 400, answer


def test_a_proof_has_to_hold(alice: Witness) -> None:
    assert (
        alice.add_checkpoint(body=submission(0, leaves(5), proof=[b"h" * 32]), now=NOW).status
        == 422
    )
    alice.add_checkpoint(body=submission(0, leaves(5)), now=NOW)
    proof = trees.consistency(5, leaves(9))
    for wrong in ([], proof[:-1], [*proof, b"h" * 32], proof[::-1], [b"h" * 32] * 63):
        body = submission(5, leaves(9), proof=wrong)
        assert alice.add_checkpoint(body=body, now=NOW).status == 422
    body = submission(5, leaves(5), proof=proof)
    assert alice.add_checkpoint(body=body, now=NOW).status == 422
    assert cosigned(alice.add_checkpoint(body=submission(5, leaves(9)), now=NOW), leaves(9))


@pytest.mark.parametrize("old_size", [9, 5, 0])
def test_a_fork_of_the_same_size_is_refused_and_kept_as_proof(
    alice: Witness, store: WitnessStore, old_size: int
) -> None:
    true, lie = leaves(9), leaves(9, story="false")
    alice.add_checkpoint(body=submission(0, true), now=NOW)

    for _ in range(2):
        answer = alice.add_checkpoint(body=submission(old_size, lie, proof=[]), now=NOW)
        assert (answer.status, answer.body) == (409, "9\n")

    with store.transaction() as record:
        forks = record.forks(ORIGIN)
    assert forks == [(signed(checkpoint(true)), signed(checkpoint(lie)))]
    for text in forks[0]:
        assert Note.parse(text.encode()).verified([LOG_KEY.verifier])


def test_a_longer_fork_is_refused(alice: Witness) -> None:
    lie = leaves(12, story="false")
    alice.add_checkpoint(body=submission(0, leaves(9)), now=NOW)

    assert alice.add_checkpoint(body=submission(9, lie), now=NOW).status == 422
    assert alice.add_checkpoint(body=submission(0, lie), now=NOW).status == 409
    assert cosigned(alice.add_checkpoint(body=submission(9, leaves(12)), now=NOW), leaves(12))


def test_a_log_restored_from_an_old_backup_gets_no_cosignature(alice: Witness) -> None:
    alice.add_checkpoint(body=submission(0, leaves(10)), now=NOW)

    # It thinks it is at 5 and goes on from there, in other words than before.
    restored = leaves(7, story="restored")
    assert alice.add_checkpoint(body=submission(5, restored), now=NOW).body == "10\n"
    assert alice.add_checkpoint(body=submission(10, restored), now=NOW).status == 400
    grown_past = leaves(13, story="restored")
    assert alice.add_checkpoint(body=submission(10, grown_past), now=NOW).status == 422


@pytest.mark.parametrize("stores", [1, 2])
def test_a_smaller_checkpoint_cannot_undo_a_larger_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stores: int
) -> None:
    """The race of the specification, with both submissions held at the moment of their check."""
    real, both = WitnessRecord.held, threading.Barrier(2)

    def held_until_both_are_here(self: WitnessRecord, origin: str) -> Held:
        held = real(self, origin)
        try:
            both.wait(timeout=0.5)
        except threading.BrokenBarrierError:
            pass  # as it should be: the other one is not let in before this one is done
        return held

    monkeypatch.setattr(WitnessRecord, "held", held_until_both_are_here)
    opened = [WitnessStore(tmp_path / "witness.sqlite3") for _ in range(stores)]
    witnesses = [
        Witness(key=ALICE, logs={ORIGIN: [LOG_KEY.verifier]}, store=store) for store in opened
    ]
    with ThreadPoolExecutor(2) as pool:
        answers = [
            pool.submit(witness.add_checkpoint, body=submission(0, leaves(size)), now=NOW)
            for witness, size in ((witnesses[0], 9), (witnesses[-1], 5))
        ]
        statuses = sorted(int(answer.result().status) for answer in answers)
    monkeypatch.undo()
    with opened[0].transaction() as record:
        last = record.held(ORIGIN).size
    for store in opened:
        store.close()

    assert statuses == [200, 409]
    assert last == (9 if answers[0].result().status == 200 else 5)


def test_logs_do_not_mix(alice: Witness) -> None:
    assert cosigned(alice.add_checkpoint(body=submission(0, leaves(5)), now=NOW), leaves(5))
    other = submission(0, leaves(4), origin=OTHER_LOG.name, key=OTHER_LOG)

    assert alice.add_checkpoint(body=other, now=NOW).status == 200
    assert cosigned(alice.add_checkpoint(body=submission(5, leaves(6)), now=NOW), leaves(6))


def test_no_time_is_stated_before_the_last_one(alice: Witness) -> None:
    alice.add_checkpoint(body=submission(0, leaves(5)), now=NOW)
    other = submission(0, leaves(4), origin=OTHER_LOG.name, key=OTHER_LOG)

    assert alice.add_checkpoint(body=submission(5, leaves(6)), now=NOW - 1).status == 503
    # The clock is the witness's, whichever log asks.
    assert alice.add_checkpoint(body=other, now=NOW - 1).status == 503
    assert cosigned(alice.add_checkpoint(body=submission(5, leaves(6)), now=NOW), leaves(6))


def test_a_witness_remembers_after_a_restart(
    alice: Witness, store: WitnessStore, tmp_path: Path
) -> None:
    alice.add_checkpoint(body=submission(0, leaves(5)), now=NOW)
    store.close()
    again = WitnessStore(tmp_path / "witness.sqlite3")
    reborn = Witness(key=ALICE, logs={ORIGIN: [LOG_KEY.verifier]}, store=again)

    assert reborn.add_checkpoint(body=submission(0, leaves(6)), now=NOW).body == "5\n"
    assert reborn.add_checkpoint(body=submission(5, leaves(6)), now=NOW - 1).status == 503
    assert cosigned(reborn.add_checkpoint(body=submission(5, leaves(6)), now=NOW), leaves(6))
    again.close()


def test_what_was_not_written_is_not_cosigned(alice: Witness, tmp_path: Path) -> None:
    alice.add_checkpoint(body=submission(0, leaves(5)), now=NOW)
    other = sqlite3.connect(tmp_path / "witness.sqlite3", isolation_level=None)
    # Stands for whatever may keep SQLite from writing.
    other.execute(
        "CREATE TRIGGER no_more BEFORE UPDATE ON cosigned BEGIN SELECT raise(ABORT, 'full'); END"
    )

    answer = alice.add_checkpoint(body=submission(5, leaves(6)), now=NOW)

    assert answer.status == 503
    assert "\u2014" not in answer.body
    other.execute("DROP TRIGGER no_more")
    other.close()
    assert cosigned(alice.add_checkpoint(body=submission(5, leaves(6)), now=NOW), leaves(6))


def test_every_commit_is_synced(store: WitnessStore, tmp_path: Path) -> None:
    settings = {
        name: store._database.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous")
    }

    assert settings == {"journal_mode": "wal", "synchronous": 2}


def test_a_line_is_one_signature(alice: Witness) -> None:
    answer = alice.add_checkpoint(body=submission(0, leaves(3)), now=NOW)

    line = Signature.parse(answer.body.removesuffix("\n"))
    assert (line.name, line.key_id) == (ALICE.verifier.name, ALICE.verifier.key_id)
    assert len(line.signature) == 8 + 64

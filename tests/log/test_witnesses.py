"""Witnesses: who attests, who is ignored, and who stops the publisher."""

import shutil
import time
from collections.abc import Callable, Iterator
from threading import Event

import psycopg
import pytest
from django.test import Client
from psycopg import sql

from config.log.keys import read_policy
from ledger.domain import notes
from ledger.domain.growing_log import entries_in
from ledger.domain.merkle import Frontier, leaf_hash
from ledger.domain.notes import Note, Signer, cosign, sign_note
from ledger.errors import HeadBroken
from ledger.models import Block, Checkpoint, Cosignature, CosignerState, PublisherState
from ledger.queries import get_attested_block, get_log_status
from tests.log.cosigners import Cosigners, RealWitness
from tests.log.hall import Hall, attested_size, cosigner, cosigns

PATIENCE_SECONDS = 60


def test_a_quorum_attests_and_less_does_not(hall: Hall, cosigners: Cosigners) -> None:
    cosigners.witness(cosigns(cosigners.keys["wilma"]))
    hall.book()
    hall.step_until(lambda: Cosignature.objects.filter(name="wilma").exists())
    assert get_attested_block() == 0
    assert hall.checkpoint() is None

    assert cosigners.hand_in("vera") == 200
    assert cosigners.hand_in("vera") == 200
    hall.step()
    assert hall.checkpoint() is None

    assert cosigners.hand_in("viktor") == 200
    hall.step()

    assert get_attested_block() == 1
    attested = hall.checkpoint()
    assert attested is not None
    verdict = read_policy().verify(attested)
    assert verdict.satisfied
    assert verdict.cosigned == {"wilma", "vera", "viktor"}
    # A latecomer's signature is added to what is served.
    assert cosigners.hand_in("victor") == 200
    hall.step()
    late = hall.checkpoint()
    assert late is not None
    assert len(late.signatures) == 5


def test_booking_goes_on_while_a_witness_is_dead(hall: Hall, cosigners: Cosigners) -> None:
    witness = cosigners.witness(cosigns(cosigners.keys["wilma"]))
    hall.book()
    hall.step_until(lambda: Cosignature.objects.filter(name="wilma").exists())
    for name in ("vera", "victor"):
        assert cosigners.hand_in(name) == 200
    assert get_attested_block() == 1
    cosigners.servers.remove(witness)
    witness.stop()

    hall.book(blocks=2)
    hall.step_until(lambda: Checkpoint.objects.count() == 2)
    for name in ("vera", "victor"):
        assert cosigners.hand_in(name) == 200
    hall.step_until(lambda: bool(CosignerState.objects.get(name="wilma").problem))

    status = get_log_status(policy=read_policy())
    assert (status.booked_block, status.signed_block, status.attested_block) == (3, 3, 1)
    assert status.is_publishing
    wilma, vera = status.cosigners[0], status.cosigners[1]
    assert "not reached" in wilma.problem
    assert (wilma.is_validator, vera.is_validator) == (False, True)
    assert wilma.behind > vera.behind == 0


def test_nothing_waits_for_a_slow_witness(hall: Hall, cosigners: Cosigners) -> None:
    signs = cosigns(cosigners.keys["wilma"])
    asked, may_answer = Event(), Event()

    def slowly(body: bytes) -> tuple[int, str, str]:
        if b"\n0\n" not in body:
            asked.set()
            may_answer.wait(PATIENCE_SECONDS)
        return signs(body)

    cosigners.witness(slowly)
    hall.step_until(lambda: CosignerState.objects.filter(name="wilma", problem="").exists())
    hall.book()
    hall.step()
    assert asked.wait(PATIENCE_SECONDS)
    hall.book(blocks=2)
    hall.step_until(lambda: Checkpoint.objects.count() == 2)

    assert not Cosignature.objects.filter(name="wilma", checkpoint__size__gt=0).exists()
    may_answer.set()
    hall.step_until(lambda: Cosignature.objects.filter(name="wilma").exists())


def wrong_key(keys: dict[str, Signer]) -> Callable[[bytes], tuple[int, str, str]]:
    return cosigns(cosigner("wilma.example"))


def others_key(keys: dict[str, Signer]) -> Callable[[bytes], tuple[int, str, str]]:
    return cosigns(keys["vera"])


def from_the_future(keys: dict[str, Signer]) -> Callable[[bytes], tuple[int, str, str]]:
    return cosigns(keys["wilma"], ahead_seconds=3600)


def another_text(keys: dict[str, Signer]) -> Callable[[bytes], tuple[int, str, str]]:
    text = notes.Checkpoint("hall.example/log", 7, bytes(32)).text()
    line = str(cosign(text, keys["wilma"], timestamp=int(time.time())))
    return lambda body: (200, "text/plain", line)


def nonsense(keys: dict[str, Signer]) -> Callable[[bytes], tuple[int, str, str]]:
    return lambda body: (200, "text/plain", "— \x00nonsense")


def unknown(keys: dict[str, Signer]) -> Callable[[bytes], tuple[int, str, str]]:
    return lambda body: (404, "text/plain", "unknown origin")


def sizeless(keys: dict[str, Signer]) -> Callable[[bytes], tuple[int, str, str]]:
    return lambda body: (409, "text/x.tlog.size", "many\n")


@pytest.mark.parametrize(
    "lie", [wrong_key, others_key, from_the_future, another_text, nonsense, unknown, sizeless]
)
def test_a_lying_witness_is_ignored_and_named(
    hall: Hall, cosigners: Cosigners, lie: Callable[..., Callable[[bytes], tuple[int, str, str]]]
) -> None:
    honest = cosigns(cosigners.keys["wilma"])
    lying = lie(cosigners.keys)
    cosigners.witness(lambda body: honest(body) if b"\n0\n" in body else lying(body))
    hall.book()
    hall.step_until(lambda: Checkpoint.objects.count() == 1)
    for name in ("vera", "victor"):
        assert cosigners.hand_in(name) == 200

    hall.step_until(lambda: bool(CosignerState.objects.get(name="wilma").problem))

    assert not Cosignature.objects.filter(name="wilma").exists()
    assert attested_size() == 0
    assert any("wilma" in line for line in hall.said)


def test_no_signature_before_a_witness_has_vouched(hall: Hall, cosigners: Cosigners) -> None:
    cosigners.witness(unknown(cosigners.keys))
    hall.book()
    hall.step_until(lambda: CosignerState.objects.filter(name="wilma").exists())
    for _ in range(5):
        assert hall.step() is None

    assert Checkpoint.objects.count() == 0


@pytest.fixture
def witness(hall: Hall) -> Iterator[RealWitness]:
    witness = RealWitness(hall)
    witness.start()
    yield witness
    witness.stop()


def test_the_other_implementations_witness_cosigns(hall: Hall, witness: RealWitness) -> None:
    for transfers in (1, 300, 2):
        hall.open()
        hall.book(transfers)
        hall.step_until(lambda: hall.is_up_to_date() and attested_size() == hall.pending_size())
        hall.step()
        hall.check_files()

    attested = hall.checkpoint()
    assert attested is not None
    assert attested.text == hall.pending().text
    assert read_policy().verify(attested).satisfied
    assert hall.said == []


RESTORED = """
    ALTER TABLE ledger_cosignature DISABLE TRIGGER USER;
    ALTER TABLE ledger_checkpoint DISABLE TRIGGER USER;
    DELETE FROM ledger_cosignature USING ledger_checkpoint
        WHERE checkpoint_id = size AND block_id > {blocks};
    DELETE FROM ledger_checkpoint WHERE block_id > {blocks};
    ALTER TABLE ledger_cosignature ENABLE TRIGGER USER;
    ALTER TABLE ledger_checkpoint ENABLE TRIGGER USER;
"""
FORKED = """
    ALTER TABLE ledger_checkpoint DISABLE TRIGGER USER;
    UPDATE ledger_checkpoint SET root = {root}, note = {note};
    ALTER TABLE ledger_checkpoint ENABLE TRIGGER USER;
    ALTER TABLE ledger_block DISABLE TRIGGER USER;
    UPDATE ledger_block SET entries = {entries}, frontier = {frontier}, root = {root};
    ALTER TABLE ledger_block ENABLE TRIGGER USER;
"""


def as_owner(hall: Hall, statements: str, **values: object) -> None:
    with psycopg.connect(hall.database.owner_url, autocommit=True) as owner:
        # Each for itself: together they would be one transaction.
        for statement in statements.split(";")[:-1]:
            owner.execute(sql.SQL(statement).format(**values))


def book_and_attest(hall: Hall) -> None:
    hall.book()
    hall.step_until(lambda: hall.is_up_to_date() and attested_size() == hall.pending_size())


@pytest.mark.parametrize("blocks", [1, 0])
def test_an_old_backup_stops_the_publisher_before_it_signs(
    hall: Hall, witness: RealWitness, blocks: int
) -> None:
    book_and_attest(hall)
    book_and_attest(hall)
    hall.close()
    as_owner(hall, RESTORED, blocks=sql.Literal(blocks))
    # The folder went with the old machine: only the witness remembers.
    shutil.rmtree(hall.folder.root)
    hall.book()

    hall.open()
    with pytest.raises(HeadBroken, match="an old copy of the database"):
        hall.step_until(lambda: False)
    assert Checkpoint.objects.count() == blocks
    hall.close()
    run = hall.database.manage("publish_log", "--once", "--skip-checks")

    assert run.returncode == 1
    assert "publishing has stopped" in run.stderr
    assert "an old copy of the database" in PublisherState.objects.get().stopped_because
    assert "Publishing has stopped" in Client().get("/log/").content.decode()
    assert Checkpoint.objects.count() == blocks


def test_another_past_of_the_same_size_stops_the_publisher(
    hall: Hall, witness: RealWitness
) -> None:
    book_and_attest(hall)
    hall.close()
    shutil.rmtree(hall.folder.root)
    block = Block.objects.get()
    entries = bytes(block.entries).replace(b'"type":"transfer"', b'"type":"transfes"')
    frontier = Frontier.empty().extended([leaf_hash(entry) for entry in entries_in(entries)])
    text = notes.Checkpoint("hall.example/log", frontier.size, frontier.root()).text()
    as_owner(
        hall,
        FORKED,
        root=sql.Literal(frontier.root()),
        entries=sql.Literal(entries),
        frontier=sql.Literal(frontier.to_bytes()),
        note=sql.Literal(str(Note(text, (sign_note(text, hall.signer),)))),
    )
    hall.book()

    hall.open()
    with pytest.raises(HeadBroken, match=r"another log|does not extend|than was cosigned"):
        hall.step_until(lambda: False)

    assert Checkpoint.objects.count() == 1


def test_the_policy_may_change_while_it_publishes(hall: Hall, cosigners: Cosigners) -> None:
    hall.book()
    hall.step()
    before = hall.checkpoint()
    assert before is not None
    cosigners.witness(cosigns(cosigners.keys["wilma"]))
    hall.book()

    hall.step_until(lambda: Checkpoint.objects.count() == 2)

    hall.step_until(lambda: Cosignature.objects.filter(name="wilma", checkpoint__block=2).exists())
    assert get_attested_block() == 1
    assert hall.checkpoint() == before
    for name in ("vera", "victor"):
        assert cosigners.hand_in(name) == 200
    hall.step()
    assert read_policy().verify(hall.checkpoint() or before).satisfied
    assert get_attested_block() == 2


def test_an_older_quorum_is_not_thinned_by_a_newer_policy(hall: Hall, cosigners: Cosigners) -> None:
    cosigners.witness(cosigns(cosigners.keys["wilma"]))
    hall.book()
    hall.step_until(lambda: Cosignature.objects.filter(name="wilma").exists())
    for name in ("vera", "victor"):
        assert cosigners.hand_in(name) == 200
    hall.step()
    before = hall.checkpoint()
    cosigners.keys["vera"] = cosigner("other.example")
    cosigners.witness(cosigns(cosigners.keys["wilma"]))

    for _ in range(3):
        hall.step()

    assert hall.checkpoint() == before

"""Statements that come late, twice and in any order; clocks that jump back and forth."""

import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from ledger.domain import notes
from ledger.domain.commands import Command
from ledger.domain.notes import Note
from ledger.models import Block, Checkpoint, Cosignature, Objection
from ledger.services import verify_book
from ledger.services.attestation import grant_openings
from tests.ledger.bookkeeping import book, command, hold, open_account, post
from tests.log.cosigners import Cosigners
from tests.log.hall import Hall, attested_size
from tests.log.lying_operator import ViewsClient
from validator.follow import Follower
from validator.keys import make_key_file
from validator.policy import read_policy
from validator.store import Store

VALIDATORS = ("vera", "victor", "viktor")
TWO_OF_THREE = """
group validators 2 vera victor viktor
group witnesses any wilma
quorum validators
"""


@pytest.fixture
def follower(hall: Hall) -> Iterator[Follower]:
    """Return a real validator whose clock stands still, and the one that the policy asks for."""
    now = datetime.now(UTC)
    key = make_key_file(hall.state / "vera.key", name="vera.example")
    others = Cosigners(hall).keys["wilma"].key
    (hall.state / "policy").write_text(
        f"log {hall.signer.key}\nwitness vera {key.verifier}\nwitness wilma {others}\n"
        "group validators any vera\ngroup witnesses any wilma\nquorum validators\n"
    )
    client = ViewsClient(grant_openings(name="vera", now=now))
    with closing(Store(hall.state / "vera")) as store:
        yield Follower(
            hall=client,
            store=store,
            key=key,
            policy=read_policy(hall.state / "policy"),
            clock=lambda: int(now.timestamp() * 1_000_000),
        )


@pytest.mark.parametrize("seed", range(4))
def test_cosignatures_come_twice_and_in_any_order(hall: Hall, seed: int) -> None:
    cosigners = Cosigners(hall)
    hall.write_policy(TWO_OF_THREE, cosigners.keys)
    signed = sign_three(hall)
    words = list(product(VALIDATORS, signed)) * 2
    random.Random(seed).shuffle(words)
    served, heard = 0, set[tuple[str, int]]()
    for name, note in words:
        assert cosigners.hand_in(name, note=note) == 200
        heard.add((name, size_of(note)))
        hall.step()
        quorums = [size_of(n) for n in signed if sum(s == size_of(n) for _, s in heard) >= 2]
        assert attested_size() == max(quorums, default=0)
        head = hall.checkpoint()
        assert (0 if head is None else size_of(head)) == max(quorums, default=0) >= served
        served = max(quorums, default=0)

    assert Cosignature.objects.count() == len(VALIDATORS) * len(signed)
    assert not Checkpoint.objects.filter(attested_at__isnull=True).exists()
    hall.check_files()


def sign_three(hall: Hall) -> list[Note]:
    """Sign three checkpoints, each after the one before has had its time."""
    signed = []
    publication = hall.open()
    for hours in range(3):
        hall.book()
        assert publication.step(now=datetime.now(UTC) + timedelta(hours=hours))
        signed.append(hall.pending())
    return signed


def size_of(note: Note) -> int:
    return notes.Checkpoint.parse(note.text).size


def book_plain(said: Command, *, now: datetime) -> None:
    """Book a command under a code of no settlement, for which a validator would miss the book."""
    book(replace(said, body=said.body.replace(b'"code":["1"]', b'"code":["90"]')), now=now)


# Where the hall's clock stands at each block, against the world's. [minutes]
JUMPS = (0, 9, -600, 5, -4320, 9, -1, 0)


def test_the_logs_time_never_goes_back_and_validators_agree(hall: Hall, follower: Follower) -> None:
    begun = datetime.now(UTC)
    bank, alice = open_account("bank"), open_account("alice", overdraft_limit=0)
    publication = hall.open()
    for number, minutes in enumerate(JUMPS):
        now = begun + timedelta(minutes=minutes)
        book_plain(command(f"gift-{number}", (bank, alice, 1)), now=now)
        # The publisher runs on another machine, whose clock is wrong the other way.
        assert publication.step(now=begun - timedelta(minutes=minutes))
        while follower.step():
            pass
        publication.step(now=begun)
        assert attested_size() == Block.objects.get(number=number + 1).log_size

    times = list(Block.objects.order_by("number").values_list("booked_at", flat=True))
    assert times == sorted(times)
    assert times[-1] == begun + timedelta(minutes=9)
    assert not Objection.objects.exists()
    assert hall.checkpoint() is not None
    assert verify_book().transfers == len(JUMPS)


def test_a_hold_expires_by_the_logs_time_whatever_the_clock_says(
    hall: Hall, follower: Follower
) -> None:
    begun = datetime.now(UTC)
    bank, alice = open_account("bank"), open_account("alice")
    book_plain(hold("reserve", bank, alice, 5, expires=begun + timedelta(minutes=3)), now=begun)
    book_plain(command("later", (bank, alice, 1)), now=begun + timedelta(minutes=5))
    # The clock is put back before the hold's end: the log has seen a later time.
    book_plain(post("pay", bank, alice, 5, of="reserve/0"), now=begun - timedelta(hours=1))
    publication = hall.open()
    publication.step(now=begun)

    while follower.step():
        pass

    assert Block.objects.get(number=3).commands.get().refusal == "hold_expired"
    assert attested_size() == Block.objects.get(number=3).log_size
    assert not Objection.objects.exists()

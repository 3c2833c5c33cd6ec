"""Witnesses and validators: who attests, who is ignored, and who stops the publisher."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from django.test import Client
from psycopg import sql

from config.embedded.process import free_port
from config.log.keys import read_policy
from ledger.domain import notes
from ledger.domain.growing_log import entries_in
from ledger.domain.merkle import Frontier, leaf_hash
from ledger.domain.notes import KeyType, Note, Signer, cosign, sign_note
from ledger.errors import HeadBroken
from ledger.models import Block, Checkpoint, Cosignature, CosignerState, Objection, PublisherState
from ledger.queries import get_attested_block, get_log_status
from tests.databases import PROJECT
from tests.log.hall import FakeWitness, Hall, attested_size, cosigner, cosigns

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


@pytest.fixture
def cosigners(hall: Hall) -> Iterator[Cosigners]:
    cosigners = Cosigners(hall)
    yield cosigners
    for server in cosigners.servers:
        server.stop()


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

    def slowly(body: bytes) -> tuple[int, str, str]:
        if b"\n0\n" not in body:
            time.sleep(1.5)
        return signs(body)

    cosigners.witness(slowly)
    hall.step_until(lambda: CosignerState.objects.filter(name="wilma", problem="").exists())
    hall.book()
    began = time.monotonic()
    hall.step()
    hall.step()
    assert time.monotonic() - began < 1
    assert Checkpoint.objects.count() == 1
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
    run = hall.database.manage("publish_log", "--once")

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
    with pytest.raises(HeadBroken, match=r"another log|does not extend"):
        hall.step_until(lambda: False)

    assert Checkpoint.objects.count() == 1


REFUSALS: dict[str, Callable[[Hall, Cosigners], tuple[str, str | bytes, int]]] = {
    "a witness may not hand in": lambda hall, who: (
        "/log/cosignatures",
        cosigned(hall.pending().text, who.keys["wilma"]),
        403,
    ),
    "a stranger": lambda hall, who: (
        "/log/cosignatures",
        cosigned(hall.pending().text, cosigner("mallory.example")),
        403,
    ),
    "a checkpoint of another log": lambda hall, who: (
        "/log/cosignatures",
        cosigned(notes.Checkpoint("x.example", 3, bytes(32)).text(), who.keys["vera"]),
        403,
    ),
    "another root": lambda hall, who: (
        "/log/cosignatures",
        cosigned(
            notes.Checkpoint(
                "hall.example/log", notes.Checkpoint.parse(hall.pending().text).size, bytes(32)
            ).text(),
            who.keys["vera"],
        ),
        403,
    ),
    "a broken signature": lambda hall, who: (
        "/log/cosignatures",
        broken(cosigned(hall.pending().text, who.keys["vera"])),
        403,
    ),
    "no note": lambda hall, who: ("/log/cosignatures", b"\xff\x00", 400),
    "no signature": lambda hall, who: ("/log/cosignatures", hall.pending().text, 400),
    "too much": lambda hall, who: ("/log/cosignatures", "x" * 65_537, 413),
    "an objection by a witness": lambda hall, who: (
        "/log/objections",
        objection(hall, who.keys["wilma"]),
        403,
    ),
    "an objection by a stranger": lambda hall, who: (
        "/log/objections",
        objection(hall, cosigner("vera.example")),
        403,
    ),
    "an objection against another log": lambda hall, who: (
        "/log/objections",
        objection(hall, who.keys["vera"], origin="x.example"),
        403,
    ),
    "an objection without form": lambda hall, who: (
        "/log/objections",
        objection(hall, who.keys["vera"], index="one"),
        400,
    ),
}


def cosigned(text: str, key: Signer) -> str:
    return str(Note(text, (cosign(text, key, timestamp=int(time.time())),)))


def broken(text: str) -> str:
    at = len(text) - 20
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


def objection(
    hall: Hall, key: Signer, *, origin: str = "hall.example/log", index: str = "4"
) -> str:
    head = notes.Checkpoint.parse(hall.pending().text)
    root = hall.pending().text.split("\n")[2]
    text = (
        f"heliopolis objection v1\n{origin}\n{head.size}\n{root}\n{index}\nstate_root\n"
        "the state root is another one\n"
    )
    signer = Signer(key.name, KeyType.LOG, key.private)
    return str(Note(text, (sign_note(text, signer),)))


@pytest.mark.parametrize("case", REFUSALS)
def test_what_is_not_a_validators_word_is_refused(
    hall: Hall, cosigners: Cosigners, case: str
) -> None:
    cosigners.witness(cosigns(cosigners.keys["wilma"]))
    hall.book()
    hall.step_until(lambda: Checkpoint.objects.count() == 1)
    path, body, status = REFUSALS[case](hall, cosigners)

    assert post(path, body) == status
    assert not Objection.objects.exists()
    assert not Cosignature.objects.exclude(name="wilma").exists()


def test_a_cosignature_from_the_future_is_refused(hall: Hall, cosigners: Cosigners) -> None:
    cosigners.witness(cosigns(cosigners.keys["wilma"]))
    hall.book()
    hall.step_until(lambda: Checkpoint.objects.count() == 1)

    assert cosigners.hand_in("vera", ahead_seconds=3600) == 403
    assert cosigners.hand_in("vera", ahead_seconds=10) == 200


def test_an_objection_is_kept_once_and_shown(hall: Hall, cosigners: Cosigners) -> None:
    cosigners.witness(cosigns(cosigners.keys["wilma"]))
    hall.book()
    hall.step_until(lambda: Checkpoint.objects.count() == 1)
    said = objection(hall, cosigners.keys["vera"])

    assert [post("/log/objections", said) for _ in range(2)] == [200, 200]

    assert Objection.objects.count() == 1
    answer = Client().get("/log/objections")
    assert answer.content.decode() == said
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    page = Client().get("/log/").content.decode()
    assert "state_root" in page
    assert "the state root is another one" in page


def test_the_policy_may_change_while_it_publishes(hall: Hall, cosigners: Cosigners) -> None:
    hall.book()
    hall.step()
    assert attested_size() > 0
    cosigners.witness(cosigns(cosigners.keys["wilma"]))
    hall.book()

    hall.step_until(lambda: Checkpoint.objects.count() == 2)

    hall.step_until(lambda: Cosignature.objects.filter(name="wilma").exists())
    assert get_attested_block() == 1

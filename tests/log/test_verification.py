"""What was published is compared byte by byte; somebody's log is checked by what it serves."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from django.conf import settings

from config.log.keys import make_signer, read_policy
from ledger.domain.notes import KeyType, Signer, cosign
from ledger.domain.opened_check import OpenedLog
from ledger.domain.public_check import PublicLog, check_public_log
from ledger.domain.rule_core import Answer
from ledger.errors import BookBroken, LogBroken
from ledger.models import Checkpoint
from ledger.queries.openings import iterate_openings
from ledger.services.attestation import take_cosignatures
from ledger.services.log_verification import VerifiedLog, verify_log
from tests.log.hall import Hall

QUORUM = """group witnesses all w
group validators all v
group both all witnesses validators
quorum both
"""


@pytest.fixture
def attested(hall: Hall) -> Hall:
    """Return a hall of three blocks, 907 leaves, attested by a witness and a validator."""
    cosigners = {name: Signer.generate(f"{name}.example", KeyType.COSIGNER) for name in ("w", "v")}
    hall.write_policy(QUORUM, cosigners)
    hall.book(300, blocks=3)
    hall.step()
    now = datetime.now(UTC)
    note = hall.pending()
    for name, signer in cosigners.items():
        signature = cosign(note.text, signer, timestamp=int(now.timestamp()))
        signed = note.signed_also([signature])
        take_cosignatures(note=signed, policy=read_policy(), among=[name], now=now)
    hall.step()
    return hall


def verified(hall: Hall) -> VerifiedLog:
    return verify_log(folder=hall.folder, policy=read_policy())


def checked(hall: Hall, **files: bytes) -> PublicLog:
    """Check the published files, some of them replaced."""

    def read(path: str) -> bytes | None:
        return files.get(path.replace("/", "_").replace(".", "_"), hall.folder.read(path))

    return check_public_log(read=read, policy=read_policy())


def opened(hall: Hall, change: Callable[[list[bytes]], object] | None = None) -> list[Answer]:
    """Re-execute the published log from its openings; ``change`` edits those of block 1."""
    log, answers = OpenedLog(), []

    def check(number: int) -> list[bytes]:
        lines = list(iterate_openings(block=number) or ())
        if change is not None and number == 1:
            change(lines)
        return lines

    check_public_log(
        read=hall.folder.read,
        policy=read_policy(),
        on_block=lambda block: answers.extend(log.check(block, check(block.number))),
    )
    return answers


def test_an_honest_log_is_whole_from_inside_and_outside(attested: Hall) -> None:
    inside, outside = verified(attested), checked(attested)

    assert (inside.leaves, inside.checkpoints, inside.attested, inside.cosignatures) == (
        *(908, 1, 1),
        2,
    )
    assert (outside.size, outside.attested_size, outside.blocks) == (908, 908, 3)
    assert outside.leaves == {"account": 2, "command": 3, "transfer": 900, "block": 3}
    assert outside.cosigners == ["v", "w"]
    assert len(opened(attested)) == 3


def test_a_flipped_byte_in_a_file_is_named(attested: Hall) -> None:
    for path, named in (
        ("tile/0/001", "tile/0/001 differs from the book at byte 40"),
        ("tile/entries/002", "tile/entries/002 differs from the book at byte 40"),
        ("tile/1/000.p/3", "tile/1/000.p/3 differs from the book at byte 40"),
        ("pending", "pending: "),
        ("checkpoint", "checkpoint: "),
    ):
        whole = attested.folder.read(path) or b""
        data = bytearray(whole)
        data[40] ^= 1
        attested.folder.write(path, bytes(data))
        with pytest.raises(BookBroken, match=named):
            verified(attested)
        with pytest.raises(LogBroken):
            checked(attested)
        attested.folder.write(path, whole)
    verified(attested)


def test_a_missing_tile_is_named(attested: Hall) -> None:
    (attested.folder.root / "tile/0/002").unlink()

    with pytest.raises(BookBroken, match="tile/0/002 is missing"):
        verified(attested)
    with pytest.raises(LogBroken, match="tile/0/002 is missing"):
        checked(attested)


FORGED = [
    ("UPDATE ledger_checkpoint SET root = sha256(root)", "its size or root is not that of block 3"),
    (
        "UPDATE ledger_checkpoint SET note = replace(note, 'hall.example', 'hill.example')",
        "checkpoint 908: ",
    ),
    (
        (
            "UPDATE ledger_cosignature v SET line = w.line FROM ledger_cosignature w"
            " WHERE v.name = 'v' AND w.name = 'w'"
        ),
        "checkpoint 908: ",
    ),
]


@pytest.mark.parametrize(("statement", "named"), FORGED)
def test_what_the_owner_forges_of_a_checkpoint_is_named(
    attested: Hall, statement: str, named: str
) -> None:
    with psycopg.connect(attested.database.owner_url) as owner:
        for table in ("ledger_checkpoint", "ledger_cosignature"):
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER".encode())
        owner.execute(statement.encode())

    with pytest.raises(BookBroken, match=named):
        verified(attested)


def test_a_head_that_nobody_attested_is_no_checkpoint(attested: Hall) -> None:
    attested.folder.write("checkpoint", str(attested.pending()).encode())

    with pytest.raises(BookBroken, match="no quorum of the policy"):
        verified(attested)
    with pytest.raises(LogBroken, match="no quorum of your policy"):
        checked(attested)


def swap(lines: list[bytes]) -> None:
    lines[1], lines[2] = lines[2], lines[1]


def raise_amount(lines: list[bytes]) -> None:
    lines[3] = lines[3].replace(b'["1"', b'["2"', 1)


def add_command(lines: list[bytes]) -> None:
    lines.append(lines[3].replace(b'"deposit-1"', b'"deposit-9"'))


def no_limit(lines: list[bytes]) -> None:
    lines[1] = lines[1].replace(b"null", b'"0"')


CHANGES: Sequence[tuple[Callable[[list[bytes]], object], str]] = [
    (swap, "leaf 0: the log has"),
    (raise_amount, "leaf 2: the log has"),
    (add_command, "leaf 303: the log has"),
    (no_limit, "leaf 0: the log has"),
    (lambda lines: lines.pop(1), "leaf 0"),
    (lambda lines: lines.pop(), "leaf 2: the log has"),
    (lambda lines: lines.clear(), "openings of block 1: they are not in form"),
]


def test_openings_that_are_not_those_of_the_leaves_are_named(attested: Hall) -> None:
    for change, named in CHANGES:
        with pytest.raises(LogBroken, match=named):
            opened(attested, change)


def test_a_mark_of_attestation_without_a_quorum_is_named(attested: Hall) -> None:
    attested.book(3)
    attested.step()
    size = Checkpoint.objects.filter(attested_at=None).update(attested_at=datetime.now(UTC))
    assert size == 1

    newest = Checkpoint.objects.latest("size").size
    with pytest.raises(BookBroken, match=f"checkpoint {newest}: marked as attested"):
        verified(attested)


def test_a_key_that_another_process_made_meanwhile_is_not_overwritten(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Path, "exists", lambda self: False)
        assert make_signer().key == hall.signer.key
    assert [each.name for each in settings.LOG_KEY_FILE.parent.glob("log.key*")] == ["log.key"]

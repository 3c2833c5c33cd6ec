"""The order of publication, and what every crash in between leaves behind."""

import shutil
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection

from ledger.domain.growing_log import GrowingLog
from ledger.errors import HeadBroken
from ledger.models import Block, Checkpoint
from ledger.services.log_folder import PENDING, LogFolder
from ledger.services.publisher import LogPublisher
from tests.ledger.bookkeeping import NOW
from tests.log.hall import Hall, attested_size


def test_blocks_become_files_and_one_checkpoint(hall: Hall) -> None:
    assert hall.step() is None
    assert hall.folder.read(PENDING) is None
    hall.book(300, blocks=3)

    signed = hall.step()

    assert signed is not None
    assert (signed.block, signed.blocks) == (3, 3)
    assert signed.size == Block.objects.get(number=3).log_size
    hall.check_files()
    assert hall.step() is None
    hall.book()
    hall.step()
    hall.check_files()
    assert Checkpoint.objects.count() == 2


def test_without_a_policy_the_log_alone_attests(hall: Hall) -> None:
    hall.book()
    hall.step()

    assert hall.checkpoint() == hall.pending()
    assert attested_size() == Checkpoint.objects.get().size


def test_a_restart_goes_on_where_it_was(hall: Hall) -> None:
    for _ in range(3):
        hall.book(200)
        hall.open()
        assert hall.step()
        hall.check_files()

    assert hall.said == []


class Killed(BaseException):
    """Stands for the end of the process."""


def die(*args: Any, **options: Any) -> None:
    raise Killed


CRASHES = {
    "before any tile": (LogFolder, "write_tiles"),
    "between tiles and signature": (LogPublisher, "_sign"),
    "between the signature's commit and pending": (LogFolder, "write"),
    "after pending": (LogFolder, "remove_partials"),
}


@pytest.mark.parametrize("moment", CRASHES)
def test_a_crash_at_any_moment_is_made_up_for(
    hall: Hall, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    hall.book(100)
    hall.step()
    hall.book(400)
    owner, method = CRASHES[moment]
    original = getattr(owner, method)

    def die_at_pending(self: LogFolder, path: str, data: bytes) -> None:
        if path == PENDING:
            raise Killed
        original(self, path, data)

    with monkeypatch.context() as patch:
        patch.setattr(owner, method, die_at_pending if method == "write" else die)
        with pytest.raises(Killed):
            hall.step()
    checkpoints = Checkpoint.objects.count()
    is_signed = moment.startswith(("between the signature", "after"))
    assert checkpoints == (2 if is_signed else 1)

    hall.open()
    hall.step()

    assert Checkpoint.objects.count() == 2
    assert hall.pending().text in Checkpoint.objects.order_by("-size")[0].note
    assert hall.checkpoint() == hall.pending()
    hall.check_files()
    assert attested_size() == hall.pending_size()


def damaged(data: bytes) -> bytes:
    return data[:40] + bytes([data[40] ^ 1]) + data[41:]


TORN: list[tuple[str, Callable[[bytes], bytes] | None]] = [
    ("tile/0/001", lambda data: data[:5000]),
    ("tile/0/001", lambda data: b""),
    ("tile/0/001", None),
    ("tile/entries/001", None),
    ("tile/entries/001", lambda data: b""),
    ("tile/0/003.p/{edge}", damaged),
    ("tile/0/003.p/{edge}", lambda data: data[:-1]),
    ("tile/1/000.p/3", damaged),
    ("tile/entries/003.p/{edge}", damaged),
    ("tile/entries/003.p/{edge}", None),
    ("pending", damaged),
    ("pending", lambda data: b""),
    ("checkpoint", damaged),
    ("checkpoint", lambda data: data[:-10]),
]


@pytest.mark.parametrize("rebuild", [False, True])
def test_torn_files_are_named_and_come_out_the_same(hall: Hall, rebuild: bool) -> None:
    hall.book(300, blocks=3)
    hall.step()
    before = hall.files()
    edge = Block.objects.get(number=3).log_size % 256
    # Each comes out the same, so that the next one finds what the first found.
    for number, (template, damage) in enumerate(TORN):
        path = template.format(edge=edge)
        spoil(hall, path, None if damage is None else damage(before[path]))

        hall.open(rebuild=rebuild)
        hall.step()

        assert hall.files() == before, (number, path)
        assert named(hall) == [path], number


def test_an_edit_in_old_files_is_found_by_rebuild(hall: Hall) -> None:
    hall.book(300, blocks=3)
    hall.step()
    before = hall.files()
    for path in ("tile/0/001", "tile/entries/001", "tile/entries/000"):
        spoil(hall, path, damaged(before[path]))

        hall.open(rebuild=True)

        assert hall.files() == before, path
        assert named(hall) == [path]


def spoil(hall: Hall, path: str, data: bytes | None) -> None:
    """Write something else into a file, or remove it."""
    file = hall.folder.root / path
    file.unlink() if data is None else file.write_bytes(data)


def named(hall: Hall) -> list[str]:
    """Return the files that were named since the last time."""
    paths = [line.partition(" ")[0] for line in hall.said]
    hall.said.clear()
    return paths


def test_a_deleted_folder_comes_back_byte_for_byte(hall: Hall) -> None:
    hall.book(120)
    hall.step()
    hall.book(90, blocks=2)
    hall.step()
    before = hall.files()
    shutil.rmtree(hall.folder.root)

    hall.open()
    hall.step()

    assert hall.files() == before


def as_owner(hall: Hall, statement: str) -> None:
    with psycopg.connect(hall.database.owner_url, autocommit=True) as owner:
        owner.execute("ALTER TABLE ledger_block DISABLE TRIGGER USER")
        owner.execute(statement)
        owner.execute("ALTER TABLE ledger_block ENABLE TRIGGER USER")


LIES = {
    "a leaf edited": "UPDATE ledger_block SET entries = overlay(entries placing '~' from 30)"
    " WHERE number = 2",
    "a root edited": "UPDATE ledger_block SET root = sha256('x') WHERE number = 2",
    "a leaf dropped": "UPDATE ledger_block SET leaf_count = leaf_count - 1,"
    " entries = substr(entries, 3 + get_byte(entries, 0) * 256 + get_byte(entries, 1))"
    " WHERE number = 2",
}


@pytest.mark.parametrize("lie", LIES)
def test_what_does_not_lead_to_its_root_is_never_signed(hall: Hall, lie: str) -> None:
    hall.book(10)
    hall.step()
    signed = hall.pending()
    hall.book(10)
    as_owner(hall, LIES[lie])

    with pytest.raises(HeadBroken, match="block 2"):
        hall.step()

    assert hall.pending() == signed
    assert Checkpoint.objects.count() == 1


def test_a_signed_past_that_was_edited_is_not_built_upon(hall: Hall) -> None:
    hall.book(10)
    hall.step()
    as_owner(hall, "UPDATE ledger_block SET entries = overlay(entries placing '~' from 30)")
    hall.book(10)

    with pytest.raises(HeadBroken, match="do not lead to the root that was signed"):
        hall.open(rebuild=True)


def test_an_old_copy_of_the_database_is_noticed_from_the_folder(hall: Hall) -> None:
    hall.book(10, blocks=2)
    hall.step()
    newer = hall.files()
    with psycopg.connect(hall.database.owner_url, autocommit=True) as owner:
        owner.execute("ALTER TABLE ledger_checkpoint DISABLE TRIGGER USER")
        owner.execute("DELETE FROM ledger_checkpoint")
        owner.execute("ALTER TABLE ledger_checkpoint ENABLE TRIGGER USER")

    with pytest.raises(HeadBroken, match="an old copy of the database"):
        hall.open()

    assert hall.files() == newer


def test_the_database_signs_nothing_twice_and_nothing_smaller(hall: Hall) -> None:
    hall.book(blocks=3)
    blocks = list(Block.objects.order_by("number"))
    insert = (
        "INSERT INTO ledger_checkpoint (size, block_id, root, note, signed_at)"
        " VALUES (%s, %s, %s, '', %s)"
    )
    middle = blocks[1]
    attempts = [
        (middle.log_size, 2, bytes(blocks[0].root), "no block ends there"),
        (middle.log_size - 1, 2, bytes(middle.root), "no block ends there"),
        (middle.log_size, 2, bytes(middle.root), ""),
        (blocks[0].log_size, 1, bytes(blocks[0].root), "does not extend"),
        (middle.log_size, 2, bytes(middle.root), "does not extend"),
    ]
    for size, block, root, problem in attempts:
        with connection.cursor() as cursor:
            if not problem:
                cursor.execute(insert, [size, block, root, NOW])
                continue
            with pytest.raises(DatabaseError, match=problem):
                cursor.execute(insert, [size, block, root, NOW])
    for statement in (
        "UPDATE ledger_checkpoint SET note = 'x'",
        "DELETE FROM ledger_checkpoint",
        "DELETE FROM ledger_cosignature",
        "UPDATE ledger_objection SET code = 'x'",
    ):
        with pytest.raises(DatabaseError), connection.cursor() as cursor:
            cursor.execute(statement)


def test_another_publisher_waits_for_its_turn_and_goes_on(hall: Hall) -> None:
    hall.book()
    hall.step()
    run = hall.database.manage("publish_log", "--once", "--skip-checks")
    assert run.returncode == 1
    assert "another process publishes now" in run.stderr

    assert hall.publication is not None
    hall.publication.publisher.give_turn_back()
    hall.book()
    run = hall.database.manage("publish_log", "--once", "--skip-checks")
    assert run.returncode == 0, run.stderr
    hall.check_files()

    # The one that lost its turn without noticing cannot sign over the other.
    hall.book()
    with pytest.raises(HeadBroken):
        stale_sign(hall)


def stale_sign(hall: Hall) -> None:
    assert hall.publication is not None
    publisher = hall.publication.publisher
    publisher._log = GrowingLog.empty()
    publisher.last, publisher._prepared = publisher._empty(), 0
    publisher.publish_new(now=NOW)
    assert Checkpoint.objects.filter(block=3).exists()
    publisher._log = GrowingLog.empty()
    publisher.last, publisher._prepared = publisher._empty(), 0
    publisher.publish_new(now=NOW)

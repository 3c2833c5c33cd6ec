"""After a period was pruned, whatever is changed in what is left of it is named."""

import zlib
from collections.abc import Callable

import psycopg
import pytest
from psycopg import sql

from ledger.errors import BookBroken
from ledger.models import Snapshot
from ledger.services import verify_book
from tests.ledger.test_verification import TABLES
from tests.log.hall import Hall
from tests.privacy.pruned_story import tell

_TABLES = ("ledger_snapshot", *TABLES)

CASES = [
    ("INSERT INTO ledger_blockseed VALUES (2, sha256('?'))", "block 2 was pruned and still has"),
    (
        """
        INSERT INTO ledger_transfer SELECT (jsonb_populate_record(t, '{"id": 1, "leg": 7}')).*
        FROM ledger_transfer t WHERE id = 10
        """,
        "transfer 1 was pruned and is still there",
    ),
    (
        "UPDATE ledger_transfer SET kind = 0 WHERE id = 4",
        "transfer 4 was pruned and is still there",
    ),
    ("UPDATE ledger_transfer SET amount = 41 WHERE id = 4", "transfer 4 is not the hold"),
    ("UPDATE ledger_transfer SET expires = 9 WHERE id = 4", "transfer 4 is not the hold"),
    ("DELETE FROM ledger_transfer WHERE id = 4", "transfer 4, the open hold stays/0, is missing"),
    (
        "UPDATE ledger_inboxcommand SET body = 'gift' WHERE key = 'gifts'",
        "command gifts was pruned and still says something",
    ),
    (
        "UPDATE ledger_inboxcommand SET fingerprint = sha256('gift') WHERE key = 'gifts'",
        "command gifts was pruned and still says something",
    ),
    ("DELETE FROM ledger_inboxcommand WHERE key = 'gifts'", "its blocks had 8 commands"),
    ("UPDATE ledger_block SET transfer_count = 4 WHERE number = 2", "its blocks had 8 transfers"),
    ("UPDATE ledger_block SET command_count = 3 WHERE number = 2", "its blocks had 7 commands"),
    (
        (  # another byte whatever stands there: a commitment is random
            "UPDATE ledger_block SET entries = set_byte(entries, 20, get_byte(entries, 20) # 1)"
            " WHERE number = 2"
        ),
        "block 2: its root does not follow from its leaves",
    ),
    ("UPDATE ledger_block SET root = sha256(root) WHERE number = 1", "block 1: its root"),
    ("UPDATE ledger_block SET frontier = '' WHERE number = 1", "block 1: its root"),
    ("UPDATE ledger_block SET first_leaf = 3 WHERE number = 2", "block 2: its leaves are not"),
    ("UPDATE ledger_block SET leaf_count = 3 WHERE number = 2", "block 2: its leaves are not"),
    ("UPDATE ledger_block SET state_root = root WHERE number = 3", "block 3: its last leaf"),
    (
        "UPDATE ledger_block SET booked_at = booked_at - interval '1 s' WHERE number = 2",
        "block 2: its last leaf does not close it",
    ),
    ("UPDATE ledger_block SET epoch = 9 WHERE number = 2", "block 3: its epoch is older"),
    (
        "UPDATE ledger_account SET salt = sha256(salt) WHERE path = 'bob'",
        "its accounts are not those that the log has opened",
    ),
    (
        "UPDATE ledger_account SET debits_posted = 1 WHERE path = 'bob'",
        "account bob: debits_posted is 1",
    ),
    ("UPDATE ledger_head SET pruned_transfer_id = 3", "transfers up to 3 were pruned"),
    ("UPDATE ledger_head SET padding = sha256(padding)", "its padding is not the head's"),
    ("UPDATE ledger_snapshot SET content = sha256('')", "the snapshot after block 3: "),
    ("UPDATE ledger_snapshot SET last_transfer_id = 6", "its row says another block or transfer"),
    ("UPDATE ledger_snapshot SET block_id = 2", "its row says another block or transfer"),
    (
        "UPDATE ledger_snapshot SET document_key = 'paper:1'",
        "document paper:1 does not tell validators of it",
    ),
    (
        "DELETE FROM ledger_snapshot",
        "command deposit: answered booked, its bytes say not_canonical",
    ),
    # What comes after is re-executed as ever.
    ("UPDATE ledger_transfer SET amount = 8 WHERE id = 8", "transfer 8: amount is 8"),
    ("UPDATE ledger_blockseed SET seed = sha256(seed) WHERE block_id = 4", "of block 4"),
    ("DELETE FROM ledger_blockseed WHERE block_id = 5", "block 5: its seed is missing"),
]


def test_what_was_changed_is_named(hall: Hall) -> None:
    tell(hall).prune_wholly()
    with psycopg.connect(hall.database.owner_url, autocommit=True) as owner:
        _take_guards_away(owner)
        for table in _TABLES:
            names = sql.Identifier(f"{table}_copy"), sql.Identifier(table)
            owner.execute(sql.SQL("CREATE TABLE {} AS TABLE {}").format(*names))
        for statement, named in CASES:
            assert owner.execute(statement.encode()).rowcount == 1, statement
            with pytest.raises(BookBroken) as caught:
                verify_book()
            assert named in str(caught.value), statement
            for table in _TABLES:
                names = sql.Identifier(table), sql.Identifier(f"{table}_copy")
                owner.execute(sql.SQL("DELETE FROM {}").format(names[0]))
                owner.execute(sql.SQL("INSERT INTO {} TABLE {}").format(*names))
        assert verify_book().pruned_blocks == 3


REWRITTEN: list[tuple[Callable[[bytes], bytes], str]] = [
    (lambda text: text.replace(b'"counters":["', b'"counters":["1', 1), "do not lead to its state"),
    (lambda text: text.replace(b'"size":"', b'"size":"1', 1), "block 3 states another state"),
    (lambda text: text.replace(b'"time":"1', b'"time":"2', 1), "block 3 states another state"),
    (lambda text: text.replace(b'"amount":"40"', b'"amount":"41"'), "transfer 4 is not the hold"),
    # The gift that a later command corrects gets another number; a leaf remembers.
    (lambda text: text.replace(b'"first":"2"', b'"first":"1"'), "transfer 8: corrects_id is 3"),
    (lambda text: text.replace(b'{"ended":"ends/0"}\n', b""), "answered hold_resolved"),
    (lambda text: text.replace(b"\n", b" \n", 1), "the snapshot is not canonical"),
]


def test_a_snapshot_that_says_something_else_is_named(hall: Hall) -> None:
    tell(hall).prune_wholly()
    text = zlib.decompress(bytes(Snapshot.objects.get().content))
    with psycopg.connect(hall.database.owner_url, autocommit=True) as owner:
        _take_guards_away(owner)
        for number, (change, named) in enumerate(REWRITTEN):
            content = zlib.compress(change(text))
            assert change(text) != text, number
            owner.execute("UPDATE ledger_snapshot SET content = %s", [content])
            with pytest.raises(BookBroken) as caught:
                verify_book()
            assert named in str(caught.value), number


def _take_guards_away(owner: psycopg.Connection) -> None:
    """Do what the owner of the tables can: no trigger, check or foreign key is left."""
    for table in _TABLES:
        name = sql.Identifier(table)
        owner.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(name))
    constraints = owner.execute(
        "SELECT conrelid::regclass::text, conname FROM pg_constraint"
        " WHERE conrelid::regclass::text = ANY(%s) AND contype IN ('c', 'f')",
        [[*_TABLES, "ledger_checkpoint"]],
    ).fetchall()
    for table, constraint in constraints:
        owner.execute(
            sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(
                sql.Identifier(table), sql.Identifier(constraint)
            )
        )

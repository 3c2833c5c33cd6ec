"""Whatever is changed behind the book's back, verification fails and names it."""

import psycopg
import pytest
from psycopg import sql

from ledger.domain.commands import fingerprint
from ledger.errors import BookBroken
from ledger.services import submit, verify_book
from tests.conftest import CommittedDatabase
from tests.ledger.bookkeeping import NOW, book, command, hold, open_account, post

TABLES = (
    "ledger_transfer",
    "ledger_blockseed",
    "ledger_block",
    "ledger_inboxcommand",
    "ledger_account",
    "ledger_head",
)


@pytest.fixture
def written(committed_db: CommittedDatabase) -> CommittedDatabase:
    """Write a small book in two blocks, and a command that waits.

    Its transfers: 1 a deposit, 2 and 3 gifts by one command, 4 a hold, 5 its posting,
    6 a correction.
    """
    bank = open_account("bank")
    alice, bob = (open_account(name, overdraft_limit=0) for name in ("alice", "bob"))
    open_account("charlie", overdraft_limit=0)
    book(
        command("deposit", (bank, alice, 100)),
        command("gifts", (alice, bob, 10), (alice, bob, 20)),
        hold("reserve", alice, bob, 40),
    )
    book(
        post("pay", alice, bob, 30, of="reserve/0"),
        command("too much", (alice, bob, 1000)),
        command("less", (bob, alice, 20), corrects=["gifts/1"]),
    )
    submit(commands=[command("waiting", (alice, bob, 1))], submitted_at=NOW)
    return committed_db


def take_guards_away(owner: psycopg.Connection) -> None:
    """Do what the owner of the tables can: no trigger, check or foreign key is left."""
    for table in TABLES:
        name = sql.Identifier(table)
        owner.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(name))
    constraints = owner.execute(
        "SELECT conrelid::regclass::text, conname FROM pg_constraint"
        " WHERE conrelid::regclass::text = ANY(%s) AND contype IN ('c', 'f')",
        [list(TABLES)],
    ).fetchall()
    for table, constraint in constraints:
        owner.execute(
            sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(
                sql.Identifier(table), sql.Identifier(constraint)
            )
        )


def keep_copies(owner: psycopg.Connection) -> None:
    for table in TABLES:
        names = sql.Identifier(f"{table}_copy"), sql.Identifier(table)
        owner.execute(sql.SQL("CREATE TABLE {} AS TABLE {}").format(*names))


def put_back(owner: psycopg.Connection) -> None:
    for table in TABLES:
        owner.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
        names = sql.Identifier(table), sql.Identifier(f"{table}_copy")
        owner.execute(sql.SQL("INSERT INTO {} TABLE {}").format(*names))


def test_an_honest_book_is_whole(written: CommittedDatabase) -> None:
    seen: list[tuple[int, int]] = []

    verified = verify_book(on_block=lambda number, last: seen.append((number, last)))

    assert (verified.blocks, verified.commands, verified.refused) == (2, 6, 1)
    assert (verified.transfers, verified.accounts) == (6, 4)
    assert seen == [(1, 2), (2, 2)]


CASES = [
    # Every column of a transfer.
    ("UPDATE ledger_transfer SET id = 77 WHERE id = 2", "transfer 2 is missing"),
    ("UPDATE ledger_transfer SET command_id = 99 WHERE id = 4", "transfer 4: command_id"),
    ("UPDATE ledger_transfer SET leg = 5 WHERE id = 2", "transfer 2: leg is 5"),
    ("UPDATE ledger_transfer SET kind = 1 WHERE id = 2", "transfer 2: kind is 1"),
    (
        "UPDATE ledger_transfer SET debit_account_id = 4 WHERE id = 2",
        "transfer 2: debit_account_id is 4, its command says 2",
    ),
    (
        "UPDATE ledger_transfer SET credit_account_id = 4 WHERE id = 2",
        "transfer 2: credit_account_id is 4, its command says 3",
    ),
    (
        "UPDATE ledger_transfer SET amount = amount + 1 WHERE id = 1",
        "transfer 1: amount is 101, its command says 100",
    ),
    ("UPDATE ledger_transfer SET code = 2 WHERE id = 2", "transfer 2: code is 2"),
    (
        "UPDATE ledger_transfer SET hold_id = NULL WHERE id = 5",
        "transfer 5: hold_id is NULL, its command says 4",
    ),
    ("UPDATE ledger_transfer SET hold_id = 0 WHERE id = 2", "transfer 2: hold_id is 0"),
    ("UPDATE ledger_transfer SET hold_id = 3 WHERE id = 5", "transfer 5: hold_id"),
    (
        "UPDATE ledger_transfer SET corrects_id = 0 WHERE id = 2",
        "transfer 2: corrects_id is 0, its command says NULL",
    ),
    (
        "UPDATE ledger_transfer SET corrects_id = NULL WHERE id = 6",
        "transfer 6: corrects_id is NULL, its command says 3",
    ),
    # Rows.
    ("DELETE FROM ledger_transfer WHERE id = 3", "transfer 3 is missing"),
    (
        (
            "INSERT INTO ledger_transfer SELECT (jsonb_populate_record(t,"
            " jsonb_build_object('id', 7, 'leg', 9))).* FROM ledger_transfer t WHERE id = 1"
        ),
        "transfer 7 follows from no command",
    ),
    (
        (
            "INSERT INTO ledger_transfer SELECT (jsonb_populate_record(t,"
            " jsonb_build_object('id', -7, 'leg', 9))).* FROM ledger_transfer t WHERE id = 1"
        ),
        "transfer -7 follows from no command",
    ),
    # Counters.
    (
        "UPDATE ledger_account SET debits_pending = 1 WHERE path = 'bob'",
        "account bob: debits_pending is 1, its transfers say 0",
    ),
    (
        "UPDATE ledger_account SET debits_posted = 0 WHERE path = 'alice'",
        "account alice: debits_posted is 0, its transfers say 60",
    ),
    (
        "UPDATE ledger_account SET credits_pending = 40 WHERE path = 'bob'",
        "account bob: credits_pending",
    ),
    (
        "UPDATE ledger_account SET credits_posted = 5 WHERE path = 'charlie'",
        "account charlie: credits_posted is 5, its transfers say 0",
    ),
    # Accounts.
    ("DELETE FROM ledger_account WHERE path = 'bank'", "command deposit: answered booked"),
    (
        "UPDATE ledger_account SET unit = 'EUR/6' WHERE path = 'bob'",
        "command gifts: answered booked, its bytes say units_differ",
    ),
    (
        "UPDATE ledger_account SET overdraft_limit = 2000 WHERE path = 'alice'",
        "leaf 1 of block 1 (account alice): the log has",
    ),
    # Commands.
    (
        (
            "UPDATE ledger_inboxcommand SET body = overlay(body placing '\\x32'"
            " from 25 for 1) WHERE key = 'gifts'"
        ),
        "command gifts: its key and bytes have another fingerprint",
    ),
    (
        "UPDATE ledger_inboxcommand SET fingerprint = sha256('x') WHERE key = 'gifts'",
        "command gifts: its key and bytes",
    ),
    (
        "UPDATE ledger_inboxcommand SET key = 'presents' WHERE key = 'gifts'",
        "command presents: its key and bytes",
    ),
    (
        "UPDATE ledger_inboxcommand SET transfer_count = 3 WHERE key = 'gifts'",
        "command gifts: answered booked, its bytes say not_canonical",
    ),
    (
        "UPDATE ledger_inboxcommand SET body = body || ' ' WHERE key = 'waiting'",
        "command waiting: its key and bytes",
    ),
    (
        "UPDATE ledger_inboxcommand SET state = 1, refusal = '' WHERE key = 'too much'",
        "command too much: answered booked, its bytes say limit_exceeded",
    ),
    (
        "UPDATE ledger_inboxcommand SET refusal = 'account_unknown' WHERE key = 'too much'",
        "command too much: answered account_unknown, its bytes say limit_exceeded",
    ),
    (
        "UPDATE ledger_inboxcommand SET state = 2, refusal = 'limit_exceeded' WHERE key = 'less'",
        "command less: answered limit_exceeded, its bytes say booked",
    ),
    (
        "UPDATE ledger_inboxcommand SET position = 9 WHERE key = 'pay'",
        "block 2: no command at position 0",
    ),
    (
        "UPDATE ledger_inboxcommand SET block_id = 9 WHERE key = 'less'",
        "block 2: its counts do not follow",
    ),
    (
        (
            "UPDATE ledger_inboxcommand SET state = 2, refusal = 'x', block_id ="
            " 9, position = 0 WHERE key = 'waiting'"
        ),
        "command waiting is answered but in no block",
    ),
    ("DELETE FROM ledger_inboxcommand WHERE key = 'less'", "block 2: its counts"),
    # Blocks and the head.
    ("DELETE FROM ledger_block WHERE number = 1", "block 1 is missing"),
    ("UPDATE ledger_block SET epoch = 9 WHERE number = 1", "block 2: its epoch is older"),
    ("UPDATE ledger_block SET epoch = 9 WHERE number = 2", "the head says epoch 2"),
    ("UPDATE ledger_block SET command_count = 4 WHERE number = 1", "block 1: its counts"),
    ("UPDATE ledger_block SET transfer_count = 4 WHERE number = 2", "block 2: its counts"),
    (
        (
            "INSERT INTO ledger_block SELECT (jsonb_populate_record(b, jsonb_build_object("
            "'number', 3, 'first_leaf', 19, 'leaf_count', 0, 'entries', ''"
            "))).* FROM ledger_block b WHERE number = 1"
        ),
        "block 3",
    ),
    # The log.
    (
        (  # another byte whatever stands there: a commitment is random
            "UPDATE ledger_block SET entries = set_byte(entries, 20, get_byte(entries, 20) # 1)"
            " WHERE number = 2"
        ),
        "leaf 12 of block 2 (command pay): the log has {",
    ),
    (
        "UPDATE ledger_block SET entries = entries || '\\x0000' WHERE number = 2",
        "of block 2: the log has , the book says nothing",
    ),
    ("UPDATE ledger_block SET root = sha256(root) WHERE number = 1", "block 1: its root"),
    ("UPDATE ledger_block SET state_root = root WHERE number = 2", "block 2: its state_root"),
    ("UPDATE ledger_block SET frontier = '' WHERE number = 2", "block 2: its frontier"),
    ("UPDATE ledger_block SET leaf_count = 3 WHERE number = 2", "block 2: its leaf_count"),
    ("UPDATE ledger_block SET first_leaf = 3 WHERE number = 2", "block 2: it does not begin"),
    (
        "UPDATE ledger_block SET booked_at = booked_at - interval '1 s' WHERE number = 2",
        "block 2: its time is before",
    ),
    (
        "UPDATE ledger_block SET booked_at = booked_at + interval '1 s' WHERE number = 2",
        "leaf 13 of block 2 (command pay, leg 0)",
    ),
    (
        "UPDATE ledger_blockseed SET seed = sha256(seed) WHERE block_id = 1",
        "leaf 0 of block 1 (account bank)",
    ),
    ("DELETE FROM ledger_blockseed WHERE block_id = 2", "block 2: its seed is missing"),
    ("UPDATE ledger_head SET padding = sha256(padding)", "leaf 11 of block 1"),
    (
        "UPDATE ledger_account SET salt = sha256(salt) WHERE path = 'bob'",
        "leaf 2 of block 1 (account bob)",
    ),
    (
        "UPDATE ledger_account SET leaf_index = NULL WHERE path = 'charlie'",
        "leaf 3 of block 1",
    ),
    (
        "UPDATE ledger_inboxcommand SET leaf_index = 5 WHERE key = 'deposit'",
        "command deposit: its answer is leaf 4",
    ),
    ("UPDATE ledger_head SET last_block = 3", "the head says block 3"),
    ("UPDATE ledger_head SET last_transfer_id = 9", "the head says transfer 9"),
    ("DELETE FROM ledger_head", "the head's row is missing"),
]


def test_what_was_changed_is_named(written: CommittedDatabase) -> None:
    with psycopg.connect(written.owner_url, autocommit=True) as owner:
        take_guards_away(owner)
        keep_copies(owner)
        for statement, named in CASES:
            assert owner.execute(statement.encode()).rowcount == 1, statement
            with pytest.raises(BookBroken) as caught:
                verify_book()
            assert named in str(caught.value), statement
            put_back(owner)
            assert verify_book().transfers == 6


def test_bytes_changed_with_their_fingerprint_contradict_the_transfers(
    written: CommittedDatabase,
) -> None:
    body = command("gifts", (2, 3, 11), (2, 3, 19)).body
    with psycopg.connect(written.owner_url) as owner:
        take_guards_away(owner)
        owner.execute(
            "UPDATE ledger_inboxcommand SET body = %s, fingerprint = %s WHERE key = 'gifts'",
            [body, fingerprint("gifts", body)],
        )

    with pytest.raises(BookBroken, match="transfer 2: amount is 10, its command says 11"):
        verify_book()


def test_a_book_rewritten_with_all_that_follows_contradicts_the_log(
    written: CommittedDatabase,
) -> None:
    """Body, fingerprint, transfer and counters agree with each other: only the log remembers."""
    body = command("gifts", (2, 3, 11), (2, 3, 20)).body
    with psycopg.connect(written.owner_url) as owner:
        take_guards_away(owner)
        owner.execute(
            "UPDATE ledger_inboxcommand SET body = %s, fingerprint = %s WHERE key = 'gifts'",
            [body, fingerprint("gifts", body)],
        )
        owner.execute("UPDATE ledger_transfer SET amount = 11 WHERE id = 2")
        owner.execute("UPDATE ledger_account SET debits_posted = 61 WHERE path = 'alice'")
        owner.execute("UPDATE ledger_account SET credits_posted = 61 WHERE path = 'bob'")

    with pytest.raises(BookBroken, match=r"leaf 6 of block 1 \(command gifts\): the log has"):
        verify_book()


def test_the_command_says_in_plain_lines_what_it_found(written: CommittedDatabase) -> None:
    whole = written.manage("verify_ledger", "--skip-checks")
    with psycopg.connect(written.owner_url) as owner:
        take_guards_away(owner)
        owner.execute("UPDATE ledger_transfer SET amount = 29 WHERE id = 5")
    broken = written.manage("verify_ledger", "--skip-checks")

    assert (whole.returncode, whole.stderr) == (0, "")
    lines = whole.stdout.splitlines()
    assert lines[0] == (
        "the ledger is whole: 6 transfers of 6 commands (1 refused) in 2 blocks"
        " and 4 accounts follow from the commands' bytes"
    )
    assert lines[1].startswith("published files were not compared: the log's key")
    assert lines[2:] == [
        "0 clearings and their money follow from their books and rules",
        "0 auctions before delivery follow from their orders, whose margins were held in time",
        "0 signed terms are what was signed, logged and traded on",
        "0 agreements are what both sides signed and logged",
        "0 contracts for data are what both sides signed and logged",
        "0 deliveries of data are what their sides signed and was logged",
        "0 versions of data are what was published and logged",
        (
            "0 charges of the data market are what contracts and transfers say,"
            " and 0 micro-units in escrow are theirs"
        ),
        (
            "0 closed months of feeds came to what was taken, at the signed price,"
            " less what was missed"
        ),
        "0 questions with noise were answered, and budgets gave 0 micro-epsilon for them",
        (
            "0 certificates (1 Wh each) are what 0 logged events left, as many as the meters say,"
            " and none is in two hands"
        ),
        "0 publications of figures are the texts that were logged",
    ]
    assert (broken.returncode, broken.stdout) == (1, "")
    assert broken.stderr == (
        "the ledger is broken: transfer 5: amount is 29, its command says 30\n"
    )


def test_an_empty_book_is_whole(committed_db: CommittedDatabase) -> None:
    assert verify_book().transfers == 0

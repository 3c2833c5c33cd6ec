"""What the database itself refuses to the application's role, whatever code runs."""

import hashlib
from collections.abc import Iterator

import pytest
from django.db import DatabaseError, connection, transaction
from psycopg import sql

from ledger.domain.commands import AMOUNT_MAX, fingerprint
from ledger.models import Account, InboxCommand, Transfer
from tests.ledger.bookkeeping import NOW, UNIT, book, command, hold, open_account, post, sqlstate

pytestmark = pytest.mark.django_db

CHECK, UNIQUE, REFERENCE, NOT_NULL = "23514", "23505", "23503", "23502"
PRIVILEGE, RESTRICT, RANGE = "42501", "23001", "22003"


class Hall:
    """Alice has 100, Bob may overdraw by 10, Charlie has nothing; the bank has no limit."""

    def __init__(self) -> None:
        self.bank = open_account("bank")
        self.alice = open_account("alice", overdraft_limit=0)
        self.bob = open_account("bob", overdraft_limit=10)
        self.charlie = open_account("charlie", overdraft_limit=0)
        self.euros = open_account("bank in euros", unit="EUR/6")
        self.till = open_account("till in euros", unit="EUR/6")
        book(command("deposit", (self.bank, self.alice, 100)))
        book(hold("reserve", self.alice, self.bob, 40))
        self.hold_id = Transfer.objects.get(command__key="reserve").id
        # A command that waits, to hang transfers on.
        waiting = command("waiting", (self.alice, self.bob, 1))
        self.waiting_id = InboxCommand.objects.create(
            key=waiting.key,
            fingerprint=waiting.fingerprint,
            body=waiting.body,
            transfer_count=1,
            submitted_at=NOW,
        ).id

    def insert(
        self,
        debit: int,
        credit: int,
        amount: int,
        *,
        kind: int = 0,
        hold_id: int | None = None,
        corrects_id: int | None = None,
        command_id: int | None = None,
    ) -> None:
        run(
            "INSERT INTO ledger_transfer (id, command_id, leg, kind, debit_account_id,"
            " credit_account_id, amount, code, hold_id, corrects_id)"
            " VALUES (1000, %s, 9, %s, %s, %s, %s, 1, %s, %s)",
            command_id or self.waiting_id,
            kind,
            debit,
            credit,
            amount,
            hold_id,
            corrects_id,
        )


@pytest.fixture
def hall() -> Hall:
    return Hall()


@pytest.fixture(autouse=True)
def nothing_changes(hall: Hall) -> Iterator[None]:
    before = counters()
    yield
    assert counters() == before


def counters() -> list[tuple[object, ...]]:
    return list(
        Account.objects.order_by("id").values_list(
            "path", "debits_pending", "debits_posted", "credits_pending", "credits_posted"
        )
    )


def run(statement: str | sql.Composed, *parameters: int | str | bytes | None) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def refused(statement: str | sql.Composed, *parameters: int | str | bytes | None) -> str:
    with pytest.raises(DatabaseError) as caught:
        run(statement, *parameters)
    return sqlstate(caught.value)


def test_these_tests_run_as_the_application() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolsuper, pg_has_role(tableowner, 'MEMBER') FROM pg_roles,"
            " pg_tables WHERE rolname = current_user AND tablename = 'ledger_transfer'"
        )
        assert cursor.fetchone() == (False, False)


def test_units_are_compared_transfer_by_transfer(hall: Hall) -> None:
    two = (
        "INSERT INTO ledger_transfer (id, command_id, leg, kind, debit_account_id,"
        " credit_account_id, amount, code) VALUES (1000, %s, 8, 0, %s, %s, 1, 1),"
        " (1001, %s, 9, 0, %s, %s, 1, 1)"
    )
    first = (hall.waiting_id, hall.bank, hall.bob, hall.waiting_id, hall.euros)
    assert refused(two, *first, hall.charlie) == REFERENCE
    with transaction.atomic():
        run(two, *first, hall.till)
        assert Account.objects.get(path="till in euros").credits_posted == 1
        transaction.set_rollback(True)


@pytest.mark.parametrize("amount", [0, -1])
def test_nothing_and_less_cannot_be_moved(hall: Hall, amount: int) -> None:
    with pytest.raises(DatabaseError) as caught:
        hall.insert(hall.alice, hall.bob, amount)
    assert sqlstate(caught.value) == CHECK


def test_a_transfer_has_two_sides(hall: Hall) -> None:
    for debit, credit, code in (
        (hall.alice, hall.alice, CHECK),
        (hall.alice, 999_999_999, REFERENCE),
        (999_999_999, hall.alice, REFERENCE),
        (hall.bank, hall.euros, REFERENCE),
    ):
        with pytest.raises(DatabaseError) as caught, transaction.atomic():
            hall.insert(debit, credit, 1)
        assert sqlstate(caught.value) == code
    missing = (
        "INSERT INTO ledger_transfer (id, command_id, leg, kind, debit_account_id, amount,"
        " code) VALUES (1000, %s, 0, 0, %s, 1, 1)"
    )
    assert refused(missing, hall.waiting_id, hall.alice) == NOT_NULL


@pytest.mark.parametrize(("kind", "amount"), [(0, 61), (1, 61)])
def test_what_is_reserved_cannot_be_spent_or_reserved_again(
    hall: Hall, kind: int, amount: int
) -> None:
    with pytest.raises(DatabaseError) as caught:
        hall.insert(hall.alice, hall.bob, amount, kind=kind)
    assert sqlstate(caught.value) == CHECK


def test_an_overdraft_ends_at_its_limit(hall: Hall) -> None:
    for debit, amount in ((hall.bob, 11), (hall.charlie, 1)):
        with pytest.raises(DatabaseError) as caught, transaction.atomic():
            hall.insert(debit, hall.bank, amount)
        assert sqlstate(caught.value) == CHECK


@pytest.mark.parametrize("kind", [2, 3])
@pytest.mark.parametrize("wrong", ["more", "other side", "other account", "no hold", "unknown"])
def test_the_end_of_a_hold_fits_the_hold(hall: Hall, kind: int, wrong: str) -> None:
    debit, credit, amount, hold_id = hall.alice, hall.bob, 40, hall.hold_id
    if wrong == "more":
        amount = 41
    elif wrong == "other side":
        debit, credit = credit, debit
    elif wrong == "other account":
        credit = hall.charlie
    elif wrong == "no hold":
        hold_id = hall.hold_id - 1
    else:
        hold_id = 999_999
    with pytest.raises(DatabaseError) as caught:
        hall.insert(debit, credit, amount, kind=kind, hold_id=hold_id)
    assert sqlstate(caught.value) == REFERENCE


def test_a_release_is_whole_and_a_kind_and_its_hold_go_together(hall: Hall) -> None:
    for kind, hold_id, amount, code in (
        (3, hall.hold_id, 39, REFERENCE),
        (2, None, 40, CHECK),
        (0, hall.hold_id, 40, CHECK),
        (1, hall.hold_id, 40, CHECK),
        (4, hall.hold_id, 40, CHECK),
        (4, None, 40, CHECK),
    ):
        with pytest.raises(DatabaseError) as caught, transaction.atomic():
            hall.insert(hall.alice, hall.bob, amount, kind=kind, hold_id=hold_id)
        assert sqlstate(caught.value) == code


def test_a_correction_names_an_earlier_transfer(hall: Hall) -> None:
    for corrects_id in (999_999, 1000):
        with pytest.raises(DatabaseError) as caught, transaction.atomic():
            hall.insert(hall.alice, hall.bob, 1, corrects_id=corrects_id)
        assert sqlstate(caught.value) == REFERENCE


def test_transfers_belong_to_a_command_that_waits(hall: Hall) -> None:
    answered = InboxCommand.objects.get(key="deposit").id
    for command_id in (answered, 999_999):
        with pytest.raises(DatabaseError) as caught, transaction.atomic():
            hall.insert(hall.alice, hall.bob, 1, command_id=command_id)
        assert sqlstate(caught.value) == REFERENCE


@pytest.mark.parametrize("table", ["transfer", "block", "inboxcommand", "account", "head"])
def test_history_is_neither_deleted_nor_emptied(table: str) -> None:
    for attempt in (
        "DELETE FROM {}",
        "TRUNCATE {} CASCADE",
        "ALTER TABLE {} DISABLE TRIGGER ALL",
        "DROP TABLE {} CASCADE",
        "CREATE TEMP TABLE mine () INHERITS ({})",
        "CREATE TRIGGER mine BEFORE INSERT ON {} EXECUTE FUNCTION ledger_refuse_change()",
    ):
        statement = sql.SQL(attempt).format(sql.Identifier(f"ledger_{table}"))
        assert refused(statement) == PRIVILEGE


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_transfer SET amount = amount + 1",
        "UPDATE ledger_transfer SET code = code",
        "UPDATE ledger_block SET booked_at = now()",
        "UPDATE ledger_account SET credits_posted = credits_posted + 1",
        "UPDATE ledger_account SET overdraft_limit = NULL",
        "UPDATE ledger_account SET unit = 'EUR/6'",
        "UPDATE ledger_inboxcommand SET body = body || 'x'::bytea",
        "UPDATE ledger_inboxcommand SET key = key || 'x'",
        "UPDATE ledger_inboxcommand SET fingerprint = 'x'::bytea",
        "UPDATE ledger_inboxcommand SET transfer_count = 2",
        "UPDATE ledger_inboxcommand SET submitted_at = now()",
    ],
)
def test_no_column_of_history_is_changed(statement: str) -> None:
    assert refused(statement) == PRIVILEGE


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        (
            "UPDATE ledger_inboxcommand SET state = 2, refusal = 'x' WHERE key = 'deposit'",
            RESTRICT,
        ),
        (
            "UPDATE ledger_inboxcommand SET state = 0, block_id = NULL WHERE key = 'deposit'",
            RESTRICT,
        ),
        ("UPDATE ledger_inboxcommand SET position = 1 WHERE key = 'waiting'", RESTRICT),
        ("UPDATE ledger_inboxcommand SET state = 1 WHERE key = 'waiting'", CHECK),
    ],
)
def test_an_answer_is_given_once_and_whole(statement: str, code: str) -> None:
    assert refused(statement) == code


SUBMIT = (
    "INSERT INTO ledger_inboxcommand (key, fingerprint, body, transfer_count, submitted_at, state,"
    " refusal, block_id, position) VALUES ('new', %s, '{}', 1, now(), %s, '', %s, %s)"
)


def test_a_command_comes_unanswered_and_with_its_own_fingerprint() -> None:
    right = fingerprint("new", b"{}")
    block_id = InboxCommand.objects.get(key="deposit").block_id
    assert refused(SUBMIT, right, 1, block_id, 7) == RESTRICT
    assert refused(SUBMIT, hashlib.sha256(b"{}").digest(), 0, None, None) == RESTRICT
    assert refused(SUBMIT.replace("'{}', 1", "'{}', -1"), right, 0, None, None) == RESTRICT


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_head SET epoch = epoch - 1",
        "UPDATE ledger_head SET last_block = last_block - 1",
        "UPDATE ledger_head SET last_transfer_id = 0",
    ],
)
def test_the_head_does_not_go_back(statement: str) -> None:
    assert refused(statement) == RESTRICT


def test_there_is_one_head() -> None:
    second = (
        "INSERT INTO ledger_head (id, epoch, holder, last_block, last_transfer_id)"
        " VALUES (2, 0, '', 0, 0)"
    )
    assert refused(second) == PRIVILEGE
    assert refused("UPDATE ledger_head SET id = 2") == PRIVILEGE


def test_an_account_opens_empty_and_within_bounds() -> None:
    opened = "INSERT INTO ledger_account (path, unit, overdraft_limit) VALUES ('x', %s, %s)"
    for limit in (-1, AMOUNT_MAX + 1, 2**63 - 1):
        assert refused(opened, UNIT, limit) == CHECK
    rich = "INSERT INTO ledger_account (path, unit, credits_posted) VALUES ('x', %s, 5)"
    assert refused(rich, UNIT) == PRIVILEGE
    for limit in (-1, AMOUNT_MAX + 1):
        with pytest.raises(ValueError, match="overdraft limit"):
            open_account("x", overdraft_limit=limit)


def test_a_counter_ends_at_its_bound(hall: Hall) -> None:
    for amount in (AMOUNT_MAX, 2**63 - 1):
        with pytest.raises(DatabaseError) as caught, transaction.atomic():
            hall.insert(hall.bank, hall.alice, amount)
        assert sqlstate(caught.value) in {CHECK, RANGE}


@pytest.mark.parametrize(
    "statement",
    [
        "SET session_replication_role = replica",
        "SET ROLE heliopolis_owner",
        "ALTER FUNCTION ledger_apply_transfers() RESET ALL",
        "DROP FUNCTION ledger_apply_transfers() CASCADE",
        "CREATE FUNCTION ledger_refuse_change() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE TABLE public.mine ()",
        "CREATE SCHEMA mine",
    ],
)
def test_the_guards_cannot_be_switched_off(statement: str) -> None:
    assert refused(statement) == PRIVILEGE


IMPOSTORS = """
    CREATE TEMP TABLE ledger_account (LIKE public.ledger_account);
    INSERT INTO pg_temp.ledger_account SELECT * FROM public.ledger_account;
    UPDATE pg_temp.ledger_account SET credits_posted = 1000000;
    CREATE TEMP TABLE ledger_inboxcommand (LIKE public.ledger_inboxcommand);
    CREATE TEMP TABLE ledger_transfer (LIKE public.ledger_transfer);
    GRANT ALL ON pg_temp.ledger_account, pg_temp.ledger_inboxcommand, pg_temp.ledger_transfer
        TO PUBLIC;
"""


def test_temporary_tables_of_the_same_names_fool_nobody(hall: Hall) -> None:
    overdraft = """
        INSERT INTO public.ledger_transfer (id, command_id, leg, kind, debit_account_id,
            credit_account_id, amount, code) VALUES (1000, %s, 0, 0, %s, %s, 500, 1)
    """
    parameters = hall.waiting_id, hall.charlie, hall.bank
    assert refused(IMPOSTORS + overdraft, *parameters) == CHECK


BORROW = """
    CREATE TEMP TABLE mine (LIKE public.ledger_transfer);
    CREATE TRIGGER mine AFTER INSERT ON mine REFERENCING NEW TABLE AS new_transfers
        FOR EACH STATEMENT EXECUTE FUNCTION ledger_apply_transfers();
    INSERT INTO mine (id, command_id, leg, kind, debit_account_id, credit_account_id, amount, code)
        VALUES (1000, %s, 0, 0, %s, %s, 500, 1);
"""


def test_the_owners_function_cannot_be_borrowed(hall: Hall) -> None:
    assert refused(BORROW, hall.waiting_id, hall.bank, hall.charlie) == PRIVILEGE


class TestAfterwards:
    """These book something, so the counters do change."""

    @pytest.fixture(autouse=True)
    def nothing_changes(self) -> None:
        return None

    def test_a_hold_ends_once(self, hall: Hall) -> None:
        hall_transfers = Transfer.objects.count()
        book(post("pay", hall.alice, hall.bob, 30, of="reserve/0"))
        assert Transfer.objects.count() == hall_transfers + 2  # "waiting" was booked too
        again = InboxCommand.objects.create(
            key="again",
            fingerprint=fingerprint("again", b"{}"),
            body=b"{}",
            transfer_count=1,
            submitted_at=NOW,
        )
        for kind, amount in ((2, 10), (3, 40)):
            with pytest.raises(DatabaseError) as caught, transaction.atomic():
                hall.insert(
                    hall.alice,
                    hall.bob,
                    amount,
                    kind=kind,
                    hold_id=hall.hold_id,
                    command_id=again.id,
                )
            assert sqlstate(caught.value) == UNIQUE

    def test_what_is_allowed_is_allowed(self, hall: Hall) -> None:
        hall.insert(hall.alice, hall.charlie, 60)

        assert Account.objects.get(path="charlie").balance == 60
        assert Account.objects.get(path="alice").available == 0

"""``manage.py prune``: a period is gone for good, and all that remains goes on as before."""

import sys
import time
from datetime import timedelta
from subprocess import PIPE, Popen

import psycopg
import pytest
from django.test import Client

from config.log.keys import read_policy
from ledger.domain.notes import KeyType, Signer
from ledger.domain.receipts import verify
from ledger.errors import KeyReused
from ledger.models import BlockSeed, Checkpoint, InboxCommand, Snapshot, Transfer
from ledger.queries import get_balances
from ledger.services import submit, verify_book
from ledger.services.attestation import grant_openings
from ledger.services.pruning import find_period
from ledger.services.receipts import (
    PublishedLog,
    ReceiptState,
    get_balance_receipt,
    get_document_receipt,
    get_transfer_receipt,
)
from tests.databases import PROJECT
from tests.ledger.bookkeeping import command, hold, post
from tests.log.hall import Hall
from tests.privacy.pruned_story import BETWEEN, LATER, PAPER, Story, answer_of, tell

_SESSIONS = """
    SELECT wait_event_type = 'Lock' FROM pg_stat_activity
    WHERE datname = current_database() AND query LIKE '%UPDATE ledger_inboxcommand%'
        AND pid <> pg_backend_pid()
"""


@pytest.fixture
def story(hall: Hall) -> Story:
    return tell(hall)


def test_a_mark_of_attestation_without_a_quorum_removes_nothing(story: Story) -> None:
    keys = {name: Signer.generate(f"{name}.example", KeyType.COSIGNER) for name in ("w", "v")}
    groups = "group witnesses all w\ngroup validators all v\n"
    story.hall.write_policy(groups + "group both all witnesses validators\nquorum both\n", keys)
    story.prune()
    story.settle()
    # Whoever writes to the database can do that.
    assert Checkpoint.objects.filter(attested_at=None).update(attested_at=LATER)
    transfers = Transfer.objects.count()

    code, said = story.prune()

    assert (code, "marked as attested, but its cosignatures are no quorum" in said) == (1, True)
    assert (Transfer.objects.count(), Snapshot.objects.count()) == (transfers, 0)


def test_a_period_is_removed_and_the_rest_follows(story: Story) -> None:
    balances = get_balances(account_ids=[story.bank, story.alice, story.bob])

    story.prune_wholly()

    assert list(BlockSeed.objects.order_by("block").values_list("block", flat=True)) == [4, 5, 6]
    assert set(Transfer.objects.values_list("id", flat=True)) == {4, 8, 9, 10}
    assert not InboxCommand.objects.filter(block__lte=3).exclude(body=b"").exists()
    assert Snapshot.objects.get().block_id == 3
    assert get_balances(account_ids=[story.bank, story.alice, story.bob]) == balances
    verified = verify_book()
    assert (verified.blocks, verified.pruned_blocks, verified.transfers) == (6, 3, 10)
    assert (verified.commands, verified.refused) == (13, 2)
    said = story.hall.database.manage("verify_ledger", "--quiet", "--skip-checks")
    assert said.returncode == 0, said.stderr
    assert "re-executed from block 4" in said.stdout
    assert "blocks up to 3 were pruned" in said.stdout


def test_what_was_pruned_cannot_be_referred_to_but_open_holds_can(story: Story) -> None:
    """The same answers before the rows are gone as after: the document decides."""
    for moment in ("announced", "removed"):
        assert story.prune()[0] == (1 if moment == "announced" else 0)
        story.settle()
        correction = command(f"c {moment}", (story.bob, story.alice, 1), corrects=["gifts/0"])
        ended = post(f"p {moment}", story.alice, story.bob, 1, of="ends/0")
        ended_later = post(f"l {moment}", story.alice, story.bob, 1, of="ends later/0")
        submit(commands=[correction, ended, ended_later], submitted_at=LATER)
        assert answer_of(story, f"c {moment}") == "corrected_unknown"
        assert answer_of(story, f"p {moment}") == "hold_unknown"
        assert answer_of(story, f"l {moment}") == "hold_unknown"

    submit(
        commands=[
            post("at last", story.alice, story.bob, 40, of="stays/0"),
            command("still", (story.bob, story.alice, 1), corrects=["second day/0"]),
        ],
        submitted_at=LATER,
    )
    assert answer_of(story, "at last") == "booked"
    assert answer_of(story, "still") == "booked"
    submit(commands=[post("twice", story.alice, story.bob, 40, of="stays/0")], submitted_at=LATER)
    assert answer_of(story, "twice") == "hold_unknown"
    assert verify_book().pruned_blocks == 3


def test_a_key_of_the_period_is_used_up(story: Story) -> None:
    story.prune_wholly()

    for again in (command("deposit", (story.bank, story.alice, 1_000)), PAPER.command("paper:1")):
        with pytest.raises(KeyReused):
            submit(commands=[again], submitted_at=LATER)


def test_the_next_period_is_pruned_on_top_of_the_first(story: Story) -> None:
    story.prune_wholly()
    submit(
        commands=[
            command("third day", (story.alice, story.bob, 5), corrects=["second day/0"]),
            hold("more", story.alice, story.bob, 11),
        ],
        submitted_at=LATER,
    )
    story.settle()
    assert find_period(before=LATER) is None

    story.prune_wholly(before="2026-04-01", now=LATER + timedelta(days=3))

    assert Snapshot.objects.count() == 2
    assert verify_book().pruned_blocks == 7
    assert set(Transfer.objects.values_list("id", flat=True)) == {4, 12}
    submit(
        commands=[
            post("end 1", story.alice, story.bob, 40, of="stays/0"),
            post("end 2", story.alice, story.bob, 11, of="more/0"),
            command("no", (story.bob, story.alice, 1), corrects=["third day/0"]),
        ],
        submitted_at=LATER,
    )
    assert answer_of(story, "end 1") == "booked"
    assert answer_of(story, "end 2") == "booked"
    assert answer_of(story, "no") == "corrected_unknown"
    assert verify_book().pruned_blocks == 7


def test_receipts_of_the_period_stay_good_and_new_ones_are_refused_plainly(story: Story) -> None:
    log = PublishedLog(story.hall.folder, read_policy())
    gift = get_transfer_receipt(transfer_id=3, log=log)
    paper = get_document_receipt(key="paper:1", names=["text"], log=log)
    assert gift is not None and paper is not None

    story.prune_wholly()

    assert verify(gift.text, read_policy()).opened["amount"] == "123456"
    assert verify(paper.text, read_policy()).opened["text"] == "from Ada to Zoë"
    assert get_transfer_receipt(transfer_id=3, log=log) is None
    for receipt in (
        get_document_receipt(key="paper:1", names=["text"], log=log),
        get_transfer_receipt(transfer_id=4, log=log),  # the hold that is open
    ):
        assert receipt is not None
        assert (receipt.state, receipt.text) == (ReceiptState.PRUNED, "")
    balance = get_balance_receipt(account_id=story.alice, log=log)
    assert balance is not None
    assert verify(balance.text, read_policy()).opened["debits_pending"] == "40"


def test_openings_of_the_period_are_gone_and_the_snapshot_is_there(story: Story) -> None:
    token = grant_openings(name="ada", now=LATER)
    headers = {"Authorization": f"Bearer {token}"}
    assert Client().get("/log/openings/snapshot", headers=headers).status_code == 404

    story.prune_wholly()

    gone = Client().get("/log/openings/3", headers=headers)
    assert (gone.status_code, "start from the snapshot" in gone.content.decode()) == (410, True)
    assert Client().get("/log/openings/4", headers=headers).status_code == 200
    assert Client().get("/log/openings/99", headers=headers).status_code == 404
    snapshot = Client().get("/log/openings/snapshot", headers=headers)
    lines = snapshot.getvalue().decode().splitlines()
    assert lines[0].startswith('{"block":"3","next_transfer":"8","padding":"')
    sides = f'"credit":"{story.bob}","debit":"{story.alice}","expires":"0"'
    assert lines[5:] == [
        f'{{"amount":"40",{sides},"hold":"stays/0","id":"4"}}',
        f'{{"amount":"60",{sides},"hold":"ends later/0","id":"6"}}',
        '{"document":"paper:1","kind":"paper"}',
        '{"command":"gifts","first":"2","legs":"2"}',
        '{"command":"ends","first":"5","legs":"1"}',
        '{"command":"ends later","first":"6","legs":"1"}',
        '{"ended":"ends/0"}',
    ]
    assert Client().get("/log/openings/snapshot").status_code == 401
    assert Client().get("/log/openings/3").status_code == 401


def test_the_application_role_cannot_prune(story: Story) -> None:
    story.prune()
    story.settle()
    env = {**story.hall.database.env, "DATABASE_OWNER_URL": ""}

    said = type(story.hall.database)(
        story.hall.database.name, story.hall.database.app_url, "", env
    ).manage("prune", "--before", BETWEEN, "--yes", "--quiet", "--skip-checks")

    assert said.returncode == 1
    assert "only the owner of the tables can do this" in said.stderr
    assert Transfer.objects.filter(id__lte=7).count() == 7


def test_killed_in_the_middle_it_can_be_run_again(story: Story) -> None:
    """The kill comes when transfers and seeds are deleted and bodies are not."""
    story.prune()
    story.settle()
    with (
        psycopg.connect(story.hall.database.owner_url) as reader,
        psycopg.connect(story.hall.database.owner_url, autocommit=True) as watching,
    ):
        reader.execute("SELECT FROM ledger_inboxcommand WHERE key = 'deposit' FOR UPDATE")
        pruning = Popen(
            [
                sys.executable,
                "manage.py",
                "prune",
                "--before",
                BETWEEN,
                "--yes",
                "--quiet",
                "--skip-checks",
            ],
            cwd=PROJECT,
            env=dict(story.hall.database.env),
            stdout=PIPE,
            stderr=PIPE,
        )
        wait_until(watching, [(True,)])
        pruning.kill()
        pruning.communicate()
        reader.rollback()
        wait_until(watching, [])
    assert Transfer.objects.filter(id__lte=7).count() == 7
    assert verify_book().pruned_blocks == 0
    with (
        psycopg.connect(story.hall.database.owner_url) as owner,
        pytest.raises(psycopg.errors.RestrictViolation),
    ):
        owner.execute("DELETE FROM ledger_transfer")

    assert story.prune()[0] == 0
    assert verify_book().pruned_blocks == 3


def wait_until(watching: psycopg.Connection, sessions: list[tuple[bool]]) -> None:
    """Wait until the sessions that remove bodies wait for a lock, or until there are none."""
    give_up_at = time.monotonic() + 120
    while watching.execute(_SESSIONS).fetchall() != sessions:
        assert time.monotonic() < give_up_at
        time.sleep(0.05)

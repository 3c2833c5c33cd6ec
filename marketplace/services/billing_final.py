"""Make a billing run final: compared with the ledger, numbered, and never changed again."""

import hashlib
from collections import defaultdict
from datetime import datetime

from django.db import connection, transaction

from ledger.domain.documents import Document
from ledger.queries.sums import sum_transfers
from ledger.services import submit
from marketplace.domain.billing.lines import RULE_OF_LINE
from marketplace.domain.notices import NoticeKind
from marketplace.errors import N_, BillingDiffers, Invalid, NotFound
from marketplace.models import FinalBilling, Statement, StatementItem
from marketplace.queries.billing import (
    DueSettlement,
    RunLine,
    count_unsettled,
    find_final,
    find_newest_run,
    find_run,
    list_billed_accounts,
    list_due_settlements,
    sum_items,
)
from marketplace.services.billing import settlements_hash
from marketplace.services.notices import notify_many

# Of the advisory locks; with the community it is one turn for each of them.
FINAL_TURN = 7249010

_BILL = """
INSERT INTO marketplace_billedsettlement (settlement_id, final_id)
SELECT unnest(%s::bigint[]), %s
"""


def billing_key(run_id: int) -> str:
    """Return the key of the document by which a final run is known in the log."""
    return f"billing:{run_id}"


@transaction.atomic
def finalise_billing(*, run_id: int, now: datetime) -> int:
    """Make a preview final: what it bills is billed, once and for ever.

    Returns
    -------
    int
        Its number, one more than the community's last one.

    Raises
    ------
    NotFound
        There is no such run.
    Invalid
        It is final already or not the newest preview; the month is not over, or some of it is not
        settled; or settlements were booked since the preview.
    BillingDiffers
        The statements do not come to the transfers of the ledger.
    """
    run = find_run(run_id=run_id)
    if run is None:
        raise NotFound(N_("There is no such billing run."))
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [FINAL_TURN, run.community_id])
    due = list_due_settlements(community_id=run.community_id, before=run.ends_at)
    _refuse_unready(run, due, now)
    reconcile(run=run, due=due)
    last = FinalBilling.objects.filter(community=run.community_id).order_by("-number").first()
    final = FinalBilling.objects.create(
        run_id=run.id,
        community_id=run.community_id,
        month=run.month,
        number=last.number + 1 if last else 1,
        statements_sha256=statements_hash(run_id=run.id),
        finalised_at=now,
    )
    with connection.cursor() as cursor:
        cursor.execute(_BILL, [[each.id for each in due], run.id])
    document = Document(kind="billing", private={"statements": final.statements_sha256})
    submit(commands=[document.command(billing_key(run.id))], submitted_at=now)
    billed = Statement.objects.filter(run=run.id)
    notify_many(
        participant_ids=list(billed.values_list("participant_id", flat=True)),
        kind=NoticeKind.STATEMENT_FINAL,
        key=str(run.id),
        subject={"month": run.month.isoformat()},
        now=now,
    )
    return final.number


def reconcile(*, run: RunLine, due: list[DueSettlement]) -> None:
    """Compare the items of a run with the transfers that they are made of, by member and code.

    Both sides are added up by the database, each from its own table.

    Raises
    ------
    BillingDiffers
        Naming the first account, code and both sums. [micro]
    """
    billed: dict[tuple[int, int], int] = defaultdict(int)
    for (account, line), amount in sum_items(run_id=run.id).items():
        billed[account, RULE_OF_LINE[line].code] += amount
    members = list_billed_accounts(community_id=run.community_id)
    moved = sum_transfers(
        keys=[each.command_key for each in due if each.command_key],
        account_ids=[account for account, _ in members],
    )
    for account, code in sorted(billed.keys() | moved.keys()):
        ours, theirs = billed.get((account, code), 0), moved.get((account, code), 0)
        if ours != theirs:
            raise BillingDiffers(
                N_(
                    "Account {account}, code {code}: the statements come to {ours}, the transfers"
                    " to {theirs} micro. Make another preview; if that differs too, run"
                    " verify_ledger."
                ),
                account=account,
                code=code,
                ours=ours,
                theirs=theirs,
            )


def statements_hash(*, run_id: int) -> str:
    """Return the SHA-256 over a run's statements and items, line by line in a fixed order."""
    digest = hashlib.sha256()
    statements = Statement.objects.filter(run=run_id).order_by("participant_id")
    items = StatementItem.objects.filter(run=run_id).order_by(
        "participant_id", "line", "interval_id", "price_micro_per_kwh"
    )
    rows = (
        statements.values_list(
            "participant_id",
            "account_id",
            "import_wh",
            "export_wh",
            "bought_wh",
            "sold_wh",
            "agreed_bought_wh",
            "agreed_sold_wh",
            "alone_micro",
            "net_micro",
            "correction_micro",
            "tax_micro",
            "carried_micro",
            "payable_minor",
        ),
        items.values_list(
            "participant_id",
            "line",
            "interval_id",
            "price_micro_per_kwh",
            "energy_wh",
            "amount_micro",
        ),
    )
    for table in rows:
        for row in table.iterator(chunk_size=5000):
            digest.update((",".join("" if v is None else str(v) for v in row) + "\n").encode())
    return digest.hexdigest()


def _refuse_unready(run: RunLine, due: list[DueSettlement], now: datetime) -> None:
    if find_final(community_id=run.community_id, month=run.month):
        raise Invalid("run", N_("This month is final already."))
    newest = find_newest_run(community_id=run.community_id, month=run.month)
    if newest is None or newest.id != run.id:
        raise Invalid("run", N_("There is a newer preview of this month: make that one final."))
    if now < run.ends_at:
        raise Invalid("run", N_("This month is not over."))
    waiting = count_unsettled(community_id=run.community_id, start=run.starts_at, end=run.ends_at)
    if waiting:
        raise Invalid(
            "run", N_("{number} intervals of this month are not settled yet."), number=waiting
        )
    if settlements_hash(due) != run.settlements_sha256:
        raise Invalid("run", N_("Settlements were booked since this preview: make another one."))

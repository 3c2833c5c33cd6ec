"""Verification names the month of a feed, and the question, that do not follow."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from ledger.models import InboxCommand
from marketplace.domain.data.service import ServiceLevel, credit, credit_ppm
from marketplace.errors import MarketplaceError, MonthsDiffer, QuestionsDiffer, TermsBroken
from marketplace.models import (
    DataCharge,
    DataContract,
    DataQuery,
    FeedUse,
    ProbeDay,
    ProbeResult,
    ServiceReport,
)
from marketplace.queries.data.feeds import measured_of
from marketplace.services.data.charge_verification import verify_charges
from marketplace.services.data.feeds import open_use
from marketplace.services.data.month_verification import verify_months
from marketplace.services.data.question_verification import VerifiedQuestions, verify_questions
from marketplace.services.data.service_credits import close_due_months
from tests.conftest import CommittedDatabase
from tests.data.charged import settle
from tests.data.test_contracts import revoke
from tests.data.test_queries import agreed, answered, granted, put
from tests.data.trading import NOW, PROMISE, Trade, build_trade
from tests.log.lying_operator import as_owner, take_guards_away

METERED = {
    "form": "per_record",
    "price_micro": 1_000_000,
    "cap_micro": 100_000,
    "trial_units": 5,
    "free_units": 7,
}
Lie = Callable[[], object]


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, settings: Any) -> None:
    settings.DATA_FOLDER, settings.DATA_KEY_FILE = tmp_path / "data", tmp_path / "data.key"


@pytest.fixture
def market(committed_db: CommittedDatabase) -> Iterator[Trade]:
    """A market in the hands of the database's owner."""
    with as_owner():
        connection.close()
        yield build_trade()
        connection.close()


def look_at(contract: DataContract) -> None:
    """Look a hundred times on the second day: 90 answers, 70 of them young enough."""
    at = NOW.replace(hour=0) + timedelta(days=1)
    ProbeResult.objects.bulk_create(
        ProbeResult(
            product_id=contract.product_id,
            at=at + timedelta(minutes=number),
            is_up=number % 10 != 0,
            is_valid=True,
            age_s=30 if number % 4 else 500,
        )
        for number in range(100)
    )
    unseen = ("age_sum_s", "age_max_s", "latency_sum_ms", "latency_max_ms")
    sums = dict.fromkeys((*unseen, "completeness_count", "completeness_sum_ppm"), 0)
    sums |= {"look_count": 100, "up_count": 90, "valid_count": 90, "dated_count": 90}
    ProbeDay.objects.create(
        product_id=contract.product_id,
        day=at.date(),
        **sums,
    )


def closed_months(trade: Trade) -> tuple[DataCharge, DataCharge]:
    """Return the month of a metered feed, and of a subscription that was revoked in its midst."""
    gentle = replace(PROMISE, credit_ppm_per_percent=10_000).to_json()
    metered = trade.agree(trade.product(is_feed=True, price=METERED, service_level=gentle))
    revoked = trade.agree(trade.product(is_feed=True))
    settle(NOW)
    charges = [DataCharge.objects.get(contract=each, number=0) for each in (metered, revoked)]
    for charge in charges:
        open_use(charge=charge, now=NOW)
    FeedUse.objects.update(request_count=3, record_count=72)
    look_at(metered)
    revoke(revoked, trade.bob)
    over = charges[0].period_end
    assert close_due_months(now=over) == 2
    settle(over)
    for charge in charges:
        charge.refresh_from_db()
    return charges[0], charges[1]


def assert_named(
    lies: dict[str, Lie], verify: Callable[[], object], error: type[MarketplaceError]
) -> None:
    """Tell each lie for itself, and see it named."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            take_guards_away(cursor)
        for what, lie in lies.items():
            with transaction.atomic():
                lie()
                try:
                    verify()
                except error:
                    pass
                else:
                    pytest.fail(f"nobody found out: {what}")
                transaction.set_rollback(True)
        transaction.set_rollback(True)


def change(rows: Any, **fields: Any) -> Lie:
    def lie() -> None:
        assert rows.update(**fields), rows

    return lie


def test_a_month_follows_from_counts_looks_and_what_was_signed(market: Trade) -> None:
    month, part = closed_months(market)
    assert month.due_micro == 60_000 > month.credit_micro > 0
    assert 0 < part.due_micro < part.held_micro
    assert verify_months() == 2
    assert verify_charges().charges == 3  # the second month of the feed that goes on is held
    uses, reports = FeedUse.objects.filter(charge=month), ServiceReport.objects.filter(charge=month)
    charges, looks = DataCharge.objects.filter(id=month.pk), ProbeResult.objects.all()

    def both_say(micro: int) -> Lie:
        def lie() -> None:
            for rows in (uses, reports, charges):
                rows.update(due_micro=micro)

        return lie

    def kinder(**figures: int) -> None:
        """Write better figures, and everywhere the credit that follows from them."""
        reports.update(**figures)
        [report] = reports
        level, measured = ServiceLevel.of_json(report.level), measured_of(report)
        micro = credit(level, measured, report.due_micro)
        reports.update(credit_ppm=credit_ppm(level, measured), credit_micro=micro)
        charges.update(credit_micro=micro)

    def kinder_days() -> None:
        looks.delete()
        assert verify_months() == 2  # the sums of its days say as much
        kinder(up_count=91)

    contracts = DataContract.objects.filter(id=month.contract_id)
    assert_named(
        {
            "one record more": change(uses, record_count=73),
            "a credit nobody gave": change(reports, credit_micro=0),
            "a charge without its credit": change(charges, credit_micro=0),
            "another price in all three": both_say(50_000),
            "another promise": change(reports, level={}),
            "looks that were never made": change(reports, look_count=101),
            "kinder figures": lambda: kinder(fresh_count=71),
            "kinder figures when the looks are gone": kinder_days,
            "a longer contract": change(
                DataContract.objects.filter(id=part.contract_id),
                closed_at=NOW + timedelta(days=3),
            ),
            "counted on": change(uses, closed_at=None),
            "a report less": reports.delete,
            "never billed": change(charges, state=DataCharge.State.HELD),
            "a shorter window": change(charges, window_s=1),
        },
        verify_months,
        MonthsDiffer,
    )
    broken = change(contracts, sha256="0" * 64)
    assert_named({"another contract": broken}, verify_months, TermsBroken)
    assert verify_months() == 2


def test_questions_cost_what_the_ledger_took_for_them(market: Trade) -> None:
    contract = granted(market, product_budget=500_000, budget=250_000)
    other = agreed(market, contract.product, market.charlie, 200_000)
    first = answered(put(contract))
    dear = answered(put(contract, cost=200_000, by_time="all"))
    again = put(other)
    waiting = put(other, cost=30_000, by_time="all")
    assert (dear.state, again.same_as_id) == (DataQuery.State.REFUSED, first.pk)
    assert verify_questions() == VerifiedQuestions(2, 100_000)
    rows = {each.pk: DataQuery.objects.filter(id=each.pk) for each in (first, dear, again, waiting)}
    drawn = {"counts": [1], "bar": 1, "answered_at": NOW}

    def command(query: DataQuery) -> Any:
        return InboxCommand.objects.filter(key=f"privacy-query:{query.pk}")

    def cheaper_everywhere() -> None:
        rows[first.pk].update(cost_micro_epsilon=90_000)
        # What the ledger booked no longer has its bytes, as after pruning; the accounts tell.
        command(first).update(body=b"")

    assert_named(
        {
            "a lower price": change(rows[first.pk], cost_micro_epsilon=90_000),
            "a lower price without the command": cheaper_everywhere,
            "an answer for nothing": change(rows[dear.pk], state=DataQuery.State.ANSWERED, **drawn),
            "an answer before its price": change(
                rows[waiting.pk], state=DataQuery.State.ANSWERED, **drawn
            ),
            "refused, and paid": change(rows[first.pk], state=DataQuery.State.REFUSED),
            "never submitted": command(waiting).delete,
            "another question": change(rows[first.pk], question_sha256="0" * 64),
            "the answer of another": change(rows[again.pk], same_as=dear),
            "another buyer's": change(rows[first.pk], contract=other),
            "a repeated one that was paid": change(
                command(waiting), key=f"privacy-query:{again.pk}"
            ),
        },
        verify_questions,
        QuestionsDiffer,
    )
    answered(waiting)
    assert verify_questions() == VerifiedQuestions(3, 130_000)

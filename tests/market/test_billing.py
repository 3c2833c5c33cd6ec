"""A month's statements are the ledger's transfers, to the unit, and what is final stays."""

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime
from fractions import Fraction

import pytest
from django.db import Error, connection, transaction

from ledger.models import Transfer
from ledger.queries import get_balances
from marketplace.domain.billing.lines import RULE_OF_LINE, Line
from marketplace.errors import BillingDiffers, Invalid
from marketplace.models import (
    BilledSettlement,
    BillingRun,
    FinalBilling,
    Settlement,
    Statement,
    StatementItem,
)
from marketplace.queries.billing import find_run, list_differences, list_items
from marketplace.services.billing import preview_billing
from marketplace.services.billing_final import finalise_billing
from tests.market.street import FEE, FEED_IN, METERS, RETAIL, START, Flows, Street, at
from tests.worlds import world

JUNE, JULY = date(2026, 6, 1), date(2026, 7, 1)
AFTER_JUNE = datetime(2026, 7, 1, 8, 0, tzinfo=UTC)
AFTER_JULY = datetime(2026, 8, 1, 8, 0, tzinfo=UTC)
HOURS = 6
# The first hour of July in Shanghai, counted from the street's start.
JULY_HOUR = int((datetime(2026, 6, 30, 16, 0, tzinfo=UTC) - START).total_seconds()) // 3600


@pytest.fixture
def street(db: None) -> Iterator[Street]:
    with world(settled_street) as street:
        yield street


def settled_street() -> Street:
    """Return a street with some hours of June settled, one of them twice."""
    street = Street()
    draw = random.Random(20260615)
    for hour in range(HOURS):
        street.send(drawn(draw), hour=hour, now=at(hour + 1))
    street.run(at(HOURS))
    street.send({"alice": (0, 137)}, hour=1, now=at(HOURS))
    street.run(at(HOURS))
    return street


def drawn(draw: random.Random) -> Flows:
    """Return an hour in which two roofs send out and everybody draws a little."""
    return {
        meter: (draw.randrange(1500), draw.randrange(1, 2500) if meter in ("alice", "bob") else 0)
        for meter in METERS
    }


def preview(street: Street, month: date = JUNE, *, tax_ppm: int = 0) -> int:
    return preview_billing(
        community_id=street.community.id,
        month=month,
        tax_ppm=tax_ppm,
        tax_is_included=False,
        now=AFTER_JULY if month == JULY else AFTER_JUNE,
    )


def account_of(street: Street, meter: str) -> int:
    account = street.point(meter).site.participant.energy_account_id
    assert account is not None
    return account


def moved_by_code(street: Street) -> dict[tuple[int, int], int]:
    """Add up the ledger's transfers one by one, apart from the code under test."""
    members = {account_of(street, meter) for meter in METERS}
    sums: dict[tuple[int, int], int] = defaultdict(int)
    for each in Transfer.objects.all():
        for account, amount in (
            (each.debit_account_id, -each.amount),
            (each.credit_account_id, each.amount),
        ):
            if account in members:
                sums[account, each.code] += amount
    return {key: amount for key, amount in sums.items() if amount}


def billed_by_code(*run_ids: int) -> dict[tuple[int, int], int]:
    sums: dict[tuple[int, int], int] = defaultdict(int)
    accounts = dict(Statement.objects.values_list("participant_id", "account_id"))
    for item in StatementItem.objects.filter(run__in=run_ids):
        sums[accounts[item.participant_id], RULE_OF_LINE[item.line].code] += item.amount_micro
    return {key: amount for key, amount in sums.items() if amount}


def amount(energy_wh: int, price: int) -> int:
    return round(Fraction(energy_wh * price, 1000))


def test_statements_are_the_transfers_to_the_unit(street: Street) -> None:
    run = preview(street)

    assert billed_by_code(run) == moved_by_code(street) != {}
    balances = get_balances(account_ids=[account_of(street, meter) for meter in METERS])
    for statement in Statement.objects.filter(run=run):
        assert statement.net_micro == balances[statement.account_id].posted
        assert statement.net_micro == sum(
            each.amount_micro
            for each in list_items(run_id=run, participant_id=statement.participant_id)
        )


def test_energies_fees_and_the_grid_alone_are_those_of_the_readings(street: Street) -> None:
    """Recomputed one reading and one trade at a time from what was sent."""
    run = preview(street)
    expected: dict[str, dict[str, int]] = {meter: defaultdict(int) for meter in METERS}
    draw = random.Random(20260615)
    for hour in range(HOURS):
        flows = {**drawn(draw), **({"alice": (0, 137)} if hour == 1 else {})}
        bought: dict[str, int] = defaultdict(int)
        for seller, buyer, wh in street.trades(hour):
            expected[seller]["sold"] += wh
            bought[buyer] += wh
        for meter, (imported, exported) in flows.items():
            of = expected[meter]
            of["import"] += imported
            of["export"] += exported
            of["bought"] += bought[meter]
            of["fees"] += amount(bought[meter], FEE)
            of["alone"] += amount(exported, FEED_IN) - amount(imported, RETAIL)

    for meter, of in expected.items():
        participant = street.point(meter).site.participant_id
        made = Statement.objects.get(run=run, participant=participant)
        assert (made.import_wh, made.export_wh) == (of["import"], of["export"])
        assert (made.bought_wh, made.sold_wh) == (of["bought"], of["sold"])
        assert made.alone_micro == of["alone"]
        items = {each.line: each for each in list_items(run_id=run, participant_id=participant)}
        assert -of["fees"] == (
            items[Line.PLATFORM_FEE].amount_micro if Line.PLATFORM_FEE in items else 0
        )
        drawn_wh = of["import"] - of["bought"]
        assert drawn_wh == (items[Line.GRID_PURCHASE].energy_wh if drawn_wh else 0)
        if drawn_wh:
            assert items[Line.GRID_PURCHASE].price_micro_per_kwh == RETAIL
    assert any(of["sold"] for of in expected.values())


def test_a_tax_stands_apart_and_what_is_paid_is_whole_cents(street: Street) -> None:
    run = preview(street, tax_ppm=130_000)

    assert billed_by_code(run) == moved_by_code(street)
    for each in Statement.objects.filter(run=run):
        items = list_items(run_id=run, participant_id=each.participant_id)
        paid = -sum(item.amount_micro for item in items if RULE_OF_LINE[item.line].is_taxed)
        assert each.tax_micro == round(Fraction(paid * 130_000, 10**6))
        assert each.payable_minor == round(Fraction(each.net_micro - each.tax_micro, 10_000))


def test_what_is_corrected_after_the_end_is_in_the_next_run(street: Street) -> None:
    june = preview(street)
    assert finalise_billing(run_id=june, now=AFTER_JUNE) == 1
    street.send({"charlie": (999, 0)}, hour=2, now=AFTER_JUNE)
    street.send(dict.fromkeys(METERS, (100, 0)), hour=JULY_HOUR, now=AFTER_JUNE)
    street.run(AFTER_JUNE)
    july = preview(street, JULY)

    charlie = street.point("charlie").site.participant_id
    items = list_items(run_id=july, participant_id=charlie)
    late = [each for each in items if each.interval_id is not None]
    assert {each.corrected_at for each in late} == {at(2)}
    statement = Statement.objects.get(run=july, participant=charlie)
    assert statement.correction_micro == sum(each.amount_micro for each in late) != 0
    assert statement.import_wh == 100
    assert statement.alone_micro == -amount(100, RETAIL)
    before = street_reading(2)["charlie"]
    assert sum(each.energy_wh for each in late if is_energy(each.line)) == 999 - before
    # What June left below a cent is carried on.
    first = Statement.objects.get(run=june, participant=charlie)
    assert statement.carried_micro == first.net_micro - first.payable_minor * 10_000
    assert finalise_billing(run_id=july, now=AFTER_JULY) == 2
    assert billed_by_code(june, july) == moved_by_code(street)
    assert BilledSettlement.objects.count() == Settlement.objects.count()


def street_reading(hour: int) -> dict[str, int]:
    draw = random.Random(20260615)
    flows = [drawn(draw) for _ in range(hour + 1)][hour]
    return {meter: imported for meter, (imported, _) in flows.items()}


def is_energy(line: int) -> bool:
    return line in (Line.POOL_PURCHASE, Line.GRID_PURCHASE)


def test_a_run_that_differs_from_the_ledger_does_not_become_final(street: Street) -> None:
    run = preview(street)
    charlie = street.point("charlie").site.participant_id
    StatementItem.objects.create(
        run_id=run, participant_id=charlie, line=Line.GRID_PURCHASE, energy_wh=0, amount_micro=-1
    )
    with pytest.raises(BillingDiffers, match=r"code 3: the statements come to -\d+, the transfers"):
        finalise_billing(run_id=run, now=AFTER_JUNE)
    assert not FinalBilling.objects.exists() and not BilledSettlement.objects.exists()


def test_a_preview_says_what_changed_and_why_it_cannot_be_final(street: Street) -> None:
    first = preview(street)
    with pytest.raises(Invalid, match="not over"):
        finalise_billing(run_id=first, now=at(HOURS))
    street.send({"dora": (4321, 0)}, hour=3, now=AFTER_JUNE)
    with pytest.raises(Invalid, match="1 intervals of this month are not settled"):
        finalise_billing(run_id=first, now=AFTER_JUNE)
    street.run(AFTER_JUNE)
    with pytest.raises(Invalid, match="booked since this preview"):
        finalise_billing(run_id=first, now=AFTER_JUNE)
    second = preview(street)
    with pytest.raises(Invalid, match="newer preview"):
        finalise_billing(run_id=first, now=AFTER_JUNE)

    differences = list_differences(run_id=second, before_id=first)
    dora = street.point("dora").site.participant_id
    assert dora in {each.participant_id for each in differences}
    for each in differences:
        old = Statement.objects.get(run=first, participant=each.participant_id)
        new = Statement.objects.get(run=second, participant=each.participant_id)
        assert (each.before_micro, each.after_micro) == (old.net_micro, new.net_micro)
    with pytest.raises(Invalid, match="belongs to an earlier month that is not final"):
        preview(street, JULY)
    finalise_billing(run_id=second, now=AFTER_JUNE)
    with pytest.raises(Invalid, match="final already"):
        finalise_billing(run_id=second, now=AFTER_JUNE)
    with pytest.raises(Invalid, match="This month is final"):
        preview(street)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE marketplace_statement SET net_micro = 0",
        "DELETE FROM marketplace_statementitem",
        "UPDATE marketplace_billingrun SET tax_ppm = 1",
        "DELETE FROM marketplace_finalbilling",
        "TRUNCATE marketplace_billedsettlement",
    ],
)
def test_nothing_of_a_run_can_be_edited(db: None, statement: str) -> None:
    denied = pytest.raises(Error, match="permission denied")
    with denied, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_a_settlement_is_billed_once(street: Street) -> None:
    run = preview(street)
    finalise_billing(run_id=run, now=AFTER_JUNE)
    made = find_run(run_id=run)
    assert made is not None and made.number == 1 and len(made.statements_sha256) == 64
    other = BillingRun.objects.get(id=run)
    other.pk, other.month = None, JULY
    other.save()
    final = FinalBilling.objects.create(
        run=other,
        community=street.community,
        month=JULY,
        number=2,
        statements_sha256="0" * 64,
        finalised_at=AFTER_JULY,
    )
    settlement = Settlement.objects.order_by("id")[0]
    with pytest.raises(Error, match="marketplace_billedsettlement_pkey"), transaction.atomic():
        BilledSettlement.objects.create(settlement=settlement, final=final)

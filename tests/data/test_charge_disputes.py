"""Disputes, and the sum of all money: whatever happens, in whatever order, killed or twice."""

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from django.db import transaction

from marketplace.errors import (
    ChargesDiffer,
    DisputeClosed,
    Invalid,
    MarketplaceError,
    NotFound,
    RoleNotAllowed,
)
from marketplace.models import (
    DataCharge,
    DataDispute,
    DataInvoice,
    Notice,
)
from marketplace.services.data import charges, disputes
from marketplace.services.data.charge_scans import (
    advance_charges,
    note_answers,
)
from marketplace.services.data.charge_verification import VerifiedCharges, verify_charges
from marketplace.services.people import add_participant
from tests.data.charged import (
    DAY,
    FUNDS,
    WINDOW,
    charge_of,
    check_conserved,
    deliver,
    escrow,
    give_keys,
    settle,
    wallet,
)
from tests.data.trading import NOW, Trade, book, build_trade

State = DataCharge.State


@pytest.fixture
def trade(db: None) -> Trade:
    trade = build_trade()
    book()
    return trade


@pytest.fixture
def paid(trade: Trade) -> DataCharge:
    """A charge in its window, of which Charlie gets a third."""
    product = trade.product(shares=[{"participant": trade.charlie, "ppm": 333_333}])
    charge = charge_of(trade.agree(product))
    settle(NOW)
    deliver(charge, due=5_000_000)
    settle(NOW)
    return charge


def dispute(
    charge: DataCharge, who: int, *, reason: str = "wrong_content", now: datetime = NOW
) -> int:
    return disputes.open_dispute(
        charge_id=charge.pk,
        participant_ids=[who],
        reason=reason,
        statement="Not the ring road.",
        now=now,
    )


def decide(id_: int, who: int, *, refund_micro: int = 1_250_001, now: datetime = NOW) -> None:
    disputes.decide_dispute(
        dispute_id=id_,
        operator_id=who,
        refund_micro=refund_micro,
        verdict="A quarter is missing.",
        now=now,
    )


def test_only_the_buyer_disputes_and_only_in_the_window(trade: Trade, paid: DataCharge) -> None:
    with pytest.raises(NotFound):
        dispute(paid, trade.charlie)
    with pytest.raises(DisputeClosed):
        dispute(paid, trade.bob, now=NOW + WINDOW)
    with pytest.raises(Invalid):
        dispute(paid, trade.bob, reason="stale_feed")
    with pytest.raises(Invalid):
        dispute(paid, trade.bob, reason="bad_chunk")
    id_ = dispute(paid, trade.bob)
    with pytest.raises(DisputeClosed):
        dispute(paid, trade.bob)
    with pytest.raises(NotFound):
        disputes.take_back_dispute(dispute_id=id_, participant_ids=[trade.alice], now=NOW)
    disputes.take_back_dispute(dispute_id=id_, participant_ids=[trade.bob], now=NOW)
    with pytest.raises(DisputeClosed):
        dispute(paid, trade.bob)
    settle(NOW + WINDOW)
    paid.refresh_from_db()
    assert paid.state == State.PAID


def test_a_dispute_freezes_the_money_and_a_verdict_splits_it_to_the_unit(
    trade: Trade, paid: DataCharge
) -> None:
    operator = add_participant(role="operator", name="Op")
    id_ = dispute(paid, trade.bob)
    settle(NOW + 2 * WINDOW)
    assert escrow() == (5_000_000, 5_000_000)
    with pytest.raises(RoleNotAllowed):
        decide(id_, trade.alice)
    with pytest.raises(DisputeClosed):  # the seller has three days
        decide(id_, operator, now=NOW + DAY)
    with pytest.raises(NotFound):
        disputes.answer_dispute(
            dispute_id=id_, participant_ids=[trade.bob], answer="I agree", now=NOW
        )
    disputes.answer_dispute(dispute_id=id_, participant_ids=[trade.alice], answer="So?", now=NOW)
    with pytest.raises(Invalid):
        decide(id_, operator, refund_micro=5_000_001)
    decide(id_, operator)
    with pytest.raises(DisputeClosed):
        decide(id_, operator)
    settle(NOW)
    paid.refresh_from_db()
    assert paid.state == State.SPLIT
    assert escrow() == (0, 0)
    assert wallet(trade.bob) == (FUNDS - 3_749_999, 0)
    assert wallet(trade.alice)[0] + wallet(trade.charlie)[0] - FUNDS == 3_749_999
    documents = DataInvoice.objects.filter(charge=paid).order_by("number")
    assert [(each.kind, each.number, each.amount_micro) for each in documents] == [
        (1, 1, 5_000_000),
        (2, 2, 1_250_001),
    ]
    told = Notice.objects.filter(key__contains="dispute").values_list("participant", "kind")
    assert {(trade.alice, "dispute_opened"), (operator, "dispute_opened")} < set(told)


class Killed(Exception):
    """The process ended here; what was not committed never was."""


@pytest.mark.parametrize("seed", [1, 2])
def test_money_is_conserved_whatever_happens(trade: Trade, seed: int) -> None:
    """Random steps, some of them killed before their commit or taken twice, in the real ledger."""
    random = Random(seed)
    operator = add_participant(role="operator", name="Op")
    shares = [{"participant": trade.charlie, "ppm": 123_457}]
    for number in range(6):
        trade.agree(
            trade.product(
                shares=shares if number % 2 else [],
                price={"form": "one_off", "price_micro": random.randrange(1, 9_000_000)},
            )
        )
    now = NOW
    for _ in range(70):
        now += timedelta(hours=random.randrange(20))
        step = _random_step(random, trade, operator, now)
        try:
            with transaction.atomic():
                step()
                if random.random() < 0.2:
                    raise Killed
        except (Killed, MarketplaceError):
            pass
        if random.random() < 0.5:
            book()
        give_keys()
        check_conserved(trade.bob)
    for dispute in DataDispute.objects.filter(state=DataDispute.State.OPEN):
        disputes.decide_dispute(
            dispute_id=dispute.pk,
            operator_id=operator,
            refund_micro=0,
            verdict="No fault.",
            now=now + 4 * DAY,
        )
    settle(now + 60 * DAY)
    assert verify_charges() == VerifiedCharges(6, 0)
    assert escrow() == (0, 0)
    final = {State.PAID, State.REFUNDED, State.SPLIT, State.RELEASED}
    ended = DataCharge.objects.values_list("state", flat=True)
    assert set(ended) <= {int(each) for each in final}
    assert len(set(ended)) > 1
    numbers = DataInvoice.objects.order_by("number").values_list("number", flat=True)
    assert list(numbers) == list(range(1, len(numbers) + 1))
    wallets = sum(wallet(each)[0] for each in (trade.alice, trade.bob, trade.charlie))
    assert wallets == 2 * FUNDS


def _random_step(
    random: Random, trade: Trade, operator: int, now: datetime
) -> Callable[[], object]:
    charge = random.choice(list(DataCharge.objects.all()))
    due = random.randrange(charge.held_micro + 1)
    dispute = DataDispute.objects.filter(charge=charge).first()
    steps: list[Callable[[], object]] = [
        lambda: advance_charges(now=now),
        lambda: note_answers(now=now),
        lambda: charges.deliver_charge(
            charge_id=charge.pk,
            due_micro=due,
            credit_micro=random.randrange(due + 1),
            window=WINDOW,
            now=now,
        ),
        lambda: disputes.open_dispute(
            charge_id=charge.pk,
            participant_ids=[trade.bob],
            reason="other",
            statement="Not as promised.",
            now=now,
        ),
    ]
    if random.random() < 0.1:
        steps.append(lambda: charges.release_charge(charge_id=charge.pk, now=now))
    if dispute is not None:
        steps += [
            lambda: disputes.answer_dispute(
                dispute_id=dispute.pk, participant_ids=[trade.alice], answer="No.", now=now
            ),
            lambda: disputes.decide_dispute(
                dispute_id=dispute.pk,
                operator_id=operator,
                refund_micro=random.randrange(charge.due_micro - charge.credit_micro + 1),
                verdict="Both have a point.",
                now=now,
            ),
        ]
    return random.choice(steps)


def _one_of_each(trade: Trade) -> list[DataCharge]:
    """Return a charge that is paid, one that was split, a disputed one, and one that is held."""
    operator = add_participant(role="operator", name="Op")
    paid, split, frozen, held = (charge_of(trade.agree(trade.product())) for _ in range(4))
    settle(NOW)
    for charge in (paid, split, frozen):
        deliver(charge, due=5_000_000)
    settle(NOW)
    for charge in (split, frozen):
        disputes.open_dispute(
            charge_id=charge.pk,
            participant_ids=[trade.bob],
            reason="other",
            statement="?",
            now=NOW,
        )
    disputes.decide_dispute(
        dispute_id=DataDispute.objects.get(charge=split).pk,
        operator_id=operator,
        refund_micro=1_000_000,
        verdict="Partly.",
        now=NOW + 4 * DAY,
    )
    settle(NOW + WINDOW)
    return [paid, split, frozen, held]


def test_verification_names_what_does_not_follow(trade: Trade) -> None:
    """A run of every kind is whole; each thing that is changed behind its back is found."""
    paid, split, frozen, held = _one_of_each(trade)
    assert verify_charges() == VerifiedCharges(4, 5_000_000)
    states = [DataCharge.objects.get(id=each.pk).state for each in (paid, split, frozen, held)]
    assert states == [State.PAID, State.SPLIT, State.DISPUTED, State.HELD]
    for charge, changed in (
        (paid, {"due_micro": 4_000_000}),
        (paid, {"credit_micro": 1}),
        (paid, {"state": State.IN_WINDOW}),
        (paid, {"state": State.HELD}),
        (split, {"refund_micro": 999_999}),
        (split, {"state": State.PAID}),
        (frozen, {"state": State.IN_WINDOW}),
        (frozen, {"state": State.PAID, "window_ends_at": NOW}),
        (held, {"state": State.REFUSED}),
        (held, {"state": State.RELEASED}),
        (held, {"state": State.PAID, "due_micro": 5_000_000}),
        (held, {"attempt": 2}),
    ):
        with transaction.atomic():
            DataCharge.objects.filter(id=charge.pk).update(**changed)
            with pytest.raises(ChargesDiffer):
                verify_charges()
            transaction.set_rollback(True)
    others: tuple[dict[str, Any], ...] = (
        {"answer": "I never said so."},
        {"verdict": "No reason."},
        {"evidence": []},
    )
    for said in others:
        with transaction.atomic():
            DataDispute.objects.filter(charge=split).update(**said)
            with pytest.raises(ChargesDiffer, match="dispute"):
                verify_charges()
            transaction.set_rollback(True)
    with transaction.atomic():
        DataInvoice.objects.create(
            charge=split,
            seller_id=trade.alice,
            kind=2,
            number=9,
            amount_micro=1,
            issued_at=NOW,
            lines=[{"code": "refund", "amount_micro": 1}],
        )
        with pytest.raises(ChargesDiffer):
            verify_charges()
        transaction.set_rollback(True)
    assert verify_charges().charges == 4


@pytest.mark.parametrize("side", ["bob", "alice"])
def test_nobody_decides_a_dispute_of_their_own(trade: Trade, paid: DataCharge, side: str) -> None:
    operator = add_participant(role="operator", name="Olga")
    id_ = dispute(paid, trade.bob)
    with pytest.raises(RoleNotAllowed, match="their own"):
        disputes.decide_dispute(
            dispute_id=id_,
            operator_id=operator,
            own_ids=[operator, getattr(trade, side)],
            refund_micro=0,
            verdict="I say so.",
            now=NOW + timedelta(days=4),
        )
    assert DataDispute.objects.get(id=id_).state == DataDispute.State.OPEN

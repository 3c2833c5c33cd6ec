"""The money of contracts: in the real ledger, step by step, at random, and by the wrong hands."""

from datetime import datetime
from itertools import pairwise

import pytest

from ledger.services import SettlementWorker
from marketplace.domain.data.periods import periods
from marketplace.errors import (
    ChargeClosed,
    DisputeClosed,
    MarketplaceError,
    NotFound,
)
from marketplace.models import (
    DataCharge,
    DataContract,
    DataDispute,
    DataInvoice,
    Notice,
)
from marketplace.services.data import charges, delivery_key, disputes
from marketplace.services.data.charge_scans import (
    close_due,
    note_answers,
    open_next_months,
)
from marketplace.services.data.charge_verification import verify_charges
from marketplace.services.data.delivery_scan import advance_deliveries
from marketplace.services.wallets import post_deposit
from tests.data import exchanging
from tests.data.charged import (
    DAY,
    FUNDS,
    WINDOW,
    charge_of,
    check_conserved,
    deliver,
    escrow,
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


def test_a_file_is_held_paid_into_escrow_and_out_to_all_who_have_a_share(trade: Trade) -> None:
    product = trade.product(shares=[{"participant": trade.charlie, "ppm": 250_001}])
    charge = charge_of(trade.agree(product))
    assert charge.state == State.OPENING
    book()
    note_answers(now=NOW)
    assert wallet(trade.bob) == (FUNDS, 5_000_000)
    deliver(charge, due=5_000_000)
    deliver(charge, due=5_000_000)
    with pytest.raises(ChargeClosed):
        deliver(charge, due=4_000_000)
    settle(NOW)
    charge.refresh_from_db()
    assert (charge.state, charge.window_ends_at) == (State.IN_WINDOW, NOW + WINDOW)
    assert escrow() == (5_000_000, 5_000_000)
    assert wallet(trade.alice) == (0, 0)
    with pytest.raises(ChargeClosed):
        charges.release_charge(charge_id=charge.pk, now=NOW)
    settle(NOW + WINDOW)
    charge.refresh_from_db()
    assert charge.state == State.PAID
    assert wallet(trade.bob) == (FUNDS - 5_000_000, 0)
    assert wallet(trade.alice) == (3_749_995, 0)
    assert wallet(trade.charlie) == (FUNDS + 1_250_005, 0)
    assert escrow() == (0, 0)
    invoice = DataInvoice.objects.get(charge=charge)
    assert (invoice.number, invoice.amount_micro, invoice.kind) == (1, 5_000_000, 1)
    assert sum(line["amount_micro"] for line in invoice.lines) == 5_000_000


def test_a_month_is_paid_less_its_credit_and_the_next_one_opens_before_it_ends(
    trade: Trade,
) -> None:
    """A contract of three months from within November: four periods, the first one a part."""
    contract = trade.agree(trade.product(is_feed=True))
    first = charge_of(contract)
    book()
    note_answers(now=NOW)
    assert first.period_end == datetime(2026, 12, 1, tzinfo=NOW.tzinfo)
    assert first.held_micro < 9_000_000 * 11 // 30
    assert open_next_months(now=NOW) == 0
    before = first.period_end - DAY
    assert open_next_months(now=before) == 1
    assert open_next_months(now=before) == 0
    second = DataCharge.objects.get(contract=contract, number=1)
    assert (second.held_micro, second.period_start) == (9_000_000, first.period_end)
    deliver(first, due=first.held_micro, credit=1_000_000, now=first.period_end)
    settle(first.period_end)
    assert escrow()[0] == first.held_micro - 1_000_000
    settle(first.period_end + WINDOW)
    invoice = DataInvoice.objects.get(charge=first)
    assert [line["code"] for line in invoice.lines] == ["subscription", "service_credit"]
    assert wallet(trade.alice)[0] == invoice.amount_micro == first.held_micro - 1_000_000
    check_conserved(trade.bob)
    # Nobody looked for months: what went by is not charged, the part month at the end is.
    late = contract.valid_until - DAY
    assert open_next_months(now=late) == 1
    last = DataCharge.objects.order_by("-number")[0]
    assert (last.number, last.period_end) == (3, contract.valid_until)
    # Revoked before the month begins: its money goes back by itself.
    book()
    note_answers(now=late)
    _revoke(contract, last.period_start - DAY)
    settle(late)
    last.refresh_from_db()
    second.refresh_from_db()
    assert (last.state, second.state) == (State.RELEASED, State.RELEASED)
    assert wallet(trade.bob)[1] == 0


def _revoke(contract: DataContract, at: datetime) -> None:
    contract.state, contract.closed_at = DataContract.State.REVOKED, at
    contract.revocation_body, contract.revocation_signature = b"{}", b"signed"
    contract.revocation_key = contract.buyer_key
    contract.save(
        update_fields=[
            "state",
            "closed_at",
            "revocation_body",
            "revocation_signature",
            "revocation_key",
        ]
    )


def test_trials_are_a_period_of_their_own() -> None:
    cut = list(periods(NOW, NOW + 60 * DAY, trial_days=14))
    assert [(each.number, each.is_trial) for each in cut] == [
        (0, True),
        (1, False),
        (2, False),
    ]
    assert cut[0].end == NOW + 14 * DAY
    assert all(low.end == high.start for low, high in pairwise(cut))
    assert cut[-1].end == NOW + 60 * DAY


def test_free_data_has_the_same_states_and_no_commands(trade: Trade) -> None:
    charge = charge_of(trade.agree(trade.product(price={"form": "free"})))
    assert charge.state == State.HELD
    deliver(charge, due=0)
    charge.refresh_from_db()
    assert charge.state == State.IN_WINDOW
    with pytest.raises(DisputeClosed):
        disputes.open_dispute(
            charge_id=charge.pk,
            participant_ids=[trade.bob],
            reason="other",
            statement="?",
            now=NOW,
        )
    settle(NOW + WINDOW)
    charge.refresh_from_db()
    assert (charge.state, charge.command_key) == (State.PAID, "")
    assert not DataInvoice.objects.exists()


def test_a_wallet_that_does_not_cover_it_says_so_and_a_feed_may_be_asked_for_again(
    db: None,
) -> None:
    trade = build_trade(funds_micro=0)
    charge = charge_of(trade.agree(trade.product(is_feed=True)))
    settle(NOW)
    charge.refresh_from_db()
    assert (charge.state, charge.refusal) == (State.REFUSED, "limit_exceeded")
    assert Notice.objects.filter(participant=trade.bob, kind="hold_refused").count() == 1
    post_deposit(participant_id=trade.bob, amount_micro=FUNDS, reference="later", now=NOW)
    with pytest.raises(NotFound):
        charges.retry_charge(charge_id=charge.pk, participant_ids=[trade.charlie], now=NOW)
    charges.retry_charge(charge_id=charge.pk, participant_ids=[trade.bob], now=NOW)
    settle(NOW)
    charge.refresh_from_db()
    assert (charge.state, charge.refusal) == (State.HELD, "")
    assert wallet(trade.bob) == (FUNDS, charge.held_micro)
    with pytest.raises(ChargeClosed):
        charges.retry_charge(charge_id=charge.pk, participant_ids=[trade.bob], now=NOW)


def test_what_is_never_delivered_goes_back_and_a_hold_that_is_over_is_not_posted(
    trade: Trade,
) -> None:
    lapsed = charge_of(trade.agree(trade.product()))
    settle(NOW)
    late = lapsed.expires_at
    with pytest.raises(MarketplaceError):
        deliver(lapsed, due=5_000_000, now=late)
    # Asked for in time, judged too late: the ledger has booked a block after the end.
    charge = charge_of(trade.agree(trade.product()))
    settle(NOW)
    post_deposit(participant_id=trade.bob, amount_micro=1, reference="tick", now=late)
    book_at(late)
    deliver(charge, due=5_000_000, now=late - DAY)
    book_at(late)
    settle(late)
    for each in (lapsed, charge):
        each.refresh_from_db()
        assert each.state == State.RELEASED
    assert charge.refusal == "hold_expired"
    assert wallet(trade.bob) == (FUNDS + 1, 0)
    check_conserved(trade.bob)


def book_at(now: datetime) -> None:
    worker = SettlementWorker(holder="test")
    assert worker.take_head()
    worker.settle_inbox(now=now)
    worker.give_back()


def test_a_key_that_comes_late_leaves_the_buyer_the_whole_window(db: None) -> None:
    """The hall stood still between the booking and the key, longer than the window is."""
    street = exchanging.exchange(
        exchanging.trader("Ada", "data_provider"),
        exchanging.trader("Ben", "enterprise", funds_micro=exchanging.FUNDS_MICRO),
    )
    now = exchanging.NOW
    exchanging.to_state(street, "ACKNOWLEDGED")
    advance_deliveries(now=now)
    exchanging.book(now)
    note_answers(now=now)
    assert street.money == "IN_WINDOW"
    late = now + 8 * DAY
    assert close_due(now=late) == 0
    advance_deliveries(now=late)
    assert street.state == "KEY_OUT"
    assert close_due(now=late) == 0
    assert close_due(now=late + WINDOW) == 1


def test_a_key_that_is_lost_gives_everything_back_and_ends_the_dispute(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ben = exchanging.trader("Ben", "enterprise", funds_micro=exchanging.FUNDS_MICRO)
    street = exchanging.exchange(exchanging.trader("Ada", "data_provider"), ben)
    now = exchanging.NOW
    exchanging.to_state(street, "ACKNOWLEDGED")
    advance_deliveries(now=now)
    exchanging.book(now)
    note_answers(now=now)
    id_ = disputes.open_dispute(
        charge_id=street.row.charge_id,
        participant_ids=[ben.participant_id],
        reason="not_delivered",
        statement="There is no key.",
        now=now,
    )
    monkeypatch.setattr(delivery_key, "find_key", lambda delivery: None)
    exchanging.go_on(street.row.key_by)
    assert (street.state, street.money) == ("LAPSED_HALL", "REFUNDED")
    assert ben.balance == exchanging.FUNDS_MICRO
    ended = DataDispute.objects.get(id=id_)
    assert (ended.state, ended.verdict) == (DataDispute.State.DECIDED, "machine:key_lost")
    assert verify_charges().escrow_micro == 0

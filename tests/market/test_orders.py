"""Orders of the forward market: who is refused and why, what is held, and what is let go."""

import json
from base64 import b64decode, b64encode
from datetime import timedelta

import numpy as np
import pytest

from ledger.domain.commands import Command, Transfers
from ledger.domain.rows import rows_root
from ledger.models import Account, InboxCommand
from ledger.services import submit, verify_book
from marketplace.domain.forward.auction_book import unpack_rows
from marketplace.domain.forward.orders import BUY, REFUSALS, SELL, hold_amounts
from marketplace.domain.rules import preset
from marketplace.domain.transfer_codes import TransferCode
from marketplace.errors import ListingClosed
from marketplace.models import (
    CreditLine,
    DeliveryInterval,
    Order,
    OrderBatch,
    OrderEvent,
    Participant,
    Site,
    TradingHalt,
    Zone,
)
from marketplace.services.halts import halt_trading, lift_halt
from marketplace.services.order_answers import advance_orders
from marketplace.services.people import add_participant
from marketplace.services.places import add_rule_set
from tests.market.forward_street import (
    CLOSES,
    CREDIT_MICRO,
    FEE,
    MARGIN,
    NOW,
    START,
    Asked,
    ForwardStreet,
)

pytestmark = pytest.mark.django_db
QUARTER = timedelta(minutes=15)
SECOND = timedelta(seconds=1)


@pytest.fixture
def street(db: None) -> ForwardStreet:
    return ForwardStreet()


def test_each_refusal_has_its_code_and_leaves_nothing_behind(street: ForwardStreet) -> None:
    foreign = street.points["bob"].id
    good = ("alice", SELL, 300_000, 1_000)
    asked: dict[str, Asked] = {
        "": (*good, {"key": "a", "zone": "main"}),
        "key_reused": (*good[:3], 999, {"key": "a"}),
        "zone_unknown": (*good, {"zone": "moon"}),
        "interval_unknown": (*good, {"start": START + timedelta(minutes=1)}),
        "gate_closed": (*good, {"start": NOW + timedelta(hours=1)}),
        "beyond_horizon": (*good, {"start": NOW + timedelta(days=7) + QUARTER}),
        "out_of_bounds": ("alice", SELL, 2_000_001, 1_000),
        "expired": (*good, {"expires": NOW}),
        "position_limit": ("alice", SELL, 300_000, 10_000_000),
    }
    placed = street.place("alice", *asked.values())

    assert list(placed.refusals) == list(asked)
    assert [bool(id_) for id_ in placed.ids] == [code == "" for code in asked]
    assert Order.objects.count() == OrderBatch.objects.count() == 1
    assert set(REFUSALS) == {*asked, "halted", "credit"}  # those have tests of their own

    others = street.place(
        "alice",
        (*good, {"point": foreign}),
        (*good, {"point": 10**9}),
        ("alice", SELL, -1_000_001, 1_000),
        ("alice", SELL, 300_000, 0),
        ("alice", SELL, 300_000, 10**9 + 1),
        ("alice", SELL, 300_000, 1_000, {"minimum": 1_001}),
    )
    assert list(others.refusals) == ["zone_unknown"] * 2 + ["out_of_bounds"] * 4
    assert Order.objects.count() == 1


def test_a_zone_that_the_rules_do_not_know_takes_no_orders(street: ForwardStreet) -> None:
    moon = Zone.objects.create(community=street.community, code="moon", name="Moon")
    Site.objects.filter(metering_points=street.points["alice"]).update(zone=moon)

    placed = street.place("alice", ("alice", SELL, 300_000, 1_000))
    assert list(placed.refusals) == ["zone_unknown"]


def test_an_order_sent_again_is_the_first_one_even_after_the_gate_has_closed(
    street: ForwardStreet,
) -> None:
    order = ("alice", SELL, 300_000, 1_000, {"key": "mine", "expires": CLOSES})
    first = street.place("alice", order, order)
    street.book(NOW)
    street.close()

    again = street.place("alice", order, now=CLOSES + SECOND)
    assert list(first.refusals) == ["", ""]
    assert list(again.refusals) == [""]
    assert set(first.ids) | set(again.ids) == {first.ids[0]}
    other = street.place("alice", (*order[:3], 2_000, {"key": "mine"}), now=CLOSES + SECOND)
    assert (list(other.refusals), list(other.ids)) == (["key_reused"], [0])
    # Somebody else's key is their own affair.
    bobs = ("bob", SELL, 1, 1, {"key": "mine", "start": START + QUARTER})
    assert list(street.place("bob", bobs).refusals) == [""]


def test_holds_are_what_an_order_may_come_to_owe(street: ForwardStreet) -> None:
    street.buy("bob", 400_000, 2_500)
    street.buy("bob", -100_000, 1_001)
    street.sell("alice", 300_000, 3_000)
    street.sell("alice", -200_000, 1_000)
    street.book(NOW)

    assert street.held("bob") == 2_500 * (400_000 + FEE) // 1_000 + 1_001 * FEE // 1_000
    assert street.held("alice") == 3 * MARGIN + 1 * (200_000 + MARGIN)
    assert street.account("bob").credits_posted == CREDIT_MICRO
    assert {state for state, _ in street.states().values()} == {"accepted"}
    codes = {TransferCode.CREDIT_LINE, TransferCode.MARGIN}
    assert {21, 22} == {int(code) for code in codes}


def test_of_orders_beyond_the_credit_those_are_accepted_that_fit_in_order(
    street: ForwardStreet,
) -> None:
    # 41 of the 50 million, then 20.5 that no longer fit, then 8.2 that do.
    placed = street.place(
        "bob",
        ("bob", BUY, 400_000, 100_000),
        ("bob", BUY, 400_000, 50_000),
        ("bob", BUY, 400_000, 20_000),
    )
    assert list(placed.refusals) == [""] * 3
    street.book(NOW)

    states = [street.states()[id_] for id_ in placed.ids.tolist()]
    assert states == [("accepted", ""), ("refused", "credit"), ("accepted", "")]
    assert street.held("bob") == 41_000_000 + 8_200_000
    street.close()
    assert street.filled()[int(placed.ids[1])] is None
    street.book(CLOSES)
    assert street.held("bob") == 0


def test_who_owes_more_than_the_credit_limit_is_refused(street: ForwardStreet) -> None:
    bob = street.participant("bob")
    Participant.objects.filter(id=bob.id).update(credit_limit_micro=0)
    street.buy("bob", 400_000, 1_000)  # owes nothing yet
    street.book(NOW)
    assert street.states().popitem()[1] == ("refused", "credit")

    _owe(street, "bob", 5)
    assert list(street.place("bob", ("bob", BUY, 1, 1)).refusals) == ["credit"]
    Participant.objects.filter(id=bob.id).update(credit_limit_micro=5)
    assert list(street.place("bob", ("bob", BUY, 1, 1)).refusals) == [""]


def test_a_smaller_credit_line_waits_for_what_is_held(street: ForwardStreet) -> None:
    street.buy("bob", 400_000, 100_000)
    street.book(NOW)
    bob = street.participant("bob")
    Participant.objects.filter(id=bob.id).update(credit_limit_micro=1_000_000)

    street.buy("bob", 400_000, 1_000)
    street.book(NOW)
    assert CreditLine.objects.get(participant=bob).line_micro == CREDIT_MICRO  # more is held
    street.cancel("bob", *street.filled())
    street.book(NOW)
    street.buy("bob", 400_000, 1_000)
    street.book(NOW)
    assert street.account("bob").available == 1_000_000 - 410_000


def test_a_position_limit_counts_what_stands(db: None) -> None:
    street = ForwardStreet(position_limit_wh=1_000)
    first = street.buy("bob", 400_000, 600)
    placed = street.place(
        "bob", ("bob", BUY, 1, 401), ("bob", BUY, 1, 400), ("bob", BUY, 1, 1), ("bob", SELL, 1, 999)
    )
    assert list(placed.refusals) == ["position_limit", "", "position_limit", ""]
    street.book(NOW)
    assert street.cancel("bob", first) == {first: ""}
    assert list(street.place("bob", ("bob", BUY, 1, 600)).refusals) == [""]


def test_cancelling_lets_go_of_the_margin_until_the_gate_closes(street: ForwardStreet) -> None:
    placed = street.place("bob", ("bob", BUY, 400_000, 1_000), ("bob", BUY, 400_000, 2_000))
    first, second = placed.ids.tolist()
    assert street.cancel("alice", first) == {first: "not_found"}
    assert street.cancel("bob", first) == {first: ""}  # before its hold is booked
    street.book(NOW)
    assert street.cancel("bob", first) == {first: "ended"}
    assert street.held("bob") == 820_000
    assert street.cancel("bob", second, now=CLOSES) == {second: "gate_closed"}
    street.close()
    street.book(CLOSES)
    assert (street.filled(), street.held("bob")) == ({first: None, second: 0}, 0)
    assert street.cancel("bob", second, now=NOW) == {second: "gate_closed"}


def test_an_expired_order_is_not_in_the_auction(street: ForwardStreet) -> None:
    early = street.sell("alice", 300_000, 1_000, expires=CLOSES)
    late = street.sell("alice", 300_000, 1_000, expires=CLOSES + SECOND)
    street.buy("bob", 400_000, 3_000)
    street.book(NOW)
    street.close(CLOSES + timedelta(hours=1))

    assert (street.filled()[early], street.filled()[late]) == (None, 1_000)
    street.book(CLOSES)
    assert street.held("alice") == MARGIN
    assert street.cancel("alice", early, now=NOW) == {early: "gate_closed"}


def test_a_hold_counts_when_it_was_booked_by_gate_closure(street: ForwardStreet) -> None:
    just, late = CLOSES - SECOND, CLOSES + timedelta(microseconds=1)
    in_time = street.sell("alice", 300_000, 1_000, now=just)
    street.book(CLOSES)
    too_late = street.sell("bob", 100_000, 1_000, now=just)
    street.buy("charlie", 400_000, 5_000, now=just)
    assert street.close(late) == 0  # who is in is not settled yet
    street.book(late)
    assert street.close(late) == 1

    assert street.filled()[in_time] == 0  # the bid came too late as well
    assert street.states()[too_late] == ("refused", "gate_closed")
    street.book(late)
    assert [street.held(each) for each in ("alice", "bob", "charlie")] == [0, 0, 0]


def test_a_halt_refuses_orders_and_an_auction_in_it_trades_nothing(street: ForwardStreet) -> None:
    operator = add_participant(role="operator", name="Hall", community_id=street.community.id)
    sold = street.sell("alice", 300_000, 1_000)
    street.buy("bob", 400_000, 1_000)
    street.book(NOW)
    halt = halt_trading(
        community_id=street.community.id,
        operator_id=operator,
        reason="a wrong tariff",
        until=None,
        now=NOW,
    )
    with pytest.raises(ListingClosed, match="already"):
        halt_trading(
            community_id=street.community.id,
            operator_id=operator,
            reason="again",
            until=None,
            now=NOW,
        )
    assert list(street.place("alice", ("alice", SELL, 1, 1)).refusals) == ["halted"]
    extra = street.cancel("alice", sold)
    assert extra == {sold: ""}  # cancelling is allowed
    street.book(NOW)
    street.close()
    auction = street.auction()
    assert (auction.get_reason_display(), auction.volume_wh) == ("halted", 0)
    assert street.filled() == {sold: None, sold + 1: 0}
    street.book(CLOSES)
    assert street.held("bob") == 0

    lift_halt(halt_id=halt.id, operator_id=operator, now=CLOSES)
    later = START + timedelta(hours=2)
    assert list(street.place("alice", ("alice", SELL, 1, 1), now=CLOSES, start=later).refusals) == [
        ""
    ]
    logged = InboxCommand.objects.filter(key__startswith="halt:").order_by("id")
    assert [each.key for each in logged] == [f"halt:{halt.id}", f"halt:{halt.id}:end"]
    assert b"a wrong tariff" in bytes(logged[0].body)
    assert TradingHalt.objects.get().lifted_by_id == operator


def test_every_hold_is_released_in_the_end(street: ForwardStreet) -> None:
    for round_ in range(3):
        start = START + round_ * QUARTER
        street.place(
            "alice",
            ("alice", SELL, 300_000, 1_000, {"minimum": 1_000}),
            ("alice", SELL, 350_000, 1_700),
            start=start,
        )
        street.place("bob", ("bob", BUY, 400_000, 2_000), ("bob", BUY, 200_000, 9), start=start)
        street.place("dora", ("dora", BUY, 500_000, 200_000), ("dora", BUY, 1, 1), start=start)
    street.book(NOW)
    street.cancel("bob", 4)
    street.book(NOW)
    for round_ in range(3):
        street.close(CLOSES + round_ * QUARTER)
    street.book(CLOSES + QUARTER)
    # What was filled is held for until its money is booked.
    assert street.held("bob") == 3 * 2 * (400_000 + FEE)
    assert street.held("alice") == 3 * 2 * MARGIN
    DeliveryInterval.objects.update(state=DeliveryInterval.State.SETTLED)
    street.book(START)

    accounts = Account.objects.filter(path__endswith=":credit")
    assert accounts.count() == 3
    assert {each.debits_pending for each in accounts} == {0}
    assert {each.balance for each in accounts} == {CREDIT_MICRO}
    assert OrderBatch.objects.filter(hold_micro__gt=0).count() == 0
    margin = Account.objects.get(path=f"community:{street.community.name}:margin")
    assert (margin.credits_pending, margin.balance) == (0, -3 * CREDIT_MICRO)
    verify_book()


def test_an_interval_keeps_the_rules_that_its_first_order_found(street: ForwardStreet) -> None:
    street.sell("alice", 300_000, 1_000)
    narrow = {**preset("demo-forward"), "price_max_micro_per_kwh": 700_000}
    add_rule_set(community_id=street.community.id, document=narrow, effective_from=START, now=NOW)
    asked = ("alice", SELL, 800_000, 1_000)
    assert list(street.place("alice", asked).refusals) == [""]
    assert list(street.place("alice", asked, start=START + QUARTER).refusals) == ["out_of_bounds"]


def test_news_of_ones_own_orders_come_in_order(street: ForwardStreet) -> None:
    street.sell("alice", 300_000, 1_000)
    street.buy("bob", 400_000, 600)
    street.book(NOW)
    street.close()
    mine = OrderEvent.objects.filter(participant=street.participant("alice"))
    bodies = list(mine.order_by("transaction_number", "id").values_list("body", flat=True))
    assert [each["event"] for each in bodies] == ["received", "accepted", "auction"]
    assert list(bodies[2]["fills"].values()) == [600]


def test_margins_of_any_size_add_up_exactly() -> None:
    quantities = np.array([10**9, 10**9, 1, 0], dtype=np.int64)
    rates = np.array([10**9, 10**9, 1, 10**9], dtype=np.int64)
    groups = np.array([0, 0, 1, 2], dtype=np.int64)
    assert hold_amounts(quantities, rates, groups, 4) == [2 * 10**15, 1, 0, 0]


def _owe(street: ForwardStreet, meter: str, amount: int) -> None:
    """Let a member owe something for energy."""
    account = street.participant(meter).energy_account_id
    assert account is not None
    transfers = Transfers(
        debit=np.array([account]),
        credit=np.array([street.community.supplier_account_id]),
        amount=np.array([amount]),
        code=np.array([100]),
    )
    submit(commands=[Command.of("owed", transfers)], submitted_at=NOW)
    street.book(NOW)


def test_the_auction_names_the_hold_that_stood_when_the_gate_closed(
    street: ForwardStreet,
) -> None:
    placed = street.place(
        "bob", ("bob", BUY, 400_000, 1_000), ("bob", BUY, 390_000, 1_000), ("bob", BUY, 1, 1)
    )
    batch = OrderBatch.objects.get()
    street.book(NOW)
    street.cancel("bob", int(placed.ids[2]))
    street.book(NOW)  # orders:N:1 stands
    street.cancel("bob", int(placed.ids[1]), now=CLOSES - SECOND)
    advance_orders(now=CLOSES - SECOND)  # orders:N:2 is asked for
    assert street.close() == 0  # and not answered
    street.book(CLOSES + SECOND)
    assert street.close() == 1

    _, row = unpack_rows(bytes(street.auction().book))
    assert f'"hold":"orders:{batch.id}:1"'.encode() in row
    assert street.held("bob") == 410_000
    logged = InboxCommand.objects.get(key=f"auction:{street.interval().id}")
    rows = unpack_rows(bytes(street.auction().book))
    seed = b64decode(json.loads(bytes(logged.body))["document"]["private"]["seed"])
    told = json.loads(bytes(logged.body))["document"]["public"]
    assert told["rows"] == b64encode(rows_root(rows, seed)).decode()
    assert told["rules"] == street.auction().rule_set.sha256

"""What a standing rule and a credit limit do to the orders of an interval."""

from datetime import datetime, timedelta

import pytest

from marketplace.errors import Invalid
from marketplace.models import Offer
from tests.market.street import FEED_IN, RETAIL, START, Street, at, flat_rules

pytestmark = pytest.mark.django_db

PAIR = {"alice": (0, 1000), "bob": (0, 0), "charlie": (1000, 0), "dora": (0, 0)}
QUARTER = timedelta(minutes=15)


def test_default_rules_let_everybody_gain() -> None:
    street = Street()
    street.send(PAIR)
    street.run(at(1))

    (clearing,) = street.clearings()
    assert clearing.volume_wh == 1000
    assert street.balances()["alice"] > 1000 * FEED_IN // 1000
    assert street.balances()["charlie"] > -1000 * RETAIL // 1000


def test_own_limits_that_do_not_cross_meet_the_grid() -> None:
    street = Street()
    street.set_rule("alice", sell=500_001)
    street.set_rule("charlie", buy=500_000)
    street.send(PAIR)
    street.run(at(1))

    assert street.trades() == []
    assert street.balances()["alice"] == 1000 * FEED_IN // 1000
    assert street.balances()["charlie"] == -1000 * RETAIL // 1000


@pytest.mark.parametrize("paused", ["alice", "charlie"])
def test_a_paused_rule_makes_no_order(paused: str) -> None:
    street = Street()
    street.set_rule(paused, is_paused=True)
    street.send(PAIR)
    street.run(at(1))

    assert street.trades() == []


def test_a_rule_with_an_end_makes_orders_until_then() -> None:
    street = Street()
    street.set_rule("alice", sell=300_000, valid_until=at(1))
    for hour in (0, 1):
        street.send(PAIR, hour=hour)
    street.run(at(2))

    assert len(street.trades(0)) == 1
    assert street.trades(1) == []


def test_a_change_applies_from_the_next_interval_on() -> None:
    street = Street()
    street.set_rule("alice", sell=300_000)
    street.set_rule("charlie", buy=500_000)
    street.set_rule("alice", sell=510_000, now=at(1) + QUARTER)
    for hour in (0, 1, 2):
        street.send(PAIR, hour=hour)
    street.run(at(3))

    assert [len(street.trades(hour)) for hour in (0, 1, 2)] == [1, 1, 0]


def test_all_versions_of_a_rule_stay_and_follow_each_other() -> None:
    street = Street()
    moments = [at(1), at(1), at(2) + QUARTER]
    for number, moment in enumerate(moments):
        rule = street.set_rule("alice", sell=300_000 + number, now=moment)
        assert rule.version == number + 2

    history = Offer.objects.filter(metering_point=street.point("alice")).order_by("version")
    assert [each.limit_price_micro for each in history] == [None, 300_000, 300_001, 300_002]
    bounds: list[tuple[datetime, datetime | None]] = [
        (each.valid_from, each.valid_until) for each in history
    ]
    assert bounds == [(START, at(1)), (at(1), at(1)), (at(1), moments[2]), (moments[2], None)]


def test_a_rule_out_of_bounds_or_with_an_end_in_the_past_is_refused() -> None:
    street = Street()
    low, high = (flat_rules()[f"price_{end}_micro_per_kwh"] for end in ("min", "max"))
    for limits in ({"sell": high + 1}, {"sell": low - 1}, {"buy": high + 1}, {"buy": low - 1}):
        with pytest.raises(Invalid) as caught:
            street.set_rule("alice", **limits)
        assert caught.value.field.startswith(next(iter(limits)))
    with pytest.raises(Invalid) as caught:
        street.set_rule("alice", valid_until=START)
    assert caught.value.field == "valid_until"
    assert Offer.objects.filter(metering_point=street.point("alice")).count() == 1


def test_a_member_over_the_credit_limit_meets_the_grid_in_the_next_auction() -> None:
    street = Street(credit_limit_micro=300_000)
    street.set_rule("alice", sell=400_000)
    street.set_rule("charlie", buy=400_000)
    for hour in (0, 1):
        street.send(PAIR, hour=hour)
    street.run(at(2))

    (first,), (second,) = street.clearings(0), street.clearings(1)
    assert (first.left_out_count, first.volume_wh) == (0, 1000)
    assert (second.left_out_count, second.volume_wh) == (1, 0)
    # 410 milli for the first kWh in the pool, 600 for the second from the grid.
    assert street.balances()["charlie"] == -(400_000 + 10_000) - RETAIL


def test_who_owes_exactly_the_limit_still_trades() -> None:
    street = Street(credit_limit_micro=410_000)
    street.set_rule("alice", sell=400_000)
    street.set_rule("charlie", buy=400_000)
    for hour in (0, 1):
        street.send(PAIR, hour=hour)
    street.run(at(2))

    assert [each.left_out_count for each in street.clearings(1)] == [0]


def test_a_member_s_own_limit_goes_before_the_rules() -> None:
    street = Street(credit_limit_micro=1)
    member = street.point("charlie").site.participant
    member.credit_limit_micro = 10**12
    member.save()
    for hour in (0, 1):
        street.send(PAIR, hour=hour)
    street.run(at(2))

    assert [each.left_out_count for each in street.clearings(1)] == [0]


def test_a_correction_lets_in_whom_the_first_clearing_let_in() -> None:
    street = Street(credit_limit_micro=300_000)
    street.set_rule("alice", sell=400_000)
    street.set_rule("charlie", buy=400_000)
    for hour in (0, 1):
        street.send(PAIR, hour=hour)
    street.run(at(2))  # Charlie is over the limit from here on

    street.send({"alice": (0, 900)}, hour=0, now=at(3))
    street.run(at(3))

    assert [each.volume_wh for each in street.clearings(0)] == [1000, 900]
    assert [each.left_out_count for each in street.clearings(0)] == [0, 0]


def test_meters_without_limits_of_their_own_are_taken_in_by_their_tariff_band() -> None:
    street = Street()
    street.send({"alice": (0, 1000), "bob": (0, 1000), "charlie": (3000, 0), "dora": (0, 0)})
    street.run(at(1))

    (clearing,) = street.clearings()
    middle = (FEED_IN + RETAIL - 10_000) // 2
    assert clearing.price_low_micro_per_kwh is not None
    assert clearing.price_low_micro_per_kwh >= middle  # bids are left: the price is theirs
    assert clearing.volume_wh == 2000


def test_ties_are_shared_by_meter_name_whoever_was_registered_first() -> None:
    flows = {"alice": (0, 10), "bob": (0, 10), "charlie": (0, 10), "dora": (20, 0)}
    trades = []
    for name, order in (("Forward", 1), ("Backward", -1)):
        street = Street(name, meters=tuple(flows)[::order])
        for meter in street.meters:
            street.set_rule(meter, sell=400_000, buy=400_000)
        street.send(flows)
        street.run(at(1))
        trades.append(street.trades())

    # 6 2/3 Wh each: the largest remainders are equal, and the first names get what is over.
    assert trades[0] == [("alice", "dora", 7), ("bob", "dora", 7), ("charlie", "dora", 6)]
    assert trades[1] == trades[0]

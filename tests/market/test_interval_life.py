"""From complete readings to settled money, amount by amount."""

from datetime import timedelta

import pytest

from marketplace.domain.transfer_codes import TransferCode
from marketplace.models import Clearing, DeliveryInterval, Settlement
from tests.market.street import DEADLINE, START, Street, at

pytestmark = pytest.mark.django_db
State = DeliveryInterval.State

SUNNY = {"alice": (0, 3000), "bob": (0, 1001), "charlie": (2500, 0), "dora": (1000, 0)}


def street_with_limits() -> Street:
    street = Street()
    street.set_rule("alice", sell=300_000)
    street.set_rule("bob", sell=400_000)
    street.set_rule("charlie", buy=500_000)
    street.set_rule("dora", buy=450_000)
    return street


def test_everybody_is_billed_to_the_micro() -> None:
    street = street_with_limits()
    street.send(SUNNY)

    street.run(at(1))

    # 3,500 Wh cross: Alice's 3,000 and 500 of Bob's 1,001. Bob has energy left at 400,000, the
    # last bid is Dora's 450,000, and nobody is left who bids: (400,000 + 400,000) / 2 by the rule
    # that the price may not pass the best offer with energy left.
    (clearing,) = street.clearings()
    assert (clearing.volume_wh, clearing.price_micro_per_kwh) == (3500, 400_000)
    assert clearing.reason == Clearing.Reason.READINGS
    assert street.balances() == {
        "alice": 1_200_000,
        "bob": 200_000 + 501 * 200,
        "charlie": -(2500 * 400 + 2500 * 10),
        "dora": -(1000 * 400 + 1000 * 10),
        "pool": 0,
        "supplier": -501 * 200,
        "platform": 35_000,
        "rounding": 0,
    }
    assert street.interval().state == State.SETTLED
    assert Settlement.objects.get(clearing=clearing).state == Settlement.State.BOOKED


def test_what_rounding_leaves_is_booked() -> None:
    street = Street(platform_fee_micro_per_kwh=0)
    for seller in ("alice", "bob"):
        street.set_rule(seller, sell=300_001)
    street.set_rule("charlie", buy=300_001)
    street.send({"alice": (0, 500), "bob": (0, 500), "charlie": (1000, 0), "dora": (0, 0)})

    street.run(at(1))

    # 1,000 Wh cost 300,001; each half of it is 150,000.5, and half goes to even.
    assert street.balances() == {
        "alice": 150_000,
        "bob": 150_000,
        "charlie": -300_001,
        "dora": 0,
        "pool": 0,
        "supplier": 0,
        "platform": 0,
        "rounding": 1,
    }


def test_a_price_below_zero_makes_the_seller_pay() -> None:
    street = Street(platform_fee_micro_per_kwh=0)
    street.set_rule("alice", sell=-100_000)
    street.set_rule("charlie", buy=-50_000)
    street.send({"alice": (0, 1000), "bob": (0, 0), "charlie": (1000, 0), "dora": (0, 0)})

    street.run(at(1))

    (clearing,) = street.clearings()
    assert clearing.price_micro_per_kwh == -75_000
    balances = street.balances()
    assert (balances["alice"], balances["charlie"]) == (-75_000, 75_000)
    assert (balances["pool"], balances["supplier"]) == (0, 0)


def test_a_missing_reading_holds_the_interval_and_no_other() -> None:
    street = Street()
    street.send(dict.fromkeys(("alice", "bob", "charlie"), (100, 0)), hour=0)
    street.send(dict.fromkeys(street.meters, (100, 0)), hour=1)

    street.run(at(2))

    assert street.interval(0).state == State.OPEN
    assert street.interval(1).state == State.SETTLED
    assert street.clearings(0) == []


def test_a_reading_of_a_meter_that_is_not_expected_does_not_stand_in_for_a_missing_one() -> None:
    street = Street()
    street.send(dict.fromkeys(("alice", "bob", "charlie"), (100, 0)))
    # Alice's meter was taken out in the meantime, from before this interval on.
    point = street.point("alice")
    point.active_from, point.active_until = START - timedelta(days=2), START - timedelta(days=1)
    point.save()

    street.run(at(1))

    assert street.interval().state == State.OPEN


def test_many_waiting_intervals_do_not_hold_up_a_complete_one() -> None:
    from marketplace.services.clearing import meter_intervals

    street = Street()
    for hour in range(3):
        street.send({"alice": (100, 0)}, hour=hour)
    street.send(dict.fromkeys(street.meters, (100, 0)), hour=3)

    assert meter_intervals(community_id=street.community.id, now=at(4), limit=2) == 1
    assert street.interval(3).state == State.METERED


def test_after_the_deadline_it_settles_without_the_missing_meter_and_says_so() -> None:
    street = Street()
    street.send({"alice": (0, 1000), "bob": (0, 0), "charlie": (1000, 0)})

    street.run(at(1) + DEADLINE - timedelta(seconds=1))
    assert street.interval().state == State.OPEN
    street.run(at(1) + DEADLINE)

    (clearing,) = street.clearings()
    assert (clearing.missing_count, clearing.reason) == (1, Clearing.Reason.DEADLINE)
    assert clearing.volume_wh == 1000
    assert street.balances()["dora"] == 0
    assert sum(street.balances().values()) == 0


def test_an_interval_is_not_cleared_before_it_has_ended() -> None:
    street = Street()
    street.send(dict.fromkeys(street.meters, (100, 0)))

    street.run(at(1) - timedelta(seconds=1))

    assert street.interval().state == State.OPEN


def test_energy_that_meets_nobody_goes_to_the_grid_at_tariff() -> None:
    street = Street()
    street.send(dict.fromkeys(street.meters, (1000, 0)), hour=0)
    street.send(dict.fromkeys(street.meters, (0, 1000)), hour=1)

    street.run(at(2))

    assert [clearing.volume_wh for clearing in street.clearings(0) + street.clearings(1)] == [0, 0]
    assert {street.balances()[meter] for meter in street.meters} == {-600_000 + 200_000}
    assert set(street.transfers(0)[4].tolist()) == {TransferCode.GRID_PURCHASE}


def test_an_interval_in_which_nothing_flowed_settles_without_a_command() -> None:
    street = Street()
    street.send(dict.fromkeys(street.meters, (0, 0)))

    street.run(at(1))

    assert street.interval().state == State.SETTLED
    settlement = Settlement.objects.get(clearing__interval=street.interval())
    assert (settlement.command_key, settlement.state) == (None, Settlement.State.BOOKED)
    assert set(street.balances().values()) == {0}

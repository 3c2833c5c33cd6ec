"""Readings that come late or are corrected: differences until the deadline, then the grid."""

from datetime import timedelta

import pytest

from marketplace.models import Clearing, DeliveryInterval, Reading
from tests.market.street import CORRECTIONS, DEADLINE, FEED_IN, RETAIL, Street, at

pytestmark = pytest.mark.django_db

WITHOUT_BOB = {"alice": (0, 1000), "charlie": (1000, 0), "dora": (500, 0)}
BOB = {"bob": (0, 500)}


def equal_limits(name: str = "Street") -> Street:
    """Return a street in which everybody trades at 400,000."""
    street = Street(name)
    for meter in street.meters:
        street.set_rule(meter, sell=400_000, buy=400_000)
    return street


def settled_without_bob() -> Street:
    street = equal_limits()
    street.send(WITHOUT_BOB)
    street.run(at(1) + DEADLINE)
    return street


def test_a_late_reading_clears_the_interval_again_and_posts_only_differences() -> None:
    street = settled_without_bob()
    first = street.transfers()

    street.send(BOB, now=at(30))
    street.run(at(1) + CORRECTIONS)

    on_time = equal_limits("On time")
    assert [each.reason for each in street.clearings()] == [
        Clearing.Reason.DEADLINE,
        Clearing.Reason.CORRECTION,
    ]
    assert [each.missing_count for each in street.clearings()] == [1, 0]
    second = street.transfers()
    assert second.shape[1] > first.shape[1]
    # What was posted first stands unchanged.
    posted = {tuple(row) for row in second.T[:, 1:].tolist()}
    assert {tuple(row) for row in first.T[:, 1:].tolist()} <= posted
    on_time.send({**WITHOUT_BOB, **BOB})
    on_time.run(at(1))
    assert street.balances() == on_time.balances()


def test_a_correction_leads_to_what_would_have_been_due_at_once() -> None:
    street = equal_limits()
    street.send({**WITHOUT_BOB, **BOB})
    street.run(at(1))

    imported = street.send({"alice": (0, 200)}, now=at(5))
    street.run(at(6))

    assert (imported.new, imported.corrected) == (0, 1)
    versions = Reading.objects.filter(metering_point=street.point("alice")).order_by("version")
    assert [each.export_wh for each in versions] == [1000, 200]
    right_away = equal_limits("Right away")
    right_away.send({**WITHOUT_BOB, **BOB, "alice": (0, 200)})
    right_away.run(at(1))
    assert street.balances() == right_away.balances()
    assert street.trades() == right_away.trades()


def test_the_same_reading_again_is_no_news() -> None:
    street = equal_limits()
    street.send({**WITHOUT_BOB, **BOB})
    street.run(at(1))
    before = street.transfers()

    imported = street.send({**WITHOUT_BOB, **BOB}, now=at(5))
    street.run(at(6))

    assert (imported.new, imported.corrected, imported.unchanged) == (0, 0, 4)
    assert not street.interval().has_news
    assert street.transfers().shape == before.shape


def test_after_the_correction_deadline_only_the_late_party_settles_against_the_grid() -> None:
    street = settled_without_bob()
    before, trades = street.balances(), street.trades()

    street.send(BOB, now=at(1) + CORRECTIONS)
    street.run(at(1) + CORRECTIONS + timedelta(seconds=1))

    (_, late) = street.clearings()
    assert (late.reason, late.volume_wh) == (Clearing.Reason.AFTER_DEADLINE, 1000)
    due = 500 * FEED_IN // 1000
    changes = {name: now - before[name] for name, now in street.balances().items()}
    assert {name: change for name, change in changes.items() if change} == {
        "bob": due,
        "supplier": -due,
    }
    assert street.trades() == trades


def test_a_late_correction_gives_back_to_the_grid_what_the_pool_has_sold() -> None:
    street = equal_limits()
    street.send({**WITHOUT_BOB, "bob": (0, 0)})
    street.run(at(1))
    before = street.balances()

    # Charlie bought up to 1,000 Wh in the pool; now it turns out he drew 100 Wh.
    street.send({"charlie": (100, 0)}, now=at(1) + CORRECTIONS)
    street.run(at(2) + CORRECTIONS)

    due = 900 * RETAIL // 1000
    changes = {name: now - before[name] for name, now in street.balances().items()}
    assert {name: change for name, change in changes.items() if change} == {
        "charlie": due,
        "supplier": -due,
    }


def test_corrections_upon_corrections_add_up() -> None:
    street = equal_limits()
    street.send({**WITHOUT_BOB, **BOB})
    street.run(at(1))
    for hour, export_wh in enumerate((0, 700, 1000, 1), start=2):
        street.send({"bob": (0, export_wh)}, now=at(hour))
        street.run(at(hour))
    street.send({"bob": (30, 0)}, now=at(1) + CORRECTIONS)
    street.run(at(2) + CORRECTIONS)
    street.send({"bob": (0, 1)}, now=at(3) + CORRECTIONS)
    street.run(at(4) + CORRECTIONS)

    right_away = equal_limits("Right away")
    right_away.send({**WITHOUT_BOB, "bob": (0, 1)})
    right_away.run(at(1))
    assert street.interval().revision == 7
    assert street.interval().state == DeliveryInterval.State.SETTLED
    assert street.balances() == right_away.balances()


def test_a_reading_between_clearing_and_booking_waits_for_its_turn() -> None:
    from marketplace.services.clearing import clear_due_intervals, meter_intervals

    street = equal_limits()
    street.send({**WITHOUT_BOB, **BOB})
    meter_intervals(community_id=street.community.id, now=at(1))
    assert clear_due_intervals(community_id=street.community.id, now=at(1)) == 1

    street.send({"alice": (0, 200)}, now=at(1))
    assert clear_due_intervals(community_id=street.community.id, now=at(1)) == 0
    street.run(at(1))

    assert [each.reason for each in street.clearings()] == [
        Clearing.Reason.READINGS,
        Clearing.Reason.CORRECTION,
    ]
    assert sum(street.balances().values()) == 0

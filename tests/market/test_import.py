"""A batch of readings is taken in whole, or named and left."""

from datetime import timedelta
from typing import Any

import pytest

from marketplace.domain.readings.file import ReadingsInvalid
from marketplace.domain.readings.rows import ReadingRow, readings_of_rows
from marketplace.models import DeliveryInterval, Reading, ReadingBatch
from marketplace.services.readings import import_readings
from tests.market.street import START, Street, at

pytestmark = pytest.mark.django_db


def refused(street: Street, rows: list[ReadingRow], *, minutes: int = 60) -> ReadingsInvalid:
    with pytest.raises(ReadingsInvalid) as caught:
        import_readings(
            community_id=street.community.id,
            readings=readings_of_rows(minutes=minutes, rows=rows),
            source="day.csv",
            sha256="0" * 64,
            now=START,
        )
    assert not Reading.objects.exists()
    assert not ReadingBatch.objects.exists()
    assert not DeliveryInterval.objects.exists()
    return caught.value


GOOD = ReadingRow("alice", START.isoformat(), 1, 0)


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        (ReadingRow("nobody", START.isoformat(), 1, 0), "'nobody' is not a metering point"),
        (ReadingRow("bob", at(-1).isoformat(), 1, 0), "'bob' is not active"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_stored(bad: ReadingRow, what: str) -> None:
    error = refused(Street(), [GOOD, bad])

    assert str(error).startswith("day.csv:2: ")
    assert what in str(error)
    assert error.remedy


def test_another_interval_length_than_the_rules_is_refused() -> None:
    error = refused(Street(), [GOOD], minutes=15)

    assert str(error).startswith("day.csv:1: 15 minutes")


def test_a_meter_that_was_taken_out_is_refused() -> None:
    street = Street()
    point = street.point("bob")
    point.active_until = at(1)
    point.save()

    error = refused(street, [ReadingRow("bob", at(1).isoformat(), 1, 0)])

    assert "'bob' is not active" in str(error)


def test_versions_count_up_and_the_old_ones_stay() -> None:
    street = Street()
    first = street.send({"alice": (1, 0), "bob": (2, 0)})
    second = street.send({"alice": (1, 0), "bob": (3, 0), "dora": (4, 0)})

    assert (first.new, second.new, second.corrected, second.unchanged) == (2, 1, 1, 1)
    stored: list[tuple[Any, ...]] = list(
        Reading.objects.order_by("metering_point__code", "version").values_list(
            "metering_point__code", "version", "import_wh"
        )
    )
    assert stored == [("alice", 1, 1), ("bob", 1, 2), ("bob", 2, 3), ("dora", 1, 4)]


def test_intervals_carry_the_rules_in_force_when_they_start() -> None:
    from marketplace.services.places import add_rule_set
    from tests.market.street import flat_rules

    street = Street()
    later = add_rule_set(
        community_id=street.community.id,
        document=flat_rules(platform_fee_micro_per_kwh=0),
        effective_from=at(1),
        now=START,
    )
    for hour in (0, 1):
        street.send({"alice": (1, 0)}, hour=hour)

    assert street.interval(0).rule_set.version == 1
    assert street.interval(1).rule_set == later
    assert street.interval(1).ends_at - street.interval(1).starts_at == timedelta(hours=1)


def test_rules_of_another_length_do_not_meter_the_same_minutes_twice() -> None:
    from marketplace.services.places import add_rule_set
    from tests.market.street import flat_rules

    street = Street()
    street.send({"alice": (1000, 0)})
    add_rule_set(
        community_id=street.community.id,
        document=flat_rules(interval_minutes=15),
        effective_from=START + timedelta(minutes=30),
        now=START,
    )
    inside = (START + timedelta(minutes=45)).isoformat()
    with pytest.raises(ReadingsInvalid, match="overlaps"):
        import_readings(
            community_id=street.community.id,
            readings=readings_of_rows(minutes=15, rows=[ReadingRow("alice", inside, 500, 0)]),
            source="day.csv",
            sha256="0" * 64,
            now=START,
        )
    assert DeliveryInterval.objects.count() == Reading.objects.count() == 1

"""A rule set is taken whole or refused with the place and the remedy."""

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.rules import (
    RulesInvalid,
    canonical_bytes,
    load_rules,
    preset,
    preset_names,
    rules_hash,
    with_interval,
    with_timezone,
)

Change = Callable[[dict[str, Any]], object]


def _band(start: str, end: str, price: int, days: str = "all") -> dict[str, Any]:
    return {"name": "b", "days": days, "from": start, "to": end, "price_micro_per_kwh": price}


def test_every_preset_can_be_used_and_says_it_is_an_example() -> None:
    assert "demo" in preset_names()
    for name in preset_names():
        rules = load_rules(preset(name))
        assert rules.name == name
        assert "not legal advice" in rules.notes


def test_a_preset_is_a_copy_of_its_own() -> None:
    preset("demo")["retail_tariff"].clear()
    assert preset("demo")["retail_tariff"]


def test_an_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(RulesInvalid, match=r"use one of: .*demo"):
        preset("../../secret")


@pytest.mark.parametrize(
    ("civil", "band", "retail", "feed_in"),
    [
        ("2026-06-15T00:00+08:00", "valley", 330_000, 300_000),
        ("2026-06-15T06:59+08:00", "valley", 330_000, 300_000),
        ("2026-06-15T07:00+08:00", "flat", 560_000, 360_000),
        ("2026-06-15T02:00+00:00", "peak", 650_000, 360_000),
        ("2026-06-15T23:30+08:00", "valley", 330_000, 300_000),
    ],
)
def test_the_civil_clock_chooses_the_band(civil: str, band: str, retail: int, feed_in: int) -> None:
    prices = load_rules(preset("demo")).prices_at(datetime.fromisoformat(civil))
    assert prices == (retail, feed_in, 10_000, band)


def test_weekends_have_their_own_bands_by_the_civil_day() -> None:
    document = preset("demo")
    document["retail_tariff"] = [
        _band("00:00", "24:00", 600_000, "workdays"),
        _band("00:00", "12:00", 400_000, "weekend"),
        _band("12:00", "24:00", 500_000, "weekend"),
    ]
    rules = load_rules(document)
    # Friday 16:00 UTC is Saturday in Shanghai.
    assert rules.prices_at(datetime(2026, 6, 19, 15, tzinfo=UTC)).retail_micro_per_kwh == 600_000
    assert rules.prices_at(datetime(2026, 6, 19, 16, tzinfo=UTC)).retail_micro_per_kwh == 400_000
    assert rules.prices_at(datetime(2026, 6, 20, 4, tzinfo=UTC)).retail_micro_per_kwh == 500_000


@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25)])
def test_bands_follow_the_wall_clock_on_days_of_23_and_25_hours(
    day: tuple[int, int, int], hours: int
) -> None:
    rules = load_rules(with_timezone(preset("demo"), "Europe/Berlin"))
    first = datetime(*day, tzinfo=rules.zone).astimezone(UTC)
    starts = [first + timedelta(hours=hour) for hour in range(hours)]
    valley = [at for at in starts if rules.prices_at(at).band == "valley"]
    assert len(valley) == 8 + (hours - 24)
    assert starts[-1].astimezone(rules.zone).hour == 23
    assert rules.prices_at(starts[hours - 17]).band == "flat"  # 07:00
    assert rules.prices_at(starts[hours - 18]).band == "valley"  # 06:00


def test_a_time_without_zone_has_no_price() -> None:
    with pytest.raises(ValueError, match="time zone"):
        load_rules(preset("demo")).prices_at(datetime(2026, 6, 15))  # noqa: DTZ001  what is refused


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        (lambda d: d.update(colour="red"), "", "colour"),
        (lambda d: d.pop("currency"), "", "'currency' is a required"),
        (lambda d: d.update(interval_minutes=20), "interval_minutes", "20 is not one of"),
        (lambda d: d.update(interval_minutes=60.0), "interval_minutes", "whole number"),
        (lambda d: d.update(interval_minutes=True), "interval_minutes", "True"),
        (lambda d: d.update(mode="forward"), "mode", "metered"),
        (lambda d: d.update(timezone="Asia"), "timezone", "IANA"),
        (lambda d: d.update(timezone="Mars/Olympus"), "timezone", "IANA"),
        (lambda d: d.update(currency="CNY\n"), "currency", "long"),
        (lambda d: d.update(name="de\x00mo"), "name", "control"),
        (lambda d: d.update(notes="\ud800"), "", "plain JSON"),
        (lambda d: d.update(credit_limit_micro=-1), "credit_limit_micro", "minimum"),
        (lambda d: d.update(price_max_micro_per_kwh=10**9 + 1), "price_max_micro_per_kwh", "max"),
        (lambda d: d.update(price_min_micro_per_kwh=3 * 10**6), "price_max_micro_per_kwh", "lower"),
        (lambda d: d["retail_tariff"].pop(2), "retail_tariff", "10:00 to 12:00 is covered by no"),
        (lambda d: d["retail_tariff"].pop(), "retail_tariff", "23:00 to 24:00 is covered by no"),
        (
            lambda d: d["feed_in_tariff"].append(_band("05:00", "06:00", 0)),
            "feed_in_tariff",
            "05:00 to 07:00 is covered twice",
        ),
        (
            lambda d: d["feed_in_tariff"].append(_band("05:00", "06:00", 0, "weekend")),
            "feed_in_tariff",
            "on weekend",
        ),
        (
            lambda d: d["retail_tariff"].append(_band("22:00", "06:00", 1)),
            "retail_tariff[7].to",
            "midnight",
        ),
        (
            lambda d: d["retail_tariff"][0].update(price_micro_per_kwh=309_999),
            "feed_in_tariff",
            "more than valley less the platform fee",
        ),
        (lambda d: d.update(price_max_micro_per_kwh=500_000), "retail_tariff", "bounds"),
        (lambda d: d.update(price_min_micro_per_kwh=310_000), "feed_in_tariff", "bounds"),
    ],
)
def test_a_bad_rule_set_is_refused_with_place_and_remedy(
    change: Change, path: str, words: str
) -> None:
    document = preset("demo")
    change(document)
    with pytest.raises(RulesInvalid) as caught:
        load_rules(document)
    assert caught.value.path == path
    assert words in str(caught.value)
    assert caught.value.remedy


def test_a_fee_may_use_up_the_whole_margin() -> None:
    document = preset("demo")
    document["retail_tariff"][0]["price_micro_per_kwh"] = 310_000
    load_rules(document)


def test_the_hash_sees_content_and_not_layout() -> None:
    document = preset("demo")
    turned = json.loads(json.dumps(dict(reversed(document.items())), indent=3))
    assert rules_hash(turned) == rules_hash(document)
    changed = copy.deepcopy(document)
    changed["minimum_group_size"] += 1
    assert rules_hash(changed) != rules_hash(document)
    # Stored hashes must stay valid, so the canonical form may never drift.
    assert canonical_bytes({"b": [1, None], "a": "余"}) == '{"a":"余","b":[1,null]}'.encode()


def test_a_changed_interval_or_time_zone_is_a_checked_copy() -> None:
    document = preset("demo")
    assert load_rules(with_interval(document, 15)).interval_minutes == 15
    assert load_rules(with_timezone(document, "Europe/Paris")).timezone == "Europe/Paris"
    assert document == preset("demo")
    with pytest.raises(RulesInvalid):
        with_interval(document, 7)


@given(cuts=st.sets(st.integers(1, 1439), max_size=6), minute=st.integers(0, 1439))
def test_each_minute_has_the_price_of_the_band_that_holds_it(cuts: set[int], minute: int) -> None:
    edges = [0, *sorted(cuts), 1440]
    clock = [f"{edge // 60:02d}:{edge % 60:02d}" for edge in edges]
    document = with_timezone(preset("demo"), "UTC")
    document["retail_tariff"] = [
        _band(start, end, 400_000 + index) for index, (start, end) in enumerate(pairwise(clock))
    ]
    at = datetime(2026, 6, 15, tzinfo=UTC) + timedelta(minutes=minute)
    expected = 400_000 + sum(edge <= minute for edge in cuts)
    assert load_rules(document).prices_at(at).retail_micro_per_kwh == expected

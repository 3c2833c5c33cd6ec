"""A service level is read back only as it was written, and its credit follows from the looks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.billing.amounts import half_even
from marketplace.domain.data.service import (
    PROMISES,
    Look,
    Measured,
    ServiceLevel,
    credit,
    credit_ppm,
    shortfalls,
)
from marketplace.errors import Invalid

LEVEL = ServiceLevel(
    availability_ppm=990_000,
    freshness_ppm=950_000,
    validity_ppm=1_000_000,
    completeness_ppm=900_000,
    max_age_s=120,
    credit_ppm_per_percent=20_000,
    credit_most_ppm=500_000,
)
GOOD = Look(is_up=True, is_valid=True, age_s=120, completeness_ppm=1_000_000)
DOWN = Look(is_up=False)
looks = st.lists(
    st.builds(
        Look,
        is_up=st.booleans(),
        is_valid=st.booleans(),
        age_s=st.none() | st.integers(0, 400),
        completeness_ppm=st.none() | st.integers(0, 1_000_000),
    ),
    max_size=40,
)
shares = st.integers(0, 1_000_000)


def test_what_was_missed_and_its_credit_by_hand() -> None:
    stale = Look(is_up=True, is_valid=True, age_s=121, completeness_ppm=1_000_000)
    ageless_and_wrong = Look(is_up=True, completeness_ppm=200_000)
    seen = [GOOD] * 94 + [stale] * 4 + [ageless_and_wrong, DOWN]
    measured = Measured.of(seen, max_age_s=LEVEL.max_age_s)
    compared = shortfalls(LEVEL, measured)
    assert [(each.promise, each.measured_ppm, each.missed_ppm) for each in compared] == [
        ("availability", 990_000, 0),
        ("freshness", 94 * 1_000_000 // 99, 950_000 - 94 * 1_000_000 // 99),
        ("validity", 98 * 1_000_000 // 99, 1_000_000 - 98 * 1_000_000 // 99),
        ("completeness", (98 * 1_000_000 + 200_000) // 99, 0),
    ]
    missed = 506 + 10_102
    assert credit_ppm(LEVEL, measured) == missed * 2
    assert credit(LEVEL, measured, 5_000_000) == 106_080


def test_nothing_looked_at_is_nothing_missed_and_the_cap_holds() -> None:
    assert credit(LEVEL, Measured(), 10**12) == 0
    outage = Measured.of([DOWN] * 60, max_age_s=120)
    assert credit(LEVEL, outage, 1_000_001) == 500_000  # half of an odd amount, to even
    assert credit(ServiceLevel(), outage, 1_000_000) == 0
    assert [each.missed_ppm for each in shortfalls(LEVEL, outage)] == [990_000, 0, 0, 0]


@given(looks, shares, shares, shares, st.integers(0, 10**15))
def test_a_worse_month_never_costs_more(
    seen: list[Look], promised: int, rate: int, most: int, due: int
) -> None:
    level = ServiceLevel(
        availability_ppm=promised, credit_ppm_per_percent=rate, credit_most_ppm=most
    )
    before = credit(level, Measured.of(seen, max_age_s=0), due)
    assert 0 <= before <= half_even(due * most, 10**6) <= due
    assert credit(level, Measured.of([*seen, DOWN], max_age_s=0), due) >= before or not seen


@given(st.fixed_dictionaries({f"{each}_ppm": shares for each in PROMISES}), st.integers(1, 600))
def test_a_level_is_read_back_only_as_it_was_written(promised: dict[str, int], age: int) -> None:
    level = ServiceLevel(
        **promised, max_age_s=age if promised["freshness_ppm"] else 0, credit_ppm_per_percent=7
    )
    written = level.to_json()
    assert ServiceLevel.of_json(written) == (ServiceLevel() if level.is_empty else level)
    for change in ({"max_age_s": "007"}, {"validity_ppm": 5}, {"credit_most_ppm": "1000001"}):
        with pytest.raises(Invalid):
            ServiceLevel.of_json({**LEVEL.to_json(), **change})
    with pytest.raises(Invalid):
        ServiceLevel.of_json({**LEVEL.to_json(), "bonus": "1"})
    with pytest.raises(Invalid):
        ServiceLevel(max_age_s=60)

"""Price rules: never over the cap, never less for more, nothing in a trial."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.data.prices import (
    METERED,
    PriceForm,
    PriceRule,
    Use,
    due,
    most,
    units_within_cap,
)
from marketplace.errors import Invalid

COUNTS = st.integers(0, 10**7)


@st.composite
def rules(draw: st.DrawFn) -> PriceRule:
    """Any rule of any form, through the check that people's rules go through."""
    form = draw(st.sampled_from(PriceForm))
    values: dict[str, object] = {"form": form.value}
    if form != PriceForm.FREE:
        values["price_micro"] = draw(st.integers(1, 10**9))
    if form in METERED:
        values["cap_micro"] = draw(st.integers(1, 10**9))
        values["trial_units"] = draw(st.integers(0, 10**6))
        values["free_units"] = draw(st.integers(0, 10**6))
    if form in METERED | {PriceForm.SUBSCRIPTION}:
        values["trial_days"] = draw(st.integers(0, 92))
    is_feed = form in METERED | {PriceForm.SUBSCRIPTION}
    return PriceRule.checked(values, is_feed=is_feed)


@given(
    rule=rules(),
    taken=st.tuples(COUNTS, COUNTS),
    more=COUNTS,
    before=COUNTS,
    month=st.tuples(st.integers(0, 10**6), st.integers(1, 31)),
)
def test_due_is_bounded_and_monotone(
    *, rule: PriceRule, taken: tuple[int, int], more: int, before: int, month: tuple[int, int]
) -> None:
    requests, records = taken
    part, days = month
    month_s = days * 86_400
    covered_s = part % (month_s + 1)
    use = Use(requests, records, before, covered_s, month_s)
    amount = due(rule, use)
    assert 0 <= amount <= most(rule, covered_s=covered_s, month_s=month_s) <= rule.monthly_micro
    more_taken = Use(requests + more, records + more, before, covered_s, month_s)
    assert due(rule, more_taken) >= amount
    assert due(rule, Use(requests, records, before + more, covered_s, month_s)) >= amount
    assert due(rule, Use(requests, records, before, is_trial=True)) == 0
    assert most(rule, is_trial=True) == 0
    assert PriceRule.of(rule.document()) == PriceRule.of(rule.text()) == rule


@given(rules(), COUNTS)
def test_the_cap_is_reached_exactly(rule: PriceRule, before: int) -> None:
    """One unit more than the allowance would cost more than the cap, were there none."""
    allowed = units_within_cap(rule, taken_before=before)
    if allowed is None:
        assert rule.form not in METERED
        return
    without_cap = PriceRule(**{**vars(rule), "cap_micro": 10**18})
    assert due(without_cap, Use(allowed, allowed, before)) <= rule.cap_micro
    assert due(without_cap, Use(allowed + 1, allowed + 1, before)) > rule.cap_micro


def test_examples() -> None:
    by_record = PriceRule.checked(
        {
            "form": "per_record",
            "price_micro": 2500,
            "cap_micro": 1_000_000,
            "trial_units": 100,
            "free_units": 10,
        },
        is_feed=True,
    )
    assert due(by_record, Use(records=110)) == 0
    assert due(by_record, Use(records=111)) == 2  # 2.5, half to even
    assert due(by_record, Use(records=113)) == 8  # 7.5, half to even
    assert due(by_record, Use(records=10**9)) == 1_000_000
    assert due(by_record, Use(records=111, taken_before=100)) == 252  # 101 units at 2.5
    month = PriceRule.checked({"form": "subscription", "price_micro": "31000000"}, is_feed=True)
    assert due(month, Use(covered_s=10 * 86_400, month_s=31 * 86_400)) == 10_000_000


@pytest.mark.parametrize(
    ("values", "is_feed", "field"),
    [
        ({}, False, "form"),
        ({"form": "gift"}, False, "form"),
        ({"form": "one_off", "price_micro": 5}, True, "form"),
        ({"form": "subscription", "price_micro": 5}, False, "form"),
        ({"form": "one_off"}, False, "price_micro"),
        ({"form": "one_off", "price_micro": 0}, False, "price_micro"),
        ({"form": "one_off", "price_micro": True}, False, "price_micro"),
        ({"form": "one_off", "price_micro": "007"}, False, "price_micro"),
        ({"form": "one_off", "price_micro": 1.5}, False, "price_micro"),
        ({"form": "one_off", "price_micro": 5, "cap_micro": 9}, False, "cap_micro"),
        ({"form": "per_request", "price_micro": 5}, True, "cap_micro"),
        ({"form": "per_record", "price_micro": 5, "cap_micro": 10**16}, True, "cap_micro"),
        ({"form": "free", "trial_days": 3}, True, "trial_days"),
        ({"form": "subscription", "price_micro": 5, "trial_days": 93}, True, "trial_days"),
    ],
)
def test_wrong_rules_are_refused_by_field(
    values: dict[str, object], is_feed: bool, field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        PriceRule.checked(values, is_feed=is_feed)
    assert caught.value.field == field

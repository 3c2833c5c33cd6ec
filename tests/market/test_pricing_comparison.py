"""A month under every pricing: each column adds up, and the one in force is what was booked."""

from datetime import date, timedelta

import pytest

from ledger.queries import get_balances
from marketplace.errors import Invalid
from marketplace.models import Participant, PricingOutcome
from marketplace.queries.pages import Place, place_of
from marketplace.queries.pricing_comparison import (
    find_comparison,
    get_comparison_table,
    list_own_pricings,
)
from marketplace.services.pricing_comparison import (
    ask_for_comparison,
    compute_asked_comparisons,
    compute_comparison,
)
from tests.market.street import START, Street, at

JUNE = date(2026, 6, 1)
HOURS = 6


@pytest.fixture
def street(db: None) -> Street:
    street = Street()
    street.set_rule("alice", sell=250_000)
    street.set_rule("charlie", buy=480_000)
    for hour in range(HOURS):
        street.send(
            {
                "alice": (0, 1500 + 37 * hour),
                "bob": (120 * hour, 900 - 130 * hour),
                "charlie": (1700, 0),
                "dora": (333 * hour, 0),
            },
            hour=hour,
            now=START,
        )
    street.run(at(HOURS) + timedelta(minutes=1))
    return street


def place(street: Street) -> Place:
    return place_of(street.community)


def test_each_column_sums_to_zero_and_the_actual_one_is_the_ledger(street: Street) -> None:
    asked = ask_for_comparison(community_id=street.community.id, month=JUNE, now=START)
    again = ask_for_comparison(community_id=street.community.id, month=JUNE, now=START)
    assert again.pk == asked.pk
    assert compute_asked_comparisons(now=START) == 1
    assert not compute_comparison(comparison_id=asked.pk, now=START)  # what is stored stays

    table = get_comparison_table(comparison_id=asked.pk)
    assert table.pricings == [
        "actual",
        "grid_only",
        "uniform",
        "pay_as_bid",
        "mid_market",
        "supply_demand_ratio",
        "sharing_static",
        "sharing_dynamic",
    ]
    assert table.sums_micro == [0] * 8
    for column in range(8):
        assert sum(line.nets_micro[column] for line in table.lines) == 0
    for participant in Participant.objects.filter(community=street.community):
        lines = list_own_pricings(comparison_id=asked.pk, participant_id=participant.id)
        nets = {line.pricing: line.net_micro for line in lines}
        account = participant.energy_account_id
        assert account is not None
        assert nets["actual"] == get_balances(account_ids=[account])[account].posted
        # The street's own rules are uniform, in one zone and without grid fees.
        assert nets["uniform"] == nets["actual"]
        assert nets["actual"] >= nets["grid_only"]
    assert len({tuple(line.nets_micro) for line in table.lines if line.party == "member"}) == 4
    columns = zip(*(line.nets_micro for line in table.lines), strict=True)
    # Uniform is what was booked; sharing by consumption at no price of its own is the mid market.
    assert len({*columns}) == 6


def test_a_later_correction_makes_it_outdated(street: Street) -> None:
    with pytest.raises(Invalid, match="No interval of this month"):
        ask_for_comparison(community_id=street.community.id, month=date(2026, 5, 1), now=START)
    asked = ask_for_comparison(community_id=street.community.id, month=JUNE, now=START)
    compute_comparison(comparison_id=asked.pk, now=START)
    found = find_comparison(place=place(street), month=JUNE)
    assert found is not None
    assert (found.interval_count, found.done_count, found.is_outdated) == (HOURS, HOURS, False)
    # However often somebody asks: what is still right is not computed again.
    again = ask_for_comparison(community_id=street.community.id, month=JUNE, now=START)
    assert (again.pk, compute_asked_comparisons(now=START)) == (asked.pk, 0)
    street.send({"alice": (0, 99)}, hour=0, now=at(HOURS))
    street.run(at(HOURS) + timedelta(minutes=2))
    later = find_comparison(place=place(street), month=JUNE)
    assert later is not None and later.is_outdated
    assert PricingOutcome.objects.filter(comparison=asked.pk).exists()
    newer = ask_for_comparison(community_id=street.community.id, month=JUNE, now=START)
    assert newer.pk != asked.pk

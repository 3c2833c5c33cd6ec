"""A forward day on the district, with forecasts that err: everything settles, to the micro.

An hour of it; ``python -m benchmarks.forward_day`` is the whole day.
"""

import pytest

from benchmarks.forward_district import District, Period
from benchmarks.forward_story import correct_and_bill, live_the_day
from benchmarks.forward_sums import add_up
from ledger.services import verify_book
from marketplace.models import Clearing
from marketplace.services.verification import verify_clearings

QUARTERS = 4
OUTCOMES = {"filled", "partly filled", "unfilled", "dropped", "cancelled", "expired"}


@pytest.mark.django_db
def test_an_hour_settles_to_the_micro_and_every_wh_is_certified_once() -> None:
    district = District(Period(first_hour=12, quarters=QUARTERS, days_before=2))
    district.remember()
    live_the_day(district)
    sums = add_up(district.community, runs=correct_and_bill(district))

    assert sums.broken_claims(quarters=QUARTERS) == []
    # All that may befall an interval and an order befell some.
    reasons = {reason for reason, _ in sums.clearings}
    assert reasons == set(Clearing.Reason)
    assert sums.orders.keys() == OUTCOMES
    assert sums.orders["filled"] > 500
    assert district.refusals.keys() == {"credit", "out_of_bounds", "position_limit", "gate_closed"}
    assert sums.sent_wh > 0 and sums.money["grid"] > 0
    assert verify_clearings() == sum(sums.clearings.values()) + 2 * QUARTERS  # the days before
    assert verify_book().transfers

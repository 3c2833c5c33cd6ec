"""A reading that does not come is estimated by rule, flagged, and replaced when it comes."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from ledger.queries import get_balances
from marketplace.domain.readings.estimation import History, estimate, history_starts
from marketplace.domain.rules import preset
from marketplace.models import Reading
from tests.market.street import DEADLINE, Street, at

SYDNEY = ZoneInfo("Australia/Sydney")
WEEK = 7 * 24
LATE = DEADLINE + timedelta(hours=1)


def test_the_same_hour_is_that_of_the_wall_clock() -> None:
    # The clock went forward on 4 October 2026: six in the morning is another hour of UTC now.
    moment = datetime(2026, 10, 6, 6, tzinfo=SYDNEY)
    weeks = history_starts("previous_week", moment.astimezone(UTC), SYDNEY)
    days = history_starts("profile", moment.astimezone(UTC), SYDNEY)

    assert [each.astimezone(SYDNEY).hour for each in weeks] == [6] * 4
    assert moment - weeks[0] == timedelta(days=7) - timedelta(hours=1)
    # A Tuesday looks at the workdays of four weeks; half past two on that Sunday never was.
    assert len(days) == 20
    assert {each.astimezone(SYDNEY).weekday() for each in days} == set(range(5))
    leapt = datetime(2026, 10, 11, 2, 30, tzinfo=SYDNEY).astimezone(UTC)
    assert len(history_starts("previous_week", leapt, SYDNEY)) == 3


def test_the_nearest_week_is_taken_and_the_profile_is_the_mean() -> None:
    def column(*values: int) -> np.ndarray:
        return np.array(values, dtype=np.int64)

    history = History(
        moment=column(2, 1, 0, 3),
        metering_point=column(7, 7, 9, 7),
        import_wh=column(10, 20, 5, 33),
        export_wh=column(1, 2, 0, 2),
    )
    nearest, mean = estimate("previous_week", history), estimate("profile", history)

    assert nearest.metering_point.tolist() == mean.metering_point.tolist() == [7, 9]
    assert nearest.import_wh.tolist() == [20, 5]
    assert mean.import_wh.tolist() == [21, 5]  # 63 / 3
    assert mean.export_wh.tolist() == [2, 0]  # 5 / 3


def estimating_street(rule: str) -> Street:
    """Return a street under the demo's rules in form 2, which may ask for estimates."""
    form_2 = preset("eu-energy-sharing")
    more = {key: value for key, value in form_2.items() if key not in preset("demo")}
    return Street(**{**more, "estimation": rule})


@pytest.mark.django_db
def test_a_missing_reading_is_estimated_after_the_deadline_and_replaced_by_the_real_one() -> None:
    street = estimating_street("previous_week")
    everybody = {"alice": (0, 900), "bob": (0, 300), "charlie": (700, 0), "dora": (500, 0)}
    street.send(everybody, now=at(1))
    street.run(at(2))
    without_dora = {meter: flows for meter, flows in everybody.items() if meter != "dora"}
    street.send(without_dora, hour=WEEK, now=at(WEEK + 1))
    street.run(at(WEEK + 2))
    assert not street.interval(WEEK).revision  # the deadline holds it open

    street.run(street.interval(WEEK).ends_at + LATE)

    dora = Reading.objects.get(interval=street.interval(WEEK), metering_point=street.point("dora"))
    assert (dora.import_wh, dora.export_wh, dora.version) == (500, 0, 1)
    assert dora.quality == Reading.Quality.ESTIMATED
    assert dora.batch.source == "estimation:previous_week"
    assert [each.missing_count for each in street.clearings(WEEK)] == [0]

    street.send({"dora": (800, 0)}, hour=WEEK, now=street.interval(WEEK).ends_at + LATE)
    street.run(street.interval(WEEK).ends_at + 2 * LATE)

    versions = Reading.objects.filter(
        interval=street.interval(WEEK), metering_point=street.point("dora")
    ).order_by("version")
    assert [(each.import_wh, each.quality) for each in versions] == [(500, 1), (800, 0)]
    assert len(street.clearings(WEEK)) == 2
    grid = street.community.grid_account_id
    assert grid is not None
    assert sum(street.balances().values()) + get_balances(account_ids=[grid])[grid].posted == 0

"""What reads rollups and forecasts."""

from analytics.queries.forecasts import (
    Expected,
    Quality,
    SubjectForecast,
    expected_surplus_wh,
    find_energy_forecast,
    find_price_forecast,
    list_expected_surplus,
)
from analytics.queries.past_forecasts import PastExpectation, list_past_expectations
from analytics.queries.rollups import (
    PeriodTotals,
    Rollup,
    get_period_totals,
    list_interval_rollups,
    list_latest_rollups,
)

__all__ = [
    "Expected",
    "PastExpectation",
    "PeriodTotals",
    "Quality",
    "Rollup",
    "SubjectForecast",
    "expected_surplus_wh",
    "find_energy_forecast",
    "find_price_forecast",
    "get_period_totals",
    "list_expected_surplus",
    "list_interval_rollups",
    "list_latest_rollups",
    "list_past_expectations",
]

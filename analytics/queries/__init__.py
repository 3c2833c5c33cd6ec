"""What reads rollups and forecasts."""

from analytics.queries.forecasts import (
    Expected,
    SubjectForecast,
    expected_surplus_wh,
    find_energy_forecast,
    find_price_forecast,
    list_expected_surplus,
)
from analytics.queries.rollups import (
    PeriodTotals,
    Rollup,
    get_period_totals,
    list_interval_rollups,
    list_latest_rollups,
)

__all__ = [
    "Expected",
    "PeriodTotals",
    "Rollup",
    "SubjectForecast",
    "expected_surplus_wh",
    "find_energy_forecast",
    "find_price_forecast",
    "get_period_totals",
    "list_expected_surplus",
    "list_interval_rollups",
    "list_latest_rollups",
]

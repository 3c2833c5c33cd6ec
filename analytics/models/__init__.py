"""Rollups and forecasts: derived, and recomputable from the marketplace at any time."""

from analytics.models.carbon import CarbonIntensity
from analytics.models.forecasts import Forecast, ForecastRun, Weather
from analytics.models.indicators import CityIndicator, IndicatorSource
from analytics.models.publications import Publication, ReleasedDay, ReleasedEnergies
from analytics.models.rollups import (
    DayRollup,
    FlowDay,
    IntervalRollup,
    LinkDay,
    MarketRollup,
    MemberDay,
    SavingsMonth,
    ZoneDay,
    ZoneHour,
)

__all__ = [
    "CarbonIntensity",
    "CityIndicator",
    "DayRollup",
    "FlowDay",
    "Forecast",
    "ForecastRun",
    "IndicatorSource",
    "IntervalRollup",
    "LinkDay",
    "MarketRollup",
    "MemberDay",
    "Publication",
    "ReleasedDay",
    "ReleasedEnergies",
    "SavingsMonth",
    "Weather",
    "ZoneDay",
    "ZoneHour",
]

"""What writes rollups and forecasts."""

from analytics.services.forecasts import make_due_forecasts, make_forecasts
from analytics.services.indicators import refresh_indicators, sample_stations
from analytics.services.rollups import recompute, roll_up_settled
from analytics.services.weather import import_weather

__all__ = [
    "import_weather",
    "make_due_forecasts",
    "make_forecasts",
    "recompute",
    "refresh_indicators",
    "roll_up_settled",
    "sample_stations",
]

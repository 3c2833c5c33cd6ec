"""What writes rollups and forecasts."""

from analytics.services.forecasts import make_due_forecasts, make_forecasts
from analytics.services.indicators import refresh_indicators, sample_stations
from analytics.services.rollups import make_again, roll_up_settled
from analytics.services.rollups_days import note_final_days, roll_up_due_days
from analytics.services.weather import import_weather

__all__ = [
    "import_weather",
    "make_again",
    "make_due_forecasts",
    "make_forecasts",
    "note_final_days",
    "refresh_indicators",
    "roll_up_due_days",
    "roll_up_settled",
    "sample_stations",
]

"""What writes rollups and forecasts."""

from analytics.services.forecasts import make_due_forecasts, make_forecasts
from analytics.services.indicators import refresh_indicators, sample_stations
from analytics.services.publications import publish_due_figures
from analytics.services.releases import release_due_days, revise_released_days
from analytics.services.rollups import make_again, roll_up_settled
from analytics.services.rollups_days import note_final_days, roll_up_due_days
from analytics.services.weather import import_weather

__all__ = [
    "import_weather",
    "make_again",
    "make_due_forecasts",
    "make_forecasts",
    "note_final_days",
    "publish_due_figures",
    "refresh_indicators",
    "release_due_days",
    "revise_released_days",
    "roll_up_due_days",
    "roll_up_settled",
    "sample_stations",
]

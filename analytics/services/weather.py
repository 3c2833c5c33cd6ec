"""Take in weather, measured or forecast, that forecasts may look at."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.db import transaction

from analytics.errors import WeatherInvalid
from analytics.models import Weather
from marketplace.domain.civil_day import FIRST_MOMENT, LAST_MOMENT

COLUMNS = ("start", "irradiance_w_per_m2", "temperature_c")
HEADER = ",".join(COLUMNS)
IRRADIANCE_MAX = 2000
LOWEST_C, HIGHEST_C = -90, 70
SHORTEST = timedelta(minutes=5)
AT_ONCE = 5000
SHOWN_MAX = 100


@transaction.atomic
def import_weather(path: Path, *, community_id: int) -> int:
    """Store a file of weather, all of it or nothing; what was known of a moment is replaced.

    Parameters
    ----------
    path : Path
        CSV with the header ``start,irradiance_w_per_m2,temperature_c``, one row per delivery
        interval; starts in ISO 8601 with offset.

    Returns
    -------
    int
        How many moments it tells of.

    Raises
    ------
    WeatherInvalid
        Names the first bad line and what to do.
    """
    rows = {row.starts_at: row for row in _rows(path, community_id)}
    Weather.objects.bulk_create(
        rows.values(),
        batch_size=AT_ONCE,
        update_conflicts=True,
        unique_fields=["community_id", "starts_at"],
        update_fields=["irradiance_w_per_m2", "temperature_tenths_c"],
    )
    return len(rows)


def _rows(path: Path, community_id: int) -> Iterator[Weather]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file)
            if tuple(next(lines, [])) != COLUMNS:
                raise WeatherInvalid(path, 1, "the header is another", f"begin with {HEADER}")
            for cells in lines:
                if cells:
                    yield _row(path, lines.line_num, cells, community_id)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise WeatherInvalid(path, 0, f"cannot be read: {error}", "send CSV in UTF-8") from error


def _row(path: Path, line: int, cells: list[str], community_id: int) -> Weather:
    try:
        start, irradiance, temperature = cells
        moment = datetime.fromisoformat(start)
        values = float(irradiance), float(temperature)
    except ValueError as error:
        # What stands there may be as long as a line.
        what = str(error)[:SHOWN_MAX]
        raise WeatherInvalid(path, line, what, f"write {HEADER}, numbers as such") from error
    if moment.tzinfo is None:
        raise WeatherInvalid(path, line, f"{start} has no offset", "write it as …+08:00")
    if not FIRST_MOMENT <= moment < LAST_MOMENT:
        raise WeatherInvalid(path, line, f"{start} is far off", "write a year from 1970 to 2199")
    moment = moment.astimezone(UTC)
    if moment.timestamp() % SHORTEST.total_seconds():
        raise WeatherInvalid(path, line, f"{start} begins no interval", "use intervals' starts")
    if not (0 <= values[0] <= IRRADIANCE_MAX and LOWEST_C <= values[1] <= HIGHEST_C):
        raise WeatherInvalid(
            path,
            line,
            f"{irradiance} W/m² at {temperature} °C cannot be",
            f"check the units: 0 to {IRRADIANCE_MAX} W/m², {LOWEST_C} to {HIGHEST_C} °C",
        )
    return Weather(
        community_id=community_id,
        starts_at=moment,
        irradiance_w_per_m2=round(values[0]),
        temperature_tenths_c=round(values[1] * 10),
    )

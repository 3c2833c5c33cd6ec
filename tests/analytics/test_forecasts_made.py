"""Forecasts of a town begin where its readings end, carry their error, and are made when due."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from analytics.domain.forecast import Method
from analytics.errors import WeatherInvalid
from analytics.models import Forecast, ForecastRun, IntervalRollup, Weather
from analytics.queries import (
    expected_surplus_wh,
    find_energy_forecast,
    find_price_forecast,
    list_expected_surplus,
)
from analytics.services import import_weather, make_forecasts
from analytics.tasks import make_due_forecasts
from marketplace.domain.readings.rows import ReadingRow
from marketplace.models import MeteringPoint
from marketplace.queries.pages import Place, place_of
from tests.town import METERS, START, Town, build_town, send
from tests.worlds import world

DAYS = 9
END = START + timedelta(days=DAYS)
HOUR = timedelta(hours=1)
SUMS = (
    *("meter_count", "import_wh", "export_wh", "bought_wh", "sold_wh"),
    *("priced_wh", "priced_micro", "grid_import_wh", "grid_export_wh"),
)
Kind = Forecast.Kind


@pytest.fixture
def town(db: None) -> Iterator[Town]:
    with world(regular_town) as town:
        yield town


def regular_town() -> Town:
    """Six meters that do the same every day, the first with noise, and prices of two zones."""
    town = build_town()
    rng = np.random.default_rng(2)
    rows: list[ReadingRow] = []
    for hour in range(DAYS * 24):
        of_day = (START + hour * HOUR).hour
        for at, meter in enumerate(METERS):
            noise = int(rng.integers(0, 400)) if at == 0 else 0
            sunny = at % 2 == 0 and of_day < 10
            wh = 500 + 100 * at + 10 * of_day + noise
            rows.append(row(meter, START + hour * HOUR, *((0, wh) if sunny else (wh, 0))))
    send(town, rows)
    prices = [
        IntervalRollup(
            interval_id=hour,
            zone_id=zone.id,
            community_id=town.community.id,
            starts_at=START + hour * HOUR,
            revision=1,
            **dict.fromkeys(SUMS, 0),
            price_micro_per_kwh=400_000 + 1000 * ((START + hour * HOUR).hour) - 900_000 * at
            if (START + hour * HOUR).hour != 3
            else None,
        )
        for hour in range(DAYS * 24)
        for at, zone in enumerate(town.community.zones.order_by("id"))
    ]
    IntervalRollup.objects.bulk_create(prices)
    return town


def row(meter: str, start: datetime, import_wh: int, export_wh: int) -> ReadingRow:
    return ReadingRow(meter, start.isoformat(), import_wh, export_wh)


def place(town: Town) -> Place:
    return place_of(town.community)


def hours(count: int, start: datetime = END) -> list[datetime]:
    return [start + hour * HOUR for hour in range(count)]


def surplus(point: MeteringPoint, starts: Sequence[datetime]) -> tuple[list[int | None], ...]:
    return expected_surplus_wh(metering_point_id=point.id, starts=starts)


def test_the_next_two_days_are_forecast_with_their_error(town: Town) -> None:
    assert make_forecasts(place=place(town), now=END)

    regular = town.point("bob-1")
    export, import_ = surplus(regular, [*hours(48), END + 48 * HOUR])
    assert export == [0] * 48 + [None]
    assert import_ == [600 + 10 * start.hour for start in hours(48)] + [None]
    found = find_energy_forecast(metering_point_id=town.point("alice-1").id)
    assert found is not None
    sunny = [each for each in found[0].intervals if each.starts_at.hour < 10]
    for each in sunny:
        assert each.low is not None and each.expected is not None and each.high is not None
        assert each.low <= each.expected <= each.high
    quality = found[0].qualities[0]
    assert quality.method is Method.MIX and quality.points == 8 * 24
    assert quality.error is not None and quality.naive_error is not None
    assert 0 < quality.error < quality.naive_error and (quality.skill or 0) > 0
    # All meters at once give the same, for whoever makes orders of them.
    at = END + 5 * HOUR
    every = list_expected_surplus(community_id=town.community.id, starts_at=at)
    assert len(every) == len(METERS)
    for code in METERS:
        one = surplus(town.point(code), [at])
        assert every[town.point(code).id] == (one[0][0], one[1][0])
    assert list_expected_surplus(community_id=town.community.id, starts_at=END + 50 * HOUR) == {}


def test_prices_are_forecast_by_zone_also_below_zero_and_not_where_none_ever_was(
    town: Town,
) -> None:
    make_forecasts(place=place(town), now=END)
    for at, zone in enumerate(town.community.zones.order_by("id")):
        found = find_price_forecast(zone_id=zone.id)
        assert found is not None
        for each in found.intervals:
            hour = each.starts_at.hour
            expected = None if hour == 3 else 400_000 + 1000 * hour - 900_000 * at
            assert each.expected == expected
    assert find_price_forecast(zone_id=10**6) is None


def test_forecasts_are_made_again_when_readings_went_on_and_old_ones_go(town: Town) -> None:
    def made(now: datetime) -> bool:
        return make_forecasts(place=place(town), now=now)

    assert made(END) and not made(END) and not made(END + HOUR / 2)
    # What is behind must reach 48 hours from now all the same; a week behind, the town stands.
    assert made(END + 2 * HOUR) and not made(END + 20 * HOUR)
    assert made(END + 6 * HOUR + timedelta(days=1)) is True
    run = ForecastRun.objects.latest("made_at")
    assert (run.starts_at, run.lead_count) == (END, 4)
    assert not made(END + timedelta(days=7))
    send(town, [row(meter, END, 100, 0) for meter in METERS[:3]])
    assert made(END + timedelta(days=7))
    latest = ForecastRun.objects.latest("made_at")
    assert (latest.starts_at, latest.lead_count) == (END + HOUR, 2)
    assert list(ForecastRun.objects.all()) == [latest]
    assert surplus(town.point("bob-1"), [END]) == ([None], [None])
    # Who died while making them is followed by another, half an hour later.
    ForecastRun.objects.update(finished_at=None, made_at=END + timedelta(days=7))
    assert not made(END + timedelta(days=7, minutes=29))
    assert made(END + timedelta(days=7, minutes=30))


def test_a_town_without_readings_waits_and_the_task_may_come_twice(db: None) -> None:
    empty = build_town("Empty")
    make_due_forecasts()
    assert not make_forecasts(place=place(empty), now=END)
    assert not ForecastRun.objects.exists()
    assert surplus(empty.point("bob-1"), hours(2)) == ([None, None], [None, None])
    send(empty, [row(meter, START, 100, 0) for meter in METERS])
    make_due_forecasts()
    make_due_forecasts()
    assert ForecastRun.objects.count() == 1
    assert surplus(empty.point("bob-1"), [START + 24 * HOUR]) == ([0], [100])


def test_statements_do_not_grow_with_meters(town: Town) -> None:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        make_forecasts(place=place(town), now=END)
    assert len(captured) < 30


def test_weather_is_taken_whole_or_refused_by_line(town: Town, tmp_path: Path) -> None:
    file = tmp_path / "weather.csv"
    good = "".join(f"{start.isoformat()},{start.hour * 30},21.5\n" for start in hours(48))
    header = "start,irradiance_w_per_m2,temperature_c\n"
    for bad, what in (
        ("", "weather.csv:1: the header"),
        (header + good + "2026-06-10T00:00:00,1,1\n", "weather.csv:50: .*no offset"),
        (header + "2026-06-10T00:00:00Z,5000,1\n", "weather.csv:2: 5000 W/m² .*check the units"),
        (header + "2026-06-10T00:00:00Z,1\n", "weather.csv:2: "),
        (header + "2026-06-10T00:00:01Z,1,1\n", "weather.csv:2: .*begins no interval"),
        (header + "2026-06-10T00:00:00Z,nan,1\n", "weather.csv:2: nan"),
        (header + "0001-01-01T00:00:00+14:00,1,1\n", "weather.csv:2: .*far off"),
        (header + f"2026-06-10T00:00:00Z,{'x' * 90_000},1\n", "weather.csv:2: .{1,200}$"),
    ):
        file.write_text(bad, encoding="utf-8")
        with pytest.raises(WeatherInvalid, match=what):
            import_weather(file, community_id=town.community.id)
    assert not Weather.objects.exists()
    file.write_text(header + good, encoding="utf-8")
    for _ in range(2):
        assert import_weather(file, community_id=town.community.id) == 48
    assert Weather.objects.count() == 48
    assert make_forecasts(place=place(town), now=END)

"""The committed files are the ones the README describes, and mean what it says."""

import csv
import gzip
import hashlib
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks.make_city import make_city
from fixtures.build_carbon import build_carbon
from fixtures.build_homes import HOMES_WITH_GAPS
from fixtures.build_mobility import build_mobility
from marketplace.domain.readings.file import read_readings

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
HOURS = 7 * 24


def test_every_file_has_its_checksum_in_the_readme() -> None:
    readme = (FIXTURES / "README.md").read_text(encoding="utf-8")
    stated = dict(re.findall(r"^\| `(\S+)` .*`([0-9a-f]{64})` \|$", readme, re.MULTILINE))
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in _data()}
    assert stated == found


def _data() -> list[Path]:
    return sorted([*FIXTURES.glob("*.csv"), *FIXTURES.glob("*.csv.gz"), *FIXTURES.glob("*.zip")])


@pytest.mark.parametrize("season", ["summer", "winter"])
def test_a_week_of_homes_has_gaps_only_where_the_readme_says(season: str) -> None:
    file = read_readings(FIXTURES / f"homes_{season}_week.csv")

    assert file.meters == tuple(f"H{number:02d}" for number in range(1, 18))
    assert (file.minutes, file.repeated) == (60, 0)
    assert not ((file.import_wh > 0) & (file.export_wh > 0)).any()
    assert len(np.unique(file.start_epoch_s)) == HOURS
    rows = Counter(file.meters[index] for index in file.meter_index.tolist())
    gaps = {meter for meter, count in rows.items() if count < HOURS}
    assert gaps == set(HOMES_WITH_GAPS)


@pytest.mark.parametrize("season", ["summer", "winter"])
def test_the_sun_of_the_homes_shines_by_day_and_weeks_begin_on_monday(season: str) -> None:
    file = read_readings(FIXTURES / f"homes_{season}_week.csv")

    hours = (file.start_epoch_s // 3600 + 8) % 24
    assert file.export_wh[(hours < 5) | (hours > 20)].sum() == 0
    noon = file.export_wh[(hours >= 10) & (hours < 14)].sum()
    assert noon > 0.4 * file.export_wh.sum()
    days = (int(file.start_epoch_s.min()) + 8 * 3600) // 86400
    assert (days + 3) % 7 == 0  # day 0 of the epoch was a Thursday


def test_what_is_synthetic_is_the_same_each_time(tmp_path: Path) -> None:
    build_mobility(tmp_path)
    build_carbon(tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (FIXTURES / path.name).read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {
        path.name for path in FIXTURES.glob("*_synthetic.*")
    }


def test_synthetic_trips_are_between_the_synthetic_stations() -> None:
    with (FIXTURES / "bike_stations_synthetic.csv").open(encoding="utf-8", newline="") as file:
        stations = {row["station_id"] for row in csv.DictReader(file)}
    with gzip.open(FIXTURES / "bike_trips_synthetic.csv.gz", "rt", encoding="utf-8") as trips:
        rows = list(csv.DictReader(trips))
    assert len(rows) == 13_454
    assert {row["start_station_id"] for row in rows} == stations
    assert all(row["started_at"] < row["ended_at"] for row in rows)
    assert len({row["rider_id"] for row in rows}) > 800


def test_a_synthetic_city_is_the_same_each_time_and_trades_at_noon(tmp_path: Path) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    assert make_city(first, households=50) == make_city(second, households=50) == 50 * 96
    assert first.read_bytes() == second.read_bytes()
    file = read_readings(first)
    assert (len(file), len(file.meters), file.minutes) == (50 * 96, 50, 15)
    hours = (file.start_epoch_s // 3600 + 8) % 24
    assert file.export_wh[hours == 12].sum() > file.import_wh[hours == 12].sum() > 0
    assert file.export_wh[hours < 5].sum() == 0
    share = len(set(file.meter_index[file.export_wh > 0].tolist())) / 50
    assert 0.25 < share < 0.65

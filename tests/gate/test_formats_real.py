"""The real files of a machine that has them: numbers that others counted too."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from gate.formats import Options, check
from gate.recognise import recognise
from tests.gate.mutilated import codes, judged

AT = datetime(2026, 11, 21, tzinfo=UTC)


def test_counts_of_boroondara_with_the_day_the_clocks_changed(real_data: Path) -> None:
    """140 detectors in October 2006; the source kept counting through an hour that wasn't."""
    folder = real_data / "traffic_counts_boroondara"
    path = folder / "volumes_15min.csv.gz"

    found = check(
        path,
        "counts",
        at=AT,
        options=Options(zone="Australia/Melbourne"),
        companions={"stations": folder / "detectors.csv"},
    )

    # 137 detectors have rows on 29 October, four of them between two and three o'clock.
    skipped, slots = 137 * 4, 31 * 96 - 4
    assert codes(found) == {
        "time-skipped": skipped,
        "values-missing": 140 * slots - (402_432 - skipped),
        "place-zero": 1,
        "site-unplaced": 1,
    }
    assert found.is_valid
    assert recognise(path).format == "counts"
    profile = found.profile
    assert (profile.rows, profile.resolution_s) == (402_432, 900)
    assert (profile.start, profile.end) == ("2006-09-30T14:00:00Z", "2006-10-31T13:00:00Z")
    assert profile.completeness_ppm == (402_432 - skipped) * 1_000_000 // (140 * slots)
    assert profile.gaps[0] == ("D026", 192, slots)
    # Without the detector at 0/0 the box is the city's.
    assert profile.bbox == (145_008_300, -37_867_600, 145_098_850, -37_780_930)
    assert (profile.columns[2].least, profile.columns[2].greatest) == ("0", "695")


def test_trips_of_the_bay_area(real_data: Path) -> None:
    folder = real_data / "bikeshare_bayarea_2014"
    path = folder / "trips_2014_01_to_09.csv.gz"

    found = check(
        path,
        "trips",
        at=AT,
        options=Options(zone="America/Los_Angeles"),
        companions={"stations": folder / "stations.csv"},
    )

    assert codes(found) == {"trip-long": 105}
    assert (found.records, recognise(path).format) == (246_496, "trips")
    assert dict(found.profile.entities) == {"stations": 70}
    assert {one.least for one in found.profile.columns} == {None}
    assert found.profile.start == "2014-01-01T00:00:00Z"


def test_the_timetable_of_cairns(real_data: Path) -> None:
    path = real_data / "transit" / "gtfs" / "cairns_gtfs.zip"

    found = check(path, "gtfs", at=datetime(2014, 6, 15, tzinfo=UTC))

    assert found.is_valid
    assert codes(found) == {
        "missing_recommended_field": 23,
        "stop_too_far_from_shape": 5,
        "missing_recommended_file": 1,
    }
    assert dict(found.profile.entities) == {
        "agencies": 1,
        "routes": 22,
        "stops": 416,
        "trips": 1339,
        "stop times": 37_790,
        "shape points": 22_784,
    }
    assert (found.profile.start, found.profile.end) == (
        "2014-05-25T14:00:00Z",
        "2014-12-28T14:00:00Z",
    )


def test_official_feeds_of_bikes(real_data: Path) -> None:
    """The published fixture of 2.3 is sound; that of 3.0 contradicts itself."""
    folder = real_data / "transit" / "gbfs"

    old, new = (judged(folder / one, "gbfs", at=AT) for one in ("v2.3", "v3.0"))

    assert codes(old) == {"report-old": 2}
    assert (old.records, old.source_time) == (2, datetime(2020, 12, 1, 21, 26, 8, tzinfo=UTC))
    assert codes(new) == {
        "station-without-status": 22,
        "enum": 1,
        "vehicle-type-unknown": 1,
        "report-old": 1,
    }
    assert dict(new.profile.entities)["stations"] == 23
    for file in (folder / "v3.0").glob("*.json"):
        assert recognise(file).detail == file.stem

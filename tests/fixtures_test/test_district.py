"""The district: 200 households in four zones, a week of quarter hours, made from SimBench."""

import csv
import gzip
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from fixtures.build_district import FEEDERS, LINKS, build_district
from marketplace.domain.readings.file import ReadingsInvalid, read_readings

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
FILES = ("district_week.csv.gz", "district_meters.csv", "district_links.csv")


def test_the_district_is_200_households_and_a_whole_week() -> None:
    file = read_readings(FIXTURES / "district_week.csv.gz")

    assert file.meters == tuple(f"D{number:03d}" for number in range(1, 201))
    assert (len(file), file.minutes, file.repeated) == (200 * 7 * 96, 15, 0)
    assert (int(file.import_wh.sum()), int(file.export_wh.sum())) == (6_429_356, 13_115_492)
    assert not ((file.import_wh > 0) & (file.export_wh > 0)).any()
    hours = (file.start_epoch_s // 3600 + 8) % 24
    assert file.export_wh[(hours < 4) | (hours > 21)].sum() == 0
    # Who has a plant sends, and nobody else.
    with (FIXTURES / "district_meters.csv").open(encoding="utf-8", newline="") as table:
        meters = list(csv.DictReader(table))
    assert [row["meter"] for row in meters] == list(file.meters)
    senders = {file.meters[at] for at in np.unique(file.meter_index[file.export_wh > 0])}
    assert senders == {row["meter"] for row in meters if row["solar_w"] != "0"}
    zones = [row["zone"] for row in meters]
    assert {zone: zones.count(zone) for zone in zones} == dict.fromkeys(FEEDERS, 50)


def test_every_link_goes_both_ways_between_zones_that_exist() -> None:
    with (FIXTURES / "district_links.csv").open(encoding="utf-8", newline="") as table:
        links = {(row["from"], row["to"]): row for row in csv.DictReader(table)}
    assert len(links) == 2 * len(LINKS)
    for (start, end), row in links.items():
        assert {start, end} <= set(FEEDERS)
        back = links[end, start]
        assert (row["limit_wh"], row["fee"]) == (back["limit_wh"], back["fee"])


def test_the_script_makes_these_very_files(tmp_path: Path) -> None:
    found = importlib.util.find_spec("simbench")
    if found is None or found.origin is None:
        pytest.skip("the package simbench is not installed; the checksums are compared anyway")
    build_district(Path(found.origin).parents[1], tmp_path)
    for name in FILES:
        made, kept = ((folder / name).read_bytes() for folder in (tmp_path, FIXTURES))
        if name.endswith(".gz"):  # the packing may differ between versions of zlib
            made, kept = gzip.decompress(made), gzip.decompress(kept)
        assert made == kept, name


def test_a_damaged_packing_is_refused_by_name(tmp_path: Path) -> None:
    packed = gzip.compress(b"meter,start,minutes,import_wh,export_wh\n" * 2000)
    torn = tmp_path / "week.csv"  # told by its content, not by its name
    torn.write_bytes(packed[:-20])
    with pytest.raises(ReadingsInvalid, match=r"week\.csv.*gzip packing is damaged"):
        read_readings(torn)

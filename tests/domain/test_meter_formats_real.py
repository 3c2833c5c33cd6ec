"""Every real file of a foreign format is read to the sums that others find, or refused with why."""

import re
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from nemreader.nem_reader import NEMFile
from pyarrow import parquet

from marketplace.domain.meter_formats.csv_hints import read_hints
from marketplace.domain.meter_formats.flows import Direction, Flows, Quality
from marketplace.domain.meter_formats.intervals import readings_of_flows
from marketplace.domain.meter_formats.recognition import Asked, read_meter_file, zone_of
from marketplace.domain.meter_formats.source import Source
from marketplace.domain.readings_columns import ReadingsInvalid

WH = {"wh": 1, "kwh": 1000}
REFUSED_NEM12 = {
    # What each of them is for, and what an operator is told.
    "Example_NEM12_30min_200_15min_300.csv": ":3: after 48 values of 30 minutes stands '480'",
    "Example_NEM12_empty.csv": "holds no reading",
    "Example_NEM12_incomplete_interval.csv": ":3: after 48 values",
    "Example_empty_file.csv": "the file is empty",
    # Reactive energy alone.
    "NEM12#07130_05021202#WBAYM#NEMMCO.zip": "channel K1 of NEM1206110 left aside",
    "NEM12#NEM1206105bScenario7#GLOBALM#NEMMCO.ZIP": "channel K1 of NEM1206105 left aside",
    "NEM12#Scenario07#POWERMDP#NEMMCO.zip": "channel Q1 of NEM1206107 left aside",
}


def read(path: Path) -> Flows:
    return read_meter_file(path, default_zone=UTC, asked=Asked())


def refusal(path: Path) -> str:
    with pytest.raises(ReadingsInvalid) as caught:
        readings_of_flows(read(path), minutes=60, file=str(path))
    assert caught.value.remedy
    return str(caught.value)


def files_of(folder: Path) -> Iterator[Path]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    assert found
    yield from found


def sums_of_nemreader(path: Path) -> dict[tuple[str, str], int]:
    """Return the sums of the channels of energy, as another reader has them. [Wh]"""
    sums = {}
    with Source(path, path.name).open() as file:
        lines = file.read().decode().splitlines()
    for nmi, channels in NEMFile(path.name).parse_nem_file(lines).readings.items():
        for suffix, readings in channels.items():
            if suffix[0] in "EB":
                values = [each.read_value * WH[each.uom.lower()] for each in readings]
                sums[nmi, suffix] = round(sum(values))
    return sums


def test_nem12_files_have_the_sums_of_nemreader_or_are_refused(real_data: Path) -> None:
    folder = real_data / "meter_formats" / "nem12_nem13"
    refused, read_files = set(), 0
    for path in files_of(folder):
        if "NEM13" in path.name:
            assert "NEM13 holds register reads" in refusal(path)
        elif path.name in REFUSED_NEM12:
            assert REFUSED_NEM12[path.name] in refusal(path)
            refused.add(path.name)
        else:
            flows = read(path)
            ours = {
                (each.meter, each.name): flows.sum_wh(each.meter, each.direction, each.name)
                for each in flows.channels
            }
            assert ours == sums_of_nemreader(path), path.name
            read_files += 1
    assert refused == set(REFUSED_NEM12)
    assert read_files > 30


def test_nem12_days_become_intervals_with_their_flags_and_gaps(real_data: Path) -> None:
    folder = real_data / "meter_formats" / "nem12_nem13"
    solar, _ = readings_of_flows(
        read(folder / "unzipped" / "Example_NEM12_month_solar.csv"), minutes=15, file=""
    )
    assert (solar.import_wh.sum(), solar.export_wh.sum(), len(solar)) == (270_738, 589_172, 2976)
    assert datetime.fromtimestamp(int(solar.start_epoch_s[0]), UTC).hour == 14  # midnight at +10
    flagged, _ = readings_of_flows(
        read(folder / "unzipped" / "Example_NEM12_multiple_quality.csv"), minutes=30, file=""
    )
    assert flagged.quality is not None
    expected = [Quality.SUBSTITUTED] * 20 + [Quality.MEASURED] * 4 + [Quality.SUBSTITUTED] * 24
    assert flagged.quality.tolist() == expected
    # Its feed-in channel stops after one day: a reading without it is missing, not without feed-in.
    partial, report = readings_of_flows(
        read(folder / "unzipped" / "Example_NEM12_partialchannel.csv"), minutes=60, file=""
    )
    assert len(partial) == 24
    assert [(gap.count, gap.why) for gap in report.gaps] == [
        (720, "a part or a channel is missing")
    ]
    alone = refusal(folder / "unzipped" / "Example_NEM12_no_scheduled_read.csv")
    assert "send all channels of a meter in one file" in alone


def expected_readings(path: Path) -> list[tuple[int, int]]:
    """Return start and energy as another reader printed them. [s, Wh]"""
    with Source(path, path.name).open() as file:
        text = file.read().decode()
    found = re.findall(r"(\d{4}-\S+ \d{2}:\d{2}:\d{2}\+00:00), [^:]+:\d\d:\d\d: (\d+) Wh", text)
    return [(int(datetime.fromisoformat(moment).timestamp()), int(wh)) for moment, wh in found]


def test_green_button_files_have_the_expected_readings_or_are_refused(real_data: Path) -> None:
    folder = real_data / "meter_formats" / "greenbutton"
    sums = {}
    for path in files_of(folder):
        if path.parent.name == "expected":
            continue
        if "gas" in path.name:
            assert "send electricity (kind 0) only" in refusal(path)
            continue
        if "Daily_Jan" not in path.name and "OneYearDaily" in path.name:
            assert "1440 minutes are longer than the delivery interval" in refusal(path)
        flows = read(path)
        sums[path.name] = int(flows.micro_wh.sum()) // 10**6
        of_same_name = [*(folder / "expected").glob(f"{path.name.split('.')[0]}.txt*")]
        if of_same_name:
            ours = zip(flows.start_s.tolist(), (flows.micro_wh // 10**6).tolist(), strict=True)
            assert sorted(ours) == sorted(expected_readings(of_same_name[0])), path.name
    # Three ways to cut one year into blocks, and a feed whose first two readings carry flags.
    assert len({total for name, total in sums.items() if "Coastal" in name}) == 1
    assert len(sums) == 14
    flags = read(folder / "openespi_test_usage_data.xml").quality
    assert flags[:3].tolist() == [Quality.ESTIMATED, Quality.SUBSTITUTED, Quality.MEASURED]


def plain_sum(path: Path) -> int:
    """Add up the quantities of a message as text. [Wh]"""
    values = re.findall(r"QTY\+\d+:(\d+)\.(\d{3})", path.read_text(encoding="latin-1"))
    assert len(values) == 96
    return sum(int(whole + part) for whole, part in values)


def test_mscons_profiles_have_the_sums_of_their_quantities_or_are_refused(real_data: Path) -> None:
    totals = {}
    for path in files_of(real_data / "meter_formats" / "mscons"):
        register = re.findall(r"1-1\?:(\d)\.29\.0", path.read_text(encoding="latin-1"))[0]
        if register not in "12":
            assert f"register 1-1:{register}.29.0*255" in refusal(path)
            continue
        flows = read(path)
        readings, _ = readings_of_flows(flows, minutes=15, file=path.name)
        energy = readings.import_wh if register == "1" else readings.export_wh
        assert energy.sum() == plain_sum(path)
        assert flows.channels[0].direction == Direction(int(register))
        totals[path.name] = len(readings)
    assert list(totals.values()) == [96, 96, 96]


@pytest.fixture
def nsw_csv(real_data: Path, tmp_path: Path) -> tuple[Path, int]:
    """Write three customers as their utility would, and return how many half-hours they lack."""
    customers = (10012584, 10017784, 10018254)
    table = parquet.read_table(
        real_data / "meters_nsw" / "sgsc_readings_a.parquet",
        columns=["customer_id", "reading_datetime", "general_supply_kwh"],
        filters=[("customer_id", "in", customers)],
    )
    moments = table["reading_datetime"].to_numpy().astype("datetime64[m]").astype(str)
    energies = table["general_supply_kwh"].to_numpy().tolist()
    path = tmp_path / "export.zip"
    lines = ["customer_id;reading_datetime;general_supply_kwh"]
    for customer, moment, energy in zip(
        table["customer_id"].to_pylist(), moments, energies, strict=True
    ):
        lines.append(f"{customer};{moment.replace('T', ' ')};{energy:.3f}".replace(".", ","))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("sgsc.csv", "\n".join(lines))
    listed = (real_data / "meters_nsw" / "customers.csv").read_text().splitlines()
    missing = {line.split(",")[0]: int(line.split(",")[-1]) for line in listed[1:]}
    return path, sum(missing[str(customer)] for customer in customers)


def test_real_half_hours_import_with_their_gaps_as_gaps(nsw_csv: tuple[Path, int]) -> None:
    path, missing = nsw_csv
    hints = read_hints("label=start")
    # Their clock counts 48 half-hours on every day, so it is not the wall clock of Sydney.
    with pytest.raises(ReadingsInvalid, match=r"does not exist in Australia/Sydney.*--timezone"):
        read_meter_file(path, default_zone=zone_of("Australia/Sydney"), asked=Asked(hints=hints))
    flows = read_meter_file(path, default_zone=UTC, asked=Asked(zone_of("+10:00"), hints))
    readings, report = readings_of_flows(flows, minutes=30, file="export.zip")

    assert report.missing == sum(gap.count for gap in report.gaps) == missing == 2054
    assert {gap.why for gap in report.gaps} == {"no value"}
    assert len(readings) == sum(line.present for line in report.meters) == 1464 + 13_865 + 16_038
    assert "decimal comma" in report.notes[0] and "clock of UTC+10:00" in report.notes[0]
    kwh = [round(line.import_wh / 1000, 1) for line in report.meters]
    assert kwh == [410.4, 5022.9, 1474.6]

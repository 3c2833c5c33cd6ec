"""Every real file of a foreign format is read to the sums that others find, or refused with why."""

import csv
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from nemreader.nem_reader import NEMFile
from pyarrow import parquet

from marketplace.domain.readings.columns import ReadingsInvalid
from marketplace.domain.readings.formats.csv_hints import read_hints
from marketplace.domain.readings.formats.flows import Direction, Flows, Quality
from marketplace.domain.readings.formats.intervals import readings_of_flows
from marketplace.domain.readings.formats.recognition import Asked, read_meter_file, zone_of
from marketplace.domain.readings.formats.source import Source

WH = {"wh": 1, "kwh": 1000}
REFUSED_NEM12 = {
    # What each of them is for, and what an operator is told.
    "Example_NEM12_30min_200_15min_300.csv": ":3: after 48 values of 30 minutes stands '480'",
    "Example_NEM12_empty.csv": "holds no reading",
    "Example_NEM12_incomplete_interval.csv": ":3: after 48 values",
    "Example_empty_file.csv": "the file is empty",
    # Reactive energy alone.
    "NEM12#07130_05021202#WBAYM#NEMMCO.zip": "channel Q1 of NEM1206110 left aside: not active",
    "NEM12#NEM1206105bScenario7#GLOBALM#NEMMCO.ZIP": "ask for the registers of active energy: E",
    "NEM12#Scenario07#POWERMDP#NEMMCO.zip": "energy: channel Q1 of NEM1206107 left aside",
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
    refused, read_files, whole_files = set(), 0, 0
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
            if path.name == "Example_NEM12_no_scheduled_read.csv":
                continue  # one channel alone, below
            # Added up to hours nothing is lost, but for days that lack a channel.
            readings, report = readings_of_flows(flows, minutes=60, file=path.name)
            hours = int(readings.import_wh.sum() + readings.export_wh.sum())
            assert (hours == sum(ours.values())) == (not report.missing), path.name
            whole_files += not report.missing
            read_files += 1
    assert refused == set(REFUSED_NEM12)
    assert (read_files, whole_files) == (38, 37)


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
    assert "meter 'NMI111' has 2 channels of energy, here is E1 alone" in alone
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
            said = refusal(path)
            assert "does not say what is metered" in said or "is of natural gas" in said
            assert "send electricity (kind 0) only" in said
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


WHOLE_CUSTOMERS = ("10012584", "10017784", "10018272")


@dataclass(frozen=True)
class Export:
    """Readings as a utility would send them; by meter, how many half-hours are there and lacking,
    and their energy. [Wh]"""

    path: Path
    known: dict[str, tuple[int, int, int]]


@pytest.fixture
def nsw_export(real_data: Path, tmp_path: Path) -> Export:
    """Write one month of every customer, and all that there is of three."""
    table = parquet.read_table(
        real_data / "meters_nsw" / "sgsc_readings_a.parquet",
        columns=["customer_id", "reading_datetime", "general_supply_kwh"],
    )
    ids = table["customer_id"].to_numpy().astype(str)
    moments = table["reading_datetime"].to_numpy().astype("datetime64[m]")
    is_whole = np.isin(ids, WHOLE_CUSTOMERS)
    kept = is_whole | (moments.astype("datetime64[M]") == np.datetime64("2013-06"))
    ids, moments = ids[kept], moments[kept]
    energies = table["general_supply_kwh"].to_numpy()[kept]
    known = {}
    for customer in np.unique(ids).tolist():
        own = moments[ids == customer]
        halves = int((own.max() - own.min()) // np.timedelta64(30, "m")) + 1
        wh = int(np.rint(energies[ids == customer] * 1000).sum())
        known[customer] = (len(own), halves - len(own), wh)
    path = tmp_path / "export.zip"
    lines = ["customer_id;reading_datetime;general_supply_kwh"]
    for customer, moment, kwh in zip(ids, moments.astype(str), energies.tolist(), strict=True):
        lines.append(f"{customer};{moment.replace('T', ' ')};{kwh:.3f}".replace(".", ","))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("sgsc.csv", "\n".join(lines))
    return Export(path, known)


def test_real_half_hours_import_with_their_gaps_as_gaps(
    nsw_export: Export, real_data: Path
) -> None:
    asked = Asked(zone_of("+10:00"), read_hints("label=start"))
    flows = read_meter_file(nsw_export.path, default_zone=UTC, asked=asked)
    readings, report = readings_of_flows(flows, minutes=30, file="export.zip")

    found = {line.meter: (line.present, line.missing, line.import_wh) for line in report.meters}
    assert found == nsw_export.known and len(found) == 51
    missing = sum(lacking for _, lacking, _ in nsw_export.known.values())
    assert report.missing == sum(gap.count for gap in report.gaps) == missing > 500
    assert {gap.why for gap in report.gaps} == {"no value"}
    assert len(readings) == sum(present for present, _, _ in found.values())
    assert "decimal comma" in report.notes[0] and "clock of UTC+10:00" in report.notes[0]
    # Who packed the data counted the gaps of whole customers too.
    with (real_data / "meters_nsw" / "customers.csv").open() as file:
        listed = {line["customer_id"]: line for line in csv.DictReader(file)}
    for customer in WHOLE_CUSTOMERS:
        line = listed[customer]
        assert found[customer][:2] == (int(line["readings"]), int(line["missing"]))


def test_a_clock_without_summer_time_is_told_from_one_with_it(tmp_path: Path) -> None:
    # The trial's clock counts 48 half-hours on every day, so it is not the wall clock of Sydney.
    path = tmp_path / "export.csv"
    halves = "\n".join(f"2012-10-07 {at // 2:02d}:{30 * (at % 2):02d};0,1" for at in range(48))
    path.write_text(f"reading_datetime;general_supply_kwh\n{halves}\n")
    sydney = Asked(hints=read_hints("label=start"))
    with pytest.raises(
        ReadingsInvalid, match=r":6: .*does not exist in Australia/Sydney.*--timezone"
    ):
        read_meter_file(path, default_zone=zone_of("Australia/Sydney"), asked=sydney)

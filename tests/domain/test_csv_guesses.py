"""A CSV of unknown columns is read as it was meant, or refused with the question that is open."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from marketplace.domain.readings.columns import ReadingsFile, ReadingsInvalid
from marketplace.domain.readings.formats.csv_hints import read_hints
from marketplace.domain.readings.formats.gap_report import GapReport
from marketplace.domain.readings.formats.intervals import readings_of_flows
from marketplace.domain.readings.formats.recognition import Asked, read_meter_file, zone_of

BERLIN = ZoneInfo("Europe/Berlin")
HOURS = range(24)


def table(header: str, *rows: str) -> str:
    return "\n".join((header, *rows, ""))


def hours(day: str, value: str = "1.25", *, of: list[int] | range = HOURS) -> list[str]:
    return [f"{day} {hour:02d}:00,{value}" for hour in of]


def read(
    folder: Path,
    content: str,
    *,
    hints: str = "",
    zone: str = "",
    encoding: str = "utf-8",
    minutes: int = 60,
) -> tuple[ReadingsFile, GapReport]:
    path = folder / "export"
    path.write_bytes(content.encode(encoding))
    asked = Asked(zone=zone_of(zone) if zone else None, hints=read_hints(hints))
    flows = read_meter_file(path, default_zone=BERLIN, asked=asked)
    return readings_of_flows(flows, minutes=minutes, file="export")


GERMAN = table(
    "Auszug des Netzbetreibers",
    "Zählpunkt;Von;Bis;Bezug (kWh);Einspeisung (kWh);Status",
    "DE1;13.07.2026 00:00;13.07.2026 00:15;1.234,5;0,00;W",
    "DE1;13.07.2026 00:15;13.07.2026 00:30;0,25;0,50;Ersatzwert",
    "DE1;13.07.2026 00:30;13.07.2026 00:45;;0,50;W",
    "DE1;13.07.2026 00:45;13.07.2026 01:00;0,25;0,50;geschätzt",
)
CHINESE = table(
    "电表号,开始时间,用电量(度),上网电量(度)",
    *(f"A1,2026年7月13日 {hour:02d}:00,{hour}.5,0.2" for hour in HOURS),
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_german_words_commas_and_flags(tmp_path: Path, encoding: str) -> None:
    readings, report = read(tmp_path, GERMAN, encoding=encoding, minutes=15)

    assert readings.meters == ("DE1",)
    assert readings.import_wh.tolist() == [1_234_500, 250, 250]
    assert readings.export_wh.tolist() == [0, 500, 500]
    assert readings.quality is not None and readings.quality.tolist() == [0, 2, 1]
    assert [(gap.count, gap.why) for gap in report.gaps] == [(1, "empty")]
    first = datetime(2026, 7, 13, tzinfo=BERLIN)
    assert readings.start_epoch_s[0] == int(first.timestamp())
    # What was guessed is told, column by column.
    assert "import = column 4 'Bezug (kWh)'" in report.notes[0]
    assert "decimal comma, dates d-m-y, times the start" in report.notes[0]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_chinese_words_and_dates(tmp_path: Path, encoding: str) -> None:
    readings, _ = read(tmp_path, CHINESE, encoding=encoding)
    assert readings.import_wh.tolist() == [1000 * hour + 500 for hour in HOURS]
    assert set(readings.export_wh.tolist()) == {200}


def test_one_date_beyond_the_twelfth_tells_the_order(tmp_path: Path) -> None:
    rows = [f"07/{day}/2026,{hour}:00,{hour % 5}.5" for day in (12, 13) for hour in HOURS]
    readings, _ = read(tmp_path, table("Date,Start Time,Usage (kWh)", *rows))
    assert len(readings) == 48
    assert readings.start_epoch_s[0] == int(datetime(2026, 7, 12, tzinfo=BERLIN).timestamp())


def test_days_of_23_and_25_hours(tmp_path: Path) -> None:
    spring = [hour for hour in HOURS if hour != 2]
    readings, report = read(tmp_path, table("start,import kWh", *hours("2026-03-29", of=spring)))
    assert (len(readings), report.missing) == (23, 0)
    autumn = sorted([*HOURS, 2])
    readings, report = read(tmp_path, table("start,import kWh", *hours("2026-10-25", of=autumn)))
    assert (len(readings), report.missing) == (25, 0)
    # A clock without summer time has 24 hours on each of them.
    for day in ("2026-03-29", "2026-10-25"):
        readings, _ = read(tmp_path, table("start,import kWh", *hours(day)), zone="+01:00")
        assert (len(readings), readings.start_epoch_s[0] % 86400) == (24, 23 * 3600)


def test_registers_are_differences_and_go_through_zero_once(tmp_path: Path) -> None:
    stands = [f"2026-07-01 {hour:02d}:00;{(99_990 + hour * 1.5) % 100_000:07.1f}" for hour in HOURS]
    content = table("Zeitpunkt;Zählerstand Bezug kWh", *stands).replace(".", ",")
    readings, report = read(tmp_path, content)
    assert readings.import_wh.tolist() == [1500] * 23
    assert "went through zero at line 9" in report.notes[1]
    # One that falls to its middle was changed, though it stood at its end.
    with pytest.raises(ReadingsInvalid, match=r"fell from 99999\.0 to 50000\.5, so it was changed"):
        read(tmp_path, content.replace("00000,5", "50000,5"))
    # An hour at which nobody read it is a gap of two: nobody knows how to part the difference.
    readings, report = read(tmp_path, content.replace(f"{stands[12]}\n".replace(".", ","), ""))
    assert (len(readings), report.missing) == (21, 2)
    assert report.gaps[0].why == "the register was not read in between"


START = "start,import kWh"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (
            table(START, *hours("2026-03-29")),
            ":4: '2026-03-29 02:00' does not exist in Europe/Berlin",
        ),
        (table(START, *hours("2026-10-25")), ":4: this time comes twice in Europe/Berlin"),
        (table(START, *hours("07/08/2026")), "say --columns dates=d-m-y or dates=m-d-y"),
        (
            table("time;import kWh", "2026-07-01 00:00;1,250", "2026-07-01 01:00;2,125"),
            "decimal=comma",
        ),
        (
            table("time,import kWh", *hours("2026-07-01", of=range(3, 9))),
            "label=start or label=end",
        ),
        (table("start,import kW", *hours("2026-07-01")), "is power (kw), not energy"),
        (table("start,import", *hours("2026-07-01")), "'import' names no unit"),
        (table("start,gas use m³", *hours("2026-07-01")), "is of gas"),
        (table("start,energy kWh", *hours("2026-07-01")), "does not say whether energy came from"),
        (table("start,PV generation kWh", *hours("2026-07-01")), "does not say whether"),
        (table("start,import kWh,load kWh", "2026-07-01 00:00,1,2"), "two columns may be import"),
        (table(START, *hours("2026-07-01"), "2026-07-01 05:00,7"), "another value than on line 7"),
        (table(START, *hours("2026-07-01"), "2026-07-02 00:07,1"), "lies across the border"),
        (table(START, "2026-07-01,24.5", "2026-07-02,25.5"), "its 1440 minutes are longer than"),
        (table(START, "2026-07-01 00:00,1", "2026-07-01 01:00,-1"), ":3: the energy is negative"),
        (table(START, "2026-07-01 00:00,1", "2026-07-01 01:00,x"), ":3: 'x' is not a number"),
        (table(START, "2026-07-01 00:00,1", "2026-02-30 01:00,1"), ":3: '2026-02-30' is no date"),
        (table(START, "2026-07-01 00:00,1", "2026-07-01 01:00"), ":3: the row has 1 cells"),
        (
            table("stand kWh Bezug;Zeitpunkt", "500;2026-07-01 00:00", "3;2026-07-01 01:00"),
            "fell from 500",
        ),
        (table("hello", "world"), "no line names a column of times and one of energies"),
        (table(START), "the file has no readings"),
    ],
)
def test_what_is_open_or_wrong_is_asked(tmp_path: Path, content: str, what: str) -> None:
    with pytest.raises(ReadingsInvalid) as caught:
        read(tmp_path, content)
    assert what in str(caught.value)
    assert caught.value.remedy


def test_a_register_that_is_not_called_one_is_suspected(tmp_path: Path) -> None:
    rows = [
        f"2026-07-{1 + hour // 24:02d} {hour % 24:02d}:00,{1000 + hour}.5" for hour in range(120)
    ]
    content = table("start,import kWh", *rows)
    with pytest.raises(ReadingsInvalid, match=r"as if it were a register's stand; .*kind=register"):
        read(tmp_path, content)
    readings, _ = read(tmp_path, content, hints="kind=register")
    assert readings.import_wh.tolist() == [1000] * 119


def test_hints_answer_and_bad_ones_are_named(tmp_path: Path) -> None:
    power = table("start,import kW", *hours("2026-07-01", "2.0", of=range(6)))
    readings, report = read(tmp_path, power, hints="unit=kw")
    assert readings.import_wh.tolist() == [2000] * 6
    assert "mean power" in report.notes[0]
    energy = table("when,x", *hours("2026-07-01", "0.5", of=range(6)))
    readings, _ = read(
        tmp_path, energy.replace("when", "time"), hints="import=2,unit=kwh,label=start"
    )
    assert readings.import_wh.tolist() == [500] * 6
    ended = table("time,export kWh", *hours("2026-07-01", "0.5", of=range(3, 6)))
    readings, _ = read(tmp_path, ended, hints="label=end")
    assert datetime.fromtimestamp(int(readings.start_epoch_s[0]), UTC).hour == 0  # two in Berlin
    for wrong in ("colour=red", "import=0", "unit=ell"):
        with pytest.raises(ReadingsInvalid, match="is no hint"):
            read_hints(wrong)
    with pytest.raises(ReadingsInvalid, match="there is no column 9"):
        read(tmp_path, energy, hints="start=9,import=2")

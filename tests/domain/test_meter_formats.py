"""Small files of every format, each with one thing wrong or strange; real ones are tested apart."""

import gzip
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from marketplace.domain.readings.columns import KNOWS_EXPORT, KNOWS_IMPORT, ReadingsInvalid
from marketplace.domain.readings.formats.flows import Flows, Quality, micro_wh_of
from marketplace.domain.readings.formats.intervals import readings_of_flows
from marketplace.domain.readings.formats.recognition import Asked, read_meter_file

HOURS = [f"{hour / 10:.1f}" for hour in range(24)]


def read(folder: Path, content: str | bytes, *, meters: dict[str, str] | None = None) -> Flows:
    path = folder / "file.bin"  # its name says nothing
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_meter_file(path, default_zone=UTC, asked=Asked(meters=meters or {}))


def refusal(folder: Path, content: str | bytes, *, minutes: int = 60) -> str:
    with pytest.raises(ReadingsInvalid) as caught:
        readings_of_flows(read(folder, content), minutes=minutes, file="file.bin")
    assert caught.value.remedy
    return str(caught.value)


def nem12(*records: str) -> str:
    return "\n".join(("100,NEM12,202607010000,MDP,RET", *records, "900", ""))


def day(values: list[str], flag: str = "A", date: str = "20260701") -> str:
    return f"300,{date},{','.join(values)},{flag},,,20260702000000,"


def stream(channel: str, config: str = "E1B1", unit: str = "kWh", minutes: int = 60) -> str:
    return f"200,NMI1,{config},1,{channel},N1,SN,{unit},{minutes},"


def test_solar_export_is_a_channel_and_flags_go_with_intervals(tmp_path: Path) -> None:
    export = ["0.5"] * 24
    flows = read(
        tmp_path,
        nem12(
            stream("E1"),
            day(HOURS, "V"),
            "400,1,20,A,,",
            "400,21,23,E52,,",
            "400,24,24,N,,",
            stream("B1"),
            day(export),
            stream("Q1", unit="kVArh"),
            day(HOURS),
        ),
    )
    readings, report = readings_of_flows(flows, minutes=60, file="x")

    assert readings.import_wh.tolist() == [100 * hour for hour in range(23)]
    assert set(readings.export_wh.tolist()) == {500}
    assert readings.quality is not None
    assert readings.quality.tolist() == [Quality.MEASURED] * 20 + [Quality.ESTIMATED] * 3
    assert datetime.fromtimestamp(int(readings.start_epoch_s[0]), UTC).isoformat() == (
        "2026-06-30T14:00:00+00:00"
    )
    assert [(gap.count, gap.why) for gap in report.gaps] == [(1, "flagged as null")]
    assert any("channel Q1 of NMI1 left aside" in note for note in report.notes)


@pytest.mark.parametrize(
    ("records", "what"),
    [
        (
            (stream("E1", unit="kW"), day(HOURS)),
            ":2: channel E1 of NMI1 is in 'kW', which is power",
        ),
        ((stream("E1", unit="kVArh"), day(HOURS)), ":2: channel E1 of NMI1 is in 'kVArh'"),
        ((stream("E1", "E1"), day(HOURS[:23])), ":3: after 24 values of 60 minutes"),
        (
            (stream("E1", "E1"), day(HOURS, "V"), "400,1,23,A,,"),
            ":3: its quality varies, but no 400",
        ),
        ((stream("E1", "E1"), day(HOURS, "X")), "not a quality flag"),
        ((stream("E1", "E1"), day(["x", *HOURS[1:]])), ":3: interval 1: 'x' is not a number"),
        ((stream("E1", "E1"), day(["-1", *HOURS[1:]])), ":3: the energy is negative"),
        ((stream("E1", "E1"), day(HOURS, date="20260230")), "'20260230' is no day"),
        ((day(HOURS),), ":2: a 300 record stands before any 200"),
        ((stream("E1", "E1"), "400,1,2,A,,"), "follows no 300 record"),
        ((stream("E1", "E1"), day(HOURS), day([*HOURS[1:], "9"])), "another value than on line 3"),
        ((stream("E1", "E1B1"), day(HOURS)), "a part or a channel is missing"),
        (("250,NMI",), "'250' is no kind of record"),
    ],
)
def test_what_is_wrong_with_nem12_is_named(
    tmp_path: Path, records: tuple[str, ...], what: str
) -> None:
    assert what in refusal(tmp_path, nem12(*records))


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    whole = nem12(stream("E1", "E1"), day(HOURS))
    assert "was cut off" in refusal(tmp_path, whole.removesuffix("900\n"))
    assert "cannot be unpacked" in refusal(tmp_path, gzip.compress(whole.encode())[:-20])
    assert len(read(tmp_path, gzip.compress(whole.encode()))) == 24
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a", whole)
        archive.writestr("b", whole)
    assert "the ZIP holds 2 files" in refusal(tmp_path, (tmp_path / "two.zip").read_bytes())


FEED = """<?xml version="1.0"?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:e="http://naesb.org/espi">
<entry><link rel="self" href="/r/UsagePoint/1"/><content><e:UsagePoint><e:ServiceCategory>
<e:kind>{service}</e:kind></e:ServiceCategory></e:UsagePoint></content></entry>
<entry><link rel="self" href="/r/UsagePoint/1/MeterReading/1"/>
<link rel="related" href="/r/ReadingType/7"/><content><e:MeterReading/></content></entry>
<entry><link rel="self" href="/r/ReadingType/7"/><content><e:ReadingType>
<e:accumulationBehaviour>{behaviour}</e:accumulationBehaviour>
<e:dataQualifier>{qualifier}</e:dataQualifier><e:flowDirection>{flow}</e:flowDirection>
<e:powerOfTenMultiplier>{power}</e:powerOfTenMultiplier><e:uom>{uom}</e:uom>
</e:ReadingType></content></entry>
<entry><content><e:IntervalBlock>{readings}</e:IntervalBlock></content>
<link rel="self" href="/r/UsagePoint/1/MeterReading/1/IntervalBlock/1"/></entry>
</feed>"""
ONE = (
    "<e:IntervalReading><e:ReadingQuality><e:quality>{quality}</e:quality></e:ReadingQuality>"
    "<e:timePeriod><e:duration>{duration}</e:duration><e:start>{start}</e:start></e:timePeriod>"
    "<e:value>{value}</e:value></e:IntervalReading>"
)


def feed(*values: int, quality: int = 0, duration: int = 900, **changes: object) -> str:
    kind = {"service": 0, "behaviour": 4, "qualifier": 12, "flow": 1, "power": 0, "uom": 72}
    readings = "".join(
        ONE.format(
            quality=quality, duration=duration, start=1782864000 + at * duration, value=value
        )
        for at, value in enumerate(values)
    )
    return FEED.format(**{**kind, **changes}, readings=readings)


def test_green_button_units_and_directions(tmp_path: Path) -> None:
    net, _ = readings_of_flows(
        read(tmp_path, feed(5, -7, 0, 1, flow=4, power=3, quality=8)), minutes=15, file="x"
    )
    assert net.import_wh.tolist() == [5000, 0, 0, 1000]
    assert net.export_wh.tolist() == [0, 7000, 0, 0]
    assert net.quality is not None and set(net.quality.tolist()) == {Quality.ESTIMATED}
    # Mean power is energy once the reading type says that it is a mean; four quarters are an hour.
    mean, _ = readings_of_flows(
        read(tmp_path, feed(1000, 2000, 3000, 4001, uom=38, qualifier=2)), minutes=60, file="x"
    )
    assert mean.import_wh.tolist() == [2500]  # 2500.25 Wh, rounded once
    reverse, _ = readings_of_flows(read(tmp_path, feed(3, flow=19)), minutes=15, file="x")
    assert reverse.knows is not None and reverse.knows.tolist() == [KNOWS_EXPORT]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (feed(1, service=1), ":3: the usage point is of natural gas"),
        (feed(1, uom=169), "is of gas (therms)"),
        (feed(1, uom=38), "is of power (W) and does not say that it is its mean"),
        (feed(1, behaviour=3), "is no energy per interval (accumulationBehaviour 3)"),
        (feed(1, flow=""), "so nobody knows from or to the grid"),
        (feed(1, duration=7200), "its 120 minutes are longer than the delivery interval"),
        (feed(1, uom=73), "varh of r/UsagePoint/1 left aside"),
        (feed(1)[:-40], "is not XML"),
        (feed(1).replace("<feed", '<!DOCTYPE feed [<!ENTITY a "b">]><feed', 1), "document type"),
        ("<a>" * 50, "nests deeper"),
        (feed(1).replace("<feed", f"<feed a='{'x' * 2_000_000}'", 1), "a tag is longer"),
        (
            feed(1).replace(
                "<e:value>", "<e:ReadingQuality>8</e:ReadingQuality>" * 9_000 + "<e:value>"
            ),
            "IntervalReading holds far more",
        ),
    ],
)
def test_what_is_wrong_with_green_button_is_named(tmp_path: Path, content: str, what: str) -> None:
    assert what in refusal(tmp_path, content)


def mscons(*parts: str, unit: str = ":KWH", obis: str = "1-1?:1.29.0*255") -> str:
    quantities = [part.replace("UNIT", unit) for part in parts]
    return "'".join(
        (
            "UNB+UNOC:3+A:500+B:500+260701:0430+1",
            "UNH+1+MSCONS:D:04B:UN:2.2e",
            "BGM+7+1+9",
            "UNS+D",
            "NAD+DP",
            "LOC+172+CH10088",
            "LIN+1",
            f"PIA+5+{obis}:SRW",
            *quantities,
            "UNT+9+1",
            "UNZ+1+1",
            "",
        )
    )


def quantity(value: str, start: str, end: str, kind: str = "220") -> str:
    return f"QTY+{kind}:{value}UNIT'DTM+163:20260701{start}?+02:303'DTM+164:20260701{end}?+02:303"


def test_mscons_says_what_a_value_is_worth(tmp_path: Path) -> None:
    flows = read(
        tmp_path,
        mscons(
            "FTX+ACB+++it?'s LIN?+1",  # signs of the syntax within a text
            quantity("1.5", "0000", "0015"),
            quantity("2.5", "0015", "0030", "67"),
            quantity("3.5", "0030", "0045", "201"),
            quantity("0", "0045", "0100", "20"),
        ),
    )
    readings, report = readings_of_flows(flows, minutes=15, file="x")
    assert readings.import_wh.tolist() == [1500, 2500, 3500]
    assert readings.quality is not None and readings.quality.tolist() == [0, 2, 1]
    assert readings.knows is not None and set(readings.knows.tolist()) == {KNOWS_IMPORT}
    assert [(gap.count, gap.why) for gap in report.gaps] == [(1, "not usable")]
    assert datetime.fromtimestamp(int(readings.start_epoch_s[0]), UTC).hour == 22


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (
            mscons(quantity("1", "0000", "0015"), unit=":KWT"),
            ":9: segment 9: the unit 'KWT' is power",
        ),
        (mscons(quantity("1", "0000", "0015"), obis="7-1?:1.29.0"), "7-1:1.29.0 is gas"),
        (mscons(quantity("1", "0000", "0015"), obis="1-1?:1.8.0"), "is a register's stand"),
        (
            mscons(quantity("1", "0000", "0015"), obis="1-1?:5.29.0"),
            "left aside: not active energy",
        ),
        (mscons(quantity("1", "0015", "0015")), "does not end after its begin"),
        (mscons(quantity("1", "0000", "0015", "999")), "'999' is no kind of reading"),
        (
            mscons(quantity("1", "0000", "0030"), quantity("1", "0015", "0045")),
            "overlaps what line 9",
        ),
        (mscons(quantity("1", "0000", "0015")).replace("?+02:303", ":203"), "in form '203'"),
        (
            mscons(quantity("1", "0000", "0015")).replace("BGM+7+1+9", "BGM+7+1+1"),
            "cancels another",
        ),
        (mscons(quantity("1", "0000", "0015")).replace("MSCONS", "UTILMD"), "'UTILMD', not MSCONS"),
        (mscons(quantity("1", "0000", "0015")).replace("UNZ+1+1'", ""), "cut off"),
        (mscons(quantity("1", "0010", "0025")), "lies across the border of two delivery intervals"),
    ],
)
def test_what_is_wrong_with_mscons_is_named(tmp_path: Path, content: str, what: str) -> None:
    assert what in refusal(tmp_path, content, minutes=15)


def test_a_meter_gets_the_code_of_its_metering_point(tmp_path: Path) -> None:
    content = mscons(quantity("1", "0000", "0015"))
    assert read(tmp_path, content, meters={"": "M7"}).meters == ("M7",)
    assert read(tmp_path, content, meters={"CH10088": "M7"}).meters == ("M7",)
    with pytest.raises(ReadingsInvalid, match=r"holds no meter 'CH2'.*CH10088"):
        read(tmp_path, content, meters={"CH2": "M7"})


def test_energies_are_read_without_a_float() -> None:
    assert micro_wh_of("18.0235", 3) == 18_023_500_000
    assert micro_wh_of(".05", 3) == 50_000_000
    assert micro_wh_of("1e3", 0) == 1_000_000_000
    assert micro_wh_of("0.1000000000000000055511151231257827", 6) == 100_000_000_000
    assert [micro_wh_of(each, 0) for each in ("0.0000005", "0.0000015", "-0.0000025")] == [0, 2, -2]
    assert micro_wh_of("7", 0, divisor=3600) == 1944  # 1944.4

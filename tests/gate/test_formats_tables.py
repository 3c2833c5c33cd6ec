"""Trips, counts and stations as CSV, gzip and Parquet: sound, and broken in every way we know."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest

from gate.errors import Refused, Stopped
from gate.formats import check
from gate.limits import MIB, Limits
from gate.profile import Profile
from tests.gate.mutilated import (
    AT,
    COUNTS,
    STATIONS,
    TRIPS,
    codes,
    judged,
    parquet_of,
    parquet_parts,
    varint,
)

SECRET = "94107-secret"


def write(folder: Path, text: str | bytes, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_trips_are_the_same_from_csv_gzip_and_parquet(tmp_path: Path) -> None:
    plain = write(tmp_path, TRIPS)
    packed = write(tmp_path, gzip.compress(TRIPS.encode()), "packed")
    columnar = tmp_path / "columnar"
    pq.write_table(pcsv.read_csv(plain), columnar)

    found = [judged(path, "trips") for path in (plain, packed, columnar)]

    assert {(one.records, one.is_valid, one.profile.start) for one in found} == {
        (2, True, "2026-03-01T00:00:00Z")
    }
    assert found[0].profile.end == "2026-03-02T00:00:00Z"
    assert Profile.from_json(found[0].profile.as_json()) == found[0].profile


def test_what_is_said_of_trips_quotes_no_cell_of_them(tmp_path: Path) -> None:
    """Not in findings, not in the profile, not in an error; and there is no sample."""
    rows = [f"{SECRET},2026-03-01 08:00:00,2026-03-01 08:20:00,{SECRET},{SECRET},{SECRET},{SECRET}"]
    rows.append(f"{SECRET},{SECRET},{SECRET},,,{SECRET},{SECRET}")
    path = write(tmp_path, "\n".join([TRIPS.splitlines()[0], *rows, ""]))
    stations = write(tmp_path, STATIONS, "stations.csv")

    found = judged(path, "trips", companions={"stations": stations})

    assert codes(found) == {"time-unreadable": 2, "place-missing": 2, "place-unknown": 2}
    assert found.findings[0].place.startswith("table.csv, line ")
    assert SECRET not in json.dumps(found.as_json())
    assert found.sample.rows == ()
    ragged = write(tmp_path, f"{TRIPS}{SECRET}\n\xff{SECRET},a,b,c,d,e,f\n".encode("latin-1"))
    with pytest.raises(Refused) as refused:
        judged(ragged, "trips")
    assert refused.value.code == "encoding"
    assert SECRET not in str(refused.value)


def test_each_rule_of_trips_finds_its_rows(tmp_path: Path) -> None:
    rows = [
        "1,2026-03-01 08:00:00,2026-03-01 07:00:00,A,B,60,x",
        "2,2026-03-01 08:00:00,2026-03-03 08:00:00,A,B,172800,x",
        "3,2026-03-29 02:30:00,2026-03-29 03:10:00,A,B,600,x",
        "4,2027-03-01 08:00:00,2027-03-01 08:20:00,A,B,1200,x",
        "5,1899-12-31 08:00:00,1899-12-31 08:20:00,A,B,1200,x",
        "6,2026-13-45 08:00:00,2026-03-01 08:20:00,A,B,1200,x",
        "7,,2026-03-01 08:20:00,A,B,1200,x",
        "8,2026-03-01 08:00:00,2026-03-01 08:20:00,A,B,1,x",
        "9,2026-03-01 08:00:00,2026-03-01 08:20:00,A,Z,1200,x",
        "10,2026-03-01 08:00:00,2026-03-01 08:20:00,A,B",
    ]
    path = write(tmp_path, "\n".join([TRIPS.splitlines()[0], *rows, ""]))
    stations = write(tmp_path, STATIONS, "stations.csv")

    found = judged(path, "trips", zone="Europe/Berlin", companions={"stations": stations})

    assert codes(found) == {
        "end-before-start": 1,
        "trip-long": 1,
        "time-skipped": 1,
        "time-in-future": 1,
        "time-old": 1,
        "time-unreadable": 1,
        "time-missing": 1,
        "duration-differs": 1,
        "place-unknown": 1,
        "row-width": 1,
    }
    place = next(one.place for one in found.findings if one.code == "time-unreadable")
    assert place == "table.csv, line 7"
    assert found.profile.bbox == (11_500_000, 48_100_000, 11_600_000, 48_200_000)


def test_columns_of_other_sources_can_be_named(tmp_path: Path) -> None:
    text = TRIPS.replace("start_station_id", "von").replace("end_station_id", "bis")
    path = write(tmp_path, text)

    with pytest.raises(Refused, match="from, to") as refused:
        judged(path, "trips")
    assert refused.value.code == "role-missing"
    assert judged(path, "trips", columns={"from": "von", "to": "bis"}).is_valid
    with pytest.raises(Refused, match="no column nowhere"):
        judged(path, "trips", columns={"from": "nowhere", "to": "bis"})


def test_counts_say_what_is_missing_and_when(tmp_path: Path) -> None:
    path = write(tmp_path, COUNTS)
    places = write(tmp_path, "site_id,lat,lon\nD1,48.1,11.5\nD2,0,0\n", "places.csv")

    found = judged(path, "counts", companions={"stations": places})

    assert codes(found) == {"values-missing": 1, "place-zero": 1, "site-unplaced": 1}
    profile = found.profile
    assert (profile.resolution_s, profile.completeness_ppm) == (900, 833_333)
    assert (profile.start, profile.end) == ("2026-03-01T00:00:00Z", "2026-03-01T00:45:00Z")
    assert profile.gaps == (("D1", 2, 3),)
    assert profile.bbox == (11_500_000, 48_100_000, 11_500_000, 48_100_000)
    assert [(one.least, one.greatest) for one in profile.columns][2] == ("0", "14")
    assert [one.meaning for one in profile.columns] == ["site", "time", "count"]
    assert found.sample.rows[0] == ("D1", "2026-03-01 00:00", "12")


def test_each_rule_of_counts_finds_its_rows(tmp_path: Path) -> None:
    rows = ["D3,2026-03-29 02:30,1", "D1,2026-03-01 00:00,-1", "D1,2026-03-01 00:15,nil"]
    rows += ["D1,2026-03-01 00:30,", "D1,2026-03-01 00:32,1", "D1,2026-03-01 00:00,2000000"]
    rows += ["D2,2026-03-01 00:15,0", ",2026-03-01 00:45,1", "D4,2026-03-01 00:45,0", "D1,later,1"]
    path = write(tmp_path, COUNTS + "\n".join(rows) + "\n")

    found = codes(judged(path, "counts", zone="Europe/Berlin"))

    assert found.pop("values-missing") > 0
    assert found == {
        "time-skipped": 1,
        "count-negative": 1,
        "count-impossible": 1,
        "count-unreadable": 1,
        "count-missing": 1,
        "time-off-grid": 1,
        "reading-twice": 3,
        "site-missing": 1,
        "site-silent": 1,
        "time-unreadable": 1,
    }


def test_a_table_of_stations_is_checked(tmp_path: Path) -> None:
    text = STATIONS + "A,48.3,11.7\nC,95,11\nD,here,11\nE,0,0\n,48,11\n"

    found = judged(write(tmp_path, text), "stations")

    assert codes(found) == {
        "place-twice": 1,
        "lat-out-of-range": 1,
        "place-unreadable": 1,
        "lat-missing": 1,
        "place-zero": 2,
        "site-missing": 1,
    }
    assert found.profile.bbox == (11_500_000, 48_100_000, 11_600_000, 48_200_000)


HEADER = TRIPS.splitlines()[0]
ROW = TRIPS.splitlines()[1]
BROKEN_CSV = {
    "empty": b"",
    "utf16": TRIPS.encode("utf-16"),
    "nul": TRIPS.replace("x", "\0").encode(),
    "encoding": TRIPS.replace("x", "é").encode("latin-1"),
    "column-twice": TRIPS.replace("note", "trip_id").encode(),
    "column-nameless": TRIPS.replace("duration", "").encode(),
    "too-many-columns": (",".join(f"c{n}" for n in range(300)) + "\n").encode(),
    "gzip-broken": gzip.compress(TRIPS.encode() * 100)[:-30],
    "no-rows": f"{HEADER}\n".encode(),
    "cell-too-long": f"{HEADER}\n{ROW}{'x' * 70_000}\n".encode(),
}


@pytest.mark.parametrize("code", BROKEN_CSV)
def test_a_table_that_is_none_is_refused_with_a_remedy(tmp_path: Path, code: str) -> None:
    path = write(tmp_path, BROKEN_CSV[code])

    with pytest.raises(Refused) as refused:
        judged(path, "trips")

    assert refused.value.code == code
    assert refused.value.place.startswith("table.csv")
    assert refused.value.remedy.endswith(".")
    assert "{" not in str(refused.value)


def test_an_unclosed_quotation_mark_is_named(tmp_path: Path) -> None:
    rows = "".join(f"{n},{ROW.split(',', 1)[1]}\n" for n in range(60_000))
    for text in (f'{HEADER}\n{ROW[:-1]}"x\n{rows}', f'"{HEADER}\n{ROW}\n'):
        with pytest.raises(Refused) as refused:
            judged(write(tmp_path, text), "trips")
        assert refused.value.code in ("csv-quote", "one-line")
        assert "quotation mark" in str(refused.value)


@pytest.mark.parametrize("begin", ["", f"{HEADER}\n{ROW}\n"])
def test_a_line_without_an_end_is_left_after_a_block(tmp_path: Path, begin: str) -> None:
    """A hole in a file reads as zeros; ten gigabytes take no room on disk and no memory."""
    path = write(tmp_path, begin + "x,")
    with path.open("r+b") as file:
        file.seek(0, 2)
        file.write(b"y" * (4 * MIB))
        file.truncate(10 << 30)
    quick = Limits(memory_bytes=1024 * MIB, cpu_s=10, wall_s=20)

    with pytest.raises(Refused) as refused:
        check(path, "trips", at=AT, limits=quick)

    assert refused.value.code == "one-line"
    assert not isinstance(refused.value, Stopped)


def test_rows_and_unpacked_bytes_are_bounded(tmp_path: Path) -> None:
    bomb = write(tmp_path, gzip.compress((f"{HEADER}\n" + f"{ROW}\n" * 400_000).encode()))
    assert bomb.stat().st_size < 200_000

    for limits in (Limits(rows=100_000), Limits(unpacked_bytes=8 * MIB)):
        with pytest.raises(Refused) as refused:
            judged(bomb, "trips", limits=limits)
        assert refused.value.code == "too-large"


def test_findings_are_counted_and_few_are_kept(tmp_path: Path) -> None:
    text = f"{HEADER}\n" + f"{ROW.replace('08:20', '07:20')}\n" * 50_000
    found = judged(write(tmp_path, text), "trips", limits=Limits(places=3))

    assert codes(found)["end-before-start"] == 50_000
    assert found.findings[0].place == "table.csv, line 2; line 3; line 4"


def test_parquet_that_lies_about_itself_is_refused(tmp_path: Path) -> None:
    body, footer = parquet_parts()
    total, group = varint(40_000), varint(10_000)
    assert (footer.count(b"\x16" + total), footer.count(group)) >= (1, 4)
    lies = {
        "more rows": footer.replace(b"\x16" + total, b"\x16" + varint(2_000_000), 1),
        "fewer rows": footer.replace(b"\x16" + total, b"\x16" + varint(5), 1),
        "a trillion": footer.replace(b"\x16" + total, b"\x16" + varint(2 * 10**12), 1),
        "negative": footer.replace(b"\x16" + total, b"\x16\x01", 1),
        "small groups": footer.replace(group, varint(10)),
        "large groups": footer.replace(group, varint(2 * 10**9)),
        "agreeing lies": footer.replace(group, varint(12_000)).replace(
            b"\x16" + total, b"\x16" + varint(48_000)
        ),
        "long footer": None,
        "cut": None,
    }
    for name, lie in lies.items():
        data = parquet_of(body, lie or footer)
        if name == "long footer":
            data = data[:-8] + b"\xff\xff\xff\x7fPAR1"
        path = write(tmp_path, data[: len(data) // 2] if name == "cut" else data)
        with pytest.raises(Refused) as refused:
            judged(path, "trips")
        expected = ("parquet-lies", "parquet-claims", "parquet-damaged")
        assert refused.value.code in expected, name
    assert judged(write(tmp_path, parquet_of(body, footer)), "trips").records == 40_000


def test_parquet_of_giant_or_nested_cells_is_refused(tmp_path: Path) -> None:
    cells = pa.DictionaryArray.from_arrays(pa.array([0] * 500, pa.int32()), ["A" * (8 * MIB)])
    path = tmp_path / "giant"
    names = ("start_time", "end_time", "from", "to")
    pq.write_table(pa.table([cells] * 4, names), path, dictionary_pagesize_limit=64 * MIB)
    with pytest.raises(Refused) as refused:
        check(path, "trips", at=AT, limits=Limits(memory_bytes=1024 * MIB))
    assert refused.value.code == "cell-too-long"
    delta = pa.table({"a": ["A" * MIB] * 100})
    pq.write_table(delta, path, use_dictionary=False, column_encoding={"a": "DELTA_BYTE_ARRAY"})
    with pytest.raises(Refused, match="DELTA_BYTE_ARRAY"):
        judged(path, "trips")
    pq.write_table(pa.table({"a": [[1, 2], [3]]}), path)
    with pytest.raises(Refused) as refused:
        judged(path, "trips")
    assert refused.value.code == "parquet-nested"


def test_a_footer_that_aborts_the_reader_costs_one_child(tmp_path: Path) -> None:
    """The library ends the process from inside; no exception could be caught."""
    body, footer = parquet_parts()
    path = write(tmp_path, parquet_of(body, footer.replace(b"\x15\x0c", b"\x15\x02")))

    with pytest.raises(Stopped) as stopped:
        check(path, "trips", at=AT)

    assert stopped.value.code == "unreadable"
    assert "table.csv" in str(stopped.value)

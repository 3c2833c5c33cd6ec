"""A readings file is taken whole or refused with file, line, what is wrong and what to do."""

import re
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from marketplace.domain.readings.file import (
    BLOCK_BYTES,
    HEADER,
    ReadingsFile,
    ReadingsInvalid,
    read_readings,
)
from marketplace.domain.readings.writer import write_readings

GOOD = "H01,2026-06-15T08:00:00+08:00,60,1200,0"
# Each example writes the file anew; a disk may be slow at times.
ONE_FILE_FOR_ALL_EXAMPLES = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


def _write(folder: Path, *rows: str) -> Path:
    path = folder / "homes.csv"
    path.write_bytes("\n".join((HEADER, *rows, "")).encode("utf-8", "surrogateescape"))
    return path


def _rows(file: ReadingsFile) -> list[tuple[str, int, int, int, int]]:
    return [
        (file.meters[meter], *values)
        for meter, *values in zip(
            file.meter_index.tolist(),
            file.start_epoch_s.tolist(),
            file.import_wh.tolist(),
            file.export_wh.tolist(),
            file.lines.tolist(),
            strict=True,
        )
    ]


def test_rows_keep_their_order_and_their_lines(tmp_path: Path) -> None:
    path = _write(
        tmp_path,
        "H02,2026-06-15T08:00:00+08:00,60,0,7",
        "山城苑 1,2026-06-15T01:00:00Z,60,1000000000,0",
        "H01,2026-06-14T20:00:00-0500,60,5,6",
    )
    file = read_readings(path)
    first = int(datetime(2026, 6, 15, tzinfo=UTC).timestamp())
    assert file.meters == ("H01", "H02", "山城苑 1")
    assert file.minutes == 60
    assert _rows(file) == [
        ("H02", first, 0, 7, 2),
        ("山城苑 1", first + 3600, 10**9, 0, 3),
        ("H01", first + 3600, 5, 6, 4),
    ]
    assert file.meter_index.dtype == file.lines.dtype == np.int32


@pytest.mark.parametrize(
    "content",
    [
        f"{HEADER}\n{GOOD}",
        f"{HEADER}\n{GOOD}\n\n\n",
        f"\ufeff{HEADER}\r\n{GOOD}\r\n",
        f'{HEADER}\n"H01",2026-06-15T08:00:00+08:00,"60",1200,0\n',
        f"{HEADER}\n\n{GOOD}\n{GOOD}\n",
        f"{HEADER}\nH01,2026-06-15T00:00Z,060,00000000001200,00\n",
    ],
)
def test_harmless_differences_of_form_are_fine(tmp_path: Path, content: str) -> None:
    path = tmp_path / "homes.csv"
    path.write_bytes(content.encode())
    file = read_readings(path)
    first = int(datetime(2026, 6, 15, tzinfo=UTC).timestamp())
    assert [row[:4] for row in _rows(file)] == [("H01", first, 1200, 0)]


def test_quotes_let_a_name_hold_a_comma(tmp_path: Path) -> None:
    assert read_readings(_write(tmp_path, f'"Hall, ""east"""{GOOD[3:]}')).meters == (
        'Hall, "east"',
    )


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("H01,2026-06-15T09:00:00,60,1,0", "no offset"),
        ("H01,2026-06-15,60,1,0", "not an ISO 8601 time"),
        ("H01,15/06/2026 09:00,60,1,0", "not an ISO 8601 time"),
        ("H01,2026-02-30T09:00:00Z,60,1,0", "does not exist"),
        ("H01,2026-06-15T24:00:00Z,60,1,0", "does not exist"),
        ("H01,1969-12-31T23:00:00Z,60,1,0", "1970"),
        ("H01,0001-01-01T00:00:00+08:00,60,1,0", "1970"),
        ("H01,9999-12-31T23:00:00-08:00,60,1,0", "2200"),
        ("H01,2026-06-15T09:30:00Z,60,1,0", "overlaps"),
        ("H01,2026-06-15T09:00:00.5Z,60,1,0", "overlaps"),
        ("H01,2026-06-15T09:15:00Z,15,1,0", "15 where the rows before have 60"),
        ("H01,2026-06-15T09:00:00Z,20,1,0", "minutes is 20"),
        ("H01,2026-06-15T09:00:00Z,,1,0", "minutes is ''"),
        ("H01,2026-06-15T09:00:00Z,60,-1,0", "negative"),
        ("H01,2026-06-15T09:00:00Z,60,1,-0.5", "negative"),
        ("H01,2026-06-15T09:00:00Z,60,1.5,0", "not a whole number"),
        ("H01,2026-06-15T09:00:00Z,60,1,1e3", "not a whole number"),
        ("H01,2026-06-15T09:00:00Z,60,NaN,0", "not a number"),
        ("H01,2026-06-15T09:00:00Z,60,1,", "not a number"),
        ("H01,2026-06-15T09:00:00Z,60, 1,0", "not a number"),
        ("H01,2026-06-15T09:00:00Z,60,1_0,0", "not a number"),
        ("H01,2026-06-15T09:00:00Z,60,١,0", "not a number"),
        ("H01,2026-06-15T09:00:00Z,60,1000000001,0", "above 1000000000"),
        (f"H01,2026-06-15T09:00:00Z,60,{'9' * 5000},0", "above 1000000000"),
        (",2026-06-15T09:00:00Z,60,1,0", "empty"),
        ("H01 ,2026-06-15T09:00:00Z,60,1,0", "blanks"),
        (f"{'m' * 201},2026-06-15T09:00:00Z,60,1,0", "201 characters"),
        ("H\t1,2026-06-15T09:00:00Z,60,1,0", "control character"),
        ("H\u20281,2026-06-15T09:00:00Z,60,1,0", "control character"),
        ("H\x001,2026-06-15T09:00:00Z,60,1,0", "NUL"),
        ("H\udcff1,2026-06-15T09:00:00Z,60,1,0", "not UTF-8"),
        ("H01,2026-06-15T09:00:00Z,60,1", "4 cells"),
        ("H01,2026-06-15T09:00:00Z,60,1,0,0", "6 cells"),
        ('"H01,2026-06-15T09:00:00Z,60,1,0', "not CSV"),
        (f"{'x' * 70_000},2026-06-15T09:00:00Z,60,1,0", "longer than 65536"),
        ("H01,2026-06-15T08:00:00+08:00,60,1200,1", "other values than on line 2"),
        ("H01,2026-06-15T00:00:00Z,60,0,0", "other values than on line 2"),
    ],
)
def test_a_bad_line_is_named_with_what_to_do(tmp_path: Path, row: str, what: str) -> None:
    path = _write(tmp_path, GOOD, row, "worse,worse")
    if "other values" in what:  # a contradiction counts once every line is good by itself
        path = _write(tmp_path, GOOD, row, GOOD)
    with pytest.raises(ReadingsInvalid) as caught:
        read_readings(path)
    error = caught.value
    assert error.line == 3
    assert what in error.what
    assert error.remedy
    assert str(error) == f"{path}:3: {error.what}; {error.remedy}"
    assert len(str(error)) < 400 + len(str(path))
    with pytest.raises(ReadingsInvalid):  # alone it stands in a block that may be read by columns
        read_readings(_write(tmp_path, GOOD, row))


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        (b"", 1, "empty"),
        (HEADER.encode(), 1, "no readings"),
        (b"meter;start\n", 1, "the header is 'meter;start'"),
        (HEADER.upper().encode() + b"\n", 1, "the header is"),
        (b"\x89PNG\r\n\x1a\n", 1, "not UTF-8"),
        (HEADER.encode("utf-16"), 1, "NUL"),
        (b"\x1f\x8b" + bytes(100_000), 0, "packing is damaged"),
        (HEADER.encode() + b"\n" + b"a" * 3_000_000, 2, "longer than 65536"),
    ],
)
def test_a_file_that_is_no_readings_file_says_so(
    tmp_path: Path, content: bytes, line: int, what: str
) -> None:
    path = tmp_path / "readings.csv"
    path.write_bytes(content)
    with pytest.raises(ReadingsInvalid) as caught:
        read_readings(path)
    assert (caught.value.line, what in str(caught.value)) == (line, True)


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReadingsInvalid, match="cannot be read"):
        read_readings(tmp_path)


def test_a_line_of_60_mb_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    with path.open("wb") as file:
        file.write(HEADER.encode() + b"\n")
        for _ in range(60):
            file.write(b"a" * 1_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(ReadingsInvalid, match="longer than"):
            read_readings(path)
        assert tracemalloc.get_traced_memory()[1] < 10 * BLOCK_BYTES
    finally:
        tracemalloc.stop()


def test_the_first_of_equal_rows_counts_and_the_earliest_contradiction_is_named(
    tmp_path: Path,
) -> None:
    other = GOOD.replace("H01", "H00")
    again = GOOD.replace("08:00:00+08:00", "00:00:00+00:00")
    file = read_readings(_write(tmp_path, GOOD, other, again, GOOD))
    assert [row[-1] for row in _rows(file)] == [2, 3]
    assert file.repeated == 2
    changed = GOOD.replace("1200", "1201")
    with pytest.raises(ReadingsInvalid, match=r":5: .* than on line 4;"):
        read_readings(
            _write(tmp_path, GOOD, other, again, changed, other.replace("1200", "3"), GOOD)
        )


cells = st.one_of(
    st.sampled_from(["H01", "H02", "60", "15", "0", "007", "1000000000", "10000000000", "+5"]),
    st.sampled_from(["2026-06-15T00:00:00Z", "2026-06-15T08:15+08:00", "2026-06-15 09:00"]),
    st.integers(-5, 10**12).map(str),
    st.text(st.characters(codec="utf-8", exclude_characters='"\n,'), max_size=6),
)
good_rows = st.tuples(
    st.sampled_from(["H01", "H02", "湖"]),
    st.sampled_from([f"2026-06-15T0{hour}:00:00Z" for hour in range(5)]),
    st.just("60"),
    st.integers(0, 3).map(str),
    st.integers(0, 1).map(str),
).map(list)


@st.composite
def _tables(draw: st.DrawFn) -> list[list[str]]:
    rows = draw(st.lists(good_rows, min_size=1, max_size=6))
    for _ in range(draw(st.integers(0, 2))):
        row = draw(st.sampled_from(rows))
        row[draw(st.integers(0, 4))] = draw(cells)
    if draw(st.booleans()):
        rows.insert(draw(st.integers(0, len(rows))), draw(st.lists(cells, max_size=7)))
    return rows


@ONE_FILE_FOR_ALL_EXAMPLES
@given(table=_tables())
@example(table=[["H01", "2026-06-15T00:00:00Z", "60", "1", "0\r"]])
@example(
    table=[
        ["H01", "2026-06-15T00:00:00Z", "60", "1"],
        ["0", "H01", "2026-06-15T01:00:00Z", "60", "1", "0"],
    ]
)
def test_the_quick_and_the_exact_reader_agree(tmp_path: Path, table: list[list[str]]) -> None:
    """A quote anywhere sends a block to the exact reader, so the same file is read both ways."""
    quick, exact = ([",".join(row) for row in table] for _ in range(2))
    exact.append('"H99",2027-01-01T00:00:00Z,60,0,0')
    quick.append("H99,2027-01-01T00:00:00Z,60,0,0")

    def outcome(rows: list[str]) -> object:
        try:
            file = read_readings(_write(tmp_path, *rows))
        except ReadingsInvalid as error:
            return str(error)
        return _rows(file), file.meters, file.minutes, file.repeated

    assert outcome(quick) == outcome(exact)


@ONE_FILE_FOR_ALL_EXAMPLES
@given(
    cells=st.dictionaries(
        st.tuples(st.integers(0, 3), st.integers(0, 100)),
        st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)),
        min_size=1,
    ),
    offset=st.integers(-14 * 60, 14 * 60),
)
def test_what_is_written_is_read_back(
    tmp_path: Path, cells: dict[tuple[int, int], tuple[int, int]], offset: int
) -> None:
    meters = ["a,b", 'c"d', "e", "湖畔里"]
    index, slot = np.array(list(cells), dtype=np.int64).T
    imported, exported = np.array(list(cells.values()), dtype=np.int64).T
    path = tmp_path / "written.csv"
    write_readings(
        path,
        meters=meters,
        meter_index=index.astype(np.int32),
        start_epoch_s=1_781_481_600 + slot * 900,
        minutes=15,
        import_wh=imported,
        export_wh=exported,
        offset=timedelta(minutes=offset),
    )
    file = read_readings(path)
    assert [file.meters[i] for i in file.meter_index] == [meters[i] for i in index]
    assert (file.start_epoch_s == 1_781_481_600 + slot * 900).all()
    assert (file.import_wh == imported).all()
    assert (file.export_wh == exported).all()


def test_lines_are_right_across_blocks_and_a_large_file_is_read_quickly(tmp_path: Path) -> None:
    count = 100_000
    path = tmp_path / "large.csv"
    write_readings(
        path,
        meters=[f"HOME-{number:06d}" for number in range(1000)],
        meter_index=np.tile(np.arange(1000, dtype=np.int32), count // 1000),
        start_epoch_s=np.repeat(1_781_481_600 + 900 * np.arange(count // 1000), 1000),
        minutes=15,
        import_wh=np.arange(count),
        export_wh=np.zeros(count, dtype=np.int64),
    )
    assert path.stat().st_size > 4 * BLOCK_BYTES
    began = time.process_time()
    file = read_readings(path)
    quick = time.process_time() - began
    assert (file.import_wh == np.arange(count)).all()
    assert (file.lines == np.arange(2, count + 2)).all()
    text = path.read_text()
    path.write_text(text.replace("HOME-000000,", '"HOME-000000",'))
    began = time.process_time()
    assert (read_readings(path).import_wh == file.import_wh).all()
    assert quick < (time.process_time() - began) / 3  # the columns are worth their code
    path.write_text(re.sub(",99000,0\n", ",99000.0,0\n", text))
    with pytest.raises(ReadingsInvalid, match=r":99002: import_wh is '99000\.0'"):
        read_readings(path)

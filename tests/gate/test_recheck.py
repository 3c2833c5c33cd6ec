"""The hall looks again at a package gated at home: an honest one passes, each lie has a code."""

import gzip
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest

from gate.errors import Refused
from gate.limits import Limits
from gate.manifest import PackageBroken, canonical_json
from gate.policy import Level, Policy
from gate.recheck import PARTS, recheck, recheck_folder
from gate.trips import Gated, publish_trips
from tests.gate.home_package import KEY, packed
from tests.gate.sinks import FolderSink
from tests.gate.trip_story import make_trips, write_stations, write_trips

POLICY = Policy(
    minimum_group=5,
    minimum_distinct=2,
    keep_columns=("kind",),
    levels=(Level("hour", "h3-8"), Level("day", "h3-7")),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Gated]:
    folder = tmp_path_factory.mktemp("home")
    trips = write_trips(folder / "trips.csv", make_trips(count=1500))
    stations = write_stations(folder / "stations.csv")
    out = folder / "out"
    return out, publish_trips(trips, stations=stations, policy=POLICY, out=FolderSink(out))


def test_an_honest_package_passes_with_the_same_figures(home: tuple[Path, Gated]) -> None:
    folder, gated = home
    sink, manifest = packed(folder, rows=gated.cells)

    found = recheck(sink, manifest, KEY, policy=POLICY)

    assert (found.cells, found.rows_out) == (gated.cells, gated.rows_out)
    assert found.profile == gated.profile
    assert found.sample == gated.sample
    with pytest.raises(PackageBroken):
        recheck(sink, manifest, bytes(31) + b"\1", policy=POLICY)
    for other in (Policy(), Policy.from_json({**POLICY.as_json(), "minimum_group": 4})):
        with pytest.raises(Refused) as refused:
            recheck(sink, manifest, KEY, policy=other)
        assert refused.value.code.startswith("recheck-")
    sink, more = packed(folder, rows=gated.cells, parts={**PARTS, "areas.csv": "text/plain"})
    with pytest.raises(Refused) as refused:
        recheck(sink, more, KEY, policy=POLICY)
    assert refused.value.code == "recheck-parts"


def in_table(change: Callable[[list[list[str]]], None]) -> Callable[[Path], None]:
    """Change the table in both of its forms."""

    def do(folder: Path) -> None:
        lines = (folder / "flows.csv").read_text().splitlines()
        rows = [line.split(",") for line in lines]
        change(rows)
        (folder / "flows.csv").write_text("\n".join(",".join(row) for row in rows) + "\n")
        text = {"period_start": pa.timestamp("s"), "trips": pa.int64()}
        table = pcsv.read_csv(
            folder / "flows.csv", convert_options=pcsv.ConvertOptions(column_types=text)
        )
        pq.write_table(table, folder / "flows.parquet")

    return do


def cell(row: int, column: int, text: str) -> Callable[[Path], None]:
    def change(rows: list[list[str]]) -> None:
        rows[row][column] = text

    return in_table(change)


def in_report(change: Callable[[dict[str, object]], None]) -> Callable[[Path], None]:
    def do(folder: Path) -> None:
        path = folder / "privacy-report.json"
        said = json.loads(path.read_bytes())
        change(said)
        path.write_bytes(canonical_json(said))

    return do


def swap_rows(rows: list[list[str]]) -> None:
    rows[5], rows[6] = rows[6], rows[5]


def double_row(rows: list[list[str]]) -> None:
    rows.insert(4, rows[4])


def add_column(rows: list[list[str]]) -> None:
    for row in rows:
        row.append("94107")


def in_file(name: str, old: bytes, new: bytes) -> Callable[[Path], None]:
    def do(folder: Path) -> None:
        data = (folder / name).read_bytes()
        assert old in data
        (folder / name).write_bytes(data.replace(old, new, 1))

    return do


def note_in_parquet(folder: Path) -> None:
    table = pq.read_table(folder / "flows.parquet")
    pq.write_table(table.replace_schema_metadata({"note": "94107"}), folder / "flows.parquet")


LIES = {
    "a note in the Parquet": (note_in_parquet, "recheck-parts"),
    "a small group": (cell(3, 6, "4"), "recheck-group"),
    "more trips than the report": (cell(3, 6, "700"), "recheck-report"),
    "another hour": (cell(3, 0, "2026-03-02T10:15:00"), "recheck-cells"),
    "a period of no level": (cell(3, 1, "3-hours"), "recheck-cells"),
    "an unknown area": (cell(3, 3, "881f1d4887fffff"), "recheck-cells"),
    "a formula": (cell(3, 5, "=1+1"), "label-unusable"),
    "rows out of order": (in_table(swap_rows), "recheck-order"),
    "a cell twice": (in_table(double_row), "recheck-order"),
    "a column more": (in_table(add_column), "recheck-columns"),
    "another Parquet": (in_file("flows.csv", b",member,", b",guest,"), "recheck-"),
    "a moved station": (in_file("areas.csv", b"S12,52600000", b"S12,52500000"), "recheck-areas"),
    "a word in the dictionary": (
        in_file("dictionary.json", b'"Number of trips', b'"94107'),
        "recheck-dictionary",
    ),
    "an exact number of what is hidden": (
        in_report(lambda said: said.update(rows_in="1501")),
        "recheck-report",
    ),
    "a level embellished": (
        in_report(lambda said: said.update(rows_out="1500")),
        "recheck-report",
    ),
    "a note in the report": (in_report(lambda said: said.update(note="x")), "recheck-report"),
    "another policy in the report": (
        in_report(lambda said: said.update(policy_sha256="0" * 64)),
        "recheck-policy",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_refused(lie: str, home: tuple[Path, Gated], tmp_path: Path) -> None:
    folder, gated = home
    change, code = LIES[lie]
    for name in PARTS:
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    change(tmp_path)
    _, manifest = packed(tmp_path, rows=gated.cells)

    with pytest.raises(Refused) as refused:
        recheck_folder(tmp_path, manifest, policy=POLICY, previous=None, limits=Limits())
    assert refused.value.code.startswith(code)
    assert refused.value.remedy


def test_a_packed_part_is_no_csv(home: tuple[Path, Gated], tmp_path: Path) -> None:
    """A table inside gzip would be read by the hall, and be another one for the buyer."""
    folder, gated = home
    for name in PARTS:
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    data = (tmp_path / "flows.csv").read_bytes()
    with closing(gzip.open(tmp_path / "flows.csv", "wb")) as file:
        file.write(data)
    _, manifest = packed(tmp_path, rows=gated.cells)

    with pytest.raises(Refused) as refused:
        recheck_folder(tmp_path, manifest, policy=POLICY, previous=None, limits=Limits())
    assert refused.value.code == "recheck-two-tables"

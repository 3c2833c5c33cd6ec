"""Nine real months of bike trips: raw, everybody stands alone; after the gate, nobody does."""

import io
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from gate import keys, package
from gate.manifest import Manifest
from gate.policy import Policy
from gate.recheck import PARTS, recheck
from gate.trips import publish_trips

POLICY = Policy(zone="America/Los_Angeles")


def test_nine_months_pass_the_gate_and_nobody_stands_alone(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "bikeshare_bayarea_2014"
    package_id, key, sink = keys.new_package_id(), keys.new_key(), io.BytesIO()
    packer = package.Packer(sink, package_id, key)
    trips = source / "trips_2014_01_to_09.csv.gz"
    gated = publish_trips(trips, stations=source / "stations.csv", policy=POLICY, out=packer)
    made = packer.finish()
    manifest = Manifest(
        format="trips",
        row_count=gated.cells,
        package=made,
        key_commitment=keys.key_commitment(package_id, key),
        policy_sha256=POLICY.sha256,
        report_sha256=made.part("privacy-report.json").sha256,
    )

    # The raw file: nearly everybody is alone, whichever way one looks.
    report = gated.report
    before = {each.known: each for each in report.before}
    assert gated.rows_in == 246_496
    assert report.person_column == "zip_code"
    assert before["start", "end", "from", "to", "person", "vehicle"].alone == 246_496
    assert before["start", "from", "to"].alone == 228_648
    assert before["start", "from"].below_minimum > 246_400

    # What goes out: 99 of 100 trips, in groups of ten and more, none mostly of one zip code.
    opened = package.open_package(
        sink, Manifest.from_bytes(manifest.to_bytes()).package, key, tmp_path
    )
    assert {path.name for path in opened} == set(PARTS)
    table = pq.read_table(tmp_path / "flows.parquet")
    flows = pcsv.read_csv(tmp_path / "flows.csv")
    assert table.num_rows == flows.num_rows == gated.cells == manifest.row_count
    assert pc.sum(table["trips"]).as_py() == pc.sum(flows["trips"]).as_py() == gated.rows_out
    assert 0.99 < gated.rows_out / gated.rows_in < 1
    assert pc.min(table["trips"]).as_py() == 10
    names = ["period_start", "period", "area_level", "from_area", "to_area"]
    assert flows.column_names == [*names, "trips"]
    assert len(set(zip(*(flows[name].to_pylist() for name in names), strict=True))) == gated.cells
    assert _spring(flows) > 75_000

    # And the hall, which did not see the raw file, comes to the same.
    found = recheck(sink, manifest, key, policy=POLICY)
    assert (found.rows_out, found.profile) == (gated.rows_out, gated.profile)
    _assert_nobody_dominates(trips, tmp_path, flows)


def _spring(flows: pa.Table) -> int:
    month = pc.month(flows["period_start"])
    return int(pc.sum(flows.filter(pc.is_in(month, pa.array([3, 4, 5])))["trips"]).as_py())


def _assert_nobody_dominates(trips: Path, folder: Path, flows: pa.Table) -> None:
    """Look March's cells of the first level up in the raw file."""
    raw = pcsv.read_csv(
        trips,
        convert_options=pcsv.ConvertOptions(
            column_types={"zip_code": pa.string()},
            include_columns=["start_local", "start_terminal", "end_terminal", "zip_code"],
        ),
    )
    raw = raw.filter(pc.equal(pc.month(raw["start_local"]), 3))
    areas = pcsv.read_csv(folder / "areas.csv")
    area = dict(zip(areas["station"].to_pylist(), areas["h3-8"].to_pylist(), strict=True))
    hours = [each.replace(minute=0, second=0) for each in raw["start_local"].to_pylist()]
    a, b = ([area[each] for each in raw[f"{end}_terminal"].to_pylist()] for end in ("start", "end"))
    groups: dict[tuple[object, ...], Counter[str]] = {}
    for *cell, zip_code in zip(hours, a, b, raw["zip_code"].to_pylist(), strict=True):
        groups.setdefault(tuple(cell), Counter())[zip_code] += 1
    is_march = pc.equal(pc.month(flows["period_start"]), 3)
    finest = flows.filter(pc.and_(is_march, pc.equal(flows["area_level"], "h3-8")))
    assert finest.num_rows > 50
    cells = zip(*(finest[name].to_pylist() for name in flows.column_names), strict=True)
    for start, _period, _level, one, other, count in cells:
        people = groups[start, one, other]
        assert count == people.total() >= 10
        known = Counter({each: n for each, n in people.items() if each and each != "nil"})
        assert len(known) >= 5
        assert known.most_common(1)[0][1] * 2 <= count

"""What the gate publishes of trips is what its rule says, and nothing else of them is anywhere."""

import gzip
import random
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import h3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gate import spill, trips
from gate.areas import Areas, make_areas
from gate.errors import Refused
from gate.policy import FLOOR, Level, Policy
from gate.previous import Earlier, Previous
from gate.trip_rows import as_places
from gate.trips import Gated, publish_trips
from tests.gate.sinks import FolderSink, NoSink
from tests.gate.trip_story import (
    Trip,
    make_stations,
    make_trips,
    read_table,
    told_slowly,
    write_stations,
    write_trips,
)

SOME = Policy(
    minimum_group=4,
    minimum_distinct=3,
    dominance_percent=60,
    levels=(Level("quarter", "place"), Level("hour", "h3-8"), Level("day", "h3-7")),
)
POLICIES = {
    "some": SOME,
    "kept": Policy(
        minimum_group=5,
        minimum_distinct=2,
        minimum_places=3,
        keep_columns=("kind",),
        levels=(Level("hour", "h3-8"), Level("6-hours", "h3-7"), Level("month", "all")),
    ),
    "default": Policy(),
    "trips-only": Policy(
        minimum_group=3, minimum_distinct=0, dominance_percent=100, levels=(Level("year", "h3-6"),)
    ),
}


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("city")
    write_trips(folder / "trips.csv", make_trips(count=3000))
    write_stations(folder / "stations.csv")
    return folder


def gated(source: Path, city: Path, out: Path, policy: Policy = SOME) -> Gated:
    return publish_trips(source, stations=city / "stations.csv", policy=policy, out=FolderSink(out))


def refusal(source: Path, policy: Policy, stations: Path | None = None) -> Refused:
    with pytest.raises(Refused) as refused:
        publish_trips(source, stations=stations, policy=policy, out=NoSink())
    return refused.value


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("buckets", [1, 8])
def test_the_table_is_what_the_rule_says(
    name: str, buckets: int, city: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = POLICIES[name]
    if buckets > 1:  # as for a file of millions: many buckets, most of them on disk
        monkeypatch.setattr(trips, "BUCKET_ROWS", 300)
        monkeypatch.setattr(spill, "WAITING_MAX", 500)

    found = gated(city / "trips.csv", city, tmp_path, policy)

    areas = Areas.from_csv((tmp_path / "areas.csv").read_bytes())
    expected = told_slowly(make_trips(count=3000), policy, areas)
    rows = read_table(tmp_path / "flows.csv")
    told = {tuple(list(row.values())[:-1]): int(row["trips"]) for row in rows}
    assert told == expected
    assert len(told) == len(rows) == found.cells
    assert found.rows_out == sum(expected.values())
    assert [row["period_start"] for row in rows] == sorted(row["period_start"] for row in rows)
    [after] = found.report.after
    assert (after.alone, after.below_minimum, after.rows) == (0, 0, found.rows_out)


def test_neither_order_nor_container_changes_a_byte(city: Path, tmp_path: Path) -> None:
    mixed = make_trips(count=3000)
    random.Random(2).shuffle(mixed)
    write_trips(tmp_path / "mixed.csv", mixed)
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress((city / "trips.csv").read_bytes()))
    rows = read_table(city / "trips.csv")
    typed = pa.Table.from_pylist(rows).set_column(
        1, "start_time", pa.array([datetime.fromisoformat(row["start_time"]) for row in rows])
    )
    pq.write_table(typed, tmp_path / "trips.parquet", row_group_size=1000)

    gated(city / "trips.csv", city, tmp_path / "first")
    for name in ("mixed.csv", "packed.csv.gz", "trips.parquet"):
        gated(tmp_path / name, city, tmp_path / name.split(".")[0])
        for part in ("flows.csv", "flows.parquet", "areas.csv", "dictionary.json"):
            first = (tmp_path / "first" / part).read_bytes()
            assert (tmp_path / name.split(".")[0] / part).read_bytes() == first, (name, part)


def test_nothing_of_a_person_is_in_any_part(city: Path, tmp_path: Path) -> None:
    found = gated(city / "trips.csv", city, tmp_path, POLICIES["kept"])

    parts = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for secret in (b"secret of", b"99999", b"10115", b"B17"):
        assert secret in (city / "trips.csv").read_bytes()
        assert secret not in parts
        assert secret not in repr((found.sample, found.profile)).encode()
    fates = {each.name: (each.fate, each.reason) for each in found.report.columns}
    assert fates == {
        "trip_id": ("dropped", "identifier"),
        "start_time": ("coarsened", "start"),
        "end_time": ("dropped", "time"),
        "start_station": ("coarsened", "from"),
        "end_station": ("coarsened", "to"),
        "bike_id": ("dropped", "vehicle"),
        "zip_code": ("dropped", "person"),
        "kind": ("kept", "policy"),
        "remark": ("dropped", "identifier"),
    }
    exact, *_, person = found.report.before
    assert exact.known == ("start", "end", "from", "to", "person", "vehicle")
    assert exact.alone == exact.rows == 3000
    assert person.known == ("start", "person")
    assert found.report.risks()[0] == "person-by-proxy"
    # What was taken away is told in steps, so that it is no total of what is hidden.
    said = found.report.as_json()
    assert {n % 5 for n in said["suppressed"].values()} == {0}
    assert said["rows_in"] % 5 == 0


def test_areas_nest_and_none_is_lonely() -> None:
    places = as_places(make_stations())
    assert next(place for place in places if place.name == "S03").latitude == 52_518_000
    areas = make_areas(places, ["place", "h3-9", "h3-8", "h3-7", "h3-6"], minimum_places=3)

    chains = list(zip(*(areas.names[level] for level in areas.names), strict=True))
    for finer, coarser in zip(range(1, 4), range(2, 5), strict=True):
        parents: dict[str, set[str]] = {}
        for chain in chains:
            parents.setdefault(chain[finer], set()).add(chain[coarser])
        assert all(len(each) == 1 for each in parents.values())
        for name in {chain[finer] for chain in chains}:
            assert sum(chain[finer] == name for chain in chains) >= 3
            assert h3.is_valid_cell(name)
    assert len({chain[3] for chain in chains}) >= 2
    assert Areas.from_csv(areas.to_csv()).to_csv() == areas.to_csv()
    assert areas.joined_count > 0


def test_a_new_version_keeps_areas_and_rule(city: Path, tmp_path: Path) -> None:
    first = gated(city / "trips.csv", city, tmp_path / "first")
    areas = Areas.from_csv((tmp_path / "first" / "areas.csv").read_bytes())
    assert first.profile.start and first.profile.end
    start, end = first.profile.start, first.profile.end
    same = Earlier("ab" * 32, SOME.sha256, start, end)
    before = Previous(areas, [Earlier("cd" * 32, "0" * 64, end, "2026-12-01T00:00:00Z"), same])
    # All stations have moved away, one is gone, one is new.
    lines = [f"S{i:02},52.6,13.5{i:02}" for i in range(1, 13)] + ["S77,52.501,13.371"]
    moved = tmp_path / "moved.csv"
    moved.write_text("\n".join(["station_id,lat,lon", *lines, "S13,52.47,13.30"]) + "\n")

    source = write_trips(tmp_path / "some.csv", [t for t in make_trips(count=900) if t.a > "S00"])
    next_ = publish_trips(
        source, stations=moved, policy=SOME, out=FolderSink(tmp_path / "next"), previous=before
    )
    assert next_.report.previous_sha256 == "ab" * 32
    assert "same-time-again" in next_.report.risks()
    now = Areas.from_csv((tmp_path / "next" / "areas.csv").read_bytes())
    for level in ("h3-8", "h3-7"):
        was = dict(zip((p.name for p in areas.places), areas.names[level], strict=True))
        is_ = dict(zip((p.name for p in now.places), now.names[level], strict=True))
        assert {name: is_[name] for name in was} == was
        assert is_["S77"] in was.values()

    other = Policy(**{**SOME.__dict__, "minimum_group": 5})
    with pytest.raises(Refused) as refused:
        publish_trips(source, stations=moved, policy=other, out=NoSink(), previous=before)
    assert refused.value.code == "policy-changed"
    earlier = Previous(areas, [Earlier("ab" * 32, "0" * 64, "2020-01-01T00:00:00Z", start)])
    fresh = publish_trips(source, stations=moved, policy=SOME, out=NoSink(), previous=earlier)
    assert fresh.report.previous_sha256 is None


def test_times_with_an_offset_and_other_names(tmp_path: Path) -> None:
    """Zones by number, no stations, times in UTC: New York's taxis, say."""
    zone = ZoneInfo("America/New_York")
    lines = ["tpep_pickup_datetime,tpep_dropoff_datetime,PULocationID,DOLocationID,who"]
    for i in range(40):  # half an hour before and after the clocks go back
        at = datetime(2026, 11, 1, 5, 30, tzinfo=ZoneInfo("UTC")) + timedelta(hours=i % 2)
        lines.append(f"{at.isoformat()},{(at + timedelta(minutes=9)).isoformat()},7,{i % 2},P{i}")
    lines.append("yesterday,2026-11-01T09:00:00+00:00,7,1,P9")
    (tmp_path / "taxi.csv").write_text("\n".join(lines) + "\n")
    policy = Policy(
        columns={"person": "who"}, zone=zone.key, levels=(Level("hour", "place"),), minimum_places=1
    )

    found = publish_trips(
        tmp_path / "taxi.csv", stations=None, policy=policy, out=FolderSink(tmp_path / "out")
    )
    rows = read_table(tmp_path / "out" / "flows.csv")
    # Both hours are one o'clock on the wall.
    assert [(r["period_start"], r["to_area"], r["trips"]) for r in rows] == [
        ("2026-11-01T01:00:00", "0", "20"),
        ("2026-11-01T01:00:00", "1", "20"),
    ]
    assert found.report.left_out["no-time"] == 1
    assert "person-by-proxy" not in found.report.risks()
    said = "start_time,end_time,from,to\n" + "01.03.2026 08:10,01.03.2026 08:20,a,b\n" * 12
    (tmp_path / "dotted.csv").write_text(said)
    dotted = Policy(time_format="%d.%m.%Y %H:%M", minimum_places=1, levels=policy.levels)
    found = publish_trips(tmp_path / "dotted.csv", stations=None, policy=dotted, out=NoSink())
    assert found.sample["rows"] == [["2026-03-01T08:00:00", "hour", "place", "a", "b", "12"]]
    assert found.report.risks()[:2] == ["people-not-counted", "no-limit-for-one"]


def test_a_place_that_few_went_to_is_named_nowhere(tmp_path: Path) -> None:
    """Without a table of stations the places' names are the travellers' own words."""
    at = datetime(2026, 3, 1, 8, 10)  # noqa: DTZ001 -- a wall clock
    ends = [7.0] * 12 + [9.0] * 12 + [4711.0, None]
    table = pa.table(
        {
            "start_time": [at] * len(ends),
            "end_time": [at + timedelta(minutes=9)] * len(ends),
            "from": [7] * len(ends),
            "to": ends,  # whole numbers, stored as floats because one is missing
            "who": [f"P{n}" for n in range(len(ends))],
        }
    )
    pq.write_table(table, tmp_path / "zones.parquet")
    levels = (Level("hour", "place"), Level("day", "all"))
    policy = Policy(levels=levels, columns={"person": "who"}, minimum_group=12)

    found = publish_trips(
        tmp_path / "zones.parquet", stations=None, policy=policy, out=FolderSink(tmp_path / "out")
    )
    parts = b"".join(path.read_bytes() for path in (tmp_path / "out").iterdir())
    rows = read_table(tmp_path / "out" / "flows.csv")
    assert [(row["from_area"], row["to_area"], row["trips"]) for row in rows] == [
        ("7", "7", "12"),
        ("7", "9", "12"),
    ]
    assert b"4711" not in parts
    assert found.report.left_out["unknown-place"] == 1
    assert found.profile.entities["stations"] == 2


def test_a_hall_has_a_floor() -> None:
    Policy().refuse_below(FLOOR)
    FLOOR.refuse_below(FLOOR)
    for key, value in (("minimum_group", 4), ("dominance_percent", 76)):
        weak = Policy.from_json({**FLOOR.as_json(), key: value})
        with pytest.raises(Refused, match=str(getattr(FLOOR, key))) as refused:
            weak.refuse_below(FLOOR)
        assert refused.value.code == "policy-too-weak"


def test_what_cannot_be_followed_is_refused_with_a_remedy(city: Path, tmp_path: Path) -> None:
    source, stations = city / "trips.csv", city / "stations.csv"
    few = write_trips(tmp_path / "few.csv", make_trips(count=9))
    empty = tmp_path / "empty.csv"
    empty.write_text("start_time,end_time,from,to\n")
    formula = tmp_path / "formula.csv"
    row = "2026-03-01 08:00:00,2026-03-01 08:10:00,=cmd(),b\n"
    formula.write_text("start_time,end_time,from,to\n" + row * 12)
    places = Policy(levels=(Level("day", "place"),), minimum_places=1)
    one = tmp_path / "one.csv"
    one.write_text("station_id,lat,lon\nS01,52,13\n")
    codes = {
        "nothing-left": refusal(few, Policy(), stations),
        "nothing-left ": refusal(empty, places),
        "stations-missing": refusal(source, Policy()),
        "too-few-places": refusal(source, Policy(), one),
        "label-unusable": refusal(formula, places),
        "column-missing": refusal(source, Policy(keep_columns=("colour",)), stations),
        "column-missing ": refusal(source, Policy(distinct_column="who"), stations),
        "role-missing": refusal(stations, Policy(), stations),
        "kept-column-varied": refusal(source, Policy(keep_columns=("remark",)), stations),
    }
    for column in ("bike_id", "zip_code", "end_time"):
        refused = refusal(source, Policy(keep_columns=(column,)), stations)
        assert refused.code in ("column-not-kept", "kept-column-varied")
    for code, refused in codes.items():
        assert refused.code == code.strip()
        assert refused.remedy
        assert "secret" not in str(refused)


@pytest.mark.parametrize(
    "said",
    [
        {"minimum_group": 2},
        {"minimum_group": True},
        {"minimum_group": "10"},
        {"minimum_distinct": {"column": "", "n": 11}},
        {"minimum_distinct": 5},
        {"dominance_percent": 0},
        {"levels": []},
        {"levels": [["hour", "h3-7"], ["hour", "h3-8"]]},
        {"levels": [["day", "h3-8"], ["hour", "h3-7"]]},
        {"levels": [["week", "h3-8"]]},
        {"levels": [["hour", "h3-8"], ["hour", "h3-8"]]},
        {"levels": [["hour"]]},
        {"zone": "Mars/Olympus"},
        {"zone": "../../etc/passwd"},
        {"colour": "red"},
        {"columns": {"start": 1}},
    ],
)
def test_a_policy_that_says_nonsense_is_refused(said: dict[str, object]) -> None:
    with pytest.raises(Refused) as refused:
        Policy.from_json(said)
    assert refused.value.code == "policy-invalid"


def test_a_policy_is_read_back_and_hashed() -> None:
    for policy in POLICIES.values():
        assert Policy.from_json(policy.as_json()) == policy
    assert len({policy.sha256 for policy in POLICIES.values()}) == len(POLICIES)
    assert Policy.from_json({}) == Policy()


def test_a_damaged_parquet_is_refused_by_the_child(city: Path, tmp_path: Path) -> None:
    rows: list[Trip] = make_trips(count=300)
    table = pa.Table.from_pylist(
        [
            {"start_time": t.start, "end_time": t.end, "from": t.a, "to": t.b, "zip": t.zip_code}
            for t in rows
        ]
    )
    file = tmp_path / "flipped.parquet"
    pq.write_table(table, file, write_page_checksum=True)
    data = bytearray(file.read_bytes())
    data[200] ^= 0xFF
    file.write_bytes(data)

    assert refusal(file, SOME, city / "stations.csv").code == "parquet-damaged"

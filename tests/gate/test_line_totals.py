"""True totals beside hidden cells: right, of enough people, and no hidden cell follows."""

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from gate.areas import Areas
from gate.errors import Refused
from gate.limits import Limits
from gate.policy import Level, Policy
from gate.recheck import PARTS, recheck, recheck_folder
from gate.totals import Hidden
from gate.trips import publish_trips
from tests.gate.home_package import KEY, packed
from tests.gate.sinks import FolderSink
from tests.gate.test_totals import solvable
from tests.gate.trip_story import (
    Trip,
    is_enough,
    make_trips,
    period_start,
    read_table,
    write_stations,
    write_trips,
)

POLICY = Policy(
    minimum_group=4,
    minimum_distinct=3,
    dominance_percent=60,
    levels=(Level("day", "h3-8"),),
    totals="all",
)
# Of trips alone, and in a file whose hidden cells lie in a path: two in each line, all known.
PATHS = Policy(
    minimum_group=4,
    minimum_distinct=0,
    dominance_percent=100,
    minimum_places=1,
    levels=POLICY.levels,
    totals="all",
)
FILES = {"people": (4, POLICY), "paths": (1, PATHS)}
Key = tuple[str, str, str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("totals")
    stations = write_stations(folder / "stations.csv")
    for name, (seed, policy) in FILES.items():
        trips = write_trips(folder / "trips.csv", make_trips(count=2500, seed=seed))
        publish_trips(trips, stations=stations, policy=policy, out=FolderSink(folder / name))
    return folder


def cells_of(out: Path, seed: int) -> dict[Key, list[Trip]]:
    areas = Areas.from_csv((out / "areas.csv").read_bytes())
    area = dict(zip((p.name for p in areas.places), areas.names["h3-8"], strict=True))
    cells: dict[Key, list[Trip]] = defaultdict(list)
    for trip in make_trips(count=2500, seed=seed):
        cells[period_start(trip.start, "day").isoformat(), area[trip.a], area[trip.b]].append(trip)
    return cells


@pytest.mark.parametrize("name", FILES)
def test_totals_are_true_and_give_nothing_away(name: str, folder: Path) -> None:
    seed, policy = FILES[name]
    out = folder / name
    cells = cells_of(out, seed)
    shown = {
        (r["period_start"], r["from_area"], r["to_area"]) for r in read_table(out / "flows.csv")
    }
    totals = {
        (r["period_start"], r["side"], r["area"]): int(r["trips"])
        for r in read_table(out / "totals.csv")
    }
    lines: dict[Key, list[Key]] = defaultdict(list)
    for cell in cells:
        lines[cell[0], "from", cell[1]].append(cell)
        lines[cell[0], "to", cell[2]].append(cell)

    assert 20 < len(totals) < len(lines)
    hidden_lines = 0
    for line, total in totals.items():
        assert total == sum(len(cells[cell]) for cell in lines[line])
        hidden = [cell for cell in lines[line] if cell not in shown]
        hidden_lines += bool(hidden)
        if hidden:
            assert len(hidden) >= 2
            assert is_enough([trip for cell in hidden for trip in cells[cell]], policy)
    assert hidden_lines > 5
    for day in {cell[0] for cell in cells}:
        assert solved(day, cells, shown, totals) == []


def solved(
    day: str, cells: dict[Key, list[Trip]], shown: set[Key], totals: dict[Key, int]
) -> list[int]:
    """Return the hidden cells of a day that linear algebra finds."""
    here = sorted(cell for cell in cells if cell[0] == day)
    names = [sorted({cell[side] for cell in here}) for side in (1, 2)]
    row, column = ([names[n].index(cell[n + 1]) for cell in here] for n in (0, 1))
    rows, columns = (
        np.array([(day, side, name) not in totals for name in names[n]])
        for n, side in enumerate(("from", "to"))
    )
    cells_hidden = np.array([cell not in shown for cell in here])
    hidden = Hidden(cells_hidden, rows, columns, grand_total=True)
    return solvable(row, column, [len(cells[cell]) for cell in here], hidden, with_grand=False)


def test_the_hall_looks_at_totals_too(folder: Path, tmp_path: Path) -> None:
    out = folder / "people"
    parts = {**PARTS, "totals.csv": "text/csv"}
    cells = len(read_table(out / "flows.csv"))
    sink, manifest = packed(out, rows=cells, parts=parts)
    assert recheck(sink, manifest, KEY, policy=POLICY).cells == cells

    for name in parts:
        (tmp_path / name).write_bytes((out / name).read_bytes())
    rows = read_table(out / "totals.csv")
    shown = sum(
        int(row["trips"])
        for row in read_table(out / "flows.csv")
        if (row["period_start"], row["from_area"]) == (rows[0]["period_start"], rows[0]["area"])
    )
    for change, text in (
        ({"trips": str(shown + 1)}, "small group"),
        ({"trips": str(shown - 1)}, "small group"),
        ({"area": "88aaaaaaaaaaaaa"}, "no line"),
        ({"period_start": "2025-03-01T00:00:00"}, "no line"),
        ({"trips": "-4"}, "no line"),
        (rows[1], "no line"),
    ):
        with (tmp_path / "totals.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows([{**rows[0], **change}, *rows[1:]])
        with pytest.raises(Refused, match=text) as refused:
            recheck_folder(tmp_path, manifest, policy=POLICY, previous=None, limits=Limits())
        assert refused.value.code == "recheck-totals"


def test_totals_are_of_one_level_only() -> None:
    with pytest.raises(Refused) as refused:
        Policy(totals="all")
    assert refused.value.code == "policy-invalid"

"""Publishing a file of trips, from validation to the manifest, against reading and writing it.

Both are measured in child processes of their own, in turns, imports and a first small run left
out. The rows are the real trips of the Bay Area where ``HELIOPOLIS_REAL_DATA`` has them, shifted by
their length as often as it takes; else they are made up, and the table says so.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.servers import PROJECT
from benchmarks.table import Row

SIZES: Final = {250_000: 5, 2_500_000: 2}
RATIO_MAX: Final = 10.0
MEMORY_MIB_MAX: Final = 600.0
GROWTH_MIB_MAX: Final = 60.0
WARM_ROWS: Final = 2_000
SHIFT: Final = timedelta(days=274)
_CHILD: Final = "from benchmarks import data_publishing as p; p.child()"
_TIMES: Final = ("start_local", "end_local", "start_utc")


def measure() -> list[Row]:
    """Publish files of both sizes, and read and write them."""
    rows: list[Row] = []
    memory: dict[int, float] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        origin = _make_files(folder)
        for size, turns in SIZES.items():
            told: dict[str, list[dict[str, float]]] = {"baseline": [], "publish": []}
            for _ in range(turns):
                for what, each in told.items():
                    each.append(_run(folder, what, f"trips_{size}.csv"))
            ratios = [
                one["seconds"] / other["seconds"]
                for one, other in zip(told["publish"], told["baseline"], strict=True)
            ]
            spent = {w: median(each["seconds"] for each in t) for w, t in told.items()}
            memory[size] = max(each["peak_mib"] for each in told["publish"])
            label = f"publishing {size:,} trips ({origin})"
            rows += [
                Row(f"{label} / pyarrow reads and writes Parquet", median(ratios), "x", RATIO_MAX),
                Row(f"{label}", spent["publish"], "s"),
                Row(f"{label}, pyarrow alone", spent["baseline"], "s"),
                Row(f"{label}, memory", memory[size], "MiB", MEMORY_MIB_MAX),
            ]
    small, large = (memory[size] for size in SIZES)
    rows.append(
        Row("publishing, memory of ten times the trips", large - small, "MiB", GROWTH_MIB_MAX)
    )
    return rows


def _run(folder: Path, what: str, name: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, what, str(folder), name],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    told: dict[str, float] = json.loads(done.stdout)
    return told


def child() -> None:
    """Do one of the two once warm, and print seconds and the most memory it has had."""
    what, folder, name = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    do = {"baseline": _baseline, "publish": _publish}[what]
    do(folder, "trips_warm.csv")
    started = time.perf_counter()
    do(folder, name)
    print(json.dumps({"seconds": time.perf_counter() - started, "peak_mib": _peak_mib()}))


def _baseline(folder: Path, name: str) -> None:
    import pyarrow as pa
    import pyarrow.csv as pcsv
    import pyarrow.parquet as pq

    options = pcsv.ConvertOptions(column_types={"zip_code": pa.string()})
    table = pcsv.read_csv(folder / name, convert_options=options)
    pq.write_table(table, folder / "baseline.parquet", compression="zstd")


def _publish(folder: Path, name: str) -> None:
    """Do what the hall does: validate and profile, gate, package, encrypt, write the manifest."""
    from gate import keys
    from gate.formats import Options
    from gate.formats.trips import judge
    from gate.limits import Limits
    from gate.manifest import Manifest
    from gate.package import Packer
    from gate.policy import Policy
    from gate.trips import publish_trips

    policy, stations = Policy(zone="America/Los_Angeles"), folder / "stations.csv"
    checked = judge(
        folder / name,
        name=name,
        at=datetime.now(UTC),
        companions={"stations": stations},
        options=Options(zone=policy.zone),
        limits=Limits(),
    )
    package_id, key = keys.new_package_id(), keys.new_key()
    with (folder / "package").open("wb") as file:
        packer = Packer(file, package_id, key)
        gated = publish_trips(folder / name, stations=stations, policy=policy, out=packer)
        package = packer.finish()
        file.flush()
        os.fsync(file.fileno())
    manifest = Manifest(
        format="trips",
        row_count=gated.cells,
        package=package,
        key_commitment=keys.key_commitment(package_id, key),
        policy_sha256=policy.sha256,
        report_sha256=package.part("privacy-report.json").sha256,
    )
    (folder / "manifest.json").write_bytes(manifest.to_bytes())
    assert checked.records == gated.rows_in


def _peak_mib() -> float:
    """Return this process's high-water mark, which counts from its start, not its parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def _make_files(folder: Path) -> str:
    """Write the files of all sizes and the stations; return where their rows are from."""
    real = os.environ.get("HELIOPOLIS_REAL_DATA")
    source = Path(real) / "bikeshare_bayarea_2014" if real else None
    if source is not None and source.is_dir():
        (folder / "stations.csv").write_bytes((source / "stations.csv").read_bytes())
        with gzip.open(source / "trips_2014_01_to_09.csv.gz", "rt", encoding="utf-8") as file:
            trips = list(csv.DictReader(file))
    else:
        trips = _made_up(folder)
    for name, count in [("warm", WARM_ROWS), *((str(size), size) for size in SIZES)]:
        with (folder / f"trips_{name}.csv").open("w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, fieldnames=list(trips[0]))
            writer.writeheader()
            writer.writerows(islice(_repeated(trips), count))
    return "real rows" if source is not None and source.is_dir() else "synthetic rows"


def _repeated(trips: list[dict[str, str]]) -> Iterator[dict[str, str]]:
    yield from trips
    # Numbers go on and days move, so that no row comes twice.
    shifted = trips
    while True:
        shifted = [_shifted(trip, len(trips)) for trip in shifted]
        yield from shifted


def _shifted(trip: dict[str, str], numbers: int) -> dict[str, str]:
    later = {name: str(datetime.fromisoformat(trip[name]) + SHIFT) for name in _TIMES}
    return {**trip, **later, "trip_id": str(int(trip["trip_id"]) + numbers)}


def _made_up(folder: Path) -> list[dict[str, str]]:
    """Return trips of nobody: seventy stations, most of them near each other, two rush hours."""
    rng = random.Random(1)
    stations = [
        (number, 37.78 + rng.gauss(0, 0.02), -122.40 + rng.gauss(0, 0.02)) for number in range(70)
    ]
    text = io.StringIO()
    csv.writer(text).writerows([("station_id", "lat", "lon"), *stations])
    (folder / "stations.csv").write_text(text.getvalue(), encoding="utf-8")
    weights = [1 / (1 + number) for number in range(70)]
    begin = datetime(2014, 1, 1)  # noqa: DTZ001 -- a wall clock
    return [_trip(rng, begin, number, weights) for number in range(246_496)]


def _trip(rng: random.Random, begin: datetime, number: int, weights: list[float]) -> dict[str, str]:
    hour = rng.choice((8, 9, 17, 18)) if rng.random() < 0.6 else rng.randrange(6, 23)
    start = begin + timedelta(days=rng.randrange(273), hours=hour, seconds=rng.randrange(3600))
    seconds = rng.randrange(120, 3600)
    row: dict[str, Any] = {
        "trip_id": number,
        "duration": seconds,
        "start_local": start,
        "start_terminal": rng.choices(range(70), weights)[0],
        "end_local": start + timedelta(seconds=seconds),
        "end_terminal": rng.choices(range(70), weights)[0],
        "bike_id": rng.randrange(687),
        "subscription_type": rng.choice(("Subscriber", "Customer")),
        "zip_code": rng.randrange(94_000, 98_000),
        "start_utc": start + timedelta(hours=8),
    }
    return {name: str(value) for name, value in row.items()}

"""What the gate puts on disk on the way cannot be read, not even after kill -9."""

import os
import signal
import subprocess
import sys
from datetime import UTC
from pathlib import Path

import numpy as np
import pytest

from gate import spill
from gate.spill import Spill, buckets_of, mixed
from gate.trip_rows import packed
from tests.gate.trip_story import make_stations, make_trips, write_stations, write_trips

PROJECT = Path(__file__).resolve().parent.parent.parent
CHILD = """
import pathlib, sys, time
from gate import spill, trips
from gate.policy import Policy
from tests.gate.sinks import NoSink

spill.WAITING_MAX = 200

def progress(step, done):
    if step == "counting":
        print("spilled", flush=True)
        time.sleep(60)

folder = pathlib.Path(sys.argv[1])
trips.publish_trips(
    folder / "trips.csv", stations=folder / "stations.csv", policy=Policy(), out=NoSink(),
    progress=progress,
)
"""


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are told by /proc alone")
def test_nothing_that_can_be_read_survives_a_kill(tmp_path: Path) -> None:
    trips = make_trips(count=2000)
    write_trips(tmp_path / "trips.csv", trips)
    write_stations(tmp_path / "stations.csv")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {"PATH": os.environ["PATH"], "TMPDIR": str(temporary), "PYTHONPATH": str(PROJECT)}
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)], env=environment, stdout=subprocess.PIPE
    ) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == b"spilled\n"
            assert list(temporary.iterdir()) == []  # no name, from the first byte on
            links = [link for link in Path(f"/proc/{child.pid}/fd").iterdir() if link.is_symlink()]
            files = [link for link in links if str(temporary) in os.readlink(link)]
            written = b"".join(link.read_bytes() for link in files)
        finally:
            child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    assert list(temporary.iterdir()) == []

    # One file of rows, four of what is known of them, all of it encrypted.
    assert len(files) == 5
    assert len(written) > 2000 * 6 * 8 * 0.9
    assert b"99999" not in written
    named = sorted({name for name, _, _ in make_stations()})
    for trip in trips[:10]:
        quarter = int(trip.start.replace(tzinfo=UTC).timestamp()) // 900
        for a, b in ((a, b) for a in range(len(named)) for b in range(len(named))):
            row = packed(*(np.array([each], np.int64) for each in (quarter, a, b, 0)))
            assert row.tobytes() not in written


def test_rows_come_back_whole_by_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill, "WAITING_MAX", 1000)
    rows = np.random.default_rng(1).integers(0, 2**62, (5000, 2))
    bucket = buckets_of(mixed(rows[:, 0].view(np.uint64)), 16)
    with Spill(bucket_count=16, width=2) as spilled:
        for start in range(0, 5000, 300):
            spilled.add(bucket[start : start + 300], rows[start : start + 300])
        back = list(spilled.buckets())

    for number, found in enumerate(back):
        assert {tuple(r) for r in found.tolist()} == {
            tuple(r) for r in rows[bucket == number].tolist()
        }
    assert sum(map(len, back)) == 5000
    assert buckets_of(mixed(rows[:, 0].view(np.uint64)), 1).max() == 0

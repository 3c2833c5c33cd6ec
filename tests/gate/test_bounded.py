"""The child process: what it may not use, and how it ends."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gate.bounded import SOURCE, bounded
from gate.errors import Refused, Stopped
from gate.limits import MIB, Limits
from tests.gate.mutilated import AT, TRIPS, judged

JUDGE = "gate.formats.checking:judge"


def asked(path: Path) -> dict[str, object]:
    return {
        "format": "trips",
        "path": str(path),
        "name": "mine.csv",
        "at": AT.isoformat(),
        "companions": {},
        "options": {"columns": {}, "zone": "UTC", "docked": None, "country": ""},
        "limits": Limits().as_json(),
    }


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(memory_bytes=80 * MIB), "memory"),
        (Limits(wall_s=0), "time"),
        (Limits(output_bytes=100), "output"),
    ],
)
def test_a_limit_stops_the_child_and_says_so(tmp_path: Path, limits: Limits, code: str) -> None:
    path = tmp_path / "trips"
    path.write_text(TRIPS)

    with pytest.raises(Stopped) as stopped:
        bounded(JUDGE, asked(path), limits=limits, place="mine.csv")

    assert (stopped.value.code, stopped.value.place) == (code, "mine.csv")
    assert "Split it" in str(stopped.value)


def test_no_module_is_compiled_under_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A torn one would stay in the installation, and every later process fail on it."""
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "compiled"))
    path = tmp_path / "trips"
    path.write_text(TRIPS)
    with pytest.raises(Stopped):
        bounded(JUDGE, asked(path), limits=Limits(output_bytes=100))
    assert not (tmp_path / "compiled").exists()


def test_a_refusal_crosses_whole(tmp_path: Path) -> None:
    path = tmp_path / "trips"
    path.write_text(TRIPS.replace("end_time", "x"))
    with pytest.raises(Refused) as refused:
        bounded(JUDGE, asked(path), limits=Limits())
    with pytest.raises(Refused) as same:
        judged(path, "trips")

    assert {**refused.value.as_json(), "place": ""} == {**same.value.as_json(), "place": ""}
    assert refused.value.place == "mine.csv"


def test_only_the_gate_is_called() -> None:
    with pytest.raises(Stopped):
        bounded("os:getcwd", {}, limits=Limits())


def test_the_child_leaves_the_network(tmp_path: Path) -> None:
    """Where the system lets it: then not even this machine is there."""
    code = (
        "import sys, socket; sys.path.insert(0, sys.argv[1]);"
        "from gate.child import _leave_network; _leave_network();"
        "print(sorted(name for _, name in socket.if_nameindex()));"
        "socket.create_connection(('127.0.0.1', int(sys.argv[2])), 1)"
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-c", code, str(SOURCE), str(port)],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode == 0:
        pytest.skip("this system gives no process a network of its own")
    assert "OSError" in done.stderr or "unreachable" in done.stderr.lower()


def test_the_child_dies_with_its_parent(tmp_path: Path) -> None:
    """A worker that is killed leaves nobody reading on."""
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from gate.bounded import bounded; from gate.limits import Limits;"
        "bounded('gate.parquet:column_names', {'path': sys.argv[2]}, limits=Limits())"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(SOURCE), str(fifo)]) as parent:
        # A pipe opens for writing only while somebody reads; this end keeps the reader waiting.
        writing = _opened_while_read(fifo, until=time.monotonic() + 10)
        assert writing is not None
        parent.kill()
    deadline = time.monotonic() + 5
    while (again := _opened_while_read(fifo, until=0)) is not None and time.monotonic() < deadline:
        os.close(again)
        time.sleep(0.02)
    os.close(writing)
    assert again is None


def _opened_while_read(fifo: Path, *, until: float) -> int | None:
    while True:
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            if time.monotonic() > until:
                return None
            time.sleep(0.02)

"""The gate at home: whole folders or none, and a second version that fits the first."""

import json
from pathlib import Path

import pytest

from client import gating
from client.main import main
from gate.manifest import Manifest
from gate.package import verify_package
from tests.data.publishing import counts_csv, stations_csv, trips_csv


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("trips.csv").write_bytes(trips_csv())
    Path("more.csv").write_bytes(trips_csv(count=900))
    Path("stations.csv").write_bytes(stations_csv())
    Path("counts.csv").write_bytes(counts_csv())
    return tmp_path


def gate(source: str, out: str, *more: str, format_: str = "trips") -> int:
    stations = ["--stations", "stations.csv"] if format_ == "trips" else []
    return main(["gate", source, "--format", format_, *stations, "--out", out, *more])


def test_a_version_fits_those_before(home: Path) -> None:
    assert gate("trips.csv", "first") == 0
    assert gate("more.csv", "second", "--previous", "first") == 0
    first, key = gating.read_gated(Path("first"))
    second = Manifest.from_bytes(Path("second/manifest.json").read_bytes())
    assert second.previous_sha256 == first.sha256
    assert second.policy_sha256 == first.policy_sha256
    assert (first.package.package_id, key) != (
        second.package.package_id,
        gating.read_gated(Path("second"))[1],
    )
    with Path("first/package").open("rb") as file:
        verify_package(file, first.package, key)
    assert Path("first/package.key").stat().st_mode & 0o077 == 0
    assert json.loads(Path("first/privacy-report.json").read_bytes())["rows_out"] > 0
    # Nothing in the clear but the report and the manifest.
    assert b"94107" not in b"".join(each.read_bytes() for each in Path("first").iterdir())


def test_what_cannot_be_gated_leaves_nothing(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("broken.csv").write_bytes(counts_csv()[:-9] + b"\nD001,yesterday,5\n")
    assert gate("broken.csv", "out", format_="counts") != 0
    assert "broken.csv" in capsys.readouterr().err and not Path("out").exists()
    assert gate("counts.csv", "out", format_="trips") == 1
    assert "holds counts" in capsys.readouterr().err
    Path("weak.json").write_text('{"minimum_group": 1}')
    assert gate("trips.csv", "out", "--policy", "weak.json") == 2
    assert not Path("out").exists() and not list(home.glob(".out*"))
    # What a killed run left is thrown away with its key.
    Path(".out.part").mkdir()
    Path(".out.part/package.key").write_bytes(b"old")
    assert gate("counts.csv", "out", format_="counts") == 0
    assert gating.read_gated(Path("out"))[1] != b"old" and not Path(".out.part").exists()
    assert gate("counts.csv", "out", format_="counts") == 1
    Path("out/package.key").write_bytes(b"k" * 32)
    Path("out/package.key").chmod(0o600)
    assert main(["--hall", "http://127.0.0.1:9", "publish", "1", "out"]) == 1  # no token

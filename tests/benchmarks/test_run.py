"""The benchmark table tells what is over its limit and what could not be measured."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import run
from benchmarks.table import Row

Measured = dict[str, list[Row] | None]
Bench = Callable[[Measured], tuple[int, str]]


@pytest.fixture
def bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Bench:
    """Run with given rows in place of measured ones; None is a benchmark that breaks."""

    def run_with(measured: Measured) -> tuple[int, str]:
        def load(name: str) -> Callable[[], list[Row]]:
            rows = measured[name]
            if rows is None:
                raise ModuleNotFoundError(name)
            return lambda: rows

        monkeypatch.setattr(run, "BENCHMARKS", tuple(measured))
        monkeypatch.setattr(run, "OUT", tmp_path / "out" / "bench.json")
        monkeypatch.setattr(run, "_load", load)
        code = run.main([])
        return code, capsys.readouterr().out

    return run_with


def test_within_the_limits_is_success_and_is_written_as_json(bench: Bench, tmp_path: Path) -> None:
    code, table = bench({"a": [Row("fast", 1.5, "x", 3.0), Row("rows", 1_234_567, "")]})

    assert code == 0
    assert table.splitlines()[2].split() == ["fast", "1.5", "x", "3", "0.50", "yes"]
    assert table.splitlines()[3].split() == ["rows", "1,234,567"]
    report = json.loads((tmp_path / "out" / "bench.json").read_text())
    assert [(row["name"], row["ratio"], row["ok"]) for row in report["rows"]] == [
        ("fast", 0.5, True),
        ("rows", None, True),
    ]


def test_one_number_over_its_limit_fails_the_run(bench: Bench) -> None:
    code, table = bench({"a": [Row("fast", 1, "x", 3)], "b": [Row("slow", 3.1, "x", 3)]})

    assert code == 1
    assert table.splitlines()[-1].endswith("NO")


def test_a_broken_benchmark_is_named_and_the_others_are_still_measured(
    bench: Bench, tmp_path: Path
) -> None:
    code, table = bench({"a": None, "b": [Row("fast", 1, "x", 3)]})

    assert code == 1
    assert "fast" in table
    assert "a: NOT MEASURED" in table
    assert json.loads((tmp_path / "out" / "bench.json").read_text())["not_measured"] == ["a"]


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run.main(["bench_nothing"])

    assert f"choose from {', '.join(run.BENCHMARKS)}" in capsys.readouterr().err

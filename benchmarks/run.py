"""``python -m benchmarks.run``: measure everything, print one table, write it as JSON.

Names of benchmarks as arguments measure only those. The exit code is 1 when a number is beyond its
limit or a benchmark could not be measured: a benchmark that is missing or breaks is a row that
says so, never a row left out.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.table import Row, format_table

BENCHMARKS: Final = (
    "bench_clearing",
    "bench_market",
    "bench_what_if",
    "bench_receipt",
    "bench_city_day",
    "bench_ledger",
    "bench_feed",
    "bench_data",
    "bench_rollups",
    "bench_pages",
)
OUT: Final = Path(__file__).with_name("out") / "bench.json"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmarks and return the exit code."""
    parser = argparse.ArgumentParser(prog="./dev bench", description="Measure against the limits.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    names = parser.parse_args(argv).names or BENCHMARKS
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark {unknown[0]}; choose from {', '.join(BENCHMARKS)}")

    measured_at = datetime.now(UTC)
    rows: list[Row] = []
    broken: list[str] = []
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            rows += _load(name)()
        except Exception:  # whatever broke it, the others are still measured and it is named
            traceback.print_exc()
            broken.append(name)
    print(format_table(rows))
    for name in broken:
        print(f"{name}: NOT MEASURED, see the error above")
    _write(rows, broken, measured_at=measured_at)
    return 1 if broken or not all(row.ok for row in rows) else 0


def _load(name: str) -> Callable[[], list[Row]]:
    measure: Callable[[], list[Row]] = importlib.import_module(f"benchmarks.{name}").measure
    return measure


def _write(rows: Sequence[Row], broken: Sequence[str], *, measured_at: datetime) -> None:
    OUT.parent.mkdir(exist_ok=True)
    report = {
        "measured_at": measured_at.isoformat(timespec="seconds"),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "rows": [{**asdict(row), "ratio": row.ratio, "ok": row.ok} for row in rows],
        "not_measured": list(broken),
    }
    OUT.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

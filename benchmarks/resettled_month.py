"""A past month re-settled from the log: ``python -m benchmarks.resettled_month``.

Seventeen homes, hour by hour under rules of form 2 with agreements and corrections, on servers of
its own. The log is published afterwards, and followed by a validator as a process. Prints what that
came to, and fails if the validator objects or any transfer is not what its code makes of the books.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.one_validator import config_of, follow_everything, one_validator
from benchmarks.servers import PROJECT, child_environment, durable_servers, make_database
from validator.client import Hall
from validator.config import read_config

DAYS: Final = 30
_STEP: Final = "import sys, django; django.setup(); from benchmarks import resettled_month as r; r."


def main(argv: Sequence[str] | None = None) -> int:
    """Settle the month, have it followed, re-settle it; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.resettled_month", description="Re-settle a past month."
    )
    parser.add_argument("--days", type=int, default=DAYS, help=f"at most {DAYS}; default {DAYS}")
    days = parser.parse_args(argv).days
    if not 2 <= days <= DAYS:
        parser.error(f"--days is {days}: choose 2 to {DAYS}")
    with durable_servers() as (pair, folder):
        home = folder / "month"
        make_database(pair, home, "month")
        environment = {
            **child_environment(pair, home, "month"),
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }
        started = time.perf_counter()
        if _run(environment, "make", home, str(days)):
            return 1
        print(f"{days} days settled in {time.perf_counter() - started:.0f} s", flush=True)
        started = time.perf_counter()
        with one_validator(home, environment):
            status = follow_everything(home, environment)
            seconds = time.perf_counter() - started
            followed, objections = status["followed"], status["objections"]
            print(
                f"a validator followed {followed['blocks']} blocks, {followed['leaves']:,} leaves"
                f" in {seconds:.0f} s; all attested, objections: {objections}",
                flush=True,
            )
            is_broken = _run(environment, "compare", home)
    return 1 if is_broken or objections else 0


def make(home: str, days: str) -> None:
    """Settle the days in the book that the environment names."""
    from benchmarks.resettled import make_period

    make_period(Path(home), days=int(days), now=datetime.now(UTC))


def compare(home: str) -> None:
    """Re-settle with what the validator may read; exit with 1 if any money is another."""
    from benchmarks.resettled import resettle

    config = read_config(config_of(Path(home)))
    with closing(Hall(config.log, config.credential)) as hall:
        found = resettle(hall)
    print(
        f"{found.books} books, {found.corrections} of them corrections, re-settle to"
        f" {found.transfers:,} transfers of codes {sorted(found.codes)};"
        f" other than booked: {len(found.differing)}"
    )
    for key in found.differing:
        print(f"DIFFERS: {key}", file=sys.stderr)
    sys.exit(1 if found.differing else 0)


def _run(environment: Mapping[str, str], step: str, home: Path, *words: str) -> bool:
    """Do a step in a process of its own; return whether it failed."""
    command = [sys.executable, "-c", f"{_STEP}{step}(*sys.argv[1:])", str(home), *words]
    return subprocess.run(command, cwd=PROJECT, env=dict(environment), check=False).returncode != 0


if __name__ == "__main__":
    sys.exit(main())

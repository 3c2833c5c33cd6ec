"""A whole day of a forward market: ``python -m benchmarks.forward_day``.

On the district of the fixtures, with forecasts that err, on servers of its own; then a validator
follows its log as a process. Prints what the day came to, and fails when a sum is not what it must
be or the validator objects.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

from tqdm import tqdm

from benchmarks.one_validator import follow_everything, one_validator
from benchmarks.servers import PROJECT, child_environment, durable_servers, make_database

DEVIATIONS: Final = ("dual_price", "single_price")
_LIVE: Final = "import django; django.setup(); from benchmarks import forward_day as d; d.live()"


def main(argv: Sequence[str] | None = None) -> int:
    """Live the day in an empty book, and return the exit code."""
    _arguments(argv)  # what is wrong in them is said before servers start
    given = sys.argv[1:] if argv is None else list(argv)
    with durable_servers() as (pair, folder):
        home = folder / "day"
        make_database(pair, home, "forward_day")
        environment = {
            **child_environment(pair, home, "forward_day"),
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }
        command = [sys.executable, "-c", _LIVE, *given]
        if subprocess.run(command, cwd=PROJECT, env=environment, check=False).returncode:
            return 1
        with one_validator(home, environment):
            status = follow_everything(home, environment)
        print(f"{status['followed']['leaves']:>15,} leaves a validator has recomputed and attested")
        for objection in status["objections"]:
            print(f"OBJECTION: {objection}", file=sys.stderr)
    return 1 if status["objections"] else 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.forward_day", description="Live a forward day on the district."
    )
    parser.add_argument("--deviation", choices=DEVIATIONS, default=DEVIATIONS[0])
    parser.add_argument("--quarters", type=int, default=96, help="fewer, about noon")
    found = parser.parse_args(argv)
    if not 4 <= found.quarters <= 96:
        parser.error("a day has 96 quarter hours; fewer than 4 are no day: choose 4 to 96")
    return found


def live() -> None:
    """Live the day in the book that the environment names; exit with 1 if a claim does not hold."""
    from benchmarks.forward_district import District, Period
    from benchmarks.forward_story import TICKS_AROUND, correct_and_bill, live_the_day
    from benchmarks.forward_sums import add_up
    from ledger.services import verify_book
    from marketplace.services.verification import verify_clearings

    asked = _arguments(None)
    with tqdm(total=asked.quarters + TICKS_AROUND, unit=" quarter hours", disable=None) as bar:

        def said(what: str) -> None:
            bar.set_postfix_str(what)
            bar.update()

        first_hour = (96 - asked.quarters) // 8
        period = Period(first_hour=first_hour, quarters=asked.quarters)
        district = District(period, deviation=asked.deviation, said=said)
        district.remember()
        live_the_day(district)
        runs = correct_and_bill(district)
    sums = add_up(district.community, runs=runs)
    print(*sums.lines(), sep="\n")
    print(f"{verify_clearings():>15,} books recompute")
    print(f"{verify_book().transfers:>15,} transfers re-execute")
    broken = sums.broken_claims(quarters=asked.quarters)
    for claim in broken:
        print(f"DOES NOT HOLD: {claim}", file=sys.stderr)
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    sys.exit(main())

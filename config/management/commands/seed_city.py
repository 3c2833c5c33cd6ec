"""manage.py seed_city: a synthetic city of any size, from a seed."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, date, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from tqdm import tqdm

from config.management.commands.demo import demo_password
from config.seed.city import NAME, PEOPLE, Asked, seed_city, yesterday

HONEST = (
    "Nothing of it was measured: curves, homes and people are invented. The last {days} days went"
    " through the market; of the {past} days before there are rollups alone, made by a plain rule."
)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise ArgumentTypeError(f"{text} is no number from 1 to 1,000,000")
    return int(text)


def _days(text: str) -> int:
    if not text.isdecimal() or int(text) > 3_660:
        raise ArgumentTypeError(f"{text} is no number of days from 0 to 3,660")
    return int(text)


class Command(BaseCommand):
    """Build a synthetic city; run again, it goes on where it stopped."""

    help = "Build a synthetic city from a seed, for measurements and for trying out."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the size of the city, its time and its seed."""
        parser.add_argument("--households", type=_count, default=1_000, metavar="N")
        parser.add_argument(
            "--days", type=_days, default=7, metavar="D", help="days that the market clears"
        )
        parser.add_argument(
            "--rollup-days", type=_days, default=365, metavar="D", help="days of rollups before"
        )
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument(
            "--last", type=date.fromisoformat, metavar="YYYY-MM-DD", help="last day; yesterday"
        )

    def handle(self, **options: Any) -> None:
        """Build, and print who signs in."""
        now = datetime.now(UTC)
        password = demo_password(settings.STATE_DIR)
        bars: dict[str, tqdm[Any]] = {}

        def on_progress(what: str, done: int, total: int) -> None:
            bar = bars.setdefault(what, tqdm(desc=what, total=total, disable=None))
            bar.total = total
            bar.update(done - bar.n)

        seed_city(
            asked=Asked(
                households=options["households"],
                days=options["days"],
                past_days=options["rollup_days"],
                seed=options["seed"],
                last=options["last"] or yesterday(now),
            ),
            password=password,
            now=now,
            on_progress=on_progress,
        )
        for bar in bars.values():
            bar.close()
        said = HONEST.format(days=options["days"], past=options["rollup_days"])
        self.stdout.write(f"{NAME}: {said}")
        self.stdout.write("Sign-ins, on this machine only:")
        for person in PEOPLE:
            self.stdout.write(f"  {person.email:<26} {password}   {person.role}")

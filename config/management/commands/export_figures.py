"""Write a community's released figures as partitioned Parquet or CSV."""

from argparse import ArgumentParser
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analytics.queries.disclosed import get_released_days
from config.exports.figures import export_figures
from marketplace.queries.pages import list_places


class Command(BaseCommand):
    """Export civil days, both included: what planners may see, and nothing finer."""

    help = "Writes released figures by day and hour, flows and links, one file a month."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name the community, the days, the form and the folder."""
        parser.add_argument("--community", required=True, help="Name of the community.")
        parser.add_argument(
            "--from", dest="first", metavar="YYYY-MM-DD", help="Default: the first."
        )
        parser.add_argument("--to", dest="last", metavar="YYYY-MM-DD", help="Default: the last.")
        parser.add_argument("--format", choices=("parquet", "csv"), default="parquet")
        parser.add_argument("--out", type=Path, required=True, help="Folder to write into.")

    def handle(self, *_: object, **options: Any) -> None:
        """Write the files and say how many."""
        places = {place.name: place for place in list_places()}
        place = places.get(options["community"])
        if place is None:
            known = ", ".join(sorted(places)) or "none"
            raise CommandError(f"--community: {options['community']!r} is none of {known}")
        released = get_released_days(community_id=place.community_id)
        if released is None:
            raise CommandError("--community: no day of it is released yet; see docs/figures.md")
        first = _day(options["first"], "--from") or released[0]
        last = _day(options["last"], "--to") or released[1]
        if last < first:
            raise CommandError(f"--to: {last} is before --from {first}; exchange them")
        if options["out"].exists() and not options["out"].is_dir():
            raise CommandError(f"--out: {options['out']} is a file; name a folder")
        written = export_figures(
            place=place, first=first, last=last, form=options["format"], folder=options["out"]
        )
        self.stdout.write(f"{options['out']}: {len(written)} files")


def _day(text: str | None, option: str) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{option}: {text!r} is no day; write YYYY-MM-DD") from None

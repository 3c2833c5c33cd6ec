"""manage.py import_weather: weather that forecasts may look at, measured and forecast."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from analytics.errors import WeatherInvalid
from analytics.services import import_weather
from marketplace.queries.communities import find_community


class Command(BaseCommand):
    """Store a file, all of it or nothing."""

    help = (
        "Store weather of a community from a CSV with the header"
        " start,irradiance_w_per_m2,temperature_c, one row per delivery interval, measured up to"
        " now and forecast for the next days."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Name the file and the community."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--community", required=True, help="name of the community")

    def handle(self, *args: Any, **options: Any) -> None:
        """Store it and say how much it was."""
        community = find_community(name=options["community"])
        if community is None:
            raise CommandError(
                f"there is no community {options['community']!r}; give the name of one that exists"
            )
        try:
            count = import_weather(options["file"], community_id=community.id)
        except WeatherInvalid as problem:
            raise CommandError(str(problem)) from problem
        self.stdout.write(f"weather of {count} intervals stored")

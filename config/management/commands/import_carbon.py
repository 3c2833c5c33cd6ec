"""manage.py import_carbon: the grid's carbon intensity by hour, with its source."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from analytics.errors import CarbonInvalid
from analytics.services.carbon import import_carbon
from marketplace.queries.communities import find_community


class Command(BaseCommand):
    """Store a file, all of it or nothing."""

    help = (
        "Store the grid's carbon intensity from a CSV with the header start,grams_per_kwh, one row"
        " per clock hour: of one community, or of every one without a series of its own."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Name the file, its source and the community."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--source", required=True, help="who published it, as a citation")
        parser.add_argument("--community", help="name of the community; without it, the city")

    def handle(self, *args: Any, **options: Any) -> None:
        """Store it and say how much it was."""
        community_id = 0
        if options["community"] is not None:
            community = find_community(name=options["community"])
            if community is None:
                raise CommandError(
                    f"there is no community {options['community']!r};"
                    " give the name of one that exists"
                )
            community_id = community.id
        try:
            count = import_carbon(
                options["file"], source=options["source"], community_id=community_id
            )
        except CarbonInvalid as problem:
            raise CommandError(str(problem)) from problem
        self.stdout.write(f"carbon intensity of {count} hours stored")

"""manage.py compare_rollups: compute every rollup anew by another way, and compare."""

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from analytics.queries.comparison import Compared, compare
from analytics.services import make_again, roll_up_due_days, roll_up_settled
from marketplace.queries.pages import Place, list_places

SHOWN = 20


class Command(BaseCommand):
    """Compare rollups with what readings, trades and transfers come to when added up by pandas."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take a community and civil days; without any, all of them."""
        parser.add_argument("--community", metavar="NAME", help="its name; without: every one")
        parser.add_argument("--from", dest="first", type=date.fromisoformat, metavar="YYYY-MM-DD")
        parser.add_argument("--to", dest="last", type=date.fromisoformat, metavar="YYYY-MM-DD")
        parser.add_argument(
            "--mend", action="store_true", help="have days that differ made again from nothing"
        )

    def handle(self, **options: Any) -> None:
        """Print what differs; exit 1 if anything does."""
        differing = 0
        for place in self._places(options["community"]):
            while roll_up_settled(community_id=place.community_id):
                pass
            while roll_up_due_days(community_id=place.community_id, now=timezone.now()):
                pass
            days = list(compare(place=place, first=options["first"], last=options["last"]))
            differing += self._report(place, days)
            if options["mend"]:
                self._mend(place, [each for each in days if each.differences])
        if differing:
            raise CommandError(
                f"{differing} differ; --mend has them made again"
                if not options["mend"]
                else f"{differing} differed and were made again; run this once more to see"
            )

    def _places(self, name: str | None) -> list[Place]:
        places = [each for each in list_places() if name in (None, each.name)]
        if not places:
            known = ", ".join(each.name for each in list_places())
            raise CommandError(f"there is no community {name!r}; there are: {known or 'none'}")
        return places

    def _report(self, place: Place, days: list[Compared]) -> int:
        pruned = sum(each.is_pruned for each in days)
        differing = [each for each in days if each.differences]
        for each in differing:
            for difference in each.differences[:SHOWN]:
                self.stdout.write(f"{place.name} {each.period}: {difference}")
            if len(each.differences) > SHOWN:
                self.stdout.write(f"  and {len(each.differences) - SHOWN} more")
        said = (
            f"{place.name}: {len(days) - pruned} days and months compared, {len(differing)} differ"
        )
        if pruned:
            said += f"; {pruned} days left out, their transfers are kept no more"
        self.stdout.write(said)
        return len(differing)

    def _mend(self, place: Place, differing: list[Compared]) -> None:
        for each in differing:
            make_again(community_id=place.community_id, start=each.start, end=each.end)
        while roll_up_settled(community_id=place.community_id):
            pass
        while roll_up_due_days(community_id=place.community_id, now=timezone.now()):
            pass

"""Compare what everybody would have paid and earned under each pricing in a past month."""

import csv
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from marketplace.domain.billing.month import read_month
from marketplace.domain.spreadsheet import plain_text
from marketplace.errors import MarketplaceError
from marketplace.queries.pages import list_places
from marketplace.queries.pricing_comparison import get_comparison_table
from marketplace.services.pricing_comparison import ask_for_comparison, compute_comparison


class Command(BaseCommand):
    """Print the table of a month: a line for each party, a column for each pricing."""

    help = "Computes a settled month again under each pricing; each column sums to zero. [micro]"

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name the community and the month."""
        parser.add_argument("--community", required=True, help="Name of the community.")
        parser.add_argument("--month", required=True, metavar="YYYY-MM")

    def handle(self, *_: object, **options: Any) -> None:
        """Compute, then print as CSV."""
        month = read_month(options["month"])
        if month is None:
            raise CommandError(f"--month: {options['month']} is no month; write it as 2026-06")
        named = (each for each in list_places() if each.name == options["community"])
        place = next(named, None)
        if place is None:
            raise CommandError(f"--community: there is no community {options['community']!r}")
        now = timezone.now()
        try:
            asked = ask_for_comparison(community_id=place.community_id, month=month, now=now)
        except MarketplaceError as error:
            raise CommandError(str(error)) from error
        if asked.computed_at is None:
            compute_comparison(comparison_id=asked.pk, now=now)
        table = get_comparison_table(comparison_id=asked.pk)
        writer = csv.writer(self.stdout, lineterminator="\n")
        writer.writerow(["party", "name", *table.pricings])
        for line in table.lines:
            writer.writerow([line.party, plain_text(line.name), *line.nets_micro])
        writer.writerow(["sum", "", *table.sums_micro])

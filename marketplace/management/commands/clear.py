"""``clear`` in the list of commands; ``manage.py`` runs it without Django, this one with."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from marketplace.management import clear_book


class Command(BaseCommand):
    """Clear an order book from a file; the work is that of ``clear_book``."""

    help = "Clear an order book from a file, one zone at one price or several together."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the arguments of the plain command."""
        clear_book.add_arguments(parser)

    def handle(self, *_: Any, **options: Any) -> None:
        """Run the plain command and end with its exit code."""
        zones = ["--zones", options["zones"]] if options["zones"] else []
        code = clear_book.main([options["book"], *zones, "--out", options["out"]])
        if code:
            sys.exit(code)

"""manage.py verify_ledger: re-derive the whole book from its commands, and compare."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from tqdm import tqdm

from ledger.errors import BookBroken
from ledger.services import Verified, verify_book


class Command(BaseCommand):
    """Verify, then say in one line what was found, or what is wrong."""

    help = "Recompute every transfer and counter; exit 1 and name the first that does not follow."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--quiet", action="store_true", help="no progress bar")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            verified = _verify(disable=True if options["quiet"] else None)
        except BookBroken as error:
            self.stderr.write(f"the ledger is broken: {error}")
            sys.exit(1)
        self.stdout.write(
            f"the ledger is whole: {verified.transfers} transfers of {verified.commands} commands"
            f" ({verified.refused} refused) in {verified.blocks} blocks"
            f" and {verified.accounts} accounts follow from the commands' bytes"
        )


def _verify(*, disable: bool | None) -> Verified:
    # None: a bar only where somebody watches.
    with tqdm(unit=" blocks", desc="verifying", disable=disable) as bar:

        def on_block(number: int, last: int) -> None:
            bar.total = last
            bar.update(number - bar.n)

        return verify_book(on_block=on_block)

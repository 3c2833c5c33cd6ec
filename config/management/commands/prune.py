"""manage.py prune --before DATE: end what can be opened of a period. Run by the tables' owner."""

import sys
import time
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import ProgrammingError, transaction
from tqdm import tqdm

from config.log.keys import KeyMissing, read_policy
from ledger.domain.pruned import Pruned
from ledger.errors import BookBroken, PolicyInvalid, PruningRefused
from ledger.services.log_verification import check_newest_attested
from ledger.services.pruning import (
    Period,
    announce,
    announced_in,
    clean_files,
    execute_period,
    find_period,
    only_one,
    remove_period,
)

_POLL_SECONDS = 0.2


class Command(BaseCommand):
    """Re-execute the period, tell everybody, wait until that is attested, then remove."""

    help = "Put a snapshot in the place of what was booked before a date; nothing brings it back."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--before", required=True, metavar="DATE", help="YYYY-MM-DD[THH:MM], UTC"
        )
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument("--quiet", action="store_true", help="no progress bar")
        parser.add_argument(
            "--wait", type=float, default=120, metavar="SECONDS", help="for the attestation"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        before = _moment(options["before"])
        if before > datetime.now(UTC):
            raise CommandError(f"--before {before:%F %H:%M} UTC lies in the future")
        try:
            with only_one():
                self._prune(before, options)
        except (PruningRefused, BookBroken, KeyMissing, PolicyInvalid) as error:
            self.stderr.write(f"nothing was removed: {error}")
            sys.exit(1)

    def _prune(self, before: datetime, options: dict[str, Any]) -> None:
        pruned = find_period(before=before)
        if pruned is None:
            self.stdout.write(f"nothing to prune: no attested block before {before:%F %H:%M} UTC")
            return
        period = _executed(pruned, disable=True if options["quiet"] else None)
        self.stdout.write(
            f"blocks up to {pruned.block} with transfers up to {pruned.transfer_id} follow from"
            " their commands and lead to the attested state"
        )
        if not options["yes"] and not self._agrees():
            self.stdout.write("nothing was removed")
            return
        announce(pruned=pruned, now=datetime.now(UTC))
        _wait_for_attestation(pruned, seconds=options["wait"])
        # The mark alone could be anybody's who writes to the database; what goes is gone.
        check_newest_attested(policy=read_policy())
        try:
            remove_period(period=period, now=datetime.now(UTC))
        except ProgrammingError as error:
            raise PruningRefused(
                f"only the owner of the tables can do this ({error}); set DATABASE_OWNER_URL"
            ) from error
        clean_files()
        self.stdout.write(
            f"pruned up to block {pruned.block}: seeds, bodies and transfers are gone, a snapshot"
            " is in their place; copies in backups end when the backups do"
        )

    def _agrees(self) -> bool:
        self.stdout.write(
            "Their transfers, bodies and salts will be removed for good. Validators, receipts"
            " made before and balances stay."
        )
        return input("Type 'prune' to go on: ").strip() == "prune"


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"--before {text}: write YYYY-MM-DD or YYYY-MM-DDTHH:MM") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _executed(pruned: Pruned, *, disable: bool | None) -> Period:
    # None: a bar only where somebody watches.
    with tqdm(unit=" blocks", desc="verifying", disable=disable) as bar:

        def on_block(number: int, last: int) -> None:
            bar.total = last
            bar.update(number - bar.n)

        return execute_period(pruned=pruned, on_block=on_block)


def _wait_for_attestation(pruned: Pruned, *, seconds: float) -> None:
    """Wait for worker, publisher and cosigners; each look is a transaction of its own."""
    give_up_at = time.monotonic() + seconds
    while True:
        with transaction.atomic():
            if announced_in(pruned=pruned) is not None:
                return
        if time.monotonic() > give_up_at:
            raise PruningRefused(
                f"document {pruned.key} waits to be booked and attested; the same command goes on"
                " from here once worker, publisher and cosigners run"
            )
        time.sleep(_POLL_SECONDS)

"""manage.py verify_ledger: recompute everything from the first leaf, or check somebody's server."""

import sys
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone
from tqdm import tqdm

from analytics.errors import PublicationDiffers
from analytics.services.publication_verification import verify_publications
from config.log.keys import KeyMissing, read_policy
from config.log.remote import check_log, read_policy_of
from ledger.errors import LedgerError
from ledger.queries import get_worker_health
from ledger.services import verify_book
from ledger.services.log_folder import LogFolder
from ledger.services.log_verification import verify_log
from marketplace.errors import MarketplaceError
from marketplace.queries.agreements import verify_agreements
from marketplace.queries.data.contract_checks import verify_contracts
from marketplace.queries.data.delivery_checks import verify_deliveries
from marketplace.queries.signed_terms import verify_terms
from marketplace.services.auction_verification import verify_auctions
from marketplace.services.certificate_verification import verify_certificates
from marketplace.services.data.charge_verification import verify_charges
from marketplace.services.data.month_verification import verify_months
from marketplace.services.data.question_verification import verify_questions
from marketplace.services.data.version_verification import verify_versions
from marketplace.services.health import note_verification
from marketplace.services.verification import verify_clearings

Progress = Callable[[int, int], None]
# What a verification finds; everything else is no verdict.
FINDINGS = (LedgerError, MarketplaceError, PublicationDiffers)


class Command(BaseCommand):
    """Verify, then say in plain lines what was found, or what is wrong."""

    help = (
        "Recompute book, log, published files, cosignatures and clearings, and name the first thing"
        " that does not follow (exit 1). With --log, check a server by what it publishes."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--quiet", action="store_true", help="no progress bar")
        parser.add_argument("--log", metavar="URL", help="the address of a log, as https://…/log")
        parser.add_argument(
            "--policy",
            metavar="FILE",
            type=Path,
            help="with --log: keys and quorum, from somebody you trust",
        )
        parser.add_argument(
            "--openings",
            metavar="CREDENTIAL",
            help="with --log: a validator's credential, to re-execute everything",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if (options["policy"] or options["openings"]) and not options["log"]:
            raise CommandError("--policy and --openings go with --log URL")
        self._hide = True if options["quiet"] else None  # None: a bar only where somebody watches
        try:
            if options["log"]:
                self._check_remote(options["log"], options["policy"], options["openings"])
            else:
                self._verify_and_note()
        except FINDINGS as error:
            self.stderr.write(f"the ledger is broken: {error}")
            sys.exit(1)

    def _verify_and_note(self) -> None:
        """Verify, and leave a line for the operator's pages, whatever was found."""
        started_at, last_block = timezone.now(), get_worker_health().last_block
        problems: list[str] = []
        try:
            self._verify_own()
        except FINDINGS as error:
            problems.append(str(error))
            raise
        finally:
            # Something that is no finding, such as Ctrl-C, says nothing about the book.
            if problems or sys.exc_info()[0] is None:
                self._note(started_at, last_block, problems)

    def _note(self, started_at: datetime, last_block: int, problems: list[str]) -> None:
        try:
            note_verification(
                started_at=started_at, now=timezone.now(), last_block=last_block, problems=problems
            )
        except DatabaseError as error:
            # A verdict holds on a full disk too: what was found is said, and is the exit code.
            self.stderr.write(f"not noted for the operator's pages: {error}")

    def _verify_own(self) -> None:
        with self._bar("book", " blocks") as progress:
            book = verify_book(on_block=progress)
        self.stdout.write(
            f"the ledger is whole: {book.transfers} transfers of {book.commands} commands"
            f" ({book.refused} refused) in {book.blocks} blocks"
            f" and {book.accounts} accounts follow from the commands' bytes"
        )
        if book.pruned_blocks:
            self.stdout.write(
                f"re-executed from block {book.pruned_blocks + 1}, on the attested snapshot of what"
                f" was before: blocks up to {book.pruned_blocks} were pruned, and only that their"
                " leaves are those of the log can be said of them"
            )
        try:
            policy = read_policy()
        except KeyMissing as error:
            self.stdout.write(f"published files were not compared: {error}")
        else:
            with self._bar("log", " blocks") as progress:
                log = verify_log(
                    folder=LogFolder(settings.LOG_FOLDER), policy=policy, on_block=progress
                )
            self.stdout.write(
                f"the log is whole: {log.leaves} leaves, {log.checkpoints} signed checkpoints"
                f" ({log.attested} attested), {log.cosignatures} cosignatures"
                f" and {log.files} files are those of the blocks"
            )
        with self._bar("clearings", " clearings") as progress:
            count = verify_clearings(on_clearings=lambda done: progress(done, 0))
        self.stdout.write(f"{count} clearings and their money follow from their books and rules")
        self.stdout.write(
            f"{verify_auctions()} auctions before delivery follow from their orders, whose margins"
            " were held in time"
        )
        self.stdout.write(
            f"{verify_terms()} signed terms are what was signed, logged and traded on"
        )
        self.stdout.write(f"{verify_agreements()} agreements are what both sides signed and logged")
        self._verify_data_market()
        certificates = verify_certificates()
        self.stdout.write(
            f"{certificates.wh} certificates (1 Wh each) are what {certificates.events} logged"
            " events left, as many as the meters say, and none is in two hands"
        )
        self.stdout.write(
            f"{verify_publications()} publications of figures are the texts that were logged"
        )

    def _verify_data_market(self) -> None:
        self.stdout.write(
            f"{verify_contracts()} contracts for data are what both sides signed and logged"
        )
        self.stdout.write(
            f"{verify_deliveries()} deliveries of data are what their sides signed and was logged"
        )
        self.stdout.write(f"{verify_versions()} versions of data are what was published and logged")
        charges = verify_charges()
        self.stdout.write(
            f"{charges.charges} charges of the data market are what contracts and transfers say,"
            f" and {charges.escrow_micro} micro-units in escrow are theirs"
        )
        self.stdout.write(
            f"{verify_months()} closed months of feeds came to what was taken, at the signed price,"
            " less what was missed"
        )
        questions = verify_questions()
        self.stdout.write(
            f"{questions.answered} questions with noise were answered, and budgets gave"
            f" {questions.micro_epsilon} micro-epsilon for them"
        )

    def _check_remote(self, url: str, policy_file: Path | None, credential: str | None) -> None:
        policy, whose = read_policy_of(url, policy_file)
        with self._bar("log", " leaves") as progress:
            found = check_log(url, policy, credential=credential, on_leaves=progress)
        self.stdout.write(
            f"{url}: {found.size} leaves in {found.blocks} blocks are in form, hash to the signed"
            f" roots, and follow on each other; {found.files} tiles agree"
        )
        self.stdout.write(
            f"attested up to leaf {found.attested_size} by {', '.join(found.cosigners) or 'nobody'}"
            f" under {whose}"
        )
        if credential:
            self.stdout.write(
                f"every leaf{_behind(found.pruned_blocks)} was opened and re-executed: answers,"
                " transfers, state roots, totals,"
                f" and {found.books} interval books with their money"
            )
        else:
            self.stdout.write(
                "what public data cannot show: that the leaves follow from the rules, and that"
                " nobody else was shown another log than the witnesses were"
            )

    def _bar(self, what: str, unit: str) -> "_Bar":
        return _Bar(what, unit, self._hide)


def _behind(pruned_blocks: int) -> str:
    return f" after block {pruned_blocks}, up to which all was pruned," if pruned_blocks else ""


class _Bar:
    """A progress bar as a callable (done, total)."""

    def __init__(self, what: str, unit: str, hide: bool | None) -> None:
        self._bar = tqdm(desc=f"verifying the {what}", unit=unit, disable=hide)

    def __enter__(self) -> Progress:
        def progress(done: int, total: int) -> None:
            self._bar.total = total or None
            self._bar.update(done - self._bar.n)

        return progress

    def __exit__(self, *error: object) -> None:
        self._bar.close()

"""manage.py openings_credential: let a validator read what the log's leaves commit to."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError

from ledger.services.attestation import grant_openings, revoke_openings


class Command(BaseCommand):
    """Make a credential, shown once, or end one."""

    help = "Make a validator's credential for openings, or end it with --revoke."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "name", metavar="NAME", help="of the validator; a new one per credential"
        )
        parser.add_argument("--revoke", action="store_true", help="end the credential of this name")

    def handle(self, *args: Any, **options: Any) -> None:
        name, now = options["name"], datetime.now(UTC)
        if options["revoke"]:
            if not revoke_openings(name=name, now=now):
                raise CommandError(f"there is no credential {name!r} that still counts")
            self.stderr.write(f"the credential {name!r} opens nothing any more")
            return
        try:
            token = grant_openings(name=name, now=now)
        except IntegrityError as error:
            raise CommandError(
                f"a credential {name!r} was made before: use another name"
            ) from error
        self.stderr.write("shown this once; only its hash is kept")
        self.stdout.write(token)

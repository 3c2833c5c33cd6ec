"""manage.py log_keys: make the log's key once, and say its public half."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.log.keys import KeyMissing, make_signer


class Command(BaseCommand):
    """Make the log's private key where there is none, and print what a policy says of it."""

    help = "Make the log's key where there is none; print its public half for the policy."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            signer = make_signer()
        except KeyMissing as error:
            raise CommandError(str(error)) from error
        self.stderr.write(f"private key: {settings.LOG_KEY_FILE} (keep a copy; never two logs)")
        self.stdout.write(f"log {signer.key}")

"""manage.py trial_cosigners: what `./dev run` sets up beside the hall, a witness and validators."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from config.log.trial import set_up_cosigners


class Command(BaseCommand):
    """Make keys, configurations, credentials and the policy of a trial."""

    help = "Set up the witness and the four validators of a trial on this machine."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("address", metavar="URL", help="of the hall, such as its loopback one")

    def handle(self, *args: Any, **options: Any) -> None:
        set_up_cosigners(
            state=settings.STATE_DIR,
            policy=settings.LOG_POLICY_FILE,
            address=options["address"],
            now=datetime.now(UTC),
        )

"""Take commands in, each exactly once."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from ledger.domain.commands import Command
from ledger.errors import KeyReused
from ledger.models import InboxCommand


@transaction.atomic
def submit(*, commands: Sequence[Command], submitted_at: datetime) -> None:
    """Hand commands to the settlement worker, each exactly once.

    Joins the caller's transaction: the business change and its money stand or fall together.
    A command that was submitted before is accepted again without effect, so callers retry freely.

    Raises
    ------
    KeyReused
        A key is known with other content. Nothing is written.
    """
    InboxCommand.objects.bulk_create(
        [
            InboxCommand(
                key=command.key,
                fingerprint=command.fingerprint,
                body=command.body,
                transfer_count=command.transfer_count,
                submitted_at=submitted_at,
            )
            for command in commands
        ],
        ignore_conflicts=True,
    )
    known = dict(
        InboxCommand.objects.filter(key__in=[command.key for command in commands]).values_list(
            "key", "fingerprint"
        )
    )
    for command in commands:
        if bytes(known[command.key]) != command.fingerprint:
            raise KeyReused(command.key)

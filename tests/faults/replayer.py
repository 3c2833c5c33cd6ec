"""A process that has loaded everything and forks a replay at each request.

A kill test needs many replays and only their moments differ: starting Python for each would take
most of the time, and most kills would hit imports. ``python -m tests.faults.replayer`` reads one
JSON request a line and answers with the child's process id, then with its exit status.
"""

import importlib
import json
import os
import secrets
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import django

# Small pieces: a day of a few homes goes through every stage several times.
INTERVALS_AT_ONCE = 8


def main() -> None:
    """Serve requests until the input ends."""
    django.setup()
    importlib.import_module("config.replay.pipeline")  # once, before any fork
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _serve(request)
        _say(pid)
        _, status = os.waitpid(pid, 0)
        _say(os.waitstatus_to_exitcode(status))


def _say(number: int) -> None:
    print(number, flush=True)


def _serve(request: dict[str, Any]) -> None:
    """Replay in this fork and end it, whatever happens."""
    try:
        _replay(**request)
    except BaseException as error:
        print(f"replay: {error!r}", file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


def _replay(*, path: str, database: str, forgetful: bool) -> None:
    from django.db import connection

    from config.replay import pipeline
    from marketplace.domain.rules import preset

    connection.settings_dict["NAME"] = database
    pipeline.INTERVALS_AT_ONCE_MAX = INTERVALS_AT_ONCE
    if forgetful:
        mock.patch.object(pipeline, "settle_clearings", _settle_whatever_was_sent_before).start()
    pipeline.replay(
        Path(path),
        community_name="Fault Lane",
        rules_document=preset("demo"),
        timezone=None,
        now=datetime.now(UTC),
    )


def _settle_whatever_was_sent_before(*, community_id: int, now: datetime, limit: int) -> int:
    """Settle without idempotency: a key nobody can repeat, and no look at what was submitted."""
    from django.db import transaction

    from ledger.services import submit
    from marketplace.models import Clearing, Community, DeliveryInterval, Settlement
    from marketplace.queries.documents import community_accounts
    from marketplace.services import settlement

    accounts = community_accounts(Community.objects.get(id=community_id))
    cleared = Clearing.objects.filter(
        interval__community=community_id, interval__state=DeliveryInterval.State.CLEARED
    )
    with transaction.atomic():
        for clearing in cleared.order_by("interval__starts_at")[:limit]:
            command = settlement._command(clearing, accounts, rules_sha256=clearing.rule_set.sha256)
            assert command is not None, clearing
            again = replace(command, key=f"{command.key}:{secrets.token_hex(4)}")
            submit(commands=[again], submitted_at=now)
            Settlement.objects.update_or_create(
                clearing=clearing,
                defaults={
                    "command_key": again.key,
                    "state": Settlement.State.SUBMITTED,
                    "submitted_at": now,
                },
            )
    return len(cleared)


if __name__ == "__main__":
    main()

"""A process that has loaded everything and forks a life of charges at each request.

``python -m tests.faults.charge_lives`` reads one JSON request a line: the time, what was delivered
by then, and where to die. It answers with the fork's exit status.
"""

import importlib
import json
import os
import sys
from datetime import datetime, timedelta
from typing import Any

import django

from tests.faults.mortal import die_after


def main() -> None:
    """Serve requests until the input ends."""
    django.setup()
    importlib.import_module("marketplace.services.data.charge_scans")  # once, before any fork
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _serve(request)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _serve(request: dict[str, Any]) -> None:
    """Live in this fork and end it, whatever happens."""
    try:
        _live(**request)
    except BaseException as error:
        print(f"charge life: {error!r}", file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


def _live(
    *, now: str, delivered: list[list[int]], window_days: int, death: list[str] | None
) -> None:
    """Deliver and let everything happen that is due, until death or the end."""
    from ledger.services import SettlementWorker
    from marketplace.services.data import charge_scans
    from marketplace.services.data.charges import deliver_charge

    if death is not None:
        die_after(*death)
    at = datetime.fromisoformat(now)
    for charge_id, due_micro, credit_micro in delivered:
        deliver_charge(
            charge_id=charge_id,
            due_micro=due_micro,
            credit_micro=credit_micro,
            window=timedelta(days=window_days),
            now=at,
        )
    worker = SettlementWorker(holder="mortal")
    while not worker.take_head():
        pass  # until the database has noticed that the one before is dead
    moved = True
    while moved:
        moved = bool(worker.settle_inbox(now=at))
        moved = charge_scans.advance_charges(now=at).any or moved
    worker.give_back()


if __name__ == "__main__":
    main()

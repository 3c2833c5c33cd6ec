"""A process that has loaded everything and forks a life of a market at each request.

``python -m tests.faults.mortal`` reads one JSON request a line: readings to send in, the time, and
where to die. It answers with the fork's exit status. Starting Python for each would take most of
the time.
"""

import importlib
import json
import os
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

import django


def main() -> None:
    """Serve requests until the input ends."""
    django.setup()
    for name in ("market_day", "order_answers", "readings"):
        importlib.import_module(f"marketplace.services.{name}")  # once, before any fork
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
        print(f"mortal: {error!r}", file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


def _live(
    *, community: int, now: str, start: str, flows: dict[str, list[int]], death: list[str]
) -> None:
    """Send readings in and let everything happen that is due, until death or the end."""
    from ledger.services import SettlementWorker
    from marketplace.domain.readings.rows import ReadingRow, readings_of_rows
    from marketplace.services import market_day, order_answers
    from marketplace.services.readings import import_readings

    die_after(*death)
    at = datetime.fromisoformat(now)
    rows = [ReadingRow(meter, start, *energies) for meter, energies in flows.items()]
    import_readings(
        community_id=community,
        readings=readings_of_rows(minutes=15, rows=rows),
        source="test.csv",
        sha256="0" * 64,
        now=at,
    )
    worker = SettlementWorker(holder="mortal")
    while not worker.take_head():
        pass  # until the database has noticed that the one before is dead
    moved = True
    while moved:
        moved = market_day.advance_community(community_id=community, now=at).any
        moved = bool(worker.settle_inbox(now=at)) or moved
        moved = order_answers.advance_orders(now=at).any or moved
    worker.give_back()


def die_after(module: str, name: str) -> None:
    """Have this process killed as soon as a function has had work and done it."""
    owner = importlib.import_module(module)
    real: Callable[..., object] = getattr(owner, name)

    def dying(*args: object, **named: object) -> object:
        result = real(*args, **named)
        lists = [each for each in (*args, *named.values()) if isinstance(each, list)]
        if any(lists) if lists else result != 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, dying)


if __name__ == "__main__":
    main()

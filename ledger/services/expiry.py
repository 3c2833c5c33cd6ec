"""Release holds whose time is over: the worker asks for it like anybody else, by command."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from django.db import connection, transaction

from ledger.domain.commands import Command, Int64Array, TransferKind, Transfers
from ledger.services.inbox import submit
from ledger.services.log_state import microseconds

# Holds that expired since the last look: what had expired before was asked for then.
_EXPIRED = """
    SELECT h.id, c.key, h.leg, h.debit_account_id, h.credit_account_id, h.amount, h.code
    FROM ledger_transfer h JOIN ledger_inboxcommand c ON c.id = h.command_id
    WHERE h.expires > %s AND h.expires <= %s
        AND NOT EXISTS (SELECT FROM ledger_transfer e WHERE e.hold_id = h.id)
    ORDER BY h.id
"""


@transaction.atomic
def release_expired_holds(*, now: datetime, since: datetime | None = None) -> int:
    """Ask for the release of open holds that expire by now; return for how many.

    Safe to repeat: a hold is asked for once, whoever looks.

    Parameters
    ----------
    now : datetime
        The clock.
    since : datetime, optional
        Up to when holds were looked at before; from the beginning when absent.
    """
    with connection.cursor() as cursor:
        cursor.execute(_EXPIRED, [microseconds(since) if since else 0, microseconds(now)])
        expired = cursor.fetchall()
    submit(commands=[_release(row) for row in expired], submitted_at=now)
    return len(expired)


def _release(row: Sequence[Any]) -> Command:
    id_, key, leg, debit, credit, amount, code = row

    def column(value: int) -> Int64Array:
        return np.array([value], dtype=np.int64)

    return Command.of(
        f"expire:{id_}",
        Transfers(
            debit=column(debit),
            credit=column(credit),
            amount=column(amount),
            code=column(code),
            kind=column(TransferKind.RELEASE),
            holds=[f"{key}/{leg}"],
        ),
    )

"""How the ledger's log grows, hour by hour, and how long the newest of it waits to be attested."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from ledger.models import Block
from ledger.queries import get_attested_block

# Blocks looked at by number, which has an index: an hour of a busy city has some thousands.
_BLOCKS_MAX = 50_000

_HOURS = """
SELECT date_trunc('hour', booked_at), count(*), sum(command_count), sum(transfer_count),
    sum(leaf_count)
FROM ledger_block
WHERE number > (SELECT coalesce(max(number), 0) FROM ledger_block) - %(most)s
    AND booked_at >= %(since)s
GROUP BY 1 ORDER BY 1
"""


@dataclass(frozen=True)
class LogHour:
    """What one hour (UTC) added to the log."""

    starts_at: datetime
    block_count: int
    command_count: int
    transfer_count: int
    leaf_count: int


def list_log_hours(*, since: datetime) -> list[LogHour]:
    """Return the hours since a moment in which a block was booked, in order."""
    with connection.cursor() as cursor:
        cursor.execute(_HOURS, {"most": _BLOCKS_MAX, "since": since})
        return [LogHour(row[0], *(int(each) for each in row[1:])) for row in cursor.fetchall()]


def get_unattested_since() -> datetime | None:
    """Return when the first block that no quorum has attested was booked; None: all are."""
    following = Block.objects.filter(number__gt=get_attested_block()).order_by("number")
    return following.values_list("booked_at", flat=True).first()

"""News of orders for those who listen: in an order that nobody can overtake."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from django.db import connection

EVENTS_AT_ONCE: Final = 500

# Only what no running transaction can still come before: numbers are given when a transaction
# first writes, rows are seen when it commits.
_NEWS: Final = """
SELECT transaction_number, id, body FROM marketplace_orderevent
WHERE participant_id = ANY(%(participants)s)
    AND (transaction_number, id) > (%(transaction)s, %(id)s)
    AND transaction_number < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
ORDER BY transaction_number, id LIMIT %(limit)s
"""
_NEWEST: Final = """
SELECT transaction_number, id FROM marketplace_orderevent
WHERE participant_id = ANY(%s)
    AND transaction_number < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
ORDER BY transaction_number DESC, id DESC LIMIT 1
"""


class Position(NamedTuple):
    """How far a listener has come."""

    transaction: int
    id: int

    def __str__(self) -> str:
        return f"{self.transaction}-{self.id}"


BEGINNING: Final = Position(0, 0)


@dataclass(frozen=True)
class News:
    """One event and the position after it."""

    position: Position
    body: dict[str, Any]


def list_news(
    *, participant_ids: Sequence[int], after: Position, limit: int = EVENTS_AT_ONCE
) -> list[News]:
    """Return the events of participants after a position, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            _NEWS,
            {
                "participants": list(participant_ids),
                "transaction": after.transaction,
                "id": after.id,
                "limit": limit,
            },
        )
        rows = cursor.fetchall()
    return [News(Position(transaction, id_), _plain(body)) for transaction, id_, body in rows]


def get_newest_position(*, participant_ids: Sequence[int]) -> Position:
    """Return the position after all events so far."""
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST, [list(participant_ids)])
        row = cursor.fetchone()
    return Position(*row) if row else BEGINNING


def read_position(text: str) -> Position | None:
    """Return the position that a listener says it has come to; None if that is none."""
    transaction, dash, id_ = text.partition("-")
    if not dash or not all(part.isascii() and part.isdigit() for part in (transaction, id_)):
        return None
    if max(len(transaction), len(id_)) > 18:
        return None
    return Position(int(transaction), int(id_))


def _plain(body: Any) -> dict[str, Any]:
    """Return JSON as the driver gives it, parsed or as text."""
    parsed: dict[str, Any] = json.loads(body) if isinstance(body, str) else body
    return parsed

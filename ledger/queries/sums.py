"""Sums of transfers, made by the database: what an account moved under some commands."""

from collections.abc import Sequence

from django.db import connection

# Booked movements only: a hold reserves, and its release gives back what never moved.
_SUMS = """
WITH chosen AS MATERIALIZED (
    SELECT c.id FROM unnest(%(keys)s::text[]) AS k(key)
    JOIN ledger_inboxcommand c ON c.key = k.key AND c.state = 1
), moved AS (
    SELECT t.debit_account_id, t.credit_account_id, t.code, sum(t.amount) AS amount
    FROM chosen JOIN ledger_transfer t ON t.command_id = chosen.id
    WHERE t.kind IN (0, 2)
    GROUP BY t.debit_account_id, t.credit_account_id, t.code
)
SELECT side.account_id, moved.code, sum(side.amount)::bigint
FROM moved
CROSS JOIN LATERAL (
    VALUES (moved.debit_account_id, -moved.amount), (moved.credit_account_id, moved.amount)
) AS side(account_id, amount)
WHERE side.account_id = ANY(%(accounts)s)
GROUP BY side.account_id, moved.code
"""


def sum_transfers(*, keys: Sequence[str], account_ids: Sequence[int]) -> dict[tuple[int, int], int]:
    """Return what accounts received less gave under some commands, by account and code."""
    with connection.cursor() as cursor:
        cursor.execute(_SUMS, {"keys": list(keys), "accounts": list(account_ids)})
        return {(account, code): amount for account, code, amount in cursor.fetchall()}

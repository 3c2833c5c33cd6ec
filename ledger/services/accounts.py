"""Open accounts."""

from collections.abc import Sequence

from django.db import connection

from ledger.domain.commands import AMOUNT_MAX
from ledger.models import Account


def open_accounts(
    *, paths: Sequence[str], unit: str, overdraft_limit: int | None = None
) -> dict[str, int]:
    """Open accounts under their paths, or find those opened before; return their ids by path.

    Parameters
    ----------
    paths : sequence of str
        Names chosen by the application, unique in the ledger.
    unit : str
        Minor unit of the amounts, e.g. ``CNY/6``.
    overdraft_limit : int, optional
        How far debits, holds included, may pass posted credits; no limit when absent.
        [minor units]

    Raises
    ------
    ValueError
        If the limit is negative or larger than any counter can be.
    """
    if overdraft_limit is not None and not 0 <= overdraft_limit <= AMOUNT_MAX:
        raise ValueError(f"overdraft limit {overdraft_limit} must lie in 0..{AMOUNT_MAX}")
    # Only these columns may be written by the application's role: counters start at zero.
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger_account (path, unit, overdraft_limit)"
            " SELECT path, %s, %s FROM unnest(%s::text[]) AS path ON CONFLICT (path) DO NOTHING",
            [unit, overdraft_limit, list(paths)],
        )
    return dict(Account.objects.filter(path__in=list(paths)).values_list("path", "id"))

"""Forget what is kept for a while only: what members were told, and who looked at their data.

The application cannot delete either; two functions of the tables' owner do, and they keep what is
younger than their own bounds, whatever they are asked.
"""

from datetime import datetime, timedelta
from typing import Final

from django.db import connection

from marketplace.models import NoticeMail

# A statement's rows, so that a first time over years holds no lock for long.
AT_ONCE: Final = 20_000


def forget_old_notices(*, now: datetime, kept: timedelta, at_once: int = AT_ONCE) -> int:
    """Delete some notices that are older than that, and mails that tell of nothing else.

    Returns
    -------
    int
        How many notices; fewer than ``at_once`` means that no more are old.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT marketplace_forget_notices(%s, %s)", [now - kept, at_once])
        forgotten = int(cursor.fetchone()[0])
    NoticeMail.objects.filter(created_at__lt=now - kept).delete()
    return forgotten


def forget_old_accesses(*, now: datetime, kept: timedelta, at_once: int = AT_ONCE) -> int:
    """Delete some lines of who looked that are older than that; return how many."""
    with connection.cursor() as cursor:
        before = (now - kept).date()
        cursor.execute("SELECT marketplace_forget_accesses(%s, %s)", [before, at_once])
        return int(cursor.fetchone()[0])

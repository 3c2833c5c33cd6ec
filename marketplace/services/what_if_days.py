"""Compute what-ifs day by day: each finished day is kept, so that a killed task goes on there."""

import time
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from django.db import transaction

from marketplace.domain.keyed_sums import summed_by
from marketplace.domain.what_if.spread import Spread, spread_of
from marketplace.models import WhatIf
from marketplace.queries.what_ifs import get_minimum
from marketplace.services.what_if_period import Period, unpacked_members

ATTEMPTS_MAX: Final = 5


def compute_asked_what_ifs(*, now: datetime, seconds: float) -> int:
    """Compute what-ifs that wait, day by day; safe twice, late, or on two hosts.

    Parameters
    ----------
    now : datetime
        When they are computed, for who reads them.
    seconds : float
        After this long no further day is begun: the next run goes on.

    Returns
    -------
    int
        How many days were computed.
    """
    until = time.monotonic() + seconds
    waiting = WhatIf.objects.filter(computed_at__isnull=True, failed_at__isnull=True)
    days = 0
    for id_ in waiting.order_by("id").values_list("id", flat=True):
        period: Period | None = None
        while time.monotonic() < until and _attempted(id_, now):
            period = period or Period(WhatIf.objects.select_related("community").get(id=id_))
            if not _compute_day(id_, period, now):
                break
            days += 1
    return days


@transaction.atomic
def _attempted(what_if_id: int, now: datetime) -> bool:
    """Note that a day is tried; what has killed its task too often is given up."""
    found = _locked(what_if_id)
    if found is None:
        return False
    found.attempts += 1
    if found.attempts > ATTEMPTS_MAX:
        found.failed_at = now
    found.save(update_fields=["attempts", "failed_at"])
    return found.failed_at is None


def _locked(what_if_id: int) -> WhatIf | None:
    """Return a what-if that is to be computed; None if another worker is at it."""
    return (
        WhatIf.objects.select_for_update(skip_locked=True, no_key=True)
        .filter(id=what_if_id, computed_at__isnull=True, failed_at__isnull=True)
        .first()
    )


@transaction.atomic
def _compute_day(what_if_id: int, period: Period, now: datetime) -> bool:
    """Compute the first day that is not there yet, under the lock of the question's row."""
    found = _locked(what_if_id)
    if found is None:
        return False
    day = found.first_day + timedelta(days=found.days.count())
    row = period.day(day)
    row.what_if = found
    row.save(force_insert=True)
    found.done_count = min(found.done_count + row.interval_count, found.interval_count)
    found.attempts = 0
    found.roofs = period.roofs
    fields = ["done_count", "attempts", "roofs"]
    if day >= found.last_day:
        found.spread = _spread(found).document()
        found.computed_at = now
        found.done_count = found.interval_count
        found.days.update(members=None)
        fields += ["spread", "computed_at"]
    found.save(update_fields=fields)
    return True


def _spread(found: WhatIf) -> Spread:
    packed = found.days.filter(members__isnull=False).values_list("members", flat=True)
    columns = [unpacked_members(bytes(each)) for each in packed if each is not None]
    accounts, actual, changed = np.concatenate([*columns, np.zeros((3, 0), dtype=np.int64)], axis=1)
    members = np.unique(accounts)
    return spread_of(
        summed_by(members, accounts, actual),
        summed_by(members, accounts, changed),
        minimum=get_minimum(found.community_id),
    )

"""Make how savings of a civil month are spread, once all of its days were made."""

from datetime import date, datetime
from typing import Final

import numpy as np
from django.db import connection, transaction
from django.db.models import F, Q, Sum

from analytics.domain.day_sums import spread_of
from analytics.models import MemberDay, SavingsMonth
from marketplace.domain.billing.month import month_after
from marketplace.queries.rollups_days import get_roles

ALL_MEMBERS: Final = ""
_DUE: Final = """
SELECT d.community_id, date_trunc('month', d.day)::date AS month
FROM analytics_dayrollup d
GROUP BY d.community_id, month
HAVING NOT bool_or(d.is_due) AND max(d.computed_at) > coalesce((
    SELECT min(s.computed_at) FROM analytics_savingsmonth s
    WHERE s.community_id = d.community_id AND s.month = date_trunc('month', min(d.day))::date
), '-infinity')
ORDER BY d.community_id, month
"""


def make_due_months(*, now: datetime) -> int:
    """Make the savings of months with days made since, and none that is due; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE)
        due = cursor.fetchall()
    for community_id, month in due:
        _make_month(community_id, month, now)
    return len(due)


@transaction.atomic
def _make_month(community_id: int, month: date, now: datetime) -> None:
    with connection.cursor() as cursor:
        # Two at once would both write what neither sees of the other.
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtext('savings'), %s::int)", [community_id % 2**31]
        )
    rows = (
        MemberDay.objects.filter(
            community_id=community_id, day__gte=month, day__lt=month_after(month)
        )
        .values("participant_id")
        .annotate(
            intervals=Sum("interval_count"),
            net=Sum(
                F("pool_sale_micro")
                + F("grid_sale_micro")
                + F("pool_purchase_micro")
                + F("grid_purchase_micro")
                + F("other_micro")
            ),
            alone=Sum("alone_micro"),
            traded=Sum(F("bought_wh") + F("sold_wh"), filter=Q(bought_wh__gt=0) | Q(sold_wh__gt=0)),
        )
        .filter(intervals__gt=0)
        .values_list("participant_id", "net", "alone", "traded")
    )
    roles = get_roles(community_id=community_id)
    members = [(roles[each], int(n), int(alone), bool(traded)) for each, n, alone, traded in rows]
    SavingsMonth.objects.filter(community_id=community_id, month=month).delete()
    groups = [ALL_MEMBERS, *sorted({role for role, *_ in members})]
    SavingsMonth.objects.bulk_create(
        _spread(community_id, month, group, members, now) for group in groups
    )


def _spread(
    community_id: int,
    month: date,
    group: str,
    members: list[tuple[str, int, int, bool]],
    now: datetime,
) -> SavingsMonth:
    chosen = [each for each in members if group in (ALL_MEMBERS, each[0])]
    net, alone = (np.array([each[at] for each in chosen], dtype=np.int64) for at in (1, 2))
    saved = net - alone
    deciles, gini = spread_of(saved, alone)
    return SavingsMonth(
        community_id=community_id,
        month=month,
        group=group,
        member_count=len(chosen),
        trading_count=sum(each[3] for each in chosen),
        gaining_count=int((saved > 0).sum()),
        saved_micro=int(saved.sum()),
        alone_micro=int(alone.sum()),
        deciles_ppm=deciles,
        gini_ppm=gini,
        computed_at=now,
    )

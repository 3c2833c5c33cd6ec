"""How a month's savings are spread, computed anew from members' days, with pandas."""

from collections.abc import Iterator
from datetime import date
from fractions import Fraction

import pandas as pd

from analytics.models import MemberDay, SavingsMonth
from analytics.queries.recomputed import Difference
from marketplace.domain.billing.month import month_after
from marketplace.queries.raw_rows import POINT, list_points

_MONEY = [
    "pool_sale_micro",
    "grid_sale_micro",
    "pool_purchase_micro",
    "grid_purchase_micro",
    "other_micro",
]


def savings_differences(*, community_id: int, month: date) -> Iterator[Difference]:
    """Yield every difference between a month's stored savings and what they are computed to."""
    rows = MemberDay.objects.filter(
        community_id=community_id, day__gte=month, day__lt=month_after(month)
    )
    days = pd.DataFrame(list(rows.values()))
    roles = pd.DataFrame(list_points(community_id=community_id), columns=list(POINT))
    expected: dict[str, dict[str, object]] = {"": _spread(days.iloc[:0])}
    if len(days):
        days = days.merge(
            roles[["member", "role"]].drop_duplicates(), left_on="participant_id", right_on="member"
        )
        members = days.groupby("participant_id").agg(
            {
                **dict.fromkeys(
                    [*_MONEY, "alone_micro", "interval_count", "bought_wh", "sold_wh"], "sum"
                ),
                "role": "first",
            }
        )
        members = members[members["interval_count"] > 0]
        expected = {"": _spread(members)}
        expected |= {str(role): _spread(some) for role, some in members.groupby("role")}
    stored = {
        row.group: row
        for row in SavingsMonth.objects.filter(community_id=community_id, month=month)
    }
    for group in sorted(expected.keys() | stored.keys()):
        key = f"{month:%Y-%m} {group}".strip()
        if group not in stored or group not in expected:
            yield Difference("SavingsMonth", key, "the row", group in stored, group in expected)
            continue
        for name, value in expected[group].items():
            known = getattr(stored[group], name)
            if known != value:
                yield Difference("SavingsMonth", key, name, known, value)


def _spread(members: pd.DataFrame) -> dict[str, object]:
    if not len(members):
        counts = dict.fromkeys(["member_count", "trading_count", "gaining_count"], 0)
        return {**counts, "saved_micro": 0, "alone_micro": 0, "deciles_ppm": [], "gini_ppm": None}
    saved = members[_MONEY].sum(axis=1) - members["alone_micro"]
    trading = (members["bought_wh"] > 0) | (members["sold_wh"] > 0)
    told = members["alone_micro"] != 0
    ratios = saved[told] * 1_000_000 // members["alone_micro"][told].abs()
    deciles = []
    if len(ratios):
        # The lowest value that at least so many members do not pass.
        ranks = ratios.rank(method="max").astype(int)
        deciles = [int(ratios[ranks * 10 >= tenth * len(ratios)].min()) for tenth in range(1, 10)]
    gains = saved.clip(lower=0).sort_values()
    total, count, gini = int(gains.sum()), len(gains), None
    if total:
        # From under the Lorenz curve, where the rollup goes by ranks.
        below = Fraction(int(gains.cumsum().sum()), count * total)
        gini = int((Fraction(count + 1, count) - 2 * below) * 1_000_000)
    return {
        "member_count": count,
        "trading_count": int(trading.sum()),
        "gaining_count": int((saved > 0).sum()),
        "saved_micro": int(saved.sum()),
        "alone_micro": int(members["alone_micro"].sum()),
        "deciles_ppm": deciles,
        "gini_ppm": gini,
    }

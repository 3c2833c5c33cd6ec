"""The delivery intervals that orders are for: made ahead within the horizon, under their rules."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
from django.db import connection

from ledger.domain.commands import Int64Array
from marketplace.domain.forward.orders import BoolArray, OrderBounds, refuse
from marketplace.domain.rules import Rules
from marketplace.models import DeliveryInterval
from marketplace.queries.forward import (
    RulesInForce,
    closes_at,
    get_rules_at,
    is_halted,
    list_auctioned_ids,
)

NO_LIMIT_WH = -1
# Shared: many requests may place orders for an interval at once, but not while its gate closes.
_LOCK = """
SELECT starts_at, id, rule_set_id FROM marketplace_deliveryinterval
WHERE community_id = %s AND starts_at = ANY(%s) ORDER BY id FOR SHARE
"""


@dataclass(frozen=True, eq=False)
class Intervals:
    """Delivery intervals by start, with what their rules say of orders, as columns.

    ``ids`` are 0 where no order can be for the interval; ``refusals`` says why.
    """

    starts_s: Int64Array
    ids: Int64Array
    refusals: Sequence[str]
    price_min: Int64Array
    price_max: Int64Array
    buyer_fees: Int64Array
    seller_margins: Int64Array
    position_limits: Int64Array
    zones: Sequence[frozenset[str]] = field(repr=False)

    def judge(self, index: Int64Array, refusals: Int64Array) -> None:
        """Refuse the orders of intervals that take none; ``index`` is each order's interval."""
        for code in dict.fromkeys(self.refusals):
            if code:
                which = np.array([each == code for each in self.refusals], dtype=np.bool_)
                refuse(refusals, which[index], code)

    def bounds(self, index: Int64Array) -> OrderBounds:
        """Return what the rules allow, for each order."""
        return OrderBounds(
            self.price_min[index],
            self.price_max[index],
            self.buyer_fees[index],
            self.seller_margins[index],
        )

    def has_zone(self, index: Int64Array, at: Int64Array, codes: Sequence[str]) -> BoolArray:
        """Return which orders' zones, ``codes[at]``, their interval's rules know.

        Orders for intervals without rules pass: they are refused for that.
        """
        width = len(codes)
        pairs, inverse = np.unique(index * width + at, return_inverse=True)
        known = [
            not self.zones[pair // width] or codes[pair % width] in self.zones[pair // width]
            for pair in pairs.tolist()
        ]
        answers: BoolArray = np.array(known, dtype=np.bool_)[inverse.reshape(-1)]
        return answers


def open_intervals(
    *,
    community_id: int,
    starts_s: Int64Array,
    in_force: Sequence[RulesInForce],
    now: datetime,
) -> Intervals:
    """Return the intervals that start then, made where orders may be placed; locks them, shared.

    Parameters
    ----------
    starts_s : ndarray of int64, shape (n,)
        Each once. [s since 1970-01-01 UTC]
    """
    starts = [datetime.fromtimestamp(each, UTC) for each in starts_s.tolist()]
    halted = is_halted(community_id=community_id, at=now)
    by_id = {each.rule_set_id: each for each in in_force}
    found = _lock(community_id, starts)
    governing: list[RulesInForce | None] = []
    refusals: list[str] = []
    new = []
    for start in starts:
        # An interval keeps the rule set that it was made under.
        rules = (
            by_id[found[start][1]]
            if start in found
            else get_rules_at(in_force=in_force, moment=start)
        )
        code = _judged(start, rules, is_made=start in found, halted=halted, now=now)
        governing.append(rules)
        refusals.append(code)
        if not code and rules is not None and start not in found:
            new.append(
                DeliveryInterval(
                    community_id=community_id,
                    starts_at=start,
                    ends_at=start + rules.length,
                    rule_set_id=rules.rule_set_id,
                )
            )
    if new:
        DeliveryInterval.objects.bulk_create(new, batch_size=2000, ignore_conflicts=True)
        found |= _lock(community_id, [each.starts_at for each in new])
    closed = list_auctioned_ids(interval_ids=[id_ for id_, _ in found.values()])
    for at, start in enumerate(starts):
        if not refusals[at] and found[start][0] in closed:
            refusals[at] = "gate_closed"
    return _columns(
        starts_s, starts, [found.get(each, (0, 0))[0] for each in starts], refusals, governing
    )


def _judged(
    start: datetime, rules: RulesInForce | None, *, is_made: bool, halted: bool, now: datetime
) -> str:
    """Return why no order can be for an interval, empty where it can."""
    if rules is None or rules.rules.market.forward is None:
        return "interval_unknown"
    if not is_made and not rules.has_interval(start):
        return "interval_unknown"
    if now >= closes_at(starts_at=start, rules=rules.rules):
        return "gate_closed"
    if start > now + timedelta(days=rules.rules.market.forward.horizon_days):
        return "beyond_horizon"
    return "halted" if halted else ""


def _lock(community_id: int, starts: Sequence[datetime]) -> dict[datetime, tuple[int, int]]:
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [community_id, list(starts)])
        return {start: (id_, rule_set) for start, id_, rule_set in cursor.fetchall()}


def _columns(
    starts_s: Int64Array,
    starts: Sequence[datetime],
    ids: Sequence[int],
    refusals: Sequence[str],
    governing: Sequence[RulesInForce | None],
) -> Intervals:
    numbers = np.zeros((5, len(starts)), dtype=np.int64)
    zones: list[frozenset[str]] = []
    fees: dict[tuple[int, object], int] = {}
    for at, (start, in_force) in enumerate(zip(starts, governing, strict=True)):
        forward = in_force.rules.market.forward if in_force else None
        if in_force is None or forward is None:
            zones.append(frozenset())
            continue
        rules: Rules = in_force.rules
        moment = rules.moment_of(start)
        priced = (in_force.rule_set_id, moment)
        if priced not in fees:
            fees[priced] = rules.market.greatest_local_fee(moment)
        limit = forward.position_limit_wh
        numbers[:, at] = (
            rules.price_min_micro_per_kwh,
            rules.price_max_micro_per_kwh,
            rules.platform_fee_micro_per_kwh + fees[priced],
            forward.margin_micro_per_kwh,
            NO_LIMIT_WH if limit is None else limit,
        )
        zones.append(frozenset(rules.market.zones))
    lowest, highest, fees_wanted, margins, limits = numbers
    return Intervals(
        starts_s=starts_s,
        ids=np.array(ids, dtype=np.int64),
        refusals=refusals,
        price_min=lowest,
        price_max=highest,
        buyer_fees=fees_wanted,
        seller_margins=margins,
        position_limits=limits,
        zones=zones,
    )

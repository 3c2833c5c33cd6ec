"""Judge orders as they come in: each check looks at all of them at once.

An order is refused for the first reason in the order of
``marketplace.domain.forward.orders.REFUSALS``, so the checks are made in that order.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from ledger.domain.commands import Int64Array
from ledger.queries import get_balances
from marketplace.domain.forward.orders import (
    ACCEPTABLE,
    REFUSAL_NUMBERS,
    REFUSALS,
    OrderBounds,
    OrderColumns,
    beyond_limit,
    margin_rates,
    microseconds,
    out_of_bounds,
    refuse,
)
from marketplace.models import Participant
from marketplace.queries.orders import Standing, list_known_keys, list_places, list_standing
from marketplace.services.order_intervals import Intervals
from marketplace.services.order_store import AdmittedOrders


class Judging:
    """Orders of members of one community under judgement.

    Parameters
    ----------
    participants : ndarray of int64, shape (n,)
        Whose order each is.
    index : ndarray of int64, shape (n,)
        Each order's place among ``intervals``.
    """

    def __init__(
        self,
        *,
        orders: OrderColumns,
        participants: Int64Array,
        intervals: Intervals,
        index: Int64Array,
    ) -> None:
        count = len(orders)
        self.orders, self.participants = orders, participants
        self.intervals, self.index = intervals, index
        self.refusals = np.full(count, ACCEPTABLE, dtype=np.int64)
        self.ids = np.zeros(count, dtype=np.int64)
        self.zone_ids = np.zeros(count, dtype=np.int64)
        # Known: placed by an earlier request. A row that repeats another names the first.
        self.known = np.zeros(count, dtype=np.bool_)
        self.first_rows = np.arange(count)

    @property
    def bounds(self) -> OrderBounds:
        """What the rules of its interval allow each order."""
        return self.intervals.bounds(self.index)

    def judge(self, *, community_id: int, limits: Mapping[int, int | None], now: datetime) -> None:
        """Make every check; ``limits`` are the members' credit limits. [micro]"""
        self._judge_keys()
        self._judge_places(community_id)
        self.intervals.judge(self.index, self.refusals)
        refuse(self.refusals, out_of_bounds(self.orders, self.bounds), "out_of_bounds")
        expires = self.orders.expires_us
        refuse(self.refusals, (expires > 0) & (expires <= microseconds(now)), "expired")
        self._judge_positions(now)
        refuse(self.refusals, np.isin(self.participants, owing_too_much(limits)), "credit")
        # What is known was judged when it came first.
        reused = self.refusals == REFUSAL_NUMBERS["key_reused"]
        self.refusals[self.known & ~reused] = ACCEPTABLE

    def admitted(self) -> AdmittedOrders:
        """Return the orders to be stored."""
        fresh = ~self.known & (self.first_rows == np.arange(len(self.orders)))
        rows = np.flatnonzero(fresh & (self.refusals == ACCEPTABLE))
        rates = np.zeros(0, dtype=np.int64)
        if len(rows):
            # What was refused may be out of any bounds.
            limits = np.where(self.refusals == ACCEPTABLE, self.orders.limits, 0)
            rates = margin_rates(self.orders.sides, limits, self.bounds)[rows]
        return AdmittedOrders(
            orders=self.orders,
            rows=rows,
            participants=self.participants[rows],
            interval_ids=self.intervals.ids[self.index[rows]],
            zone_ids=self.zone_ids[rows],
            rates=rates,
        )

    def answers(self, rows: Int64Array, ids: Int64Array) -> tuple[Int64Array, Sequence[str]]:
        """Return every order's id and refusal, once those of some rows are stored under ids."""
        self.ids[rows] = ids
        reused = self.refusals == REFUSAL_NUMBERS["key_reused"]
        follows = ~self.known & ~reused
        self.ids[follows] = self.ids[self.first_rows[follows]]
        self.refusals[follows] = self.refusals[self.first_rows[follows]]
        return self.ids, [REFUSALS[number] for number in self.refusals.tolist()]

    def _content(self, row: int) -> tuple[int, ...]:
        orders = self.orders
        return (
            int(orders.metering_point_ids[row]),
            int(orders.starts_s[row]),
            int(orders.sides[row]),
            int(orders.limits[row]),
            int(orders.quantities_wh[row]),
            int(orders.minimums_wh[row]),
            int(orders.expires_us[row]),
        )

    def _judge_keys(self) -> None:
        """Find orders that were sent before, and refuse keys that came with other content."""
        keys = self.orders.keys
        named = [row for row, key in enumerate(keys) if key]
        if not named:
            return
        before = list_known_keys(
            participant_ids=np.unique(self.participants).tolist(),
            keys=[keys[row] for row in named],
        )
        seen: dict[tuple[int, str], tuple[int, tuple[int, ...]]] = {}
        reused = np.zeros(len(self.orders), dtype=np.bool_)
        for row in named:
            name = (int(self.participants[row]), keys[row])
            content = self._content(row)
            if name in before:
                self.known[row] = True
                self.ids[row], first = before[name]
            else:
                self.first_rows[row], first = seen.setdefault(name, (row, content))
            reused[row] = first != content
        refuse(self.refusals, reused, "key_reused")
        self.ids[reused] = 0

    def _judge_places(self, community_id: int) -> None:
        """Refuse metering points and zones that are not the participant's own."""
        orders = self.orders
        unique, at = np.unique(orders.metering_point_ids, return_inverse=True)
        places = list_places(community_id=community_id, metering_point_ids=unique.tolist())
        found = [places.get(id_) for id_ in unique.tolist()]
        columns = np.array(
            [
                (each.participant_id, each.zone_id, each.active_from_s, each.active_until_s)
                if each
                else (0, 0, 0, 0)
                for each in found
            ],
            dtype=np.int64,
        )
        codes = [each.zone if each else "" for each in found]
        owners, self.zone_ids, first_s, last_s = columns[at].T
        is_own = owners == self.participants
        is_active = (first_s <= orders.starts_s) & (orders.starts_s < last_s)
        # Where there is no interval, that is the reason, not who would be active in it.
        is_active |= np.array([code != "" for code in self.intervals.refusals])[self.index]
        named = np.array(
            [
                zone in ("", codes[place])
                for zone, place in zip(orders.zones, at.tolist(), strict=True)
            ],
            dtype=np.bool_,
        )
        known = self.intervals.has_zone(self.index, at, codes)
        refuse(self.refusals, ~(is_own & is_active & named & known), "zone_unknown")

    def _judge_positions(self, now: datetime) -> None:
        """Refuse what would carry a member beyond the limit of an interval and side."""
        limits = self.intervals.position_limits[self.index]
        fresh = ~self.known & (self.first_rows == np.arange(len(self.orders)))
        limited = np.flatnonzero(fresh & (self.refusals == ACCEPTABLE) & (limits >= 0))
        if not len(limited):
            return
        keys = [self.participants, self.intervals.ids[self.index], self.orders.sides]
        groups, group_index = np.unique(
            np.stack(keys, axis=1)[limited], axis=0, return_inverse=True
        )
        group_index = group_index.reshape(-1)
        standing = list_standing(
            participant_ids=np.unique(groups[:, 0]).tolist(),
            interval_ids=np.unique(groups[:, 1]).tolist(),
            now=now,
        )
        before = [standing.get(Standing(*group), 0) for group in groups.tolist()]
        group_limits = np.zeros(len(groups), dtype=np.int64)
        group_limits[group_index] = limits[limited]
        beyond = np.zeros(len(self.orders), dtype=np.bool_)
        beyond[limited] = beyond_limit(
            self.orders.quantities_wh[limited],
            group_index,
            np.array(before, dtype=np.int64),
            group_limits,
        )
        refuse(self.refusals, beyond, "position_limit")


def credit_limits(
    participant_ids: Sequence[int], of_the_rules: int | None
) -> dict[int, int | None]:
    """Return each member's credit limit: their own, else the rule set's. [micro]"""
    own = dict(
        Participant.objects.filter(id__in=participant_ids).values_list("id", "credit_limit_micro")
    )
    return {id_: of_the_rules if limit is None else limit for id_, limit in own.items()}


def owing_too_much(limits: Mapping[int, int | None]) -> list[int]:
    """Return who owes more for metered energy than their limit: no new orders until it is paid."""
    limited = {id_: limit for id_, limit in limits.items() if limit is not None}
    accounts = dict(
        Participant.objects.filter(
            id__in=list(limited), energy_account_id__isnull=False
        ).values_list("id", "energy_account_id")
    )
    balances = get_balances(account_ids=[each for each in accounts.values() if each is not None])
    return [
        id_
        for id_, account in accounts.items()
        if account is not None and -balances[account].posted > limited[id_]
    ]

"""What the district's forward day came to: added up from the tables, apart from what made it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection

from ledger.queries import get_balances
from marketplace.models import Clearing, Community, DeliveryInterval

PARTIES: Final = ("supplier", "grid", "platform", "pool", "rounding")

_CLEARINGS = """
SELECT c.reason, i.state, count(*) FROM marketplace_clearing c
JOIN marketplace_deliveryinterval i ON i.id = c.interval_id
JOIN marketplace_ruleset r ON r.id = i.rule_set_id
WHERE i.community_id = %s AND r.document->>'mode' = 'forward' GROUP BY 1, 2
"""
# Commands of settlements after which the pool has another sum than before.
_POOL_KEPT = """
SELECT count(*) FROM (
    SELECT t.command_id FROM ledger_transfer t JOIN ledger_inboxcommand c ON c.id = t.command_id
    WHERE c.key LIKE 'settle:%%' GROUP BY t.command_id
    HAVING sum(CASE %(pool)s WHEN t.credit_account_id THEN t.amount
        WHEN t.debit_account_id THEN -t.amount ELSE 0 END) <> 0) AS uneven
"""
_ORDERS = """
SELECT CASE WHEN b.state = 3 THEN 'refused ' || b.refusal
        WHEN o.ended_at IS NOT NULL AND o.ended_at = o.expires_at THEN 'expired'
        WHEN o.ended_at IS NOT NULL THEN 'cancelled'
        WHEN o.is_dropped THEN 'dropped'
        WHEN o.filled_wh = 0 THEN 'unfilled'
        WHEN o.filled_wh < o.quantity_wh THEN 'partly filled'
        WHEN o.filled_wh = o.quantity_wh THEN 'filled' ELSE 'open' END, count(*)
FROM marketplace_order o JOIN marketplace_orderbatch b ON b.id = o.batch_id GROUP BY 1
"""
_FILLED = "SELECT side, coalesce(sum(filled_wh), 0)::bigint FROM marketplace_order GROUP BY side"
_FLOWS = """
SELECT coalesce(sum((flow->>'sent_wh')::bigint), 0)::bigint FROM marketplace_auction,
    jsonb_array_elements(flows) AS flow
"""
_DELIVERED = """
SELECT coalesce(sum(m.delivered_wh), 0)::bigint,
    coalesce(sum(m.delivered_wh) FILTER (WHERE m.seller_point_id <> m.buyer_point_id), 0)::bigint
FROM marketplace_match m JOIN marketplace_deliveryinterval i
    ON i.id = m.interval_id AND i.revision = m.revision
WHERE m.sell_order_id IS NOT NULL
"""
_EXPORTED = """
SELECT d.id, sum(r.export_wh)::bigint FROM marketplace_productiondevice d
JOIN marketplace_reading r ON r.metering_point_id = d.metering_point_id
JOIN marketplace_deliveryinterval i ON i.id = r.interval_id AND i.starts_at >= d.active_from
WHERE r.export_wh > 0 AND NOT EXISTS (
    SELECT FROM marketplace_reading later WHERE later.interval_id = r.interval_id
        AND later.metering_point_id = r.metering_point_id AND later.version > r.version)
GROUP BY d.id
"""
_CERTIFIED = """
SELECT b.device_id, sum(b.last_wh - b.first_wh)::bigint,
    coalesce(sum(b.last_wh - b.first_wh) FILTER (WHERE b.holder_id <> s.participant_id), 0)::bigint
FROM marketplace_certificatebundle b
JOIN marketplace_productiondevice d ON d.id = b.device_id
JOIN marketplace_meteringpoint m ON m.id = d.metering_point_id
JOIN marketplace_site s ON s.id = m.site_id
WHERE b.state = 1 GROUP BY b.device_id
"""
_HOLDS = """
SELECT (SELECT coalesce(sum(hold_micro), 0) FROM marketplace_orderbatch)::bigint,
    (SELECT coalesce(sum(debits_pending + credits_pending), 0) FROM ledger_account)::bigint
"""
_MEMBERS = """
SELECT id, energy_account_id FROM marketplace_participant
WHERE community_id = %s AND energy_account_id IS NOT NULL
"""
_BILLED = """
SELECT participant_id, sum(net_micro)::bigint FROM marketplace_statement
WHERE run_id = ANY(%s) GROUP BY participant_id
"""


@dataclass(frozen=True)
class Sums:
    """The day in numbers. [Wh], [micro]

    Attributes
    ----------
    clearings : Counter
        By reason and the interval's state.
    bought_wh, sold_wh : int
        What the auctions filled.
    orders : Counter
        By what became of them.
    money : dict
        What each party has gained; members together.
    uneven_settlements : int
        After which the pool has not what it had before.
    sent_wh : int
        Over all links.
    delivered_wh, sold_on_wh : int
        What was traded ahead and kept; of that between two different meters.
    exported, certified : dict
        By device.
    certified_with_buyers_wh : int
        Certificates that went along with trades.
    held_micro, pending_micro : int
        What batches and what the ledger's accounts hold.
    unbilled_micro : dict
        By member, what the statements leave out of the balance; only what is not 0.
    """

    clearings: Counter[tuple[int, int]]
    orders: Counter[str]
    money: dict[str, int]
    uneven_settlements: int
    bought_wh: int
    sold_wh: int
    sent_wh: int
    delivered_wh: int
    sold_on_wh: int
    exported: dict[int, int]
    certified: dict[int, int]
    certified_with_buyers_wh: int
    held_micro: int
    pending_micro: int
    unbilled_micro: dict[int, int]

    def broken_claims(self, *, quarters: int) -> list[str]:
        """Return what does not hold of a day of so many intervals."""
        first = (Clearing.Reason.READINGS, Clearing.Reason.DEADLINE)
        settled = sum(
            count
            for (reason, state), count in self.clearings.items()
            if reason in first and state == DeliveryInterval.State.SETTLED
        )
        claims = {
            "every interval settles": settled == quarters,
            "what is bought is sold": self.bought_wh == self.sold_wh > 0,
            "forecasts err": 0 < self.delivered_wh < self.bought_wh,
            "money over all parties sums to zero": sum(self.money.values()) == 0,
            "the pool keeps nothing": self.money["pool"] == self.uneven_settlements == 0,
            "statements equal transfers": not self.unbilled_micro,
            "certificates issued equal energy exported": (
                self.certified == self.exported and sum(self.certified.values()) > 0
            ),
            "certificates with buyers equal energy sold to them": (
                self.certified_with_buyers_wh == self.sold_on_wh > 0
            ),
            "nothing is held any more": self.held_micro == self.pending_micro == 0,
        }
        return [claim for claim, holds in claims.items() if not holds]

    def lines(self) -> list[str]:
        """Return the sums as lines of a report."""
        reasons = Counter[str]()
        for (reason, _), count in self.clearings.items():
            reasons[Clearing.Reason(reason).label] += count
        micro = {f"{party} gained": each for party, each in self.money.items()}
        wh = {
            "traded ahead": self.bought_wh,
            "sent over links": self.sent_wh,
            "delivered of what was traded ahead": self.delivered_wh,
            "of that to another meter": self.sold_on_wh,
            "exported": sum(self.exported.values()),
            "certified": sum(self.certified.values()),
            "of that with buyers": self.certified_with_buyers_wh,
        }
        return [
            *(f"{count:>15,} books: {reason}" for reason, count in reasons.most_common()),
            *(f"{count:>15,} orders {what}" for what, count in self.orders.most_common()),
            *(f"{each:>15,} Wh {what}" for what, each in wh.items()),
            *(f"{each:>15,} micro {what}" for what, each in micro.items()),
            f"{sum(micro.values()):>15,} micro together",
        ]


def add_up(community: Community, *, runs: Sequence[int]) -> Sums:
    """Add up a day that is over, whose months were billed by some runs."""
    filled = dict(_rows(_FILLED))
    [(delivered, sold_on)] = _rows(_DELIVERED)
    certified = _rows(_CERTIFIED)
    [(held, pending)] = _rows(_HOLDS)
    [(sent,)] = _rows(_FLOWS)
    [(uneven,)] = _rows(_POOL_KEPT, {"pool": community.pool_account_id})
    members = dict(_rows(_MEMBERS, [community.id]))
    parties = {party: getattr(community, f"{party}_account_id") for party in PARTIES}
    balances = get_balances(account_ids=[*members.values(), *parties.values()])
    has = {account: balance.posted for account, balance in balances.items()}
    billed = dict(_rows(_BILLED, [list(runs)]))
    left = {each: has[account] - billed.get(each, 0) for each, account in members.items()}
    return Sums(
        clearings=Counter({(r, s): n for r, s, n in _rows(_CLEARINGS, [community.id])}),
        orders=Counter(dict(_rows(_ORDERS))),
        money={
            "members": sum(has[account] for account in members.values()),
            **{party: has[account] for party, account in parties.items()},
        },
        uneven_settlements=uneven,
        bought_wh=filled.get(1, 0),
        sold_wh=filled.get(2, 0),
        sent_wh=sent,
        delivered_wh=delivered,
        sold_on_wh=sold_on,
        exported=dict(_rows(_EXPORTED)),
        certified={device: wh for device, wh, _ in certified},
        certified_with_buyers_wh=sum(wh for _, _, wh in certified),
        held_micro=held,
        pending_micro=pending,
        unbilled_micro={each: micro for each, micro in left.items() if micro},
    )


def _rows(statement: str, values: Any = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows

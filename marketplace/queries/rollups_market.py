"""What the market of settled intervals was like, for whoever makes statistics of it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import numpy as np
from django.db import connection

from marketplace.domain.money import signed_amounts_micro
from marketplace.queries.rollups import AMOUNT_MICRO

# One statement is one snapshot, as in `list_zone_totals`. Sellers and buyers are members: who has
# two meters is one of them.
_MARKET_TOTALS: Final = """
WITH chosen AS MATERIALIZED (
    SELECT i.id, i.community_id, i.starts_at, i.ends_at, i.revision
    FROM marketplace_deliveryinterval i
    WHERE i.id = ANY(%(intervals)s) AND i.state >= 4 AND NOT i.has_news
), point AS MATERIALIZED (
    SELECT m.id, s.participant_id FROM marketplace_meteringpoint m
    JOIN marketplace_site s ON s.id = m.site_id
    WHERE m.community_id IN (SELECT community_id FROM chosen)
), trade AS MATERIALIZED (
    SELECT t.interval_id, t.seller_point_id, t.buyer_point_id,
           t.agreement_id IS NOT NULL AS is_agreed,
           coalesce(t.delivered_wh, t.quantity) AS wh,
           coalesce(t.delivered_wh, t.quantity) * t.price_micro AS nano
    FROM chosen c
    JOIN marketplace_match t ON t.interval_id = c.id AND t.revision = c.revision
), seller AS (
    SELECT interval_id, count(*) AS members, sum(wh) AS wh, sum(wh * wh) AS squares
    FROM (
        SELECT t.interval_id, sum(t.wh) AS wh
        FROM trade t JOIN point p ON p.id = t.seller_point_id
        GROUP BY t.interval_id, p.participant_id
    ) AS sold WHERE wh > 0 GROUP BY interval_id
), buyer AS (
    SELECT interval_id, count(*) AS members, sum(wh) AS wh, sum(wh * wh) AS squares
    FROM (
        SELECT t.interval_id, sum(t.wh) AS wh
        FROM trade t JOIN point p ON p.id = t.buyer_point_id
        GROUP BY t.interval_id, p.participant_id
    ) AS bought WHERE wh > 0 GROUP BY interval_id
), traded AS (
    SELECT interval_id, sum(wh)::bigint AS wh,
           coalesce(sum(wh) FILTER (WHERE is_agreed), 0)::bigint AS agreed_wh,
           sum(AMOUNT_MICRO)::bigint AS value_micro
    FROM trade GROUP BY interval_id
)
SELECT c.id, c.community_id, c.starts_at, c.ends_at, c.revision, k.rule_set_id,
       k.retail_micro_per_kwh, k.feed_in_micro_per_kwh, k.missing_count, k.left_out_count,
       coalesce(seller.members, 0), coalesce(buyer.members, 0),
       coalesce(traded.wh, 0), coalesce(traded.agreed_wh, 0), coalesce(traded.value_micro, 0),
       seller.wh, seller.squares, buyer.wh, buyer.squares, k.cleared_at,
       k.prices, k.flows, rules.document -> 'links'
FROM chosen c
JOIN marketplace_clearing k ON k.interval_id = c.id AND k.revision = c.revision
JOIN marketplace_ruleset rules ON rules.id = k.rule_set_id
LEFT JOIN seller ON seller.interval_id = c.id
LEFT JOIN buyer ON buyer.interval_id = c.id
LEFT JOIN traded ON traded.interval_id = c.id
ORDER BY c.id
""".replace("AMOUNT_MICRO", AMOUNT_MICRO)
_WHOLE_HHI: Final = 10_000


@dataclass(frozen=True, slots=True)
class LinkFlow:
    """What one link carried in an interval; zones by code. [Wh], [micro]"""

    from_zone: str
    to_zone: str
    sent_wh: int
    received_wh: int
    limit_wh: int
    rent_micro: int

    @property
    def is_congested(self) -> bool:
        """Whether more would not have fitted."""
        return 0 < self.limit_wh <= self.sent_wh


@dataclass(frozen=True, slots=True)
class MarketTotals:
    """The market of one settled interval, all zones together. [Wh], [micro], [micro/kWh]

    ``value_micro`` is what was bought, each trade at its price and rounded as money is. HHIs are
    0 to 10,000 and None where nothing was traded.
    """

    interval_id: int
    community_id: int
    starts_at: datetime
    ends_at: datetime
    revision: int
    rule_set_id: int
    retail_micro_per_kwh: int
    feed_in_micro_per_kwh: int
    missing_count: int
    left_out_count: int
    seller_count: int
    buyer_count: int
    traded_wh: int
    agreed_wh: int
    value_micro: int
    seller_hhi: int | None
    buyer_hhi: int | None
    cleared_at: datetime
    links: tuple[LinkFlow, ...]

    @property
    def lost_wh(self) -> int:
        """Sent over links and not received."""
        return sum(link.sent_wh - link.received_wh for link in self.links)

    @property
    def rent_micro(self) -> int:
        """What prices that differ between zones leave."""
        return sum(link.rent_micro for link in self.links)


def list_market_totals(*, interval_ids: Sequence[int]) -> list[MarketTotals]:
    """Return the markets of settled intervals, by their latest revision, in order of interval.

    Parameters
    ----------
    interval_ids : sequence of int
        Intervals that are not settled, or have news, are left out.
    """
    with connection.cursor() as cursor:
        cursor.execute(_MARKET_TOTALS, {"intervals": list(interval_ids)})
        return [_totals(row) for row in cursor.fetchall()]


def link_flows(
    prices: dict[str, int | None] | None,
    flows: list[dict[str, int]] | None,
    links: list[dict[str, Any]] | None,
) -> tuple[LinkFlow, ...]:
    """Return what links carried, of a clearing's columns and its rule set; none in form 1."""
    if not flows or not links:
        return ()
    at = {zone: price or 0 for zone, price in (prices or {}).items()}
    found = []
    for link, flow in zip(links, flows, strict=True):
        sent, received = flow["sent"], flow["received"]
        amounts = signed_amounts_micro(
            np.array([received, sent, sent], dtype=np.int64),
            np.array(
                [at.get(link["to"], 0), at.get(link["from"], 0), link["fee_micro_per_kwh"]],
                dtype=np.int64,
            ),
        )
        brought, cost, fee = amounts.tolist()
        found.append(
            LinkFlow(
                from_zone=link["from"],
                to_zone=link["to"],
                sent_wh=sent,
                received_wh=received,
                limit_wh=link["limit_wh"],
                rent_micro=brought - cost - fee,
            )
        )
    return tuple(found)


def _totals(row: tuple[Any, ...]) -> MarketTotals:
    sold, sold_squares, bought, bought_squares, cleared_at, prices, flows, links = row[-8:]
    return MarketTotals(
        *(
            *row[:-8],
            _hhi(sold, sold_squares),
            _hhi(bought, bought_squares),
            cleared_at,
            link_flows(_document(prices), _document(flows), _document(links)),
        )
    )


def _hhi(total: Decimal | None, squares: Decimal | None) -> int | None:
    if not total or squares is None:
        return None
    return round(Fraction(int(squares) * _WHOLE_HHI, int(total) ** 2))


def _document(value: str | None) -> Any:
    return None if value is None else json.loads(value)

"""Where data went: by kind of data, group of sellers and group of buyers; never one company's.

A group is a role. Prices asked are public, they stand in the catalogue; what was agreed and paid is
told only where enough sellers and enough buyers stand behind it, since two of three who know their
own part would know the third's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.db import connection

PARTIES_AT_LEAST: Final = 3

# A file's exchange counts when its key went out, a feed's month when it began to be counted: one
# charge each, so that energy, records and money of a cell are of the same contracts.
_FLOWS = """
WITH taken AS (
    SELECT c.id AS contract_id, p.format, s.role AS seller_group, b.role AS buyer_group,
           c.seller_id, c.buyer_id, c.currency, h.id AS charge_id,
           greatest(h.due_micro - h.credit_micro - h.refund_micro, 0) AS value_micro,
           coalesce(u.record_count, v.row_count) AS records,
           coalesce(u.request_count, 1) AS deliveries,
           CASE WHEN u.id IS NULL THEN v.byte_count ELSE 0 END AS bytes
    FROM marketplace_datacharge h
    JOIN marketplace_datacontract c ON c.id = h.contract_id
    JOIN marketplace_dataproduct p ON p.id = c.product_id
    JOIN marketplace_dataversion v ON v.id = c.version_id
    JOIN marketplace_participant s ON s.id = c.seller_id
    JOIN marketplace_participant b ON b.id = c.buyer_id
    LEFT JOIN marketplace_datadelivery d ON d.charge_id = h.id
    LEFT JOIN marketplace_feeduse u ON u.charge_id = h.id
    WHERE d.key_out_at >= %(start)s AND d.key_out_at < %(end)s
       OR u.request_count > 0 AND h.period_start < %(end)s AND h.period_end > %(start)s
)
SELECT format, seller_group, buyer_group, currency, count(DISTINCT contract_id),
       sum(deliveries)::bigint, sum(records)::bigint, sum(bytes)::bigint,
       sum(value_micro)::bigint, count(DISTINCT seller_id), count(DISTINCT buyer_id)
FROM taken
GROUP BY format, seller_group, buyer_group, currency
ORDER BY format, seller_group, buyer_group, currency
"""

_PRICES = """
SELECT p.format, f.currency, count(*), count(DISTINCT p.provider_id),
       count(*) FILTER (WHERE f.price_micro = 0),
       min(f.price_micro) FILTER (WHERE f.price_micro > 0),
       percentile_disc(0.5) WITHIN GROUP (ORDER BY f.price_micro)
           FILTER (WHERE f.price_micro > 0),
       max(f.price_micro) FILTER (WHERE f.price_micro > 0),
       percentile_disc(0.5) WITHIN GROUP (ORDER BY f.quality_ppm)
           FILTER (WHERE f.quality_ppm IS NOT NULL),
       count(f.quality_ppm)
FROM marketplace_datafacet f
JOIN marketplace_dataproduct p ON p.id = f.product_id
WHERE p.state = 2
GROUP BY p.format, f.currency
ORDER BY p.format, f.currency
"""

_CONTRACTS = """
SELECT p.format, count(*), count(DISTINCT c.seller_id), count(DISTINCT c.buyer_id)
FROM marketplace_datacontract c
JOIN marketplace_dataproduct p ON p.id = c.product_id
WHERE c.agreed_at >= %(start)s AND c.agreed_at < %(end)s
GROUP BY p.format
ORDER BY p.format
"""

_DISPUTES = """
SELECT count(*) FILTER (WHERE d.opened_at >= %(start)s AND d.opened_at < %(end)s),
       count(*) FILTER (WHERE d.decided_at >= %(start)s AND d.decided_at < %(end)s),
       count(*) FILTER (WHERE d.state = 1),
       (percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM d.decided_at - d.opened_at))
           FILTER (WHERE d.decided_at >= %(start)s AND d.decided_at < %(end)s))::bigint,
       (SELECT count(*) FROM marketplace_datacharge h
        WHERE h.delivered_at >= %(start)s AND h.delivered_at < %(end)s)
FROM marketplace_datadispute d
"""

_QUALITY = """
SELECT coalesce(sum(look_count), 0)::bigint, coalesce(sum(up_count), 0)::bigint,
       coalesce(sum(valid_count), 0)::bigint, coalesce(sum(dated_count), 0)::bigint,
       coalesce(sum(age_sum_s), 0)::bigint, count(DISTINCT product_id)
FROM marketplace_probeday
WHERE day >= %(first)s AND day <= %(last)s
"""


@dataclass(frozen=True, slots=True)
class DataFlow:
    """Data of a kind from a group of sellers to a group of buyers; [bytes], [micro].

    Everything but the cell itself is None where too few sellers or buyers stand behind it.
    """

    format: str
    seller_group: str
    buyer_group: str
    currency: str
    contract_count: int | None
    delivery_count: int | None
    record_count: int | None
    byte_count: int | None
    value_micro: int | None

    @property
    def is_shown(self) -> bool:
        """Whether enough parties stand behind it."""
        return self.contract_count is not None


@dataclass(frozen=True, slots=True)
class DataPrices:
    """What listed products of a kind ask, for one month or once; free ones apart. [micro]"""

    format: str
    currency: str
    product_count: int
    seller_count: int
    free_count: int
    lowest_micro: int | None
    median_micro: int | None
    highest_micro: int | None
    median_quality_ppm: int | None
    measured_count: int


@dataclass(frozen=True, slots=True)
class Concluded:
    """Contracts of a kind that both signed in a time; None: too few parties."""

    format: str
    contract_count: int | None


@dataclass(frozen=True, slots=True)
class DataHealth:
    """Disputes and measured service of all products over a time."""

    disputes_opened: int
    disputes_decided: int
    disputes_open: int
    median_dispute_s: int | None
    charges_delivered: int
    look_count: int
    up_count: int
    valid_count: int
    dated_count: int
    age_sum_s: int
    product_count: int

    @property
    def up_share(self) -> float | None:
        """Share of looks that found the feed; None without any."""
        return self.up_count / self.look_count if self.look_count else None

    @property
    def valid_share(self) -> float | None:
        """Share of looks that found a valid one; None without any."""
        return self.valid_count / self.look_count if self.look_count else None

    @property
    def mean_age_s(self) -> int | None:
        """Mean age of what was found, by the feeds' own clocks; None where none told."""
        return self.age_sum_s // self.dated_count if self.dated_count else None


def list_data_flows(*, start: datetime, end: datetime) -> list[DataFlow]:
    """Return where data went in ``[start, end)``, too small cells without figures.

    No total stands beside the cells, so that what is left out does not follow by subtraction.
    """
    flows = []
    for row in _read(_FLOWS, start=start, end=end):
        cell, figures, sellers, buyers = row[:4], row[4:9], row[9], row[10]
        is_shown = min(sellers, buyers) >= PARTIES_AT_LEAST
        flows.append(DataFlow(*cell, *(figures if is_shown else (None,) * 5)))
    return flows


def list_data_prices() -> list[DataPrices]:
    """Return what the catalogue's products ask now, by kind and currency."""
    return [DataPrices(*row) for row in _read(_PRICES)]


def list_concluded(*, start: datetime, end: datetime) -> list[Concluded]:
    """Return how many contracts were concluded in ``[start, end)``, by kind."""
    return [
        Concluded(name, count if min(sellers, buyers) >= PARTIES_AT_LEAST else None)
        for name, count, sellers, buyers in _read(_CONTRACTS, start=start, end=end)
    ]


def get_data_health(*, start: datetime, end: datetime) -> DataHealth:
    """Return disputes and measured service over ``[start, end)``, of days as UTC counts them."""
    [disputes] = _read(_DISPUTES, start=start, end=end)
    [quality] = _read(_QUALITY, first=start.date(), last=end.date())
    return DataHealth(*disputes, *quality)


def _read(statement: str, **values: datetime | date) -> Sequence[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[Any] = cursor.fetchall()
    return rows

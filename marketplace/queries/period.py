"""What a community's market came to over all its intervals, as stored."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db import connection
from django.db.models import F

from ledger.domain.copy_format import packed_columns
from marketplace.domain.interval_book import Int64Array, IntervalBook
from marketplace.models import (
    Clearing,
    Community,
    DeliveryInterval,
    MeteringPoint,
    RuleSet,
    Settlement,
)
from marketplace.queries.intervals import IS_BOOKED

_TRADES = """
COPY (
    SELECT string_agg(
        int8send(m.interval_id) || int8send(m.buyer_point_id) || int8send(m.seller_point_id)
            || int8send(m.quantity) || int8send(m.price_micro)
            || int8send(coalesce(m.agreement_id, 0)), '')
    FROM unnest(%s::bigint[], %s::smallint[]) AS i(id, revision)
    JOIN marketplace_match m ON m.interval_id = i.id AND m.revision = i.revision
    GROUP BY m.interval_id
) TO STDOUT (FORMAT BINARY)
"""


@dataclass(frozen=True)
class PeriodTotals:
    """Sums over all intervals. [Wh] and, for ``price_weight``, [Wh * micro/kWh]"""

    households: int
    intervals: int
    unsettled: int
    import_wh: int
    export_wh: int
    traded_wh: int
    price_weight: int


@dataclass(frozen=True)
class SettledInterval:
    """An interval with what its settlement was made from."""

    id: int
    starts_at: datetime
    revision: int
    rule_set_id: int


@dataclass(frozen=True)
class CommunityParties:
    """A community's currency and the ledger accounts that are not members'."""

    currency: str
    pool_account_id: int
    supplier_account_id: int
    platform_account_id: int
    rounding_account_id: int
    grid_account_id: int | None


@dataclass(frozen=True)
class EnergyPlace:
    """A metering point's energy account, and where it is."""

    account_id: int
    zone: str
    level: str


@dataclass(frozen=True)
class ZoneOutcome:
    """An interval's price in each zone, and what was sent and received over each link. [Wh]"""

    prices: dict[str, int | None]
    flows: list[tuple[int, int]]


def get_period_totals(*, community_id: int) -> PeriodTotals:
    """Return the sums of a community's whole history, by its current readings and clearings."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(import_wh), 0), coalesce(sum(export_wh), 0) FROM ("
            " SELECT DISTINCT ON (r.interval_id, r.metering_point_id) r.import_wh, r.export_wh"
            " FROM marketplace_reading r JOIN marketplace_deliveryinterval i"
            " ON i.id = r.interval_id WHERE i.community_id = %s"
            " ORDER BY r.interval_id, r.metering_point_id, r.version DESC) AS current",
            [community_id],
        )
        import_wh, export_wh = cursor.fetchone()
        cursor.execute(
            "SELECT count(*), count(*) FILTER (WHERE i.state < 4 OR i.has_news),"
            " coalesce(sum(c.volume_wh), 0),"
            " coalesce(sum(coalesce(c.volume_wh::numeric * c.price_micro_per_kwh, t.weight)), 0)"
            " FROM marketplace_deliveryinterval i LEFT JOIN marketplace_clearing c"
            " ON c.interval_id = i.id AND c.revision = i.revision"
            # Where trades have prices of their own there is none of the whole interval.
            " LEFT JOIN LATERAL (SELECT sum(m.quantity::numeric * m.price_micro) AS weight"
            " FROM marketplace_match m WHERE m.interval_id = i.id AND m.revision = i.revision"
            " AND m.agreement_id IS NULL"
            " AND c.price_micro_per_kwh IS NULL AND c.volume_wh > 0) t ON true"
            " WHERE i.community_id = %s",
            [community_id],
        )
        intervals, unsettled, traded_wh, price_weight = map(int, cursor.fetchone())
    return PeriodTotals(
        households=MeteringPoint.objects.filter(community_id=community_id).count(),
        intervals=intervals,
        unsettled=unsettled,
        import_wh=int(import_wh),
        export_wh=int(export_wh),
        traded_wh=traded_wh,
        price_weight=price_weight,
    )


def count_settled(*, community_id: int) -> tuple[int, int]:
    """Return how many intervals are settled without news, and how many there are."""
    found = DeliveryInterval.objects.filter(community_id=community_id)
    return found.filter(IS_BOOKED, has_news=False).count(), found.count()


def list_refused_settlements(*, community_id: int) -> list[str]:
    """Return the commands of a community's settlements that the ledger refused, oldest first."""
    keys = Settlement.objects.filter(
        clearing__interval__community_id=community_id, state=Settlement.State.REFUSED
    ).order_by("id")
    return [key for key in keys.values_list("command_key", flat=True) if key]


def list_settled_intervals(*, community_id: int) -> Iterator[SettledInterval]:
    """Yield a community's settled intervals in order of time."""
    rows = DeliveryInterval.objects.filter(IS_BOOKED, community_id=community_id)
    for row in rows.order_by("starts_at").values_list("id", "starts_at", "revision", "rule_set_id"):
        yield SettledInterval(*row)


def get_community_parties(*, community_id: int) -> CommunityParties:
    """Return a community's own ledger accounts."""
    return CommunityParties(
        *Community.objects.values_list(
            "currency",
            "pool_account_id",
            "supplier_account_id",
            "platform_account_id",
            "rounding_account_id",
            "grid_account_id",
        ).get(id=community_id)
    )


def get_rule_documents(*, community_id: int) -> dict[int, dict[str, object]]:
    """Return the documents of a community's rule sets by id."""
    return dict(RuleSet.objects.filter(community_id=community_id).values_list("id", "document"))


def get_energy_places(*, community_id: int) -> dict[int, EnergyPlace]:
    """Return the energy account, zone and voltage level of each metering point, by its number."""
    places = MeteringPoint.objects.filter(community_id=community_id).values_list(
        "id", "site__participant__energy_account_id", "site__zone__code", "voltage_level"
    )
    return {
        point_id: EnergyPlace(account_id, zone, level)
        for point_id, account_id, zone, level in places
        if account_id is not None
    }


def get_zone_outcomes(*, intervals: Sequence[SettledInterval]) -> dict[int, ZoneOutcome]:
    """Return prices of zones and flows between them in intervals of form 2, by interval."""
    found = Clearing.objects.filter(
        interval_id__in=[each.id for each in intervals],
        revision=F("interval__revision"),
        prices__isnull=False,
    )
    return {
        interval_id: ZoneOutcome(prices or {}, [(each["sent"], each["received"]) for each in flows])
        for interval_id, prices, flows in found.values_list("interval_id", "prices", "flows")
        if flows is not None
    }


def list_sales(*, intervals: Sequence[SettledInterval]) -> Int64Array:
    """Return what the pool took of each position, as columns: interval, metering point, Wh.

    By the books: what is lost on the way between zones was sold and has no buyer, so no trade.
    """
    books = Clearing.objects.filter(
        interval_id__in=[each.id for each in intervals], revision=F("interval__revision")
    ).values_list("interval_id", "book")
    parts = []
    for interval_id, packed in books:
        book = IntervalBook.unpacked(bytes(packed))
        parts.append(
            np.stack(
                [np.full_like(book.sold_wh, interval_id), book.metering_point_ids, book.sold_wh]
            )
        )
    return np.concatenate(parts, axis=1) if parts else np.zeros((3, 0), dtype=np.int64)


def list_trades(*, intervals: Sequence[SettledInterval]) -> Int64Array:
    """Return trades as columns: interval, buyer's and seller's point, Wh, price, agreement.

    The last is 0 where the pool made the trade.
    """
    revisions = [[each.id for each in intervals], [each.revision for each in intervals]]
    with connection.cursor() as cursor, cursor.copy(_TRADES, revisions) as copy:
        copy.set_types(["bytea"])
        return packed_columns((piece for (piece,) in copy.rows()), 6)


def list_settlement_keys(*, interval_ids: Sequence[int]) -> dict[str, int]:
    """Return the ledger commands of all revisions of some intervals, with their interval."""
    keys = Clearing.objects.filter(
        interval_id__in=interval_ids, settlement__command_key__isnull=False
    ).values_list("settlement__command_key", "interval_id")
    return {key: interval_id for key, interval_id in keys if key is not None}

"""What the members of a community did in some intervals, as columns, for rollups of whole days."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from django.db import connection

from ledger.domain.copy_format import packed_columns
from ledger.queries import list_pruned_keys, list_transfer_columns
from ledger.queries.sums import sum_transfers
from marketplace.domain.billing.positions import accounts_of, billing_positions
from marketplace.domain.interval_book import Int64Array, IntervalBook
from marketplace.domain.market_part import Deviation
from marketplace.domain.settlement import settlement_key
from marketplace.models import Clearing, MeteringPoint, Participant, Zone
from marketplace.queries.rollups_market import LinkFlow, link_flows

_INTERVALS: Final = """
SELECT i.id, i.starts_at, i.ends_at, i.revision, i.state >= 4 AND NOT i.has_news,
       i.state >= 4 AND NOT i.has_news
           AND i.ends_at + make_interval(days => (own.document ->> 'correction_deadline_days')::int)
               <= %(now)s,
       coalesce(k.rule_set_id, i.rule_set_id), coalesce(k.retail_micro_per_kwh, 0),
       coalesce(k.feed_in_micro_per_kwh, 0), coalesce(k.platform_fee_micro_per_kwh, 0),
       coalesce(k.missing_count, 0),
       CASE WHEN rules.document ->> 'mode' = 'forward' THEN rules.document ->> 'deviation' END,
       coalesce(k.reason = 4, false), k.prices, k.flows, rules.document -> 'links'
FROM marketplace_deliveryinterval i
JOIN marketplace_ruleset own ON own.id = i.rule_set_id
LEFT JOIN marketplace_clearing k ON k.interval_id = i.id AND k.revision = i.revision
LEFT JOIN marketplace_ruleset rules ON rules.id = k.rule_set_id
WHERE i.community_id = %(community)s AND i.starts_at >= %(start)s AND i.starts_at < %(end)s
ORDER BY i.starts_at
"""
# One index scan per interval, and rows that the server has packed: see `packed_columns`.
_READINGS: Final = """
COPY (
    SELECT (
        SELECT string_agg(int8send(i.at - 1) || int8send(r.metering_point_id)
            || int8send(r.version) || int8send(r.import_wh) || int8send(r.export_wh), '')
        FROM marketplace_reading r WHERE r.interval_id = i.id)
    FROM unnest(%s::bigint[]) WITH ORDINALITY AS i(id, at)
) TO STDOUT (FORMAT BINARY)
"""
_TRADES: Final = """
COPY (
    SELECT (
        SELECT string_agg(int8send(i.at - 1) || int8send(t.seller_point_id)
            || int8send(t.buyer_point_id) || int8send(t.quantity)
            || int8send(coalesce(t.delivered_wh, t.quantity)) || int8send(t.price_micro)
            || int8send(CASE WHEN t.agreement_id IS NOT NULL THEN 1
                             WHEN t.sell_order_id IS NOT NULL THEN 2 ELSE 0 END), '')
        FROM marketplace_match t WHERE t.interval_id = i.id AND t.revision = i.revision)
    FROM unnest(%s::bigint[], %s::smallint[]) WITH ORDINALITY AS i(id, revision, at)
) TO STDOUT (FORMAT BINARY)
"""
OF_AGREEMENT: Final = 1
OF_ORDERS: Final = 2


@dataclass(frozen=True, slots=True)
class DayInterval:
    """An interval with what its latest clearing says. [micro/kWh]

    ``is_ready`` where it is settled and no reading came since; ``deviation`` is None unless it was
    traded ahead, and ``is_after_deadline`` where late readings met the grid.
    """

    id: int
    starts_at: datetime
    ends_at: datetime
    revision: int
    is_ready: bool
    is_final: bool
    rule_set_id: int
    retail_micro_per_kwh: int
    feed_in_micro_per_kwh: int
    platform_fee_micro_per_kwh: int
    missing_count: int
    deviation: Deviation | None
    is_after_deadline: bool
    links: tuple[LinkFlow, ...]

    @property
    def command_keys(self) -> list[str]:
        """Keys of the ledger commands that settled it, one per revision at most."""
        return [settlement_key(self.id, each) for each in range(1, self.revision + 1)]


@dataclass(frozen=True, eq=False)
class MemberPoints:
    """A community's metering points as columns, in the order of their numbers.

    ``accounts`` are the members' for metered energy, 0 where there is none; ``roles`` point into
    ``role_names``.
    """

    ids: Int64Array
    zones: Int64Array
    participants: Int64Array
    accounts: Int64Array
    roles: Int64Array
    role_names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ReadingColumns:
    """Current readings; ``intervals`` are indices into what was asked for. [Wh]"""

    intervals: Int64Array
    points: Int64Array
    import_wh: Int64Array
    export_wh: Int64Array


@dataclass(frozen=True, eq=False)
class TradeColumns:
    """Trades of the latest revisions; ``kinds`` are 0, OF_AGREEMENT or OF_ORDERS. [Wh]"""

    intervals: Int64Array
    sellers: Int64Array
    buyers: Int64Array
    wh: Int64Array
    delivered_wh: Int64Array
    prices: Int64Array
    kinds: Int64Array


@dataclass(frozen=True, eq=False)
class BookEnergies:
    """What a book says of its accounts, where trades stand by other readings. [Wh]"""

    accounts: Int64Array
    bought_wh: Int64Array
    sold_wh: Int64Array
    grid_import_wh: Int64Array
    grid_export_wh: Int64Array


def list_day_intervals(
    *, community_id: int, start: datetime, end: datetime, now: datetime
) -> list[DayInterval]:
    """Return the intervals that start in ``[start, end)``, of every state, in order."""
    asked: dict[str, int | datetime] = {
        "community": community_id,
        "start": start,
        "end": end,
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_INTERVALS, asked)
        rows = cursor.fetchall()
    return [
        DayInterval(*(*row[:-3], link_flows(*(_document(each) for each in row[-3:]))))
        for row in rows
    ]


def get_member_points(*, community_id: int) -> MemberPoints:
    """Return all metering points that a community ever had."""
    rows = list(
        MeteringPoint.objects.filter(community_id=community_id)
        .order_by("id")
        .values_list(
            *("id", "site__zone_id", "site__participant_id"),
            *("site__participant__energy_account_id", "site__participant__role"),
        )
    )
    names = sorted({row[4] for row in rows})
    columns = np.array(
        [(*row[:3], row[3] or 0, names.index(row[4])) for row in rows], dtype=np.int64
    ).reshape(-1, 5)
    return MemberPoints(*(*columns.T.copy(), tuple(names)))


def get_roles(*, community_id: int) -> dict[int, str]:
    """Return the roles of a community's members, by participant."""
    members = Participant.objects.filter(sites__metering_points__community_id=community_id)
    return dict(members.values_list("id", "role"))


def get_zone_ids(*, community_id: int) -> dict[str, int]:
    """Return the numbers of a community's zones by code."""
    return dict(Zone.objects.filter(community_id=community_id).values_list("code", "id"))


def list_reading_columns(*, interval_ids: Sequence[int]) -> ReadingColumns:
    """Return the current readings of some intervals, in no particular order."""
    with connection.cursor() as cursor, cursor.copy(_READINGS, [list(interval_ids)]) as copy:
        copy.set_types(["bytea"])
        columns = packed_columns((piece for (piece,) in copy.rows()), 5)
    intervals, points, versions, import_wh, export_wh = columns
    if len(versions) and versions.max() > 1:
        order = np.lexsort((versions, points, intervals))
        intervals, points, import_wh, export_wh = (
            column[order] for column in (intervals, points, import_wh, export_wh)
        )
        latest = np.ones(len(order), dtype=np.bool_)
        latest[:-1] = (intervals[1:] != intervals[:-1]) | (points[1:] != points[:-1])
        intervals, points, import_wh, export_wh = (
            column[latest] for column in (intervals, points, import_wh, export_wh)
        )
    return ReadingColumns(intervals, points, import_wh, export_wh)


def list_trade_columns(*, intervals: Sequence[DayInterval]) -> TradeColumns:
    """Return the trades of intervals' latest revisions, in no particular order."""
    asked = [[each.id for each in intervals], [each.revision for each in intervals]]
    with connection.cursor() as cursor, cursor.copy(_TRADES, asked) as copy:
        copy.set_types(["bytea"])
        return TradeColumns(*packed_columns((piece for (piece,) in copy.rows()), 7))


def sum_member_money(
    *, intervals: Sequence[DayInterval], account_ids: Sequence[int]
) -> dict[tuple[int, int], int]:
    """Return what accounts received less paid for some intervals, by account and code. [micro]"""
    keys = [key for each in intervals for key in each.command_keys]
    return sum_transfers(keys=keys, account_ids=account_ids)


def list_member_nets(*, interval: DayInterval) -> dict[int, int]:
    """Return what each account received less paid for one interval. [micro]"""
    _, debit, credit, amounts, _ = list_transfer_columns(keys=interval.command_keys)
    accounts, places = np.unique(np.concatenate([debit, credit]), return_inverse=True)
    nets = np.zeros(len(accounts), dtype=np.int64)
    np.add.at(nets, places, np.concatenate([-amounts, amounts]))
    return dict(zip(accounts.tolist(), nets.tolist(), strict=True))


def has_pruned_money(*, intervals: Sequence[DayInterval]) -> bool:
    """Return whether the ledger keeps some of the transfers of these intervals no longer."""
    return bool(list_pruned_keys(keys=[key for each in intervals for key in each.command_keys]))


def get_book_energies(*, interval: DayInterval) -> BookEnergies:
    """Return what the latest book of an interval says of each account."""
    packed = Clearing.objects.values_list("book", flat=True).get(
        interval_id=interval.id, revision=interval.revision
    )
    book = IntervalBook.unpacked(bytes(packed))
    accounts = accounts_of(book)
    positions = billing_positions(book, interval=0, weight=1, accounts=accounts)

    def summed(values: Int64Array) -> Int64Array:
        sums = np.zeros(len(accounts), dtype=np.int64)
        np.add.at(sums, positions.members, values)
        return sums

    return BookEnergies(
        accounts=accounts,
        bought_wh=summed(positions.bought_wh + positions.agreed_bought_wh),
        sold_wh=summed(positions.sold_wh + positions.agreed_sold_wh),
        grid_import_wh=summed(positions.grid_import_wh),
        grid_export_wh=summed(positions.grid_export_wh),
    )


def _document(value: str | None) -> Any:
    return None if value is None else json.loads(value)

"""Rows as they are stored, for whoever adds them up again by a way of their own."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import F

from ledger.queries import list_transfer_columns
from marketplace.domain.settlement import settlement_key
from marketplace.models import Clearing, DeliveryInterval, Match, MeteringPoint, Reading, Zone
from marketplace.queries.member_energy import list_member_energies

POINT = ("point", "zone", "zone_code", "member", "role", "account")
INTERVAL = ("interval", "starts_at", "ends_at", "state", "revision", "has_news")
CLEARING = (
    *("interval", "revision", "rule_set", "document", "retail", "feed_in", "fee", "price"),
    *("prices", "flows", "missing", "left_out", "cleared_at"),
)
READING = ("interval", "point", "version", "import_wh", "export_wh")
MATCH = (
    *("interval", "revision", "seller", "buyer", "quantity", "delivered_wh", "price"),
    *("agreement", "order"),
)
TRANSFER = ("interval", "debit", "credit", "amount", "code")
Rows = Sequence[tuple[Any, ...]]


def list_points(*, community_id: int) -> Rows:
    """Return a community's metering points, columns as in ``POINT``."""
    points = MeteringPoint.objects.filter(community_id=community_id).order_by("id")
    return list(
        points.values_list(
            *("id", "site__zone_id", "site__zone__code", "site__participant_id"),
            *("site__participant__role", "site__participant__energy_account_id"),
        )
    )


def list_intervals(*, community_id: int, start: datetime, end: datetime) -> Rows:
    """Return the intervals that start in ``[start, end)``, columns as in ``INTERVAL``."""
    found = DeliveryInterval.objects.filter(
        community_id=community_id, starts_at__gte=start, starts_at__lt=end
    )
    return list(
        found.order_by("starts_at").values_list(
            "id", "starts_at", "ends_at", "state", "revision", "has_news"
        )
    )


def list_clearings(*, interval_ids: Sequence[int]) -> Rows:
    """Return all revisions of some intervals, columns as in ``CLEARING``."""
    return list(
        Clearing.objects.filter(interval__in=interval_ids).values_list(
            *("interval_id", "revision", "rule_set_id", "rule_set__document"),
            *("retail_micro_per_kwh", "feed_in_micro_per_kwh", "platform_fee_micro_per_kwh"),
            *("price_micro_per_kwh", "prices", "flows", "missing_count", "left_out_count"),
            "cleared_at",
        )
    )


def list_readings(*, interval_ids: Sequence[int]) -> Rows:
    """Return all versions of the readings of some intervals, columns as in ``READING``."""
    return list(
        Reading.objects.filter(interval__in=interval_ids).values_list(
            "interval_id", "metering_point_id", "version", "import_wh", "export_wh"
        )
    )


def list_matches(*, interval_ids: Sequence[int]) -> Rows:
    """Return the trades of all revisions of some intervals, columns as in ``MATCH``."""
    return list(
        Match.objects.filter(interval__in=interval_ids).values_list(
            *("interval_id", "revision", "seller_point_id", "buyer_point_id", "quantity"),
            *("delivered_wh", "price_micro", "agreement_id", "sell_order_id"),
        )
    )


def list_settling_transfers(*, revisions: Sequence[tuple[int, int]]) -> Rows:
    """Return what settled intervals up to a revision moved, columns as in ``TRANSFER``."""
    named = [
        (interval_id, settlement_key(interval_id, revision))
        for interval_id, latest in revisions
        for revision in range(1, latest + 1)
    ]
    columns = list_transfer_columns(keys=[key for _, key in named]).T.tolist()
    return [(named[at][0], *others) for at, *others in columns]


def list_zones(*, community_id: int) -> dict[str, int]:
    """Return the numbers of a community's zones by code."""
    return dict(Zone.objects.filter(community_id=community_id).values_list("code", "id"))


def list_statement_energies(*, interval_ids: Sequence[int], participant_ids: Sequence[int]) -> Rows:
    """Return interval, member, bought, sold, and from and to the grid, as statements say it."""
    latest = Clearing.objects.filter(interval__in=interval_ids, revision=F("interval__revision"))
    clearings = {each.interval_id: each for each in latest.defer("book")}
    rows = []
    for participant_id in participant_ids:
        found = list_member_energies(
            participant_id=participant_id, clearings=clearings, ids=interval_ids
        )
        rows += [
            (
                interval_id,
                participant_id,
                each.bought_wh,
                each.sold_wh,
                each.grid_import_wh or 0,
                each.grid_export_wh or 0,
            )
            for interval_id, each in found.items()
        ]
    return rows

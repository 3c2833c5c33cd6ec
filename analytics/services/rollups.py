"""Make rollups: as intervals settle, and all anew whenever somebody doubts them."""

from collections.abc import Sequence
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from analytics.models import IntervalRollup
from marketplace.queries.rollups import ZoneTotals, list_zone_totals, settled_intervals

# Intervals read by one statement: few enough for the database to walk them by index in memory.
_CHUNK = 16

# A writer that was overtaken must not put an older revision over a newer one.
_UPSERT = """
INSERT INTO analytics_intervalrollup AS known (
    interval_id, zone_id, community_id, starts_at, revision, meter_count, import_wh, export_wh,
    bought_wh, sold_wh, grid_import_wh, grid_export_wh, priced_wh, priced_micro, price_micro_per_kwh
) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (interval_id, zone_id) DO UPDATE SET
    community_id = EXCLUDED.community_id, starts_at = EXCLUDED.starts_at,
    revision = EXCLUDED.revision, meter_count = EXCLUDED.meter_count,
    import_wh = EXCLUDED.import_wh, export_wh = EXCLUDED.export_wh,
    bought_wh = EXCLUDED.bought_wh, sold_wh = EXCLUDED.sold_wh,
    grid_import_wh = EXCLUDED.grid_import_wh, grid_export_wh = EXCLUDED.grid_export_wh,
    priced_wh = EXCLUDED.priced_wh, priced_micro = EXCLUDED.priced_micro,
    price_micro_per_kwh = EXCLUDED.price_micro_per_kwh
WHERE known.revision <= EXCLUDED.revision
"""


def roll_up_settled(*, community_id: int | None = None, limit: int = 500) -> int:
    """Roll up settled intervals that have no rollup of their latest revision yet.

    Safe to repeat and to run twice at once: a revision's totals never change, and the newer
    revision stays.

    Returns
    -------
    int
        How many intervals were rolled up; fewer than ``limit`` means that nothing is left.
    """
    # A revision is rolled up for all zones in one transaction, so any one row speaks for it.
    done = IntervalRollup.objects.filter(interval_id=OuterRef("pk"), revision=OuterRef("revision"))
    due = settled_intervals(community_id=community_id).filter(~Exists(done))
    interval_ids = list(due.values_list("id", flat=True)[:limit])
    return sum(_roll_up(chunk) for chunk in _chunks(interval_ids))


@transaction.atomic
def recompute(*, community_id: int) -> int:
    """Make all rollups of a community anew; readers see the old ones until the new are there.

    Returns
    -------
    int
        How many intervals were rolled up.
    """
    IntervalRollup.objects.filter(community_id=community_id).delete()
    interval_ids = list(settled_intervals(community_id=community_id).values_list("id", flat=True))
    return sum(_roll_up(chunk) for chunk in _chunks(interval_ids))


def _chunks(interval_ids: list[int]) -> list[list[int]]:
    return [interval_ids[at : at + _CHUNK] for at in range(0, len(interval_ids), _CHUNK)]


@transaction.atomic
def _roll_up(interval_ids: Sequence[int]) -> int:
    totals = list_zone_totals(interval_ids=interval_ids)
    with connection.cursor() as cursor:
        # In order of interval and zone, so that two at once wait for each other in one order.
        cursor.executemany(_UPSERT, [_row(each) for each in totals])
    return len({each.interval_id for each in totals})


def _row(totals: ZoneTotals) -> tuple[int | datetime | None, ...]:
    return (
        totals.interval_id,
        totals.zone_id,
        totals.community_id,
        totals.starts_at,
        totals.revision,
        totals.meter_count,
        totals.import_wh,
        totals.export_wh,
        totals.bought_wh,
        totals.sold_wh,
        # Below zero where a late reading takes back what the pool has traded before.
        totals.import_wh - totals.bought_wh,
        totals.export_wh - totals.sold_wh,
        totals.priced_wh,
        totals.priced_micro,
        totals.price_micro_per_kwh,
    )

"""Roll intervals up as they settle, and note which days are due for it."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime

from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from analytics.models import DayRollup, IntervalRollup, MarketRollup
from marketplace.domain.civil_day import day_bounds
from marketplace.queries.pages import list_places
from marketplace.queries.rollups import ZoneTotals, list_zone_totals, settled_intervals
from marketplace.queries.rollups_market import MarketTotals, list_market_totals

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

_MARKET_COLUMNS = (
    *("interval_id", "community_id", "starts_at", "ends_at", "revision", "rule_set_id"),
    *("retail_micro_per_kwh", "feed_in_micro_per_kwh", "meter_count", "missing_count"),
    *("left_out_count", "seller_count", "buyer_count", "offered_wh", "wanted_wh", "traded_wh"),
    *("agreed_wh", "value_micro", "lost_wh", "rent_micro", "congested_links", "seller_hhi"),
    *("buyer_hhi", "cleared_at"),
)
_UPSERT_MARKET = """
INSERT INTO analytics_marketrollup AS known (COLUMNS) VALUES (VALUES)
ON CONFLICT (interval_id) DO UPDATE SET (COLUMNS) = (EXCLUDED_COLUMNS)
WHERE known.revision <= EXCLUDED.revision
"""
for _word, _text in (
    ("EXCLUDED_COLUMNS", ", ".join(f"EXCLUDED.{name}" for name in _MARKET_COLUMNS)),
    ("(VALUES)", f"({', '.join(['%s'] * len(_MARKET_COLUMNS))})"),
    ("COLUMNS", ", ".join(_MARKET_COLUMNS)),
):
    _UPSERT_MARKET = _UPSERT_MARKET.replace(_word, _text)

# Waits while the day is being made, and has it made once more.
_MARK_DUE = """
INSERT INTO analytics_dayrollup (community_id, day, starts_at, ends_at, interval_count,
    settled_count, final_count, missing_count, rule_set_ids, revision_sum, is_due, is_seeded)
VALUES (%s, %s, %s, %s, 0, 0, 0, 0, '[]', 0, true, false)
ON CONFLICT (community_id, day) DO UPDATE SET is_due = true
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
def make_again(*, community_id: int, start: datetime, end: datetime) -> None:
    """Let the rollups of intervals that start in ``[start, end)``, and their days, be made anew.

    They are gone until they are; `roll_up_settled` and `roll_up_due_days` find them.
    """
    for model in (IntervalRollup, MarketRollup):
        model.objects.filter(
            community_id=community_id, starts_at__gte=start, starts_at__lt=end
        ).delete()
    DayRollup.objects.filter(
        community_id=community_id, starts_at__lt=end, ends_at__gt=start
    ).update(is_due=True)


def _chunks(interval_ids: list[int]) -> list[list[int]]:
    return [interval_ids[at : at + _CHUNK] for at in range(0, len(interval_ids), _CHUNK)]


@transaction.atomic
def _roll_up(interval_ids: Sequence[int]) -> int:
    zones = list_zone_totals(interval_ids=interval_ids)
    markets = list_market_totals(interval_ids=interval_ids)
    # Between both statements an interval may have been cleared again: it stays for the next time.
    known = {(each.interval_id, each.revision) for each in markets}
    known &= {(each.interval_id, each.revision) for each in zones}
    zones = [each for each in zones if (each.interval_id, each.revision) in known]
    markets = [each for each in markets if (each.interval_id, each.revision) in known]
    with connection.cursor() as cursor:
        # In order of interval and zone, so that two at once wait for each other in one order.
        cursor.executemany(_UPSERT, [_row(each) for each in zones])
        cursor.executemany(_UPSERT_MARKET, _market_rows(markets, zones))
        cursor.executemany(_MARK_DUE, _days(markets))
    return len(known)


def _days(markets: Sequence[MarketTotals]) -> list[tuple[int, date, datetime, datetime]]:
    """Return the civil days that intervals start in, with their bounds."""
    places = {place.community_id: place.zone for place in list_places()} if markets else {}
    days = {
        (each.community_id, each.starts_at.astimezone(places[each.community_id]).date())
        for each in markets
    }
    return [
        (community, day, *day_bounds(day, places[community])) for community, day in sorted(days)
    ]


def _market_rows(
    markets: Sequence[MarketTotals], zones: Sequence[ZoneTotals]
) -> list[tuple[int | datetime | None, ...]]:
    sums: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for zone in zones:
        for at, value in enumerate((zone.meter_count, zone.export_wh, zone.import_wh)):
            sums[zone.interval_id][at] += value
    return [
        (
            each.interval_id,
            each.community_id,
            each.starts_at,
            each.ends_at,
            each.revision,
            each.rule_set_id,
            each.retail_micro_per_kwh,
            each.feed_in_micro_per_kwh,
            sums[each.interval_id][0],
            each.missing_count,
            each.left_out_count,
            each.seller_count,
            each.buyer_count,
            *sums[each.interval_id][1:],
            each.traded_wh,
            each.agreed_wh,
            each.value_micro,
            each.lost_wh,
            each.rent_micro,
            sum(link.is_congested for link in each.links),
            each.seller_hhi,
            each.buyer_hhi,
            each.cleared_at,
        )
        for each in markets
    ]


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

"""Make the rollups of civil days that are due: of zones, flows, links and members."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import numpy as np
from django.db import transaction
from django.db.models import F

from analytics.domain.day_sums import (
    ORDERED,
    DaySums,
    Int64Array,
    Override,
    Places,
    ReadingRows,
    Terms,
    TradeRows,
)
from analytics.models import DayRollup, FlowDay, LinkDay, MarketRollup, MemberDay
from analytics.services.member_rows import copy_members
from analytics.services.rollups_savings import make_due_months
from analytics.services.rollups_zones import write_zones
from marketplace.domain.transfer_codes import TransferCode
from marketplace.queries.rollups_days import (
    DayInterval,
    MemberPoints,
    TradeColumns,
    get_book_energies,
    get_member_points,
    get_zone_ids,
    has_pruned_money,
    list_day_intervals,
    list_member_nets,
    list_reading_columns,
    list_trade_columns,
    sum_member_money,
)
from marketplace.queries.rollups_market import LinkFlow

# Intervals times metering points in memory at once.
POSITIONS_AT_ONCE: Final = 400_000
GRID: Final = "grid"
_MONEY: Final = {
    TransferCode.POOL_SALE: "pool_sale_micro",
    TransferCode.GRID_SALE: "grid_sale_micro",
    TransferCode.POOL_PURCHASE: "pool_purchase_micro",
    TransferCode.GRID_PURCHASE: "grid_purchase_micro",
}
# Parts of what `_MONEY` does not name.
_OTHER: Final = {
    TransferCode.AGREED_PURCHASE: "agreed_micro",
    TransferCode.GRID_FEE: "grid_fee_micro",
}


def roll_up_due_days(*, now: datetime, community_id: int | None = None, limit: int = 20) -> int:
    """Make the rollups of days that intervals were rolled up of, the latest days first.

    A day is made anew as a whole in one transaction; readers see the old one until then. Then the
    savings of months are made whose days have all been made. Safe to repeat and to run twice at
    once: a day's row is its lock.

    Returns
    -------
    int
        How many days were made; fewer than ``limit`` means that nothing is left.
    """
    made, changing = 0, list[int]()
    while made < limit:
        with transaction.atomic():
            due = DayRollup.objects.filter(is_due=True).exclude(id__in=changing)
            if community_id is not None:
                due = due.filter(community_id=community_id)
            locked = due.select_for_update(skip_locked=True, no_key=True)
            day = locked.order_by("-day", "id").first()
            if day is None:
                break
            if _make(day, now):
                made += 1
            else:
                changing.append(day.id)
    make_due_months(now=now)
    return made


def note_final_days(*, now: datetime) -> int:
    """Count the intervals of days anew that no correction is possible of any more.

    Returns
    -------
    int
        Of how many days the count has changed.
    """
    changed = 0
    waiting = DayRollup.objects.filter(
        final_count__lt=F("settled_count"), computed_at__isnull=False, ends_at__lte=now
    )
    for day in waiting.order_by("id"):
        final = sum(each.is_final for each in _intervals(day, now))
        # Unless it was made meanwhile, and counted then.
        same = DayRollup.objects.filter(id=day.id, computed_at=day.computed_at)
        changed += same.exclude(final_count=final).update(final_count=final)
    return changed


def _make(day: DayRollup, now: datetime) -> bool:
    """Make a day; False if an interval of it was changed meanwhile, so that it stays due."""
    intervals = _intervals(day, now)
    rolled = _rolled_up(day)
    ready = [each for each in intervals if each.is_ready and rolled.get(each.id) == each.revision]
    if day.computed_at is not None and has_pruned_money(intervals=ready):
        # What is kept no more cannot be added up again: the day stays as it was made.
        DayRollup.objects.filter(id=day.id).update(is_due=False)
        return True
    points = get_member_points(community_id=day.community_id)
    sums = _sums(points, ready)
    money = _money(points, ready, sums)
    if _revisions(_intervals(day, now), ready) != _revisions(ready, ready):
        return False
    _delete(day)
    write_zones(day, ready)
    _write_flows(day, points, sums)
    _write_links(day, ready)
    copy_members(
        community_id=day.community_id,
        day=day.day,
        participant_ids=np.unique(points.participants),
        columns=sums.members | money,
    )
    DayRollup.objects.filter(id=day.id).update(
        interval_count=len(intervals),
        settled_count=len(ready),
        final_count=sum(each.is_final for each in ready),
        missing_count=sum(each.missing_count for each in ready),
        rule_set_ids=sorted({each.rule_set_id for each in ready}),
        revision_sum=sum(each.revision for each in ready),
        is_due=False,
        computed_at=now,
    )
    return True


def _intervals(day: DayRollup, now: datetime) -> list[DayInterval]:
    return list_day_intervals(
        community_id=day.community_id, start=day.starts_at, end=day.ends_at, now=now
    )


def _rolled_up(day: DayRollup) -> dict[int, int]:
    """Return the revisions that intervals of a day were rolled up of."""
    rows = MarketRollup.objects.filter(
        community_id=day.community_id, starts_at__gte=day.starts_at, starts_at__lt=day.ends_at
    )
    return dict(rows.values_list("interval_id", "revision"))


def _revisions(
    intervals: Sequence[DayInterval], of: Sequence[DayInterval]
) -> dict[int, tuple[int, bool]]:
    wanted = {each.id for each in of}
    return {each.id: (each.revision, each.is_ready) for each in intervals if each.id in wanted}


def _sums(points: MemberPoints, intervals: Sequence[DayInterval]) -> DaySums:
    sums = DaySums(_places(points))
    if not len(points.ids):
        return sums
    at_once = max(1, POSITIONS_AT_ONCE // len(points.ids))
    for first in range(0, len(intervals), at_once):
        chunk = intervals[first : first + at_once]
        readings = list_reading_columns(interval_ids=[each.id for each in chunk])
        trades = list_trade_columns(intervals=chunk)
        at = points.ids
        sums.add(
            first,
            _terms(chunk),
            ReadingRows(
                readings.intervals,
                np.searchsorted(at, readings.points),
                readings.import_wh,
                readings.export_wh,
            ),
            TradeRows(
                trades.intervals,
                np.searchsorted(at, trades.sellers),
                np.searchsorted(at, trades.buyers),
                trades.wh,
                trades.delivered_wh,
                trades.prices,
                trades.kinds,
            ),
            _overrides(points, sums.places, chunk, trades),
        )
    return sums


def _places(points: MemberPoints) -> Places:
    participants, members = np.unique(points.participants, return_inverse=True)
    pairs, groups = np.unique(np.stack([points.zones, points.roles]), axis=1, return_inverse=True)
    return Places(members, groups.reshape(-1), len(participants), pairs.shape[1])


def _terms(intervals: Sequence[DayInterval]) -> Terms:
    def column(name: str) -> Int64Array:
        return np.array([getattr(each, name) for each in intervals], dtype=np.int64)

    return Terms(
        retail=column("retail_micro_per_kwh"),
        feed_in=column("feed_in_micro_per_kwh"),
        fee=column("platform_fee_micro_per_kwh"),
        by_own=np.array([each.deviation == "own" for each in intervals]),
        by_reading=np.array([each.deviation not in (None, "own") for each in intervals]),
    )


def _overrides(
    points: MemberPoints, places: Places, intervals: Sequence[DayInterval], trades: TradeColumns
) -> list[Override]:
    """Return what books know better: after the deadline trades stand by the readings before."""
    found = []
    accounts = _accounts(points)
    for at, interval in enumerate(intervals):
        if interval.deviation is None or not interval.is_after_deadline:
            continue
        rows = (trades.intervals == at) & (trades.kinds == ORDERED)
        ends = np.concatenate([trades.sellers[rows], trades.buyers[rows]])
        members = np.unique(places.members[np.searchsorted(points.ids, ends)])
        book = get_book_energies(interval=interval)
        known = np.isin(accounts[members], book.accounts)
        members = members[known]
        lines = np.searchsorted(book.accounts, accounts[members])
        found.append(
            Override(
                at,
                members,
                *(
                    getattr(book, name)[lines]
                    for name in ("bought_wh", "sold_wh", "grid_import_wh", "grid_export_wh")
                ),
            )
        )
    return found


def _accounts(points: MemberPoints) -> Int64Array:
    """Return each member's account."""
    _, firsts = np.unique(points.participants, return_index=True)
    return points.accounts[firsts]


def _money(
    points: MemberPoints, intervals: Sequence[DayInterval], sums: DaySums
) -> dict[str, Int64Array]:
    """Return members' money by its reason, and complete what the grid alone would come to."""
    accounts = _accounts(points).tolist()
    members = {account: at for at, account in enumerate(accounts) if account}
    names = (*_MONEY.values(), "other_micro", *_OTHER.values())
    columns = {name: np.zeros(len(accounts), dtype=np.int64) for name in names}
    moved = sum_member_money(intervals=intervals, account_ids=list(members))
    for (account, code), amount in moved.items():
        at = members[account]
        reason = TransferCode(code)
        if reason in _MONEY:
            columns[_MONEY[reason]][at] += amount
        else:
            columns["other_micro"][at] += amount
            if reason in _OTHER:
                columns[_OTHER[reason]][at] += amount
    _complete_alone(intervals, sums, accounts)
    return columns


def _complete_alone(
    intervals: Sequence[DayInterval], sums: DaySums, accounts: Sequence[int]
) -> None:
    """Let what was traded ahead by who has no reading count as nothing saved, nothing lost."""
    nets: dict[int, dict[int, int]] = {}
    for interval, member in sums.unknown:
        if interval not in nets:
            nets[interval] = list_member_nets(interval=intervals[interval])
        sums.members["alone_micro"][member] += nets[interval].get(accounts[member], 0)


def _delete(day: DayRollup) -> None:
    for model in (FlowDay, LinkDay, MemberDay):
        model.objects.filter(community_id=day.community_id, day=day.day).delete()


def _write_flows(day: DayRollup, points: MemberPoints, sums: DaySums) -> None:
    pairs = np.unique(np.stack([points.zones, points.roles]), axis=1).T.tolist()
    groups = [(zone, points.role_names[role]) for zone, role in pairs] + [(0, GRID)]
    FlowDay.objects.bulk_create(
        FlowDay(
            community_id=day.community_id,
            day=day.day,
            from_zone_id=groups[origin][0],
            from_group=groups[origin][1],
            to_zone_id=groups[target][0],
            to_group=groups[target][1],
            wh=wh,
            value_micro=value,
            from_count=from_count,
            to_count=to_count,
        )
        for origin, target, wh, value, from_count, to_count in sums.flows().T.tolist()
    )


def _write_links(day: DayRollup, intervals: Sequence[DayInterval]) -> None:
    zones = get_zone_ids(community_id=day.community_id)
    rows: dict[tuple[str, str], LinkDay] = {}
    for interval in intervals:
        minutes = int((interval.ends_at - interval.starts_at).total_seconds()) // 60
        for link in interval.links:
            ends = link.from_zone, link.to_zone
            if ends not in rows:
                rows[ends] = _nothing_sent(day, zones, link)
            row = rows[ends]
            row.sent_wh += link.sent_wh
            row.received_wh += link.received_wh
            row.limit_wh = (row.limit_wh or 0) + link.limit_wh
            row.congested_minutes += minutes * link.is_congested
            row.rent_micro += link.rent_micro
    LinkDay.objects.bulk_create(rows.values())


def _nothing_sent(day: DayRollup, zones: Mapping[str, int], link: LinkFlow) -> LinkDay:
    return LinkDay(
        community_id=day.community_id,
        day=day.day,
        from_zone_id=zones[link.from_zone],
        to_zone_id=zones[link.to_zone],
        sent_wh=0,
        received_wh=0,
        limit_wh=0,
        congested_minutes=0,
        rent_micro=0,
    )

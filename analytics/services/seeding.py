"""Store rollups of days that nobody metered: a synthetic city's past, marked as such.

The last days of such a city go through the market like anybody's; a year of them would take hours,
so of the days before there are rollups alone, made from the same curves by a plain rule.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import numpy as np
from django.db import transaction

from analytics.domain.day_sums import Int64Array
from analytics.models import DayRollup, FlowDay, IntervalRollup, MarketRollup, ZoneDay, ZoneHour
from analytics.services.member_rows import copy_members
from marketplace.domain.money import amounts_micro

HOURS: Final = 24
QUARTERS: Final = 4
GRID: Final = "grid"
# Numbers of intervals that no market has, apart from those of other communities.
_APART: Final = 10**9
_ENERGIES: Final = ("import_wh", "export_wh", "bought_wh", "sold_wh")


@dataclass(frozen=True, eq=False)
class SeededDay:
    """A day of 24 hours of a community's members, by member and hour. [Wh], [micro/kWh]"""

    community_id: int
    day: date
    starts_at: datetime
    rule_set_id: int
    fee: int
    retail: Int64Array
    feed_in: Int64Array
    participant_ids: Int64Array
    zone_ids: Int64Array
    roles: tuple[str, ...]
    import_wh: Int64Array
    export_wh: Int64Array


@dataclass(frozen=True, eq=False)
class _Market:
    """What the plain rule makes of a day: by member and hour, prices by hour."""

    sums: dict[str, Int64Array]
    prices: Int64Array


@transaction.atomic
def store_seeded_day(*, seeded: SeededDay, now: datetime) -> bool:
    """Store all rollups of a day; False if the day has any already."""
    row, is_new = DayRollup.objects.get_or_create(
        community_id=seeded.community_id,
        day=seeded.day,
        defaults={
            "starts_at": seeded.starts_at,
            "ends_at": seeded.starts_at + timedelta(hours=HOURS),
            "interval_count": HOURS * QUARTERS,
            "settled_count": HOURS * QUARTERS,
            "final_count": HOURS * QUARTERS,
            "missing_count": 0,
            "rule_set_ids": [seeded.rule_set_id],
            "revision_sum": HOURS * QUARTERS,
            "is_due": False,
            "is_seeded": True,
            "computed_at": now,
        },
    )
    if not is_new:
        return False
    market = _market(seeded)
    copy_members(
        community_id=seeded.community_id,
        day=seeded.day,
        participant_ids=seeded.participant_ids,
        columns=_member_columns(seeded, market),
    )
    _write_zones(row, seeded, market)
    _write_flows(seeded, market)
    return True


def _market(seeded: SeededDay) -> _Market:
    """Let neighbours take all that there is, in proportion, at a price by scarcity."""
    supply, demand = seeded.export_wh.sum(axis=0), seeded.import_wh.sum(axis=0)
    traded = np.minimum(supply, demand)
    bought, sold = _shared(seeded.import_wh, traded), _shared(seeded.export_wh, traded)
    ceiling = seeded.retail - seeded.fee
    room = np.maximum(0, ceiling - seeded.feed_in)
    prices = ceiling - room * np.minimum(supply, demand) // np.maximum(1, demand)
    sums = {
        "import_wh": seeded.import_wh,
        "export_wh": seeded.export_wh,
        "bought_wh": bought,
        "sold_wh": sold,
    }
    return _Market(sums, prices)


def _shared(wanted: Int64Array, traded: Int64Array) -> Int64Array:
    """Share what is traded each hour in proportion to what each wants; whole Wh, nothing lost."""
    reached = np.cumsum(wanted, axis=0)
    reached = reached * traded // np.maximum(1, reached[-1])
    shares: Int64Array = np.diff(reached, axis=0, prepend=0)
    return shares


def _member_columns(seeded: SeededDay, market: _Market) -> dict[str, Int64Array]:
    sums, prices = market.sums, np.maximum(0, market.prices)
    bought, sold = sums["bought_wh"], sums["sold_wh"]
    from_grid, to_grid = seeded.import_wh - bought, seeded.export_wh - sold
    fees = amounts_micro(bought, seeded.fee)
    alone_sales = amounts_micro(seeded.export_wh, seeded.feed_in)
    columns = {
        **sums,
        "grid_import_wh": from_grid,
        "grid_export_wh": to_grid,
        "pool_sale_micro": amounts_micro(sold, prices),
        "grid_sale_micro": amounts_micro(to_grid, seeded.feed_in),
        "pool_purchase_micro": -amounts_micro(bought, prices) - fees,
        "grid_purchase_micro": -amounts_micro(from_grid, seeded.retail),
        "platform_fee_micro": -fees,
        "alone_sale_micro": alone_sales,
        "alone_micro": alone_sales - amounts_micro(seeded.import_wh, seeded.retail),
    }
    found = {name: values.sum(axis=1) for name, values in columns.items()}
    found["interval_count"] = np.full(len(bought), HOURS * QUARTERS, dtype=np.int64)
    return found


def _write_zones(row: DayRollup, seeded: SeededDay, market: _Market) -> None:
    """Write hours, the day and intervals of each zone; a quarter is a fourth of its hour."""
    hours, days, intervals = [], [], []
    zones = [0, *np.unique(seeded.zone_ids).tolist()]
    sums = {}
    for zone_id in zones:
        own = seeded.zone_ids == zone_id if zone_id else np.ones(len(seeded.zone_ids), np.bool_)
        energies = {name: values[own].sum(axis=0) for name, values in market.sums.items()}
        energies = _completed(energies, market.prices)
        sums[zone_id] = energies
        same = {"community_id": row.community_id, "zone_id": zone_id, "meters_min": int(own.sum())}
        for hour in range(HOURS):
            hours.append(
                ZoneHour(
                    **same,
                    starts_at=row.starts_at + timedelta(hours=hour),
                    interval_count=QUARTERS,
                    retail_micro_per_kwh=int(seeded.retail[hour]),
                    feed_in_micro_per_kwh=int(seeded.feed_in[hour]),
                    **{name: int(values[hour]) for name, values in energies.items()},
                )
            )
        priced = market.prices[energies["priced_wh"] > 0]
        days.append(
            ZoneDay(
                **same,
                day=row.day,
                interval_count=HOURS * QUARTERS,
                retail_micro_per_kwh=int(seeded.retail.mean()),
                feed_in_micro_per_kwh=int(seeded.feed_in.mean()),
                price_min_micro_per_kwh=int(priced.min()) if len(priced) else None,
                price_max_micro_per_kwh=int(priced.max()) if len(priced) else None,
                peak_import_w=int(energies["grid_import_wh"].max()),
                peak_alone_w=int(energies["import_wh"].max()),
                **{name: int(values.sum()) for name, values in energies.items()},
            )
        )
        if zone_id:
            intervals += list(_quarters(row, same, energies, market.prices))
    ZoneHour.objects.bulk_create(hours)
    ZoneDay.objects.bulk_create(days)
    IntervalRollup.objects.bulk_create(intervals)
    MarketRollup.objects.bulk_create(_markets(row, seeded, sums[0]))


def _completed(energies: dict[str, Int64Array], prices: Int64Array) -> dict[str, Int64Array]:
    return {
        **energies,
        "grid_import_wh": energies["import_wh"] - energies["bought_wh"],
        "grid_export_wh": energies["export_wh"] - energies["sold_wh"],
        "priced_wh": energies["bought_wh"],
        "priced_micro": energies["bought_wh"] * prices // 1000,
    }


def _interval(row: DayRollup, quarter: int) -> tuple[int, datetime]:
    """Return the number and the start of a quarter-hour."""
    starts_at = row.starts_at + timedelta(minutes=15 * quarter)
    number = int(starts_at.timestamp()) // 900
    return -(row.community_id * _APART + number), starts_at


def _quarters(
    row: DayRollup, same: dict[str, Any], energies: dict[str, Int64Array], prices: Int64Array
) -> Iterator[IntervalRollup]:
    for quarter in range(HOURS * QUARTERS):
        hour = quarter // QUARTERS
        number, starts_at = _interval(row, quarter)
        values = {name: _fourth(column[hour], quarter) for name, column in energies.items()}
        yield IntervalRollup(
            interval_id=number,
            zone_id=same["zone_id"],
            community_id=row.community_id,
            starts_at=starts_at,
            revision=1,
            meter_count=same["meters_min"],
            price_micro_per_kwh=int(prices[hour]) if values["priced_wh"] else None,
            **values,
        )


def _markets(
    row: DayRollup, seeded: SeededDay, energies: dict[str, Int64Array]
) -> Iterator[MarketRollup]:
    sellers = (seeded.export_wh > 0).sum(axis=0)
    buyers = (seeded.import_wh > 0).sum(axis=0)
    for quarter in range(HOURS * QUARTERS):
        hour = quarter // QUARTERS
        number, starts_at = _interval(row, quarter)
        values = {name: _fourth(column[hour], quarter) for name, column in energies.items()}
        is_traded = values["bought_wh"] > 0
        yield MarketRollup(
            interval_id=number,
            community_id=row.community_id,
            starts_at=starts_at,
            ends_at=starts_at + timedelta(minutes=15),
            revision=1,
            rule_set_id=seeded.rule_set_id,
            retail_micro_per_kwh=int(seeded.retail[hour]),
            feed_in_micro_per_kwh=int(seeded.feed_in[hour]),
            meter_count=len(seeded.participant_ids),
            missing_count=0,
            left_out_count=0,
            seller_count=int(sellers[hour]) if is_traded else 0,
            buyer_count=int(buyers[hour]) if is_traded else 0,
            offered_wh=values["export_wh"],
            wanted_wh=values["import_wh"],
            traded_wh=values["bought_wh"],
            agreed_wh=0,
            value_micro=values["priced_micro"],
            lost_wh=0,
            rent_micro=0,
            congested_links=0,
            seller_hhi=10_000 // max(1, int(sellers[hour])) if is_traded else None,
            buyer_hhi=10_000 // max(1, int(buyers[hour])) if is_traded else None,
            cleared_at=row.ends_at,
        )


def _fourth(value: np.int64, quarter: int) -> int:
    """Return a quarter's part of an hour; the first ones take what does not divide."""
    whole, rest = divmod(int(value), QUARTERS)
    return whole + (quarter % QUARTERS < rest)


def _write_flows(seeded: SeededDay, market: _Market) -> None:
    """Write flows in proportion: what a group sold goes to groups as they bought."""
    names = sorted(set(seeded.roles))
    role_of = np.array([names.index(each) for each in seeded.roles], dtype=np.int64)
    pairs, groups = np.unique(np.stack([seeded.zone_ids, role_of]), axis=1, return_inverse=True)
    groups = groups.reshape(-1)
    labels = [(int(zone), names[role]) for zone, role in pairs.T.tolist()]
    sizes = np.bincount(groups, minlength=len(labels))
    by_group = {
        name: np.stack([market.sums[name][groups == at].sum(axis=0) for at in range(len(labels))])
        for name in _ENERGIES
    }
    flows = []
    for at, origin in enumerate(labels):
        shares = _shared(by_group["bought_wh"], by_group["sold_wh"][at])
        for to, target in enumerate(labels):
            ends = (*origin, *target, int(sizes[at]), int(sizes[to]))
            flows.append((*ends, shares[to], market.prices))
        size = int(sizes[at])
        to_grid = by_group["export_wh"][at] - by_group["sold_wh"][at]
        from_grid = by_group["import_wh"][at] - by_group["bought_wh"][at]
        flows.append((*origin, 0, GRID, size, size, to_grid, seeded.feed_in))
        flows.append((0, GRID, *origin, size, size, from_grid, seeded.retail))
    FlowDay.objects.bulk_create(
        FlowDay(
            community_id=seeded.community_id,
            day=seeded.day,
            from_zone_id=from_zone,
            from_group=from_group,
            to_zone_id=to_zone,
            to_group=to_group,
            wh=int(energy.sum()),
            value_micro=int((energy * prices // 1000).sum()),
            from_count=from_count,
            to_count=to_count,
        )
        for from_zone, from_group, to_zone, to_group, from_count, to_count, energy, prices in flows
        if energy.any()
    )

"""A dry run of a member's standing rule on the past month, as if it had followed forecasts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from analytics.domain.forecast import Method
from analytics.queries import (
    PastExpectation,
    SubjectForecast,
    list_interval_rollups,
    list_past_expectations,
)
from marketplace.domain.forward.dry_run import DryRun, Recorded, dry_run
from marketplace.domain.rules import BandPrices
from marketplace.domain.standing import limits_for_band, spread_keys
from marketplace.queries.pages import Place
from marketplace.queries.pages_member import MeterName
from marketplace.queries.pages_rules import RuleVersion
from marketplace.queries.recorded_prices import RecordedTariffs, list_recorded_tariffs

DAYS = 30
Int64Array = NDArray[np.int64]


@dataclass(frozen=True)
class Rehearsal:
    """What a rule would have done between two moments."""

    starts_at: datetime
    ends_at: datetime
    intervals: int
    outcome: DryRun


def rehearse(
    *,
    place: Place,
    meter: MeterName,
    zone_id: int,
    rule: RuleVersion | None,
    forecast: tuple[SubjectForecast, SubjectForecast],
) -> Rehearsal | None:
    """Let the rule in force follow forecasts over the past month.

    Returns
    -------
    Rehearsal or None
        None where the rule is paused, or the past is too short or not cleared.
    """
    if rule is not None and rule.is_paused:
        return None
    methods: Sequence[Method] = [side.qualities[0].method for side in forecast]
    past = list_past_expectations(
        place=place, metering_point_id=meter.metering_point_id, days=DAYS, methods=methods
    )
    if not past:
        return None
    start, end = past[0].starts_at, past[-1].ends_at
    in_community = place.community_id
    tariffs = {
        each.starts_at: each
        for each in list_recorded_tariffs(community_id=in_community, start=start, end=end)
    }
    prices = {
        each.starts_at: each.price_micro_per_kwh
        for each in list_interval_rollups(
            community_id=in_community, start=start, end=end, zone_id=zone_id
        )
    }
    known = [each for each in past if each.starts_at in tariffs and each.starts_at in prices]
    if not known:
        return None
    of = [tariffs[each.starts_at] for each in known]
    recorded = _recorded(known, of, [prices[each.starts_at] for each in known])
    sell, buy = limits_of(meter.code, rule, of)
    outcome = dry_run(
        recorded,
        expected_export_wh=column([each.expected_export_wh for each in known]),
        expected_import_wh=column([each.expected_import_wh for each in known]),
        sell_limits=sell,
        buy_limits=buy,
    )
    return Rehearsal(start, end, len(known), outcome)


def _recorded(
    past: Sequence[PastExpectation],
    tariffs: Sequence[RecordedTariffs],
    prices: Sequence[int | None],
) -> Recorded:
    return Recorded(
        export_wh=column([each.export_wh for each in past]),
        import_wh=column([each.import_wh for each in past]),
        prices=column([price or 0 for price in prices]),
        has_price=np.array([price is not None for price in prices], dtype=np.bool_),
        retail=column([each.retail_micro_per_kwh for each in tariffs]),
        feed_in=column([each.feed_in_micro_per_kwh for each in tariffs]),
        platform_fee=column([each.platform_fee_micro_per_kwh for each in tariffs]),
    )


def limits_of(
    code: str, rule: RuleVersion | None, tariffs: Sequence[RecordedTariffs]
) -> tuple[Int64Array, Int64Array]:
    """Return sell and buy limits by interval: the rule's own, else the rule set's default."""
    keys = spread_keys([code])
    defaults: dict[tuple[int, int, int], tuple[int, int]] = {}
    sells, buys = [], []
    for each in tariffs:
        band = (
            each.retail_micro_per_kwh,
            each.feed_in_micro_per_kwh,
            each.platform_fee_micro_per_kwh,
        )
        if band not in defaults:
            buy, sell = limits_for_band(keys, BandPrices(*band, ""))
            defaults[band] = (int(sell[0]), int(buy[0]))
        sells.append(defaults[band][0])
        buys.append(defaults[band][1])
    own_sell = rule.sell_at_or_above_micro_per_kwh if rule else None
    own_buy = rule.buy_at_or_below_micro_per_kwh if rule else None
    count = len(tariffs)
    return (
        column(sells if own_sell is None else [own_sell] * count),
        column(buys if own_buy is None else [own_buy] * count),
    )


def column(values: Sequence[int]) -> Int64Array:
    """Return whole numbers as an array."""
    return np.array(values, dtype=np.int64)

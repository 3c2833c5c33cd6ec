"""A rule before it is accepted: what it would have come to on the meter's own last month."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from analytics.queries import Rollup, list_interval_rollups
from config.forward.rehearsal import Int64Array, column, limits_of
from marketplace.domain.money import PRICE_MAX_MICRO_PER_KWH
from marketplace.domain.rule_preview import OwnPast, Previewed, as_it_was, preview_rule
from marketplace.queries.pages import Place
from marketplace.queries.pages_member import MeterName
from marketplace.queries.pages_rules import RuleVersion
from marketplace.queries.point_history import PointInterval, list_point_intervals
from marketplace.queries.recorded_prices import RecordedTariffs, list_recorded_tariffs

DAYS: Final = timedelta(days=30)


@dataclass(frozen=True)
class RulePreview:
    """What happened, and what another rule would have come to, over the same intervals."""

    starts_at: datetime
    ends_at: datetime
    intervals: int
    before: Previewed
    after: Previewed

    @property
    def change_micro(self) -> int:
        """What the other rule would have been better by."""
        return self.after.net_micro - self.before.net_micro


def preview(
    *,
    place: Place,
    meter: MeterName,
    zone_id: int,
    rule: RuleVersion,
    in_force: RuleVersion | None,
    last: datetime,
) -> RulePreview | None:
    """Let a rule stand in the place of those that were in force over the last month.

    Parameters
    ----------
    rule : RuleVersion
        As it would be accepted; paused: the grid alone.
    in_force : RuleVersion or None
        The rule it would take the place of.
    last : datetime
        The end of the month to look at.

    Returns
    -------
    RulePreview or None
        None before the first settled interval with a reading.
    """
    start = last - DAYS
    here = place.community_id
    recorded = list_recorded_tariffs(community_id=here, start=start, end=last)
    tariffs = {each.starts_at: each for each in recorded}
    rollups = list_interval_rollups(community_id=here, start=start, end=last, zone_id=zone_id)
    zone = {each.starts_at: each for each in rollups}
    own = [
        each
        for each in list_point_intervals(
            metering_point_id=meter.metering_point_id, start=start, end=last
        )
        if each.starts_at in tariffs and each.starts_at in zone
    ]
    if not own:
        return None
    of = [tariffs[each.starts_at] for each in own]
    limits = _limits_in_force(meter.code, in_force, of)
    past = _past(own, of, [zone[each.starts_at] for each in own], limits)
    before = as_it_was(past)
    if rule.is_paused:
        after = replace(before, sold_wh=0, bought_wh=0, net_micro=before.alone_micro)
    else:
        sell, buy = limits_of(meter.code, rule, of)
        after = preview_rule(past, sell_limits=sell, buy_limits=buy)
    return RulePreview(own[0].starts_at, own[-1].starts_at, len(own), before, after)


def _limits_in_force(
    code: str, rule: RuleVersion | None, tariffs: Sequence[RecordedTariffs]
) -> tuple[Int64Array, Int64Array]:
    """Return the limits of the rule in force; without one nothing was open at any price."""
    if rule is None or rule.is_paused:
        never = column([PRICE_MAX_MICRO_PER_KWH + 1] * len(tariffs))
        return never, -never
    return limits_of(code, rule, tariffs)


def _past(
    own: Sequence[PointInterval],
    tariffs: Sequence[RecordedTariffs],
    zone: Sequence[Rollup],
    limits: tuple[Int64Array, Int64Array],
) -> OwnPast:
    # A late reading can be below what was traded by the one before it.
    export = column([max(0, each.export_wh - each.agreed_sold_wh) for each in own])
    import_ = column([max(0, each.import_wh - each.agreed_bought_wh) for each in own])
    return OwnPast(
        export_wh=export,
        import_wh=import_,
        sold_wh=np.minimum(column([each.pool_sold_wh for each in own]), export),
        bought_wh=np.minimum(column([each.pool_bought_wh for each in own]), import_),
        zone_export_wh=column([each.export_wh for each in zone]),
        zone_sold_wh=column([each.sold_wh for each in zone]),
        zone_import_wh=column([each.import_wh for each in zone]),
        zone_bought_wh=column([each.bought_wh for each in zone]),
        prices=column([each.price_micro_per_kwh or 0 for each in zone]),
        has_price=np.array([each.price_micro_per_kwh is not None for each in zone], dtype=np.bool_),
        sell_limits=limits[0],
        buy_limits=limits[1],
        retail=column([each.retail_micro_per_kwh for each in tariffs]),
        feed_in=column([each.feed_in_micro_per_kwh for each in tariffs]),
        platform_fee=column([each.platform_fee_micro_per_kwh for each in tariffs]),
    )

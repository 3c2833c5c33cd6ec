"""Estimate what did not come by the readings' deadline, where the rule set asks for it."""

from datetime import datetime
from hashlib import sha256

import numpy as np
from django.db import transaction

from marketplace.domain.readings.columns import ReadingsFile
from marketplace.domain.readings.estimation import Estimates, estimate, history_starts
from marketplace.domain.rules import Rules, load_rules
from marketplace.models import Community, MeteringPoint, Reading, RuleSet
from marketplace.queries.missing_readings import (
    IntervalToEstimate,
    get_history,
    list_intervals_to_estimate,
)
from marketplace.services.readings import import_readings

# Comes before the rule's name in the source of a batch of estimates.
SOURCE = "estimation:"


@transaction.atomic
def estimate_missing_readings(*, community_id: int, now: datetime, limit: int = 1000) -> int:
    """Store an estimate for each reading that is missing past its deadline.

    An estimate is an ordinary reading with a flag: the real one, whenever it comes, is its next
    version and corrects the interval. Safe to run twice or on two workers at once: the community's
    row is locked before it is looked at what is missing.

    Returns
    -------
    int
        How many readings were estimated.
    """
    if not list_intervals_to_estimate(community_id=community_id, now=now, limit=1):
        return 0
    Community.objects.select_for_update(no_key=True).get(id=community_id)
    due = list_intervals_to_estimate(community_id=community_id, now=now, limit=limit)
    rule_sets = RuleSet.objects.in_bulk({each.rule_set_id for each in due})
    rules = {id_: load_rules(each.document) for id_, each in rule_sets.items()}
    count = 0
    for rule_set_id in sorted(rules):
        intervals = [each for each in due if each.rule_set_id == rule_set_id]
        count += _estimate_under(rules[rule_set_id], community_id, intervals, now)
    return count


def _estimate_under(
    rules: Rules, community_id: int, intervals: list[IntervalToEstimate], now: datetime
) -> int:
    rule = rules.market.estimation
    found: list[tuple[int, Estimates]] = []
    for interval in intervals:
        starts = history_starts(rule, interval.starts_at, rules.zone)
        history = get_history(community_id=community_id, interval=interval, starts=starts)
        if len(history.moment):
            found.append((int(interval.starts_at.timestamp()), estimate(rule, history)))
    if not found:
        return 0
    readings = _readings(found, rules.interval_minutes)
    content = b"".join(
        column.tobytes()
        for column in (readings.start_epoch_s, readings.import_wh, readings.export_wh)
    )
    import_readings(
        community_id=community_id,
        readings=readings,
        source=f"{SOURCE}{rule}",
        sha256=sha256(content).hexdigest(),
        now=now,
    )
    return len(readings)


def _readings(found: list[tuple[int, Estimates]], minutes: int) -> ReadingsFile:
    points = np.concatenate([each.metering_point for _, each in found])
    known = dict(MeteringPoint.objects.in_bulk(np.unique(points).tolist()).items())
    meters = sorted(point.code for point in known.values())
    rank = {code: index for index, code in enumerate(meters)}
    count = len(points)
    return ReadingsFile(
        meters=tuple(meters),
        meter_index=np.array([rank[known[point].code] for point in points.tolist()], np.int32),
        start_epoch_s=np.concatenate(
            [np.full(len(each.metering_point), start, dtype=np.int64) for start, each in found]
        ),
        minutes=minutes,
        import_wh=np.concatenate([each.import_wh for _, each in found]),
        export_wh=np.concatenate([each.export_wh for _, each in found]),
        lines=np.arange(1, count + 1, dtype=np.int32),
        repeated=0,
        quality=np.full(count, Reading.Quality.ESTIMATED, dtype=np.int64),
    )

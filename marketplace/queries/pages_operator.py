"""What keeps the hall from being settled: states, gaps, late intervals, members over the limit."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, F, Min, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from ledger.queries import get_balances
from marketplace.models import (
    Clearing,
    DeliveryInterval,
    MeteringPoint,
    Participant,
    Reading,
    ReadingBatch,
    RuleSet,
)
from marketplace.queries.intervals import IS_BOOKED
from marketplace.queries.pages import Place

State = DeliveryInterval.State
STATE_NAMES = {state.name.lower(): state for state in State}
SHOWN = 20


@dataclass(frozen=True)
class StateCounts:
    """Intervals of one community by state; ``late`` ended and are not settled."""

    place: Place
    open: int
    metered: int
    cleared: int
    settled: int
    sealed: int
    late: int
    oldest_late_at: datetime | None


@dataclass(frozen=True)
class Gap:
    """An interval that lacks readings: held for them, or settled without."""

    place: Place
    starts_at: datetime
    is_held: bool
    expected_count: int
    missing_count: int
    left_out_count: int


@dataclass(frozen=True)
class BatchLine:
    """Readings that came in together."""

    source: str
    reading_count: int
    received_at: datetime


def list_state_counts(*, places: Sequence[Place], now: datetime) -> list[StateCounts]:
    """Return the intervals of each community by state."""
    late = ~IS_BOOKED & Q(ends_at__lte=now)
    rows = (
        DeliveryInterval.objects.filter(community__in=[place.community_id for place in places])
        .values("community_id")
        .annotate(
            **{name: Count("id", filter=Q(state=state)) for name, state in STATE_NAMES.items()},
            late=Count("id", filter=late),
            oldest_late_at=Min("ends_at", filter=late),
        )
    )
    found = {row["community_id"]: row for row in rows}
    counts = []
    for place in places:
        row: Mapping[str, Any] = found.get(place.community_id, {})
        states = {name: row.get(name, 0) for name in (*STATE_NAMES, "late")}
        counts.append(StateCounts(place, **states, oldest_late_at=row.get("oldest_late_at")))
    return counts


def list_gaps(*, places: Sequence[Place], now: datetime) -> list[Gap]:
    """Return intervals held for missing readings, then the newest settled without some."""
    by_id = {place.community_id: place for place in places}
    active = (
        MeteringPoint.objects.filter(
            Q(active_until__isnull=True) | Q(active_until__gt=OuterRef("starts_at")),
            community=OuterRef("community"),
            active_from__lte=OuterRef("starts_at"),
        )
        .order_by()
        .values("community")
        .annotate(number=Count("id"))
        .values("number")
    )
    reported = (
        Reading.objects.filter(interval=OuterRef("pk"))
        .order_by()
        .values("interval")
        .annotate(number=Count("metering_point", distinct=True))
        .values("number")
    )
    held = (
        DeliveryInterval.objects.filter(community__in=by_id, state=State.OPEN, ends_at__lte=now)
        .order_by("starts_at")[:SHOWN]
        .annotate(expected=Coalesce(Subquery(active), 0), reported=Coalesce(Subquery(reported), 0))
    )
    gaps = [
        Gap(
            by_id[interval.community_id],
            interval.starts_at,
            True,
            interval.expected,
            interval.expected - interval.reported,
            0,
        )
        for interval in held
    ]
    settled = (
        Clearing.objects.filter(
            Q(missing_count__gt=0) | Q(left_out_count__gt=0),
            interval__community__in=by_id,
            revision=F("interval__revision"),
        )
        .select_related("interval")
        .defer("book")
        .order_by("-interval__starts_at")[:SHOWN]
    )
    gaps.extend(
        Gap(
            by_id[clearing.interval.community_id],
            clearing.interval.starts_at,
            False,
            0,
            clearing.missing_count,
            clearing.left_out_count,
        )
        for clearing in settled
    )
    return gaps


def list_reading_batches(*, limit: int = 8) -> list[BatchLine]:
    """Return the newest batches of readings."""
    rows = ReadingBatch.objects.order_by("-id")[:limit]
    return [BatchLine(*row) for row in rows.values_list("source", "reading_count", "received_at")]


def count_members_over_limit(*, places: Sequence[Place], now: datetime) -> int:
    """Return how many members owe more than their credit limit, or their rules' for all."""
    defaults = get_usual_limits(places=places, now=now)
    owing = Participant.objects.filter(
        community__in=defaults, energy_account_id__isnull=False
    ).values_list("community_id", "energy_account_id", "credit_limit_micro")
    limits: dict[int, int] = {}
    for community_id, account_id, own_limit in owing:
        limit = defaults[community_id] if own_limit is None else own_limit
        if limit is not None and account_id is not None:
            limits[account_id] = limit
    if not limits:
        return 0
    balances = get_balances(account_ids=limits)
    return sum(
        account_id in balances and balances[account_id].posted < -limit
        for account_id, limit in limits.items()
    )


def get_usual_limits(*, places: Sequence[Place], now: datetime) -> dict[int, int | None]:
    """Return the credit limit for all members by community, None where the rules have none."""
    limits: dict[int, int | None] = defaultdict(lambda: None)
    limits.update({place.community_id: None for place in places})
    for rule_set in RuleSet.objects.filter(
        community__in=list(limits), effective_from__lte=now
    ).order_by("effective_from"):
        limits[rule_set.community_id] = rule_set.document.get("credit_limit_micro")
    return limits

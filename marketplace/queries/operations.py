"""What the operator must know at a glance: queues, feeds, tasks, and what needs somebody."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Count, Min, Q, Sum

from marketplace.models import (
    DataCharge,
    DataDelivery,
    DataVersion,
    DataWish,
    DeliveryInterval,
    MeterState,
    OrderBatch,
    TaskRun,
    Verification,
)
from marketplace.queries.pages import Place

State = DeliveryInterval.State
WAITING_CHARGES = (
    DataCharge.State.OPENING,
    DataCharge.State.DELIVERING,
    DataCharge.State.CLOSING,
    DataCharge.State.RELEASING,
)

_FEEDS = """
SELECT count(*), count(*) FILTER (WHERE NOT look.is_up),
    count(*) FILTER (WHERE look.is_up AND NOT look.is_valid), min(w.due_at),
    min(look.at) FILTER (WHERE NOT look.is_up OR NOT look.is_valid)
FROM marketplace_feedwatch w
LEFT JOIN LATERAL (
    SELECT p.at, p.is_up, p.is_valid FROM marketplace_proberesult p
    WHERE p.product_id = w.product_id ORDER BY p.at DESC LIMIT 1
) look ON true
"""


@dataclass(frozen=True)
class Queue:
    """Work that waits for a scan, not for a person."""

    name: str
    count: int
    oldest_at: datetime | None


@dataclass(frozen=True)
class Feeds:
    """The newest look at each live feed. ``due_at`` is the look that is due first."""

    count: int
    down_count: int
    invalid_count: int
    due_at: datetime | None
    problem_at: datetime | None


@dataclass(frozen=True)
class MeterGaps:
    """Meters of some communities whose last weeks lack readings."""

    meter_count: int
    with_gaps: int
    missing_count: int
    computed_at: datetime | None


@dataclass(frozen=True)
class TaskLine:
    """A scheduled task, as it last ended."""

    name: str
    ended_at: datetime | None
    failed_at: datetime | None
    failure: str


@dataclass(frozen=True)
class VerificationLine:
    """A run of ``verify_ledger``."""

    started_at: datetime
    ended_at: datetime
    last_block: int
    problem_count: int
    first_problem: str


def list_queues(*, places: Sequence[Place], now: datetime) -> list[Queue]:
    """Return what waits for the hall itself, by kind: how much and since when."""
    intervals = DeliveryInterval.objects.filter(
        Q(state__lt=State.SETTLED) | Q(has_news=True),
        community__in=[place.community_id for place in places],
        ends_at__lte=now,
    ).aggregate(count=Count("id"), oldest=Min("ends_at"))
    versions = (
        DataVersion.objects.filter(state=DataVersion.State.WORKING)
        .exclude(progress__step="preview")
        .aggregate(count=Count("id"), oldest=Min("created_at"))
    )
    charges = DataCharge.objects.filter(state__in=WAITING_CHARGES).aggregate(
        count=Count("id"), oldest=Min("opened_at")
    )
    deliveries = DataDelivery.objects.filter(state=DataDelivery.State.ACKNOWLEDGED).aggregate(
        count=Count("id"), oldest=Min("received_at")
    )
    orders = OrderBatch.objects.filter(state=OrderBatch.State.RECEIVED).aggregate(
        count=Count("id"), oldest=Min("received_at")
    )
    wishes = DataWish.objects.filter(state=DataWish.State.OPEN).aggregate(count=Count("id"))
    return [
        Queue("intervals", intervals["count"], intervals["oldest"]),
        Queue("orders", orders["count"], orders["oldest"]),
        Queue("charges", charges["count"], charges["oldest"]),
        Queue("deliveries", deliveries["count"], deliveries["oldest"]),
        Queue("versions", versions["count"], versions["oldest"]),
        # An open wish waits for sellers, not for the hall: no age says that something is wrong.
        Queue("wishes", wishes["count"], None),
    ]


def get_feeds() -> Feeds:
    """Return what the newest looks at all live feeds say."""
    with connection.cursor() as cursor:
        cursor.execute(_FEEDS)
        return Feeds(*cursor.fetchone())


def get_meter_gaps(*, places: Sequence[Place]) -> MeterGaps:
    """Return how many meters lack readings; figures of the watch over meters."""
    row = MeterState.objects.filter(
        community__in=[place.community_id for place in places]
    ).aggregate(
        meters=Count("metering_point"),
        gaps=Count("metering_point", filter=Q(missing_count__gt=0)),
        missing=Sum("missing_count"),
        computed_at=Min("computed_at"),
    )
    return MeterGaps(row["meters"], row["gaps"], int(row["missing"] or 0), row["computed_at"])


def list_task_runs() -> list[TaskLine]:
    """Return every task that has ever ended, by name."""
    rows = TaskRun.objects.order_by("name")
    return [TaskLine(*row) for row in rows.values_list("name", "ended_at", "failed_at", "failure")]


def get_last_verification() -> VerificationLine | None:
    """Return the newest run of ``verify_ledger``; None before the first."""
    row = Verification.objects.order_by("-ended_at").first()
    if row is None:
        return None
    return VerificationLine(
        row.started_at, row.ended_at, row.last_block, row.problem_count, row.first_problem
    )

"""Alerts as the operator sees them: what was found, about whom, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.db.models import Count, Q, QuerySet

from marketplace.models import Alert, AlertStep
from marketplace.queries.identity import names_of

STATE_NAMES: Final = {
    Alert.State.OPEN: "open",
    Alert.State.EXPLAINED: "explained",
    Alert.State.CLOSED: "closed",
}


@dataclass(frozen=True)
class StepLine:
    """What an operator said about an alert."""

    state: str
    note: str
    operator: str
    at: datetime


@dataclass(frozen=True)
class AlertLine:
    """An alert with everything that its words and its evidence need; names empty where erased."""

    id: int
    rule: str
    state: str
    day: date
    figures: dict[str, Any]
    community_id: int | None
    participant_id: int | None
    participant: str
    other_id: int | None
    other: str
    metering_point_id: int | None
    meter: str
    product_id: int | None
    product: str
    found_at: datetime
    steps: tuple[StepLine, ...]


@dataclass(frozen=True)
class AlertCount:
    """How many alerts of a rule there are, and how many of them are open."""

    rule: str
    count: int
    open_count: int


def count_alerts(*, community_ids: Sequence[int]) -> list[AlertCount]:
    """Return the alerts of some communities, and of feeds, by rule."""
    rows = (
        _of(community_ids)
        .values("rule")
        .annotate(count=Count("id"), open_count=Count("id", filter=Q(state=Alert.State.OPEN)))
        .order_by("rule")
    )
    return [AlertCount(row["rule"], row["count"], row["open_count"]) for row in rows]


def list_alerts(
    *,
    community_ids: Sequence[int],
    state: str,
    rule: str,
    before_id: int | None,
    limit: int,
) -> list[AlertLine]:
    """Return the newest alerts, of one state and rule where these are not empty."""
    found = _of(community_ids)
    states = {name: value for value, name in STATE_NAMES.items()}
    if state in states:
        found = found.filter(state=states[state])
    if rule:
        found = found.filter(rule=rule)
    if before_id is not None:
        found = found.filter(id__lt=before_id)
    rows = list(
        found.select_related("participant", "other", "metering_point", "product").order_by("-id")[
            :limit
        ]
    )
    steps = _steps([row.pk for row in rows])
    people = [each for row in rows for each in (row.participant, row.other) if each is not None]
    names = names_of(people)
    return [
        AlertLine(
            id=row.pk,
            rule=row.rule,
            state=STATE_NAMES[Alert.State(row.state)],
            day=row.day,
            figures=row.figures,
            community_id=row.community_id,
            participant_id=row.participant_id,
            participant=names.get(row.participant_id or 0, ""),
            other_id=row.other_id,
            other=names.get(row.other_id or 0, ""),
            metering_point_id=row.metering_point_id,
            meter=row.metering_point.code if row.metering_point else "",
            product_id=row.product_id,
            product=row.product.title if row.product else "",
            found_at=row.found_at,
            steps=tuple(steps.get(row.pk, ())),
        )
        for row in rows
    ]


def is_alert_of(*, alert_id: int, community_ids: Sequence[int]) -> bool:
    """Return whether an alert is one of these communities', or of feeds, which are everybody's."""
    return _of(community_ids).filter(id=alert_id).exists()


def _of(community_ids: Sequence[int]) -> QuerySet[Alert]:
    return Alert.objects.filter(Q(community__in=list(community_ids)) | Q(community__isnull=True))


def _steps(alert_ids: Sequence[int]) -> dict[int, list[StepLine]]:
    rows = list(
        AlertStep.objects.filter(alert__in=alert_ids).select_related("operator").order_by("id")
    )
    names = names_of(row.operator for row in rows)
    found: dict[int, list[StepLine]] = {}
    for row in rows:
        found.setdefault(row.alert_id, []).append(
            StepLine(STATE_NAMES[Alert.State(row.state)], row.note, names[row.operator_id], row.at)
        )
    return found

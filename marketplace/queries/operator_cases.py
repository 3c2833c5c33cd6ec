"""What needs the operator: a line for each thing that no task mends by itself, oldest first."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from django.db.models import Count, Max, Min, Q

from marketplace.domain.applications import ApplicationState
from marketplace.domain.civil_day import day_bounds
from marketplace.domain.data.disputes import ANSWER_TIME
from marketplace.domain.notices import MAIL_TRIES
from marketplace.models import (
    Alert,
    Application,
    DataDispute,
    DataVersion,
    DeliveryInterval,
    ErasureRequest,
    FinalBilling,
    MeterState,
    NoticeMail,
    Settlement,
    TradingHalt,
)
from marketplace.queries.intervals import IS_BOOKED
from marketplace.queries.pages import Place

# A version that is being made for so long will not be made any more.
STUCK_AFTER: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Case:
    """Something that waits for the operator.

    Attributes
    ----------
    kind : str
        What it is; pages have the words and the place for each.
    count : int
        How many of it there are.
    since : datetime or None
        Since when the oldest of them waits.
    place : Place or None
        The community, where it is one community's.
    subject : mapping
        Ids and texts that words and address name.
    """

    kind: str
    count: int
    since: datetime | None
    place: Place | None = None
    subject: dict[str, object] = field(default_factory=dict)


def list_cases(*, places: Sequence[Place], now: datetime) -> list[Case]:
    """Return everything in the tables that waits for an operator, the oldest first."""
    by_id = {place.community_id: place for place in places}
    cases = [
        *_meters(by_id),
        *_refused(by_id),
        *_disputes(now),
        *_versions(now),
        *_halts(by_id, now),
        *_billing(by_id, now),
        *_alerts(by_id),
        *_applications(by_id),
        *_erasures(by_id),
        *_mails(now),
    ]
    return sorted(cases, key=lambda case: (case.since or now, case.kind))


def _meters(places: dict[int, Place]) -> list[Case]:
    rows = (
        MeterState.objects.filter(community__in=places, missing_count__gt=0)
        .values("community_id")
        .annotate(count=Count("metering_point"), since=Min("gap_since"))
        .order_by("community_id")
    )
    return [
        Case(
            "meters",
            row["count"],
            _midnight(row["since"], places[row["community_id"]]),
            places[row["community_id"]],
        )
        for row in rows
    ]


def _refused(places: dict[int, Place]) -> list[Case]:
    rows = (
        Settlement.objects.filter(
            state=Settlement.State.REFUSED, clearing__interval__community__in=places
        )
        .values("clearing__interval__community_id")
        .annotate(count=Count("id"), since=Min("submitted_at"))
        .order_by("clearing__interval__community_id")
    )
    return [
        Case(
            "settlements",
            row["count"],
            row["since"],
            places[row["clearing__interval__community_id"]],
        )
        for row in rows
    ]


def _disputes(now: datetime) -> list[Case]:
    rows = (
        DataDispute.objects.filter(state=DataDispute.State.OPEN)
        .order_by("opened_at")
        .values_list("id", "opened_at", "answered_at", "charge__contract__product__title")
    )
    return [
        Case(
            "dispute" if answered_at or now >= opened_at + ANSWER_TIME else "dispute_unheard",
            1,
            opened_at,
            subject={"dispute": number, "title": title},
        )
        for number, opened_at, answered_at, title in rows[:100]
    ]


def _versions(now: datetime) -> list[Case]:
    stuck = (
        DataVersion.objects.filter(
            state=DataVersion.State.WORKING, created_at__lt=now - STUCK_AFTER
        )
        .exclude(progress__step="preview")
        .aggregate(count=Count("id"), since=Min("created_at"))
    )
    return [Case("versions", stuck["count"], stuck["since"])] if stuck["count"] else []


def _halts(places: dict[int, Place], now: datetime) -> list[Case]:
    halts = TradingHalt.objects.filter(
        Q(ends_at__isnull=True) | Q(ends_at__gt=now), community__in=places, starts_at__lte=now
    ).order_by("starts_at")
    return [
        Case("halt", 1, starts_at, places[community_id], {"reason": reason})
        for community_id, starts_at, reason in halts.values_list(
            "community_id", "starts_at", "reason"
        )
    ]


def _billing(places: dict[int, Place], now: datetime) -> list[Case]:
    """Return the first month of each community that is over and has no final run."""
    finals = dict(
        FinalBilling.objects.filter(community__in=places)
        .order_by("community")
        .values("community_id")
        .annotate(last=Max("month"))
        .values_list("community_id", "last")
    )
    firsts = dict(
        DeliveryInterval.objects.filter(IS_BOOKED, community__in=places)
        .order_by("community")
        .values("community_id")
        .annotate(first=Min("starts_at"))
        .values_list("community_id", "first")
    )
    cases = []
    for community_id, first in firsts.items():
        place = places[community_id]
        last = finals.get(community_id)
        month = _month_after(last) if last else first.astimezone(place.zone).date().replace(day=1)
        over_at = day_bounds(_month_after(month), place.zone)[0]
        if over_at <= now:
            cases.append(Case("billing", 1, over_at, place, {"month": month}))
    return cases


def _alerts(places: dict[int, Place]) -> list[Case]:
    row = Alert.objects.filter(
        Q(community__in=places) | Q(community__isnull=True), state=Alert.State.OPEN
    ).aggregate(count=Count("id"), since=Min("found_at"))
    return [Case("alerts", row["count"], row["since"])] if row["count"] else []


def _erasures(places: dict[int, Place]) -> list[Case]:
    row = ErasureRequest.objects.filter(
        Q(participant__community__in=places) | Q(participant__community__isnull=True),
        closed_at__isnull=True,
    ).aggregate(count=Count("id"), since=Min("asked_at"))
    return [Case("erasures", row["count"], row["since"])] if row["count"] else []


def _mails(now: datetime) -> list[Case]:
    """Return how many mails were refused until they were given up."""
    row = NoticeMail.objects.filter(try_count__gte=MAIL_TRIES, next_try_at__lte=now).aggregate(
        count=Count("id"), since=Min("created_at")
    )
    return [Case("mails", row["count"], row["since"])] if row["count"] else []


def _applications(places: dict[int, Place]) -> list[Case]:
    """Return how many applications nobody has answered."""
    row = Application.objects.filter(
        community__in=places, state=ApplicationState.SUBMITTED
    ).aggregate(count=Count("id"), since=Min("submitted_at"))
    return [Case("applications", row["count"], row["since"])] if row["count"] else []


def _month_after(month: date) -> date:
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


def _midnight(day: date | None, place: Place) -> datetime | None:
    return day_bounds(day, place.zone)[0] if day else None

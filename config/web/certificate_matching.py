"""How far certificates cover a member's consumption, hour by hour: picture, table, file."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from config.web.certificates import chosen_month
from config.web.days import render_in
from config.web.personas import place_or_404, use_persona
from config.web.signing import MEMBER_ROLES
from marketplace.queries.certificate_hours import (
    CertifiedHour,
    MatchingScore,
    list_certified_hours,
    score_of,
)

HOURS: Final = 24


@dataclass(frozen=True)
class ScoredDay:
    """A civil day with its hours by their place on the clock; None where nothing was used."""

    day: date
    score: MatchingScore
    hours: tuple[CertifiedHour | None, ...]


@dataclass(frozen=True)
class HourOfDay:
    """All days' hours of one place on the clock together. [Wh]"""

    hour: int
    used_wh: int
    matched_wh: int

    @property
    def unmatched_wh(self) -> int:
        """Consumption that no cancelled certificate covers."""
        return self.used_wh - self.matched_wh


@require_safe
def matching(request: HttpRequest, participant_id: int) -> HttpResponse:
    """The score of a month with its hours."""
    persona = use_persona(request, participant_id, *MEMBER_ROLES)
    place = place_or_404(persona)
    chosen = chosen_month(request, place, timezone.now())
    hours = list_certified_hours(
        participant_id=participant_id, zone=place.timezone, start=chosen.start, end=chosen.end
    )
    context = {
        "persona": persona,
        "chosen": chosen,
        "score": score_of(hours),
        "days": days_of(hours, place.zone),
        "clock": clock_of(hours, place.zone),
    }
    return render_in(request, place, "certificates/matching.html", context)


@require_safe
def matching_file(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Hand out the hours of a month as CSV. [Wh]"""
    persona = use_persona(request, participant_id, *MEMBER_ROLES)
    place = place_or_404(persona)
    chosen = chosen_month(request, place, timezone.now())
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["hour", "used_wh", "cancelled_wh", "held_wh", "matched_wh"])
    for hour in list_certified_hours(
        participant_id=participant_id, zone=place.timezone, start=chosen.start, end=chosen.end
    ):
        start = hour.starts_at.astimezone(place.zone).isoformat()
        figures = (hour.used_wh, hour.cancelled_wh, hour.held_wh, hour.matched_wh)
        writer.writerow([start, *figures])
    answer = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    name = f"matching-{participant_id}-{chosen.name}.csv"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def days_of(hours: Sequence[CertifiedHour], zone: ZoneInfo) -> list[ScoredDay]:
    """Return the days between the first hour and the last, each with its hours."""
    if not hours:
        return []
    found: dict[date, list[CertifiedHour]] = {}
    for hour in hours:
        found.setdefault(hour.starts_at.astimezone(zone).date(), []).append(hour)
    first, last = min(found), max(found)
    every = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return [ScoredDay(day, score_of(own), _on_the_clock(own, zone))
            for day in every for own in [found.get(day, [])]]  # fmt: skip


def _on_the_clock(
    hours: Sequence[CertifiedHour], zone: ZoneInfo
) -> tuple[CertifiedHour | None, ...]:
    """Place hours by the clock; when it is turned back, the second of two is shown as both."""
    row: list[CertifiedHour | None] = [None] * HOURS
    for hour in hours:
        at = hour.starts_at.astimezone(zone).hour
        before = row[at]
        row[at] = hour if before is None else _both(before, hour)
    return tuple(row)


def _both(one: CertifiedHour, other: CertifiedHour) -> CertifiedHour:
    return CertifiedHour(
        one.starts_at,
        one.used_wh + other.used_wh,
        one.matched_wh + other.matched_wh,
        one.held_wh + other.held_wh,
    )


def clock_of(hours: Sequence[CertifiedHour], zone: ZoneInfo) -> list[HourOfDay]:
    """Return consumption and its covered part by hour of the day."""
    used, matched = [0] * HOURS, [0] * HOURS
    for hour in hours:
        at = hour.starts_at.astimezone(zone).hour
        used[at] += hour.used_wh
        matched[at] += hour.matched_wh
    return [HourOfDay(hour, used[hour], matched[hour]) for hour in range(HOURS)]

"""A month's hours in their places: by day and hour of the clock, and by hour alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from marketplace.queries.certificate_hours import CertifiedHour, MatchingScore, score_of

HOURS: Final = 24


@dataclass(frozen=True)
class ScoredDay:
    """A civil day with its hours by their place on the clock; None where nothing was used."""

    day: date
    score: MatchingScore
    hours: tuple[CertifiedHour | None, ...]


@dataclass(frozen=True)
class HourOfDay:
    """All days' hours of one place on the clock together; held is what could still cover. [Wh]"""

    hour: int
    used_wh: int
    matched_wh: int
    held_wh: int

    @property
    def missing_wh(self) -> int:
        """Consumption that no certificate covers or could cover."""
        return self.used_wh - self.matched_wh - self.held_wh


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
    """Return consumption and its covered parts by hour of the day."""
    used, matched, held = [0] * HOURS, [0] * HOURS, [0] * HOURS
    for hour in hours:
        at = hour.starts_at.astimezone(zone).hour
        used[at] += hour.used_wh
        matched[at] += hour.matched_wh
        held[at] += hour.coverable_wh - hour.matched_wh
    return [HourOfDay(hour, used[hour], matched[hour], held[hour]) for hour in range(HOURS)]

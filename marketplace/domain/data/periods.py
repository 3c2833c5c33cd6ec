"""The periods of a contract that are charged one by one: months of UTC, cut where a trial ends."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from marketplace.domain.billing.month import month_bounds, month_of

_UTC = ZoneInfo("UTC")


@dataclass(frozen=True)
class Period:
    """A half-open time that is charged as one, and the month it lies in.

    Attributes
    ----------
    number : int
        Counts the periods of a contract from 0.
    """

    number: int
    start: datetime
    end: datetime
    is_trial: bool = False

    @property
    def covered_s(self) -> int:
        """How long it is. [s]"""
        return seconds(self.start, self.end)

    @property
    def month_s(self) -> int:
        """How long the month is that it begins in; not less than itself. [s]"""
        return max(month_seconds(self.start), self.covered_s)


def periods(start: datetime, until: datetime, *, trial_days: int = 0) -> Iterator[Period]:
    """Yield the periods of a feed's contract: its trial, then month by month of UTC.

    A trial is one period however many months it touches; nothing is charged for it.
    """
    number = 0
    trial_end = min(until, start + timedelta(days=trial_days))
    if trial_end > start:
        yield Period(number, start, trial_end, is_trial=True)
        number += 1
    at = trial_end
    while at < until:
        end = min(until, month_bounds(month_of(at.astimezone(_UTC).date()), _UTC)[1])
        yield Period(number, at, end)
        at, number = end, number + 1


def month_seconds(moment: datetime) -> int:
    """Return the length of the month of UTC that a moment lies in. [s]"""
    return seconds(*month_bounds(month_of(moment.astimezone(_UTC).date()), _UTC))


def seconds(start: datetime, end: datetime) -> int:
    """Return the whole seconds between two moments. [s]"""
    return (end - start) // timedelta(seconds=1)

"""Civil months, the periods that are billed."""

import re
from datetime import date, datetime
from zoneinfo import ZoneInfo

from marketplace.domain.civil_day import FIRST_MOMENT, LAST_MOMENT, day_bounds

_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)


def month_of(day: date) -> date:
    """Return the first day of a day's month."""
    return day.replace(day=1)


def month_after(month: date) -> date:
    """Return the first day of the next month."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def month_before(month: date) -> date:
    """Return the first day of the month before."""
    return date(month.year - (month.month == 1), (month.month - 2) % 12 + 1, 1)


def read_month(text: str) -> date | None:
    """Read ``YYYY-MM``; None if it is no month, or so far off that no clock of a zone shows it."""
    found = _MONTH.fullmatch(text)
    if found is None or not FIRST_MOMENT.year < int(found[1]) < LAST_MOMENT.year:
        return None
    try:
        return date(int(found[1]), int(found[2]), 1)
    except ValueError:
        return None


def month_bounds(month: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the half-open bounds of a civil month in UTC."""
    return day_bounds(month, zone)[0], day_bounds(month_after(month), zone)[0]

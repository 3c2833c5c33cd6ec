"""Times of somebody's own CSV: which number is the day, and which moment a wall clock means."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Final

from marketplace.domain.readings.cells import CellInvalid, quoted

DATE: Final = r"(?P<a>[0-9]{1,4})(?P<sep>[-/.年])(?P<b>[0-9]{1,2})[-/.月](?P<c>[0-9]{1,4})日?"
COMPACT: Final = r"(?P<y>[0-9]{4})(?P<m>[0-9]{2})(?P<d>[0-9]{2})"
CLOCK: Final = re.compile(
    r"(?P<hour>[0-9]{1,2})[:.时](?P<minute>[0-9]{2})(?:[:.分](?P<second>[0-9]{2})(?:\.0+)?秒?|分)?"
    r"\s*(?P<half>[AaPp][Mm])?\s*(?P<offset>Z|[+-][0-9]{2}:?[0-9]{2})?"
)
COMPACT_CLOCK: Final = re.compile(r"(?P<hour>[0-9]{2})(?P<minute>[0-9]{2})(?P<second>[0-9]{2})?")
DATE_FORM: Final = re.compile(f"(?:{DATE}|{COMPACT})")
ORDERS: Final = ("y-m-d", "d-m-y", "m-d-y")
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
CACHE_MAX: Final = 200_000


@dataclass(slots=True)
class DateEvidence:
    """What the dates of a file say about the order of their numbers."""

    orders: set[str] = field(default_factory=lambda: set(ORDERS))
    seen: set[str] = field(default_factory=set)

    def look(self, text: str) -> None:
        """Take one date into account.

        Raises
        ------
        CellInvalid
            If it is no date, or contradicts the dates before.
        """
        if text in self.seen:
            return
        if len(self.seen) < CACHE_MAX:
            self.seen.add(text)
        fits = {order for order in ORDERS if _date(text, order) is not None}
        if not fits:
            raise CellInvalid(f"{quoted(text)} is no date", "write it like 2026-07-01")
        if not self.orders & fits:
            raise CellInvalid(
                f"{quoted(text)} has day and month in another order than the dates before",
                "write all dates one way, like 2026-07-01",
            )
        self.orders &= fits


def split_moment(text: str) -> tuple[str, str]:
    """Return the date and the clock of a cell that holds both, the clock "" where it has none."""
    text = text.strip()
    if text.isdecimal() and len(text) in (12, 14):
        return text[:8], text[8:]
    found = DATE_FORM.match(text)
    if found is None:
        raise CellInvalid(f"{quoted(text)} is no time", "write it like 2026-07-01 08:00")
    return found[0], text[found.end() :].lstrip(" T,")


def _date(text: str, order: str) -> date | None:
    found = DATE_FORM.fullmatch(text.strip())
    if found is None:
        return None
    try:
        if found["y"]:
            return (
                date(int(found["y"]), int(found["m"]), int(found["d"]))
                if order == "y-m-d"
                else None
            )
        a, b, c = found["a"], found["b"], found["c"]
        if order == "y-m-d":
            return date(int(a), int(b), int(c)) if len(a) == 4 else None
        # A point is written between day and month, never the other way round.
        if len(a) > 2 or len(c) != 4 or (order == "m-d-y" and found["sep"] == "."):
            return None
        return date(int(c), int(b), int(a)) if order == "d-m-y" else date(int(c), int(a), int(b))
    except ValueError:
        return None


@dataclass(slots=True)
class WallClock:
    """Turns local times into moments. An hour that a clock change repeats has two.

    Attributes
    ----------
    zone : tzinfo
        Whose clock it is where a time has no offset of its own.
    order : str
        One of `ORDERS`.
    """

    zone: tzinfo
    order: str
    _known: dict[tuple[str, str], tuple[int, ...]] = field(default_factory=dict)

    def moments(self, date_text: str, clock_text: str) -> tuple[int, ...]:
        """Return the moments that a date and a clock may mean, the earlier first. [s]

        Raises
        ------
        CellInvalid
            If there is no such time, or the clock leaps over it.
        """
        key = date_text, clock_text
        found = self._known.get(key)
        if found is None:
            if len(self._known) > CACHE_MAX:
                self._known.clear()
            found = self._known[key] = self._moments(date_text, clock_text)
        return found

    def _moments(self, date_text: str, clock_text: str) -> tuple[int, ...]:
        day = _date(date_text, self.order)
        clock = _clock(clock_text)
        if day is None or clock is None:
            raise CellInvalid(
                f"{quoted(f'{date_text} {clock_text}')} is no time",
                "write it like 2026-07-01 08:00",
            )
        passed, offset = clock
        local = datetime(day.year, day.month, day.day) + passed  # noqa: DTZ001 - a wall clock yet
        if offset is not None:
            return (int((local.replace(tzinfo=offset) - EPOCH).total_seconds()),)
        both = [local.replace(tzinfo=self.zone, fold=fold) for fold in (0, 1)]
        utc = [each.astimezone(UTC) for each in both]
        if utc[0].astimezone(self.zone).replace(tzinfo=None) != local:
            raise CellInvalid(
                f"{quoted(f'{date_text} {clock_text}')} does not exist in {self.zone}: the clock "
                "leaps over it",
                "if the file keeps standard time all year, name it, like --timezone +10:00",
            )
        return tuple(sorted({int((each - EPOCH).total_seconds()) for each in utc}))


def _clock(text: str) -> tuple[timedelta, tzinfo | None] | None:
    text = text.strip()
    found = CLOCK.fullmatch(text)
    if found is None:
        compact = COMPACT_CLOCK.fullmatch(text)
        if compact is None:
            return (timedelta(0), None) if not text else None
        hour, minute, second = (
            int(compact["hour"]),
            int(compact["minute"]),
            int(compact["second"] or 0),
        )
        half, offset_text = "", None
    else:
        hour, minute, second = int(found["hour"]), int(found["minute"]), int(found["second"] or 0)
        half, offset_text = (found["half"] or "").lower(), found["offset"]
    if half and not 1 <= hour <= 12:
        return None
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    if minute > 59 or second > 59 or hour > 24 or (hour == 24 and (minute or second)):
        return None
    return timedelta(hours=hour, minutes=minute, seconds=second), _offset(offset_text)


def _offset(text: str | None) -> tzinfo | None:
    if text is None:
        return None
    if text == "Z":
        return UTC
    sign = -1 if text[0] == "-" else 1
    digits = text[1:].replace(":", "")
    return timezone(sign * timedelta(hours=int(digits[:2]), minutes=int(digits[2:])))

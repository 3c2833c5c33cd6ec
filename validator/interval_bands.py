"""Civil time as a rule set cuts it: bands of the day on some weekdays, months, and their prices.

References
----------
docs/rules.md, "Prices of an interval".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from validator.errors import Malformed

NUMBER_MAX = 10**15
MINUTES_PER_DAY = 1440
# Of the days of a week, one of each kind that a band can tell apart.
WORKDAY, WEEKEND = 0, 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")
_BAND = {"days", "from", "name", "price_micro_per_kwh", "to"}
_DAYS = {"all": range(7), "weekend": range(5, 7), "workdays": range(5)}


class Moment(NamedTuple):
    """What prices can depend on: the month (1 to 12), weekday (Monday is 0) and minute."""

    month: int
    weekday: int
    minute: int


@dataclass(frozen=True, slots=True)
class Band:
    """A price from a minute of the day to before another, on some weekdays."""

    days: range
    begins: int
    ends: int
    price: int

    def applies(self, weekday: int, minute: int) -> bool:
        return weekday in self.days and self.begins <= minute < self.ends


def moment_of(start: int, timezone: str) -> Moment:
    """Return the civil moment at which an interval begins.

    Parameters
    ----------
    start : int
        When it begins. [microseconds since 1970]
    timezone : str
        IANA name of the time zone.
    """
    there = (_EPOCH + timedelta(microseconds=start)).astimezone(ZoneInfo(timezone))
    return Moment(there.month, there.weekday(), there.hour * 60 + there.minute)


def price_at(bands: tuple[Band, ...], weekday: int, minute: int) -> int:
    """Return the price of the one band that applies. [micro per kWh]"""
    return next(band.price for band in bands if band.applies(weekday, minute))


def read_bands(value: object) -> tuple[Band, ...]:
    """Read a tariff.

    Raises
    ------
    Malformed
        If it is no list of bands.
    """
    if not isinstance(value, list):
        raise Malformed("a tariff is no list of bands")
    bands = []
    for band in value:
        if not isinstance(band, dict) or band.keys() != _BAND:
            raise Malformed("a band has other keys")
        if not isinstance(band["name"], str):
            raise Malformed("a band's name is no text")
        bands.append(read_band(band))
    return tuple(bands)


def read_band(value: dict[str, object]) -> Band:
    """Read days, times of day and price, whatever else stands with them."""
    days, price = value["days"], value["price_micro_per_kwh"]
    if not isinstance(days, str) or days not in _DAYS:
        raise Malformed("a band's days cannot be")
    return Band(_DAYS[days], _minute(value["from"]), _minute(value["to"]), number(price))


def number(value: object) -> int:
    """Return a JSON integer within bounds."""
    if type(value) is not int or abs(value) > NUMBER_MAX:
        raise Malformed("a number of the rule set is none")
    return value


def natural(value: object) -> int:
    """Return a JSON integer within bounds that is not below 0."""
    if number(value) < 0:
        raise Malformed("a number of the rule set is below 0")
    return number(value)


def _minute(text: object) -> int:
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        raise Malformed("a time of day is not written HH:MM")
    return int(text[:2]) * 60 + int(text[3:])

"""A rule set: the document that says at what prices an interval is settled.

References
----------
docs/rules.md, "The rule set".
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

from validator.errors import Malformed

NUMBER_MAX = 10**15
MINUTES_PER_DAY = 1440
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")
_NUMBERS = {
    "correction_deadline_days",
    "interval_minutes",
    "minimum_group_size",
    "platform_fee_micro_per_kwh",
    "price_max_micro_per_kwh",
    "price_min_micro_per_kwh",
    "readings_deadline_minutes",
}
_TEXTS = {"currency", "name", "timezone"}
# What this program knows how to recompute; another value is another protocol.
_FIXED = {
    "default_standing": "spread",
    "mode": "metered",
    "pricing": "uniform",
    "ties": "pro_rata",
}
_TARIFFS = {"feed_in_tariff", "retail_tariff"}
_KEYS = {*_NUMBERS, *_TEXTS, *_FIXED, *_TARIFFS, "credit_limit_micro"}
_BAND = {"days", "from", "name", "price_micro_per_kwh", "to"}
_DAYS = {"all": range(7), "weekend": range(5, 7), "workdays": range(5)}
_LENGTHS = (5, 15, 30, 60)
# Of the days of a week, one of each kind that a band can tell apart.
_WORKDAY, _WEEKEND = 0, 5


@dataclass(frozen=True, slots=True)
class Prices:
    """What a kWh costs in an interval. [micro per kWh]"""

    retail: int
    feed_in: int
    fee: int


@dataclass(frozen=True, slots=True)
class Band:
    """A price from a minute of the day to before another, on some weekdays (Monday is 0)."""

    days: range
    begins: int
    ends: int
    price: int

    def applies(self, weekday: int, minute: int) -> bool:
        return weekday in self.days and self.begins <= minute < self.ends


@dataclass(frozen=True, slots=True)
class RuleSet:
    """What of a rule set is needed to recompute an interval."""

    timezone: str
    interval_minutes: int
    fee: int
    retail: tuple[Band, ...]
    feed_in: tuple[Band, ...]

    def prices_at(self, start: int) -> Prices:
        """Return the prices of an interval.

        Parameters
        ----------
        start : int
            When it begins. [microseconds since 1970]
        """
        there = (_EPOCH + timedelta(microseconds=start)).astimezone(ZoneInfo(self.timezone))
        weekday, minute = there.weekday(), there.hour * 60 + there.minute
        return Prices(
            _price(self.retail, weekday, minute), _price(self.feed_in, weekday, minute), self.fee
        )


@lru_cache(maxsize=64)
def read_rule_set(data: bytes) -> RuleSet:
    """Read a rule set from the bytes whose hash names it.

    Raises
    ------
    Malformed
        If they are not canonical, lack a key, have one too many, or break one of its promises.
    """
    value = _canonical_object(data)
    if not _KEYS <= value.keys() <= {*_KEYS, "notes"}:
        raise Malformed("a rule set has other keys")
    if any(value[name] != text for name, text in _FIXED.items()):
        raise Malformed("a rule set of another protocol")
    if not all(_is_number(value[name]) for name in _NUMBERS):
        raise Malformed("a number of the rule set is none")
    if not all(isinstance(value[name], str) for name in (*_TEXTS, *({"notes"} & value.keys()))):
        raise Malformed("a text of the rule set is none")
    if value["credit_limit_micro"] is not None and not _is_number(value["credit_limit_micro"]):
        raise Malformed("the credit limit is neither a number nor null")
    if value["interval_minutes"] not in _LENGTHS or value["platform_fee_micro_per_kwh"] < 0:
        raise Malformed("interval or platform fee cannot be")
    try:
        ZoneInfo(value["timezone"])
    except (OSError, ValueError, LookupError) as error:
        raise Malformed("the time zone is not known") from error
    rules = RuleSet(
        value["timezone"],
        value["interval_minutes"],
        value["platform_fee_micro_per_kwh"],
        _bands(value["retail_tariff"]),
        _bands(value["feed_in_tariff"]),
    )
    _require_one_price_at_every_minute(rules)
    return rules


def _require_one_price_at_every_minute(rules: RuleSet) -> None:
    for weekday in (_WORKDAY, _WEEKEND):
        for minute in range(MINUTES_PER_DAY):
            for bands in (rules.retail, rules.feed_in):
                if sum(band.applies(weekday, minute) for band in bands) != 1:
                    raise Malformed("a minute of the week does not have exactly one price")
            retail = _price(rules.retail, weekday, minute)
            if _price(rules.feed_in, weekday, minute) > retail - rules.fee:
                raise Malformed("the feed-in price leaves no band below the retail price")


def _price(bands: tuple[Band, ...], weekday: int, minute: int) -> int:
    return next(band.price for band in bands if band.applies(weekday, minute))


def _bands(value: object) -> tuple[Band, ...]:
    if not isinstance(value, list):
        raise Malformed("a tariff is no list of bands")
    bands = []
    for band in value:
        if not isinstance(band, dict) or band.keys() != _BAND:
            raise Malformed("a band has other keys")
        if band["days"] not in _DAYS or not isinstance(band["name"], str):
            raise Malformed("a band's days or name cannot be")
        if not _is_number(band["price_micro_per_kwh"]):
            raise Malformed("a band's price is no number")
        begins, ends = _minute(band["from"]), _minute(band["to"])
        bands.append(Band(_DAYS[band["days"]], begins, ends, band["price_micro_per_kwh"]))
    return tuple(bands)


def _minute(text: object) -> int:
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        raise Malformed("a time of day is not written HH:MM")
    return int(text[:2]) * 60 + int(text[3:])


def _is_number(value: object) -> bool:
    return type(value) is int and abs(value) <= NUMBER_MAX


def _canonical_object(data: bytes) -> dict[str, Any]:
    """Read JSON whose only numbers are integers, from the one way to write it."""
    try:
        value = json.loads(data.decode(), parse_float=_refuse, parse_constant=_refuse)
        again = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        is_same = again.encode() == data
    except (ValueError, RecursionError) as error:
        raise Malformed("a rule set is not JSON of integers and texts") from error
    if not isinstance(value, dict) or not is_same:
        raise Malformed("a rule set is not canonical")
    return value


def _refuse(text: str) -> NoReturn:
    raise Malformed(f"{text[:20]} is no integer")

"""A rule set: the document that says at what prices an interval is settled.

References
----------
docs/rules.md, "The rule set".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

from validator.errors import Malformed
from validator.interval_bands import (
    MINUTES_PER_DAY,
    WEEKEND,
    WORKDAY,
    Band,
    Moment,
    moment_of,
    number,
    price_at,
    read_bands,
)
from validator.market_rules import MarketRules, keys_of_form_2, read_market_rules

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
# What this program knows how to recompute without a form; another value is another protocol.
_FIXED = {
    "default_standing": "spread",
    "mode": "metered",
    "pricing": "uniform",
    "ties": "pro_rata",
}
_TARIFFS = {"feed_in_tariff", "retail_tariff"}
_KEYS = {*_NUMBERS, *_TEXTS, *_FIXED, *_TARIFFS, "credit_limit_micro"}
_LENGTHS = (5, 15, 30, 60)


@dataclass(frozen=True, slots=True)
class Prices:
    """What a kWh costs in an interval; ``grid`` is the dearest local grid fee. [micro per kWh]"""

    retail: int
    feed_in: int
    fee: int
    grid: int

    @property
    def ceiling(self) -> int:
        """Return what a buyer can pay whose grid fee is the dearest."""
        return self.retail - self.fee - self.grid

    @property
    def middle(self) -> int:
        """Return the price in the middle between the tariffs."""
        return (self.feed_in + self.ceiling) // 2


@dataclass(frozen=True, slots=True)
class RuleSet:
    """What of a rule set is needed to recompute an interval; ``market`` is what form 2 adds."""

    timezone: str
    interval_minutes: int
    fee: int
    retail: tuple[Band, ...]
    feed_in: tuple[Band, ...]
    price_min: int
    price_max: int
    market: MarketRules | None = None

    def moment(self, start: int) -> Moment:
        """Return the civil moment of a start. [microseconds since 1970]"""
        return moment_of(start, self.timezone)

    def prices_at(self, start: int) -> Prices:
        """Return the prices of an interval.

        Parameters
        ----------
        start : int
            When it begins. [microseconds since 1970]
        """
        at = self.moment(start)
        return Prices(
            price_at(self.retail, at.weekday, at.minute),
            price_at(self.feed_in, at.weekday, at.minute),
            self.fee,
            0 if self.market is None else self.market.greatest_fee(at),
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
    is_market = "form" in value
    keys = _KEYS | (keys_of_form_2(value) if is_market else set())
    if not keys <= value.keys() <= {*keys, "notes"}:
        raise Malformed("a rule set has other keys")
    if not is_market and any(value[name] != text for name, text in _FIXED.items()):
        raise Malformed("a rule set of another protocol")
    for name in _NUMBERS:
        number(value[name])
    if not all(isinstance(value[name], str) for name in (*_TEXTS, *({"notes"} & value.keys()))):
        raise Malformed("a text of the rule set is none")
    if value["credit_limit_micro"] is not None:
        number(value["credit_limit_micro"])
    fee = value["platform_fee_micro_per_kwh"]
    if value["interval_minutes"] not in _LENGTHS or fee < 0:
        raise Malformed("interval or platform fee cannot be")
    try:
        ZoneInfo(value["timezone"])
    except (OSError, ValueError, LookupError) as error:
        raise Malformed("the time zone is not known") from error
    retail, feed_in = read_bands(value["retail_tariff"]), read_bands(value["feed_in_tariff"])
    _require_one_price_at_every_minute(retail, feed_in, fee)
    return RuleSet(
        value["timezone"],
        value["interval_minutes"],
        fee,
        retail,
        feed_in,
        value["price_min_micro_per_kwh"],
        value["price_max_micro_per_kwh"],
        read_market_rules(value, retail, feed_in, fee) if is_market else None,
    )


def _require_one_price_at_every_minute(
    retail: tuple[Band, ...], feed_in: tuple[Band, ...], fee: int
) -> None:
    for weekday in (WORKDAY, WEEKEND):
        for minute in range(MINUTES_PER_DAY):
            for bands in (retail, feed_in):
                if sum(band.applies(weekday, minute) for band in bands) != 1:
                    raise Malformed("a minute of the week does not have exactly one price")
            room = price_at(retail, weekday, minute) - fee
            if price_at(feed_in, weekday, minute) > room:
                raise Malformed("the feed-in price leaves no band below the retail price")


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

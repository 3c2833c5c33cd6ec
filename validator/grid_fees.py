"""What the grid operator gets for a kWh that a neighbour supplies.

References
----------
docs/market.md, "Grid fees".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from validator.errors import Malformed
from validator.interval_bands import Band, Moment, natural, read_band

ANY = "*"
_LINE = {"days", "from", "from_zone", "level", "months", "price_micro_per_kwh", "to", "to_zone"}
_SPAN = {"from_zone", "level", "to_zone"}
_LEVEL = {"level", "price_micro_per_kwh"}


class Line(NamedTuple):
    """One line of a table: a price for some trades at some times."""

    source: str
    target: str
    level: str
    months: frozenset[int]
    band: Band

    def applies(self, source: str, target: str, level: str, at: Moment) -> bool:
        return (
            self.source in (ANY, source)
            and self.target in (ANY, target)
            and self.level in (ANY, level)
            and at.month in self.months
            and self.band.applies(at.weekday, at.minute)
        )


@dataclass(frozen=True, slots=True)
class TableFees:
    """Fees line by line: the first that applies."""

    lines: tuple[Line, ...]

    def fee(self, source: str, target: str, level: str, at: Moment) -> int:
        found = (one.band.price for one in self.lines if one.applies(source, target, level, at))
        return next(found, 0)

    @property
    def levels(self) -> list[str]:
        # Any level that no line names is charged like the empty one.
        return ["" if one.level == ANY else one.level for one in self.lines]

    @property
    def minutes(self) -> set[int]:
        return {minute for one in self.lines for minute in (one.band.begins, one.band.ends)}


@dataclass(frozen=True, slots=True)
class LevelFees:
    """Fees by voltage level: the buyer's price less that of the highest level a trade uses."""

    prices: dict[str, int]
    first: str
    spans: dict[tuple[str, str], str]

    def fee(self, source: str, target: str, level: str, at: Moment) -> int:
        del at  # the same at all times
        return max(0, self._price(level) - self._price(self.spans[source, target]))

    def _price(self, level: str) -> int:
        return self.prices.get(level, self.prices[self.first])

    @property
    def levels(self) -> list[str]:
        return list(self.prices)

    @property
    def minutes(self) -> set[int]:
        return set()


GridFees = TableFees | LevelFees


def greatest_local_fee(fees: GridFees, zones: Sequence[str], at: Moment) -> int:
    """Return the dearest fee inside any zone at a moment. [micro per kWh]"""
    levels = set(fees.levels)
    return max((fees.fee(zone, zone, level, at) for zone in zones for level in levels), default=0)


def read_grid_fees(value: object, zones: Sequence[str]) -> GridFees:
    """Read the grid fees of a rule set.

    Raises
    ------
    Malformed
        If they are of neither formula, or a pair of zones has no span or two.
    """
    if not isinstance(value, dict):
        raise Malformed("the grid fees are no object")
    formula = value.get("formula")
    if formula == "table" and value.keys() == {"formula", "lines"}:
        return TableFees(tuple(_line(one) for one in _objects(value["lines"], _LINE)))
    if formula == "cn-1901" and value.keys() == {"formula", "levels", "spans"}:
        return _level_fees(value, zones)
    raise Malformed("the grid fees are of no formula that there is")


def _line(value: dict[str, object]) -> Line:
    months = value["months"]
    if not isinstance(months, list) or not all(type(one) is int for one in months):
        raise Malformed("the months of a grid fee are no numbers")
    if not set(months) <= set(range(1, 13)):
        raise Malformed("a month of a grid fee cannot be")
    band = read_band(value)
    natural(band.price)
    source, target, level = (_text(value[name]) for name in ("from_zone", "to_zone", "level"))
    return Line(source, target, level, frozenset(months), band)


def _level_fees(value: dict[str, object], zones: Sequence[str]) -> LevelFees:
    prices: dict[str, int] = {}
    for one in _objects(value["levels"], _LEVEL):
        prices.setdefault(_text(one["level"]), natural(one["price_micro_per_kwh"]))
    if not prices:
        raise Malformed("the grid fees have no level")
    spans = [
        ((_text(one["from_zone"]), _text(one["to_zone"])), _text(one["level"]))
        for one in _objects(value["spans"], _SPAN)
    ]
    pairs = {(source, target) for source in zones for target in zones}
    if len(spans) != len(pairs) or dict(spans).keys() != pairs:
        raise Malformed("a pair of zones does not have exactly one span")
    return LevelFees(prices, next(iter(prices)), dict(spans))


def _objects(value: object, names: set[str]) -> list[dict[str, object]]:
    if not isinstance(value, list):
        raise Malformed("a part of the grid fees is no list")
    for one in value:
        if not isinstance(one, dict) or one.keys() != names:
            raise Malformed("a part of the grid fees has other keys")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Malformed("a name in the grid fees is no text")
    return value

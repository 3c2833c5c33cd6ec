"""Grid fees: what the grid operator gets for each kWh that a neighbour supplies.

``TableFees`` is a table of from zone, to zone, voltage level, season and time; ``LevelFees`` the
formula of the Chinese pilots of trade in distributed generation (发改能源〔2017〕1901号): the
transmission-and-distribution price of the buyer's voltage level less that of the highest level the
trade uses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from marketplace.domain.rule_schema import RulesInvalid
from marketplace.domain.tariffs import CivilMoment, minute_of

ANY: Final = "*"


class GridFees(Protocol):
    """A fee per zone pair, level of the buyer's metering point, and moment. [micro/kWh]"""

    @property
    def levels(self) -> tuple[str, ...]:
        """The voltage levels that make a difference, lowest first where they are ordered."""

    def fee(self, *, from_zone: str, to_zone: str, level: str, moment: CivilMoment) -> int:
        """Return the fee for energy that goes from a zone to a buyer in another, or the same."""

    def changes_at(self) -> Sequence[int]:
        """Return the minutes of the day at which a fee may change."""


@dataclass(frozen=True, slots=True)
class FeeLine:
    """One line of a fee table."""

    from_zone: str
    to_zone: str
    level: str
    months: frozenset[int]
    days: Literal["all", "workdays", "weekend"]
    from_minute: int
    to_minute: int
    price_micro_per_kwh: int

    def applies(self, from_zone: str, to_zone: str, level: str, moment: CivilMoment) -> bool:
        """Tell whether the line speaks of this energy at this moment."""
        return (
            self.from_zone in (ANY, from_zone)
            and self.to_zone in (ANY, to_zone)
            and self.level in (ANY, level)
            and moment.month in self.months
            and self.days in ("all", moment.day_type)
            and self.from_minute <= moment.minute < self.to_minute
        )


@dataclass(frozen=True, slots=True)
class TableFees:
    """The first line that applies gives the fee; none, no fee."""

    lines: tuple[FeeLine, ...] = ()

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels that lines name; others meet the lines for any level."""
        named = dict.fromkeys(line.level for line in self.lines if line.level != ANY)
        return (*named, "")

    def fee(self, *, from_zone: str, to_zone: str, level: str, moment: CivilMoment) -> int:
        """Return the price of the first line that applies. [micro/kWh]"""
        for line in self.lines:
            if line.applies(from_zone, to_zone, level, moment):
                return line.price_micro_per_kwh
        return 0

    def changes_at(self) -> Sequence[int]:
        """Return where lines begin and end. [minute of day]"""
        return sorted({each for line in self.lines for each in (line.from_minute, line.to_minute)})


@dataclass(frozen=True, slots=True)
class LevelFees:
    """Price of the buyer's level less that of the highest level used, never negative."""

    prices: Mapping[str, int] = field(repr=False)
    spans: Mapping[tuple[str, str], str] = field(repr=False)

    @property
    def levels(self) -> tuple[str, ...]:
        """The voltage levels, lowest first."""
        return tuple(self.prices)

    def fee(self, *, from_zone: str, to_zone: str, level: str, moment: CivilMoment) -> int:
        """Return the difference of the two levels' prices. [micro/kWh]

        A level that is not listed counts as the lowest, where the most of the grid is used.
        """
        del moment  # the same at all times
        own = self.prices.get(level, self.prices[self.levels[0]])
        return max(0, own - self.prices[self.spans[from_zone, to_zone]])

    def changes_at(self) -> Sequence[int]:
        """Return nothing: the fee is the same at all times."""
        return ()


def read_grid_fees(document: Mapping[str, Any], zones: Sequence[str]) -> GridFees:
    """Read the key ``grid_fees`` of a rule set whose shape was checked.

    Raises
    ------
    RulesInvalid
        If a zone or level is not known, a pair of zones has no span or two, or a time is empty.
    """
    fees = document["grid_fees"]
    if fees["formula"] == "table":
        lines = (_line(line, index, zones) for index, line in enumerate(fees["lines"]))
        return TableFees(tuple(lines))
    return _level_fees(fees, zones)


def _line(line: Mapping[str, Any], index: int, zones: Sequence[str]) -> FeeLine:
    path = f"grid_fees.lines[{index}]"
    for key in ("from_zone", "to_zone"):
        _check_zone(line[key], f"{path}.{key}", [*zones, ANY])
    start, end = minute_of(line["from"]), minute_of(line["to"])
    if start >= end:
        raise RulesInvalid(
            f"{path}.to",
            f"{line['to']} is not after {line['from']}",
            "end the line later; cut one that passes midnight into two",
        )
    return FeeLine(
        from_zone=line["from_zone"],
        to_zone=line["to_zone"],
        level=line["level"],
        months=frozenset(line["months"]),
        days=line["days"],
        from_minute=start,
        to_minute=end,
        price_micro_per_kwh=line["price_micro_per_kwh"],
    )


def _level_fees(fees: Mapping[str, Any], zones: Sequence[str]) -> LevelFees:
    prices: dict[str, int] = {}
    for index, each in enumerate(fees["levels"]):
        if each["level"] in prices:
            raise RulesInvalid(
                f"grid_fees.levels[{index}]", f"{each['level']} stands twice", "leave one out"
            )
        prices[each["level"]] = each["price_micro_per_kwh"]
    spans: dict[tuple[str, str], str] = {}
    for index, each in enumerate(fees["spans"]):
        path = f"grid_fees.spans[{index}]"
        pair = each["from_zone"], each["to_zone"]
        for key in ("from_zone", "to_zone"):
            _check_zone(each[key], f"{path}.{key}", zones)
        if each["level"] not in prices:
            raise RulesInvalid(
                f"{path}.level", f"{each['level']} has no price", "add it to grid_fees.levels"
            )
        if pair in spans:
            raise RulesInvalid(path, f"{pair[0]} to {pair[1]} stands twice", "leave one out")
        spans[pair] = each["level"]
    for pair in ((one, other) for one in zones for other in zones):
        if pair not in spans:
            raise RulesInvalid(
                "grid_fees.spans",
                f"{pair[0]} to {pair[1]} is missing",
                "name the highest level that such a trade uses",
            )
    return LevelFees(prices, spans)


def _check_zone(name: str, path: str, zones: Sequence[str]) -> None:
    if name not in zones:
        raise RulesInvalid(path, f"{name!r} is no zone", f"use one of: {', '.join(zones)}")

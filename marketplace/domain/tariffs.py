"""Tariffs: what the grid charges and pays, by the wall clock of the civil day."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, Self
from zoneinfo import ZoneInfo

from marketplace.domain.rule_schema import RulesInvalid

MINUTES_PER_DAY: Final = 24 * 60

DayType = Literal["workdays", "weekend"]
DAY_TYPES: Final[tuple[DayType, DayType]] = ("workdays", "weekend")


class CivilMoment(NamedTuple):
    """What tariffs and fees ask of a start: month, type of day and minute of the wall clock."""

    month: int
    day_type: DayType
    minute: int

    @classmethod
    def of(cls, starts_at: datetime, zone: ZoneInfo) -> Self:
        """Read a start on the wall clock of a civil time zone.

        Raises
        ------
        ValueError
            If ``starts_at`` has no time zone.
        """
        if starts_at.utcoffset() is None:
            raise ValueError("a civil moment needs a time with its time zone")
        civil = starts_at.astimezone(zone)
        day_type: DayType = "workdays" if civil.weekday() < 5 else "weekend"
        return cls(civil.month, day_type, civil.hour * 60 + civil.minute)


class BandPrices(NamedTuple):
    """What the grid and the platform charge in one tariff band. [micro/kWh]"""

    retail_micro_per_kwh: int
    feed_in_micro_per_kwh: int
    platform_fee_micro_per_kwh: int
    band: str


@dataclass(frozen=True, slots=True)
class TariffBand:
    """One line of a tariff: from a minute of the civil day up to, not including, another."""

    name: str
    days: Literal["all", "workdays", "weekend"]
    from_minute: int
    to_minute: int
    price_micro_per_kwh: int


@dataclass(frozen=True, slots=True)
class DayPrices:
    """The prices of one type of day: ``prices[i]`` holds from ``starts[i]`` on. [minute of day]"""

    starts: tuple[int, ...]
    prices: tuple[BandPrices, ...]

    def at(self, minute: int) -> BandPrices:
        """Return the prices at a minute of the day."""
        return self.prices[bisect_right(self.starts, minute) - 1]


def minute_of(clock: str) -> int:
    """Read a time such as 07:30. [minute of day]"""
    return int(clock[:2]) * 60 + int(clock[3:])


def clock_of(minute: int) -> str:
    """Write a minute of the day as a time such as 07:30."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def read_tariff(document: Mapping[str, Any], key: str) -> tuple[TariffBand, ...]:
    """Read one tariff and check that it covers each type of day exactly once."""
    bands = []
    for index, line in enumerate(document[key]):
        start, end = minute_of(line["from"]), minute_of(line["to"])
        if start >= end:
            raise RulesInvalid(
                f"{key}[{index}].to",
                f"{line['to']} is not after {line['from']}",
                "end the band later; cut one that passes midnight into two",
            )
        bands.append(
            TariffBand(line["name"], line["days"], start, end, line["price_micro_per_kwh"])
        )
    for day_type in DAY_TYPES:
        covered = 0
        for band in _bands_of(bands, day_type):
            where = "twice" if band.from_minute < covered else "by no band"
            if band.from_minute != covered:
                gap = sorted((band.from_minute, covered))
                raise RulesInvalid(
                    key,
                    f"on {day_type} {clock_of(gap[0])} to {clock_of(gap[1])} is covered {where}",
                    "let each band begin where the one before it ends",
                )
            covered = band.to_minute
        if covered != MINUTES_PER_DAY:
            raise RulesInvalid(
                key,
                f"on {day_type} {clock_of(covered)} to 24:00 is covered by no band",
                "let the bands cover the day from 00:00 to 24:00",
            )
    return tuple(bands)


def _bands_of(
    bands: list[TariffBand] | tuple[TariffBand, ...], day_type: DayType
) -> list[TariffBand]:
    chosen = [band for band in bands if band.days in ("all", day_type)]
    return sorted(chosen, key=lambda band: band.from_minute)


def day_prices(
    retail: tuple[TariffBand, ...],
    feed_in: tuple[TariffBand, ...],
    platform_fee: int,
    bounds: tuple[int, int],
    day_type: DayType,
) -> DayPrices:
    """Lay the two tariffs over one another and check each piece of the day that results."""
    buying, selling = _bands_of(retail, day_type), _bands_of(feed_in, day_type)
    starts = sorted({band.from_minute for band in buying + selling})
    prices = []
    for start in starts:
        bought = next(band for band in buying if start < band.to_minute)
        sold = next(band for band in selling if start < band.to_minute)
        ceiling = bought.price_micro_per_kwh - platform_fee
        if sold.price_micro_per_kwh > ceiling:
            raise RulesInvalid(
                "feed_in_tariff",
                f"on {day_type} at {clock_of(start)} {sold.name} pays {sold.price_micro_per_kwh}, "
                f"more than {bought.name} less the platform fee, {ceiling}",
                "lower the feed-in price or the fee, or raise the retail price",
            )
        if sold.price_micro_per_kwh < bounds[0] or ceiling > bounds[1]:
            raise RulesInvalid(
                "retail_tariff" if ceiling > bounds[1] else "feed_in_tariff",
                f"on {day_type} at {clock_of(start)} the tariffs leave the price bounds "
                f"{bounds[0]} to {bounds[1]}",
                "widen the bounds: default limit prices lie between the two tariffs",
            )
        prices.append(
            BandPrices(
                bought.price_micro_per_kwh, sold.price_micro_per_kwh, platform_fee, bought.name
            )
        )
    return DayPrices(tuple(starts), tuple(prices))

"""Prices over time in a few numbers: by hour of the day, how they move, what half of them are."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Final, TypeVar

HOURS: Final = 24
Day = TypeVar("Day", bound=Hashable)


@dataclass(frozen=True, slots=True)
class ShapeHour:
    """Prices of one hour of the day over many days. [micro/kWh]"""

    count: int
    low: int
    mean: int
    high: int


def day_shape(prices: Iterable[tuple[int, int]]) -> list[ShapeHour | None]:
    """Return lowest, mean and highest price by hour of the day.

    Parameters
    ----------
    prices : iterable of (int, int)
        Hour of the day from 0 to 23, and the price. [micro/kWh]

    Returns
    -------
    list of ShapeHour or None
        24 of them, None where an hour never had a price; means are rounded down.
    """
    by_hour: dict[int, list[int]] = defaultdict(list)
    for hour, price in prices:
        by_hour[hour].append(price)
    return [
        ShapeHour(len(own), min(own), sum(own) // len(own), max(own)) if own else None
        for own in (by_hour.get(hour, []) for hour in range(HOURS))
    ]


def volatility(prices: Iterable[tuple[Day, int]]) -> dict[Day, int]:
    """Return by day how far its hourly prices lie from their mean: their standard deviation.

    Parameters
    ----------
    prices : iterable of (day, int)
        Each hour's price. [micro/kWh]

    Returns
    -------
    dict of day to int
        Population standard deviation, rounded down [micro/kWh]. Days with fewer than two prices
        are absent: one price does not move.
    """
    by_day: dict[Day, list[int]] = defaultdict(list)
    for day, price in prices:
        by_day[day].append(price)
    return {day: _deviation(own) for day, own in by_day.items() if len(own) > 1}


def ranked(prices: Sequence[int], shares: Sequence[float]) -> list[int]:
    """Return prices that were reached or passed for given shares of the time. [micro/kWh]

    ``ranked(prices, [0.1, 0.5])`` are the price of the dearest tenth and the median. Each is one of
    the prices, the upper of two where a share falls between.
    """
    falling = sorted(prices, reverse=True)
    last = len(falling) - 1
    return [falling[min(last, int(share * len(falling)))] for share in shares] if falling else []


def mean_of(values: Mapping[Day, int]) -> int | None:
    """Return the mean over days, rounded down; None without any."""
    return sum(values.values()) // len(values) if values else None


def _deviation(prices: Sequence[int]) -> int:
    # Integers all the way: n² times the variance is n Σp² − (Σp)².
    count = len(prices)
    scaled = count * sum(price * price for price in prices) - sum(prices) ** 2
    return isqrt(scaled) // count

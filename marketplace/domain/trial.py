"""What a month would have come to for somebody who is not a member yet: a price-taker.

Their energy meets the community's average day, workdays apart from weekends: in each hour the
share of the demand that neighbours met and of the surplus that they took, at the mean price. These
are sums over all members and many days, rounded; nobody's book is touched, so whoever tries again
and again with made-up files learns nothing but them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np

from marketplace.domain.clearing import Int64Array
from marketplace.domain.rules import Rules

HOURS: Final = 24
KINDS: Final = ("workdays", "weekends")
HOURS_MAX: Final = 31 * HOURS
# Shares to whole percent, prices to thousandths of a unit a kWh: what a page would show anyway.
_PERCENT: Final = 100
_PRICE_STEP: Final = 1000


@dataclass(frozen=True)
class CommunityHour:
    """What all members of a community came to in one hour. [Wh], [micro]"""

    starts_at: datetime
    import_wh: int
    export_wh: int
    bought_wh: int
    sold_wh: int
    priced_wh: int
    priced_micro: int


@dataclass(frozen=True)
class DayShape:
    """A community's average day by kind of day and hour of the clock.

    Attributes
    ----------
    bought_percent, sold_percent : ndarray of int64, shape (2, 24)
        Share of the demand that neighbours met, and of the surplus that they took. [%]
    price : ndarray of int64, shape (2, 24)
        Mean clearing price; -1 in hours without any. [micro/kWh]
    hour_count : int
        Hours that it was made of.
    """

    bought_percent: Int64Array
    sold_percent: Int64Array
    price: Int64Array
    hour_count: int


@dataclass(frozen=True)
class Trial:
    """What a month comes to, alone and with neighbours. [Wh], [micro]

    ``by_hour`` has one row an hour of the clock: import, bought, export, sold. [Wh]
    """

    start: datetime
    end: datetime
    hour_count: int
    import_wh: int
    export_wh: int
    bought_wh: int
    sold_wh: int
    alone_micro: int
    together_micro: int
    by_hour: tuple[tuple[int, int, int, int], ...]

    @property
    def saved_micro(self) -> int:
        """What it is better by with neighbours."""
        return self.together_micro - self.alone_micro


def day_shape(hours: Iterable[CommunityHour], rules: Rules) -> DayShape | None:
    """Add a community's hours up to its average day; None without any hour."""
    sums = np.zeros((6, len(KINDS), HOURS), dtype=np.int64)
    count = 0
    for each in hours:
        at = _cell(each.starts_at, rules)
        sums[(slice(None), *at)] += (
            each.import_wh,
            each.export_wh,
            each.bought_wh,
            each.sold_wh,
            each.priced_wh,
            each.priced_micro,
        )
        count += 1
    if not count:
        return None
    imported, exported, bought, sold, priced, value = sums
    exact = np.where(priced > 0, value * 1000 // np.maximum(priced, 1), 0)
    price = np.where(priced > 0, (exact + _PRICE_STEP // 2) // _PRICE_STEP * _PRICE_STEP, -1)
    return DayShape(_percent(bought, imported), _percent(sold, exported), price, count)


def try_month(
    *,
    starts: Sequence[datetime],
    import_wh: Sequence[int],
    export_wh: Sequence[int],
    shape: DayShape,
    rules: Rules,
) -> Trial:
    """Return what somebody's hours would have come to with the recommended rule.

    Parameters
    ----------
    starts : sequence of datetime
        Beginnings of whole hours, ascending.
    import_wh, export_wh : sequence of int
        Energy from and to the grid in each. [Wh]

    Notes
    -----
    Who follows the recommended rule buys only where price and fee stay below the retail tariff and
    sells only above the feed-in tariff. Grid fees and taxes are left aside.
    """
    by_hour = np.zeros((HOURS, 4), dtype=np.int64)
    alone = together = 0
    for start, taken, given in zip(starts, import_wh, export_wh, strict=True):
        kind, hour = _cell(start, rules)
        prices = rules.prices_at(start)
        price = int(shape.price[kind, hour])
        retail, feed_in = prices.retail_micro_per_kwh, prices.feed_in_micro_per_kwh
        charged = price + prices.platform_fee_micro_per_kwh
        bought = sold = 0
        if price >= 0 and charged <= retail:
            bought = taken * int(shape.bought_percent[kind, hour]) // _PERCENT
        if price >= feed_in:
            sold = given * int(shape.sold_percent[kind, hour]) // _PERCENT
        alone += given * feed_in - taken * retail
        together += sold * price + (given - sold) * feed_in
        together -= bought * charged + (taken - bought) * retail
        by_hour[hour] += (taken, bought, given, sold)
    totals = by_hour.sum(axis=0)
    return Trial(
        start=starts[0],
        end=starts[-1],
        hour_count=len(starts),
        import_wh=int(totals[0]),
        export_wh=int(totals[2]),
        bought_wh=int(totals[1]),
        sold_wh=int(totals[3]),
        alone_micro=alone // 1000,
        together_micro=together // 1000,
        by_hour=tuple((int(a), int(b), int(c), int(d)) for a, b, c, d in by_hour),
    )


def last_month_of(
    start_s: Sequence[int], import_wh: Sequence[int], export_wh: Sequence[int]
) -> tuple[list[datetime], list[int], list[int]]:
    """Return the last 31 days of hours that somebody sent, in order."""
    order = sorted(range(len(start_s)), key=start_s.__getitem__)[-HOURS_MAX:]
    first = start_s[order[-1]] - HOURS_MAX * 3600
    kept = [index for index in order if start_s[index] > first]
    return (
        [datetime.fromtimestamp(start_s[index], UTC) for index in kept],
        [import_wh[index] for index in kept],
        [export_wh[index] for index in kept],
    )


def _percent(part: Int64Array, whole: Int64Array) -> Int64Array:
    return np.where(whole > 0, (part * _PERCENT + whole // 2) // np.maximum(whole, 1), 0)


def _cell(start: datetime, rules: Rules) -> tuple[int, int]:
    moment = rules.moment_of(start)
    return int(moment.day_type != KINDS[0]), moment.minute // 60

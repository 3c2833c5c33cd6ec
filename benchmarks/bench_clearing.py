"""Clear and pair a book, against the time NumPy takes only to sort its prices.

The two are timed in turns, so that a machine that slows down slows both, and the reported ratio
is the median of the turns.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from statistics import median
from typing import Final

import numpy as np

from benchmarks.table import Row
from marketplace.domain.clearing import Int64Array, Ties, clear_uniform_price
from marketplace.domain.pairing import Trades, pair_trades

ORDERS_PER_SIDE: Final = 50_000
RATIO_MAX: Final = 3.0
TURNS: Final = 31
# Twice the orders may take twice the memory; a little more is left for what does not grow.
MEMORY_GROWTH_MAX: Final = 2.1

PRICE_LOW_MICRO: Final = 100_000
QUANTITY_MAX_WH: Final = 20_000

Book = tuple[Int64Array, Int64Array, Int64Array, Int64Array]


def measure() -> list[Row]:
    """Time books of every shape a market has: wide prices, many ties, everything trades."""
    wide = _book(price_width=600_000)
    tied = _book(price_width=50)
    all_trade = _book(price_width=600_000, offers_below=700_000)
    rows = [
        _row("clear 50,000 x 50,000, by arrival", wide, Ties.ARRIVAL),
        _row("clear 50,000 x 50,000, pro rata", wide, Ties.PRO_RATA),
        _row("clear 50,000 x 50,000, everything trades", all_trade, Ties.ARRIVAL),
        _row("clear 50,000 x 50,000, 50 prices, by arrival", tied, Ties.ARRIVAL),
        _row("clear 50,000 x 50,000, 50 prices, pro rata", tied, Ties.PRO_RATA),
        Row(
            "clear 50,000 x 50,000, time",
            median(_seconds(lambda: _clear(wide, Ties.ARRIVAL)) for _ in range(TURNS)) * 1e3,
            "ms",
        ),
    ]
    half = _peak_bytes(_book(price_width=600_000, orders=ORDERS_PER_SIDE // 2))
    whole = _peak_bytes(wide)
    rows.append(Row("clear, memory for twice the orders", whole / half, "x", MEMORY_GROWTH_MAX))
    rows.append(Row("clear 50,000 x 50,000, peak memory", whole / 2**20, "MiB"))
    return rows


def _book(*, price_width: int, offers_below: int = 0, orders: int = ORDERS_PER_SIDE) -> Book:
    seeded = np.random.default_rng(20_260_621)
    low, high = PRICE_LOW_MICRO, PRICE_LOW_MICRO + price_width
    return (
        seeded.integers(low, high, orders),
        seeded.integers(1, QUANTITY_MAX_WH, orders),
        seeded.integers(low - offers_below, high - offers_below, orders),
        seeded.integers(1, QUANTITY_MAX_WH, orders),
    )


def _clear(book: Book, ties: Ties) -> Trades:
    return pair_trades(clear_uniform_price(*book, ties=ties))


def _sort(book: Book) -> None:
    np.argsort(book[0], kind="stable")
    np.argsort(book[2], kind="stable")


def _row(name: str, book: Book, ties: Ties) -> Row:
    _clear(book, ties)  # the first call pays for pages and caches that the others find
    ratios = []
    for _ in range(TURNS):
        sorting = _seconds(lambda: _sort(book))
        ratios.append(_seconds(lambda: _clear(book, ties)) / sorting)
    return Row(name, median(ratios), "sorts", RATIO_MAX)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _peak_bytes(book: Book) -> int:
    tracemalloc.start()
    try:
        _clear(book, Ties.ARRIVAL)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

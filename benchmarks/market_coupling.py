"""Clear 20 coupled zones, against the time HiGHS alone takes for the problem added up by price.

HiGHS gets the problem in arrays, without presolve: of its ways to solve it that is by far the
fastest. The two are timed in turns, so that a machine that slows down slows both, and the reported
ratio is the median of the turns.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Final

import numpy as np

from benchmarks.table import Row
from marketplace.domain.clearing import clear_uniform_price
from marketplace.domain.zones.book import zone_books
from marketplace.domain.zones.clearing import ZoneOrders, clear_coupled
from marketplace.domain.zones.network import Link, Network
from marketplace.domain.zones.welfare_programme import programme_of, run_solver

ZONES: Final = 20
LINKS: Final = 60
ORDERS: Final = 100_000
RATIO_MAX: Final = 5.0
# One zone is split into its sides before it is cleared as ever.
ONE_ZONE_RATIO_MAX: Final = 1.5
TURNS: Final = 5
ONE_ZONE_TURNS: Final = 31

PRICE_LOW_MICRO: Final = 100_000
SPREAD_MICRO: Final = 100_000
QUANTITY_MAX_WH: Final = 20_000
LIMIT_MAX_WH: Final = 20_000_000
FEE_MAX_MICRO: Final = 50_000


def measure() -> list[Row]:
    """Time books of many prices and of few, with and without losses, and one zone alone."""
    rows = []
    for name, width, loss_ppm in (
        ("many prices", 600_000, 0),
        ("500 prices a zone", 500, 0),
        ("many prices, 2 % lost on links", 600_000, 20_000),
    ):
        network, orders = _city(price_width=width, loss_ppm=loss_ppm)
        rows.append(_row(f"coupled, 20 zones x 100,000 orders, {name}", network, orders))
    rows.append(_one_zone_row())
    network, orders = _city(price_width=600_000, loss_ppm=0)
    seconds = median(_seconds(lambda: clear_coupled(network, orders)) for _ in range(TURNS))
    rows.append(Row("coupled, 20 zones x 100,000 orders, time", seconds * 1e3, "ms"))
    return rows


def _city(*, price_width: int, loss_ppm: int, zones: int = ZONES) -> tuple[Network, ZoneOrders]:
    seeded = np.random.default_rng(20_260_621)
    zone = seeded.integers(0, zones, ORDERS)
    level = seeded.integers(0, SPREAD_MICRO, zones) + PRICE_LOW_MICRO
    orders = ZoneOrders(
        zone,
        seeded.integers(0, 2, ORDERS) == 0,
        level[zone] + seeded.integers(0, price_width, ORDERS),
        seeded.integers(1, QUANTITY_MAX_WH, ORDERS),
    )
    pairs = [(a, b) for a in range(zones) for b in range(zones) if a != b]
    chosen = seeded.permutation(len(pairs))[:LINKS]
    links = tuple(
        Link(
            from_zone=pairs[place][0],
            to_zone=pairs[place][1],
            limit_wh=int(seeded.integers(0, LIMIT_MAX_WH)),
            fee_micro_per_kwh=int(seeded.integers(0, FEE_MAX_MICRO)),
            loss_ppm=loss_ppm,
        )
        for place in chosen.tolist()
    )
    return Network(tuple(str(number) for number in range(zones)), links), orders


def _row(name: str, network: Network, orders: ZoneOrders) -> Row:
    books = zone_books(
        len(network.zones),
        zone=orders.zone,
        is_bid=orders.is_bid,
        prices=orders.prices,
        quantities=orders.quantities,
        ranks=None,
    )
    programme = programme_of(network, books)
    clear_coupled(network, orders)  # the first call pays for what the others find loaded
    ratios = []
    for _ in range(TURNS):
        solving = _seconds(lambda: run_solver(programme))
        ratios.append(_seconds(lambda: clear_coupled(network, orders)) / solving)
    return Row(name, median(ratios), "HiGHS", RATIO_MAX)


def _one_zone_row() -> Row:
    network, orders = _city(price_width=600_000, loss_ppm=0, zones=1)
    bids, offers = orders.is_bid, ~orders.is_bid
    sides = (
        orders.prices[bids],
        orders.quantities[bids],
        orders.prices[offers],
        orders.quantities[offers],
    )
    ratios = []
    for _ in range(ONE_ZONE_TURNS):
        alone = _seconds(lambda: clear_uniform_price(*sides))
        ratios.append(_seconds(lambda: clear_coupled(network, orders)) / alone)
    return Row(
        "coupled, one zone of 100,000 orders", median(ratios), "auctions", ONE_ZONE_RATIO_MAX
    )


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started

"""Thousands of random coupled books against SciPy's solver, against a search, and one zone."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from random import Random
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog  # type: ignore[import-untyped]  # it ships no types
from scipy.sparse import block_diag  # type: ignore[import-untyped]  # it ships no types

from marketplace.domain.clearing import Ties, clear_uniform_price
from marketplace.domain.zones.clearing import CoupledClearing, ZoneOrders, clear_coupled
from marketplace.domain.zones.network import Network
from tests.domain.coupled_books import Coupled, certified, random_coupled, zone_orders

LOSSES = (0, 3, 33_333, 100_000, 500_000, 999_999)


def greatest_welfares(cases: list[Coupled]) -> list[float]:
    """Ask SciPy, with an order a variable, for many books at once: they do not touch each other."""
    blocks, costs, tops = [], [], []
    for network, orders in cases:
        links = network.links
        signs = np.where(orders.is_bid, -1, 1)
        balance = np.zeros((len(network.zones), len(signs) + len(links)))
        balance[orders.zone, np.arange(len(signs))] = signs
        for number, link in enumerate(links, start=len(signs)):
            balance[link.from_zone, number] = -1
            balance[link.to_zone, number] = float(link.gain)
        blocks.append(balance)
        fees = [link.fee_micro_per_kwh for link in links]
        costs.append(np.concatenate((signs * orders.prices, fees)))
        tops.append(np.concatenate((orders.quantities, [link.limit_wh for link in links])))
    matrix = block_diag(blocks, format="csr")
    found = linprog(
        np.concatenate(costs),
        A_eq=matrix,
        b_eq=np.zeros(matrix.shape[0]),
        bounds=np.column_stack((np.zeros(matrix.shape[1]), np.concatenate(tops))),
    )
    assert found.success
    parts = np.split(found.x, np.cumsum([len(cost) for cost in costs])[:-1])
    return [-float(cost @ part) for cost, part in zip(costs, parts, strict=True)]


def check_conserved(case: Coupled, result: CoupledClearing) -> None:
    """Check energy per zone and money over all, to the unit, and that no limit is broken."""
    network, orders = case
    for zone in range(len(network.zones)):
        here = orders.zone == zone
        sold = int(result.fills[here & ~orders.is_bid].sum())
        bought = int(result.fills[here & orders.is_bid].sum())
        assert (bought, sold) == (result.bought[zone], result.sold[zone])
        for link, sent, received in zip(network.links, result.sent, result.received, strict=True):
            sold += received if link.to_zone == zone else 0
            bought += sent if link.from_zone == zone else 0
        assert sold == bought
    prices = [price or 0 for price in result.prices]
    paid = sum(price * wh for price, wh in zip(prices, result.bought, strict=True))
    earned = sum(price * wh for price, wh in zip(prices, result.sold, strict=True))
    links = range(len(network.links))
    assert paid == earned + sum(
        result.fee_nano(network, link) + result.rent_nano(network, link) for link in links
    )
    at = np.array(prices, dtype=np.int64)[orders.zone]
    assert (
        np.where(orders.is_bid, orders.prices >= at, orders.prices <= at) | (result.fills == 0)
    ).all()


def test_two_thousand_books_reach_what_a_solver_reaches_with_no_gap() -> None:
    cases = [random_coupled(Random(seed)) for seed in range(2_000)]

    results = [clear_coupled(*case) for case in cases]

    for case, result, best in zip(cases, results, greatest_welfares(cases), strict=True):
        assert result.welfare_nano == pytest.approx(best, abs=1e-6), case
        assert result.gap_nano == 0
        certified(case, result)
        check_conserved(case, result)
        check_prices_differ_only_where_something_binds(case.network, result)


def check_prices_differ_only_where_something_binds(
    network: Network, result: CoupledClearing
) -> None:
    for number, link in enumerate(network.links):
        origin, target = result.prices[link.from_zone], result.prices[link.to_zone]
        if origin is None or target is None:
            continue
        if result.sent[number] < link.limit_wh:
            assert target - origin <= link.fee_micro_per_kwh
        if result.sent[number] > 0:
            assert target - origin >= link.fee_micro_per_kwh
        assert result.rent_nano(network, number) >= 0


def test_books_with_losses_come_near_what_a_solver_reaches_and_say_how_near() -> None:
    cases = [random_coupled(Random(seed), losses=LOSSES) for seed in range(500)]

    results = [clear_coupled(*case) for case in cases]

    for case, result, best in zip(cases, results, greatest_welfares(cases), strict=True):
        certified(case, result)
        check_conserved(case, result)
        # What rounding took may have been worth less than nothing.
        taken = sum(max(0, -(price or 0)) for price in result.duals) * len(case.network.links)
        tolerance = 1e-6 * max(1, abs(best))
        assert result.welfare_nano <= best + taken + tolerance, case
        assert result.welfare_nano + result.gap_nano >= best - tolerance, case


class Best(NamedTuple):
    welfare: int
    volume: int
    less_sent: int
    flows: tuple[int, ...]


def best_by_search(case: Coupled) -> tuple[Best, int]:
    """Try all flows, with each all volumes of each zone; say how many are worth as much."""
    network, orders = case
    curves = [list(zone_curves(orders, zone)) for zone in range(len(network.zones))]
    found = []
    for sent in product(*(range(link.limit_wh + 1) for link in network.links)):
        export = [0] * len(network.zones)
        for link, flow in zip(network.links, sent, strict=True):
            export[link.from_zone] += flow
            export[link.to_zone] -= flow
        chosen = [
            max(
                (
                    (sum(bids[:bought]) - sum(offers[: bought + net]), bought)
                    for bought in range(len(bids) + 1)
                    if 0 <= bought + net <= len(offers)
                ),
                default=None,
            )
            for (bids, offers), net in zip(curves, export, strict=True)
        ]
        values = [value for value in chosen if value is not None]
        if len(values) == len(chosen):
            fees = sum(
                flow * link.fee_micro_per_kwh
                for flow, link in zip(sent, network.links, strict=True)
            )
            found.append(
                Best(
                    sum(welfare for welfare, _ in values) - fees,
                    sum(volume for _, volume in values),
                    -sum(sent),
                    tuple(-flow for flow in sent),
                )
            )
    best = max(found)
    return best, sum(each.welfare == best.welfare for each in found)


def zone_curves(orders: ZoneOrders, zone: int) -> Iterator[list[int]]:
    """Return the limits of a zone's bids, then of its offers, Wh by Wh, most eager first."""
    for side, is_bid in ((orders.is_bid, True), (~orders.is_bid, False)):
        rows = side & (orders.zone == zone)
        units = np.repeat(orders.prices[rows], orders.quantities[rows]).tolist()
        yield sorted(units, reverse=is_bid)


def test_ties_are_broken_by_volume_then_by_flow_then_by_the_order_of_links() -> None:
    had_a_choice = 0
    for seed in range(1_000):
        case = random_coupled(Random(seed), zones_max=3, orders_max=6, links_max=5, price_max=2)

        result = clear_coupled(*case)

        best, equals = best_by_search(case)
        assert (result.welfare_nano, result.volume_wh) == (best.welfare, best.volume), seed
        assert result.sent == tuple(-flow for flow in best.flows), seed
        had_a_choice += equals > 1
    assert had_a_choice > 50


def test_the_price_vector_is_the_middle_of_all_that_prove_the_optimum() -> None:
    box = np.arange(-9, 10)
    compared = 0
    for seed in range(400):
        case = random_coupled(Random(seed), zones_max=3, orders_max=6, links_max=5, price_max=3)
        network, orders = case

        result = clear_coupled(network, orders)

        vectors = np.stack(np.meshgrid(*[box] * len(network.zones), indexing="ij")).reshape(
            len(network.zones), -1
        )
        distance = (orders.prices[:, None] - vectors[orders.zone]) * np.where(orders.is_bid, 1, -1)[
            :, None
        ]
        dual = (np.maximum(distance, 0) * orders.quantities[:, None]).sum(axis=0)
        for link in network.links:
            apart = vectors[link.to_zone] - vectors[link.from_zone] - link.fee_micro_per_kwh
            dual += link.limit_wh * np.maximum(apart, 0)
        assert dual.min() == result.welfare_nano
        proofs = vectors[:, dual == dual.min()]
        for zone, price in enumerate(result.prices):
            low, high = int(proofs[zone].min()), int(proofs[zone].max())
            if price is not None and low > box[0] + 4 and high < box[-1] - 4:
                assert (result.price_low[zone], result.price_high[zone]) == (low, high), seed
                assert price == (low + high) // 2
                compared += 1
    assert compared > 200


orders_of_one_zone = st.lists(
    st.tuples(st.just(0), st.sampled_from(("bid", "offer")), st.integers(-4, 4), st.integers(1, 6)),
    max_size=16,
)


@given(orders_of_one_zone, st.sampled_from(Ties), st.integers(1, 3))
def test_one_zone_is_cleared_as_ever_alone_or_beside_others(
    rows: list[tuple[int, str, int, int]], ties: Ties, zones: int
) -> None:
    orders = zone_orders(rows)
    bids, offers = orders.is_bid, ~orders.is_bid
    one = clear_uniform_price(
        orders.prices[bids],
        orders.quantities[bids],
        orders.prices[offers],
        orders.quantities[offers],
        ties=ties,
    )

    result = clear_coupled(Network(("a", "b", "c")[:zones], ()), orders, ties=ties)

    assert (result.prices[0], result.price_low[0], result.price_high[0]) == (
        one.price,
        one.price_low,
        one.price_high,
    )
    assert result.fills[bids].tolist() == one.bid_fills.tolist()
    assert result.fills[offers].tolist() == one.offer_fills.tolist()
    rows_served = np.flatnonzero(bids)[one.bid_sequence]
    assert result.bid_sequences[0].tolist() == rows_served.tolist()

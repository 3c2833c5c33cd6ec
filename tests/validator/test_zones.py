"""Several zones: the certificate against an integer programme, and each lie about a clearing."""

from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import (  # type: ignore[import-untyped]  # it has no types of its own
    Bounds,
    LinearConstraint,
    linprog,
    milp,
)

from tests.validator.market_story import market_rules
from validator.checks import Objected
from validator.interval_auction import Order, share
from validator.interval_book import Flow
from validator.interval_rules import read_rule_set
from validator.market_rules import Link, MarketRules
from validator.zone_checks import gap_of, require_optimal
from validator.zones import Broken, ZoneOrder, bands_of, duals_of, narrowed

ZONES = ("A", "B", "C")


class Network(NamedTuple):
    links: list[Link]
    orders: list[ZoneOrder]


class Cleared(NamedTuple):
    orders: list[ZoneOrder]
    flows: list[Flow]


# Few limits and little energy: ties, full links and equally good flows are the rule.
ORDERS = st.lists(
    st.tuples(st.sampled_from(ZONES), st.booleans(), st.integers(-2, 4), st.integers(1, 3)),
    max_size=8,
)
PAIRS = [(one, other) for one in ZONES for other in ZONES if one != other]
LINKS = st.lists(
    st.tuples(st.sampled_from(PAIRS), st.integers(0, 3), st.integers(0, 2)),
    max_size=5,
    unique_by=lambda link: link[0],
)
NETWORKS = st.builds(
    lambda links, orders: Network(
        [Link(one, other, limit, fee, 0) for (one, other), limit, fee in links],
        [
            ZoneOrder(zone, is_bid, limit, wh, rank, 0)
            for rank, (zone, is_bid, limit, wh) in enumerate(orders)
        ],
    ),
    LINKS,
    ORDERS,
)


def chosen(network: Network) -> Cleared:
    """Return the clearing there should be, one wish after the other, by integer programmes."""
    none, links = [0] * len(network.orders), range(len(network.links))
    each = [[*none, *(-int(at == other) for other in links)] for at in links]
    return cleared_by(network, [*wishes_of(network), *each])


def wishes_of(network: Network) -> list[list[int]]:
    """Return what a clearing is to be first: worth most, then buy most, then send least."""
    orders, links = network.orders, network.links
    return [
        [
            *(one.limit if one.is_bid else -one.limit for one in orders),
            *(-one.fee for one in links),
        ],
        [*(int(one.is_bid) for one in orders), *[0] * len(links)],
        [*[0] * len(orders), *[-1] * len(links)],
    ]


def cleared_by(network: Network, wishes: list[list[int]]) -> Cleared:
    """Return a clearing that fulfils each wish as well as those before it allow."""
    orders, links = network.orders, network.links
    if not orders and not links:
        return Cleared([], [])
    rows = [
        [
            *((-1 if one.is_bid else 1) * (one.zone == zone) for one in orders),
            *((link.target == zone) - (link.source == zone) for link in links),
        ]
        for zone in ZONES
    ]
    sums = [0] * len(rows)
    most = [*(one.wh for one in orders), *(link.limit_wh for link in links)]
    values: list[int] = []
    for wish in wishes:
        found = milp(
            -np.array(wish, dtype=float),
            constraints=LinearConstraint(np.array(rows), sums, sums),
            bounds=Bounds(0, most),
            integrality=np.ones(len(most)),
        )
        values = [round(one) for one in found.x]
        rows.append(wish)
        sums.append(sum(one * wh for one, wh in zip(wish, values, strict=True)))
    flows = [Flow(sent, sent) for sent in values[len(orders) :]]
    filled = [one._replace(filled=wh) for one, wh in zip(orders, values, strict=False)]
    return Cleared(served(filled), flows)


def served(orders: list[ZoneOrder]) -> list[ZoneOrder]:
    """Give what each zone's side has to its orders in their order."""
    done: dict[int, int] = {}
    for zone in ZONES:
        for is_bid in (True, False):
            side = [one for one in orders if (one.zone, one.is_bid) == (zone, is_bid)]
            left = sum(one.filled for one in side)
            for limit in sorted({one.limit for one in side}, reverse=is_bid):
                level = [Order(0, one.wh, one.rank) for one in side if one.limit == limit]
                given_ = min(left, sum(one.wh for one in level))
                left -= given_
                done |= share(level, given_)
    return [one._replace(filled=done[one.rank]) for one in orders]


def rules_of(links: list[Link]) -> MarketRules:
    texts = [
        {
            "fee_micro_per_kwh": one.fee,
            "from": one.source,
            "limit_wh": one.limit_wh,
            "loss_ppm": one.loss_ppm,
            "to": one.target,
        }
        for one in links
    ]
    rules = read_rule_set(market_rules(zones=list(ZONES), links=texts).encode()).market
    assert rules is not None
    return rules


def prices_of(network: Network, cleared: Cleared) -> dict[str, int | None]:
    """Return the prices of trading zones by shortest paths, with the validator's own means."""
    duals = duals_of(bands_of(ZONES, cleared.orders), network.links, cleared.flows)
    joined = {zone: {zone} for zone in ZONES}
    for _ in ZONES:
        for link in network.links:
            if link.limit_wh:
                joined[link.source] |= joined[link.target]
                joined[link.target] |= joined[link.source]
    trading = {one.zone for one in cleared.orders if one.filled}
    return {zone: duals.get(zone) if joined[zone] & trading else None for zone in ZONES}


def is_accepted(network: Network, cleared: Cleared, prices: dict[str, int | None]) -> bool:
    try:
        require_optimal(0, rules_of(network.links), cleared.orders, prices, cleared.flows)
    except Objected:
        return False
    return True


@settings(max_examples=60)
@given(NETWORKS)
def test_what_an_integer_programme_finds_is_accepted_at_the_prices_that_prove_it(
    network: Network,
) -> None:
    cleared = chosen(network)
    prices = prices_of(network, cleared)

    assert is_accepted(network, cleared, prices)
    found = {zone: price for zone, price in prices.items() if price is not None}
    if all(zone in found for zone in ZONES):
        assert gap_of(network.links, cleared.orders, prices, cleared.flows) == 0
    # One micro more or less is another price.
    for zone, price in found.items():
        assert not is_accepted(network, cleared, prices | {zone: price + 1})


WISHES = st.lists(st.lists(st.integers(-1, 1), min_size=13, max_size=13), min_size=1, max_size=2)


@settings(max_examples=60)
@given(NETWORKS, WISHES, st.integers(0, 3))
def test_whatever_else_is_feasible_is_refused(
    network: Network, wishes: list[list[int]], agreed: int
) -> None:
    """Also what is worth as much, buys as much, and sends as little: only one is right."""
    right, count = chosen(network), len(network.orders) + len(network.links)
    other = cleared_by(network, [*wishes_of(network)[:agreed], *(wish[:count] for wish in wishes)])
    try:
        prices = prices_of(network, other)
    except Broken:
        assert other != right
        return

    assert is_accepted(network, other, prices) == (other == right)


@settings(max_examples=30)
@given(NETWORKS)
def test_the_band_of_prices_is_that_of_a_linear_programme(network: Network) -> None:
    cleared = chosen(network)
    found = narrowed(bands_of(ZONES, cleared.orders), network.links, cleared.flows)
    rows, most = [], []
    for link, flow in zip(network.links, cleared.flows, strict=True):
        for applies, sign in ((flow.sent < link.limit_wh, 1), (flow.sent > 0, -1)):
            if applies:
                rows.append([sign * ((z == link.target) - (z == link.source)) for z in ZONES])
                most.append(sign * link.fee)
    own = bands_of(ZONES, cleared.orders)
    for zone in ZONES:
        for sign, end in ((1, found[zone].low), (-1, found[zone].high)):
            solved = linprog(
                [sign * (one == zone) for one in ZONES],
                A_ub=rows or None,
                b_ub=most or None,
                bounds=[tuple(own[one]) for one in ZONES],
            )
            assert (round(sign * solved.fun) if solved.status == 0 else None) == end


TOWN = Network(
    [Link("A", "B", 50, 2_000, 0), Link("B", "A", 10, 1_000, 0), Link("B", "C", 0, 0, 0)],
    [
        ZoneOrder("A", False, 100_000, 80, 0, 60),
        ZoneOrder("A", True, 150_000, 10, 1, 10),
        ZoneOrder("B", True, 180_000, 60, 2, 50),
        ZoneOrder("C", True, 200_000, 5, 3, 0),
    ],
)
OVERLOADED = {0: 70, 2: 60}
SENT = [Flow(50, 50), Flow(0, 0), Flow(0, 0)]
# In A an offer has energy left; in B the link is full and a bid has energy left.
PRICES: dict[str, int | None] = {"A": 100_000, "B": 180_000, "C": None}


def test_prices_of_joined_zones_differ_where_a_link_is_full() -> None:
    assert is_accepted(TOWN, Cleared(TOWN.orders, SENT), PRICES)


@pytest.mark.parametrize(
    "told",
    [
        (TOWN.orders, [Flow(51, 51), Flow(1, 1), Flow(0, 0)], PRICES),
        (TOWN.orders, [Flow(50, 49), Flow(0, 0), Flow(0, 0)], PRICES),
        (TOWN.orders, [Flow(49, 49), Flow(0, 0), Flow(0, 0)], PRICES),
        # A Wh that nobody buys.
        (
            [one._replace(filled=61) if one.rank == 0 else one for one in TOWN.orders],
            SENT,
            PRICES,
        ),
        # What a link cannot carry would be worth it, at prices that fit.
        (
            [one._replace(filled=OVERLOADED.get(one.rank, one.filled)) for one in TOWN.orders],
            [Flow(60, 60), Flow(0, 0), Flow(0, 0)],
            PRICES | {"B": 141_000},
        ),
        (TOWN.orders, SENT, PRICES | {"C": 200_000}),
        (TOWN.orders, SENT, PRICES | {"A": None}),
        (TOWN.orders, SENT, PRICES | {"B": 102_000}),
    ],
)
def test_lies_about_flows_and_prices_are_refused(
    told: tuple[list[ZoneOrder], list[Flow], dict[str, int | None]],
) -> None:
    orders, flows, prices = told

    assert not is_accepted(TOWN, Cleared(orders, flows), prices)


def test_the_eager_come_first_in_every_zone() -> None:
    # Two bids at one limit share what comes; a less eager one before them is refused.
    more = ZoneOrder("B", True, 180_000, 60, 4, 0)
    shared = [one._replace(filled=25) if one.rank == 2 else one for one in TOWN.orders]
    assert is_accepted(TOWN, Cleared([*shared, more._replace(filled=25)], SENT), PRICES)
    assert not is_accepted(TOWN, Cleared([*TOWN.orders, more], SENT), PRICES)
    eager = more._replace(limit=180_001)
    assert not is_accepted(TOWN, Cleared([*TOWN.orders, eager], SENT), PRICES)


def test_nothing_is_sent_round_in_a_circle_where_nobody_orders() -> None:
    """The pool would pay the fees of it to the grid."""
    network = Network([Link("A", "B", 1, 0, 0), Link("B", "A", 1, 5, 0)], [])
    none: dict[str, int | None] = dict.fromkeys(ZONES)

    assert is_accepted(network, Cleared([], [Flow(0, 0), Flow(0, 0)]), none)
    assert not is_accepted(network, Cleared([], [Flow(1, 1), Flow(1, 1)]), none)


def test_of_two_bids_alike_the_one_that_needs_no_link_is_filled() -> None:
    links = [Link("A", "B", 2, 0, 0)]
    offer = ZoneOrder("A", False, 100, 1, 0, 1)
    near, far = ZoneOrder("A", True, 150, 1, 1, 0), ZoneOrder("B", True, 150, 1, 2, 0)
    prices: dict[str, int | None] = {"A": 150, "B": 150, "C": None}
    at_home = Cleared([offer, near._replace(filled=1), far], [Flow(0, 0)])
    sent = Cleared([offer, near, far._replace(filled=1)], [Flow(1, 1)])

    assert is_accepted(Network(links, at_home.orders), at_home, prices)
    assert not is_accepted(Network(links, sent.orders), sent, prices)


def test_a_network_with_losses_is_held_to_its_gap() -> None:
    """Of 1,000 Wh that A sends 960 arrive; B pays for what was lost: 104,167 for A's 100,000."""
    network = Network(
        [Link("A", "B", 5_000, 0, 40_000)],
        [
            ZoneOrder("A", False, 100_000, 9_000, 0, 1_000),
            ZoneOrder("B", True, 180_000, 960, 1, 960),
        ],
    )
    prices: dict[str, int | None] = {"A": 100_000, "B": 104_166, "C": None}
    cleared = Cleared(network.orders, [Flow(960, 1_000)])
    assert is_accepted(network, cleared, prices)
    # 960 x (180,000 - 104,166) is what B gains; what is sent costs A's limit.
    gap = gap_of(network.links, network.orders, prices, cleared.flows)
    assert gap == Fraction(960 * (180_000 - 104_166) - 960 * 180_000 + 1_000 * 100_000)

    assert not is_accepted(network, Cleared(network.orders, [Flow(961, 1_000)]), prices)
    assert not is_accepted(network, cleared, prices | {"B": None})
    assert not is_accepted(network, cleared, prices | {"B": 180_001})
    # At B's limit the link would be worth using up to its limit: nothing proves this clearing.
    assert not is_accepted(network, cleared, prices | {"B": 180_000})

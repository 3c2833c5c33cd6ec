"""Coupled zones worked by hand: prices, flows, rents, losses, edges, and what a checker refuses."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from random import Random

import numpy as np
import pytest

from marketplace.domain.clearing import INT64_MAX, Ties
from marketplace.domain.zones.certificate import (
    ClaimedClearing,
    NotOptimal,
    check_certificate,
)
from marketplace.domain.zones.clearing import CoupledClearing, ZoneOrders, clear_coupled
from marketplace.domain.zones.network import Network, NetworkInvalid
from marketplace.domain.zones.pairing import pair_in_zones
from tests.domain.coupled_books import Coupled, certified, claim_of, coupled, random_coupled

# Zone 0 has cheap energy, zone 1 wants it, the link between them is too small.
NARROW = [(0, "offer", 10, 9), (0, "bid", 12, 2), (1, "bid", 50, 8), (1, "offer", 40, 5)]


def test_a_full_link_parts_the_prices_and_earns_the_difference() -> None:
    case = coupled(2, NARROW, [(0, 1, 4, 3, 0)])

    result = clear_coupled(*case)

    certified(case, result)
    assert result.fills.tolist() == [6, 2, 8, 4]
    assert (result.sent, result.received) == ((4,), (4,))
    assert (result.price_low, result.price_high) == ((10, 40), (10, 40))
    assert result.prices == (10, 40)
    assert result.rent_nano(case.network, 0) == 4 * (40 - 10 - 3)
    assert result.fee_nano(case.network, 0) == 4 * 3
    assert result.link_dual(case.network, 0) == 27
    assert result.volume_wh == 10
    assert result.welfare_nano == 2 * 12 + 8 * 50 - 6 * 10 - 4 * 40 - 4 * 3


def test_a_wide_link_leaves_the_fee_between_the_prices() -> None:
    case = coupled(2, NARROW, [(0, 1, 9, 3, 0)])

    result = clear_coupled(*case)

    # Eight Wh are worth more over there than to the second neighbour, who gets the ninth.
    assert result.fills.tolist() == [9, 1, 8, 0]
    assert result.sent == (8,)
    assert result.prices == (12, 15)
    assert result.rent_nano(case.network, 0) == 0


def test_zones_joined_for_nothing_have_one_price() -> None:
    case = coupled(
        3, [(0, "offer", 10, 9), (2, "bid", 21, 8)], [(0, 1, 99, 0, 0), (1, 2, 99, 0, 0)]
    )

    result = clear_coupled(*case)

    # Nobody trades in zone 1, energy only passes; all of 10 is what the ninth Wh would cost.
    assert result.prices == (10, 10, 10)
    assert result.sent == (8, 8)


def test_a_zone_without_trade_has_a_price_where_it_is_joined_to_one_that_trades() -> None:
    orders = [(0, "offer", 10, 5), (0, "bid", 20, 5), (1, "offer", 90, 1), (2, "bid", 5, 1)]
    case = coupled(5, [*orders, (3, "bid", 1, 1)], [(0, 1, 5, 0, 0), (2, 0, 5, 0, 0)])

    result = clear_coupled(*case)

    # Zone 1 is at most where zone 0 is, else it would buy there; zone 2 is at least there. What
    # bounds a price on one side only is its price: zone 1 has no bid, zone 2 no offer.
    assert result.prices == (15, 15, 15, None, None)
    assert (result.price_low, result.price_high) == (
        (10, None, 10, None, None),
        (20, 20, None, None, None),
    )
    # Zone 3 trades nothing and is alone: no price, but one that proves that nothing can.
    assert result.duals == (15, 15, 15, 1, None)
    certified(case, result)


def test_energy_that_is_worth_less_than_nothing_flows_to_where_it_is_worth_less_still() -> None:
    case = coupled(2, [(0, "offer", -50, 5), (1, "bid", -20, 3)], [(0, 1, 9, 1, 0)])

    result = clear_coupled(*case)

    assert result.fills.tolist() == [3, 3]
    assert result.prices == (-50, -49)
    assert result.welfare_nano == 3 * (-20 + 50 - 1)


def test_equal_flows_are_chosen_by_volume_then_length_then_the_order_of_links() -> None:
    orders = [(0, "offer", 10, 6), (1, "bid", 10, 6)]
    detour = [(0, 2, 9, 0, 0), (2, 1, 9, 0, 0), (0, 1, 4, 0, 0)]

    longer = clear_coupled(*coupled(3, orders, detour))
    both = clear_coupled(
        *coupled(4, orders, [(0, 2, 9, 0, 0), (2, 1, 9, 0, 0), (0, 3, 4, 0, 0), (3, 1, 9, 0, 0)])
    )

    # Worth nothing, it trades all the same; over the one link as far as that goes.
    assert (longer.volume_wh, longer.sent) == (6, (2, 2, 4))
    assert both.sent == (2, 2, 4, 4)


def test_what_is_lost_on_the_way_is_nobodys_and_the_gap_is_told_exactly() -> None:
    case = coupled(2, [(0, "offer", 100, 1_000), (1, "bid", 200, 7)], [(0, 1, 500, 10, 300_000)])

    result = clear_coupled(*case)

    certified(case, result)
    # 10 Wh arrive as 7; at 100 and a fee of 10 each of these is worth 110 / 0.7 = 157.1.
    assert (result.sent, result.received) == ((10,), (7,))
    assert result.fills.tolist() == [10, 7]
    assert result.prices == (100, 157)
    assert result.price_low == (100, Fraction(1_100, 7))
    assert result.welfare_nano == 7 * 200 - 10 * 100 - 10 * 10
    assert result.gap_nano == 7 * (200 - 157) - result.welfare_nano == 1
    assert result.rent_nano(case.network, 0) == 7 * 157 - 10 * 100 - 10 * 10


def test_what_does_not_arrive_whole_is_rounded_down() -> None:
    case = coupled(2, [(0, "offer", 1, 10), (1, "bid", 9, 10)], [(0, 1, 10, 0, 1)])

    result = clear_coupled(*case)

    assert (result.sent, result.received, result.fills.tolist()) == ((10,), (9,), [10, 9])
    certified(case, result)


def test_whole_flows_serve_whole_orders_through_zones_that_only_pass_on() -> None:
    orders = [(0, "offer", 100_000, 9_000), (3, "bid", 900_000, 1_000)]
    links = [(zone, zone + 1, 10**12, 0, 100_000) for zone in range(3)]

    result = clear_coupled(*coupled(4, orders, links))

    # 1,000 need 1,112 sent, these need 1,236, and these 1,374; by themselves the solver's flows,
    # rounded each, would not arrive whole.
    assert result.fills.tolist() == [1_374, 1_000]
    assert (result.sent, result.received) == ((1_374, 1_236, 1_112), (1_236, 1_112, 1_000))


def test_the_edges_of_int64_are_exact() -> None:
    half = 2**62
    orders = ZoneOrders(
        np.array([0, 0, 1, 1]),
        np.array([False, False, True, True]),
        np.array([-INT64_MAX - 1, INT64_MAX, INT64_MAX, -INT64_MAX - 1]),
        np.array([half - 1, half, half, half - 1]),
    )
    network = Network(("a", "b"), coupled(2, [], [(0, 1, 10**12, 0, 0)]).network.links)

    result = clear_coupled(network, orders)

    assert (result.sent, result.welfare_nano) == ((10**12,), 10**12 * (2**64 - 1))
    assert result.prices == (-INT64_MAX - 1, INT64_MAX)
    certified(Coupled(network, orders), result)


def test_pro_rata_shares_the_last_price_of_a_zone() -> None:
    case = coupled(2, [(0, "offer", 1, 4), (0, "offer", 1, 4), (1, "bid", 9, 6)], [(0, 1, 9, 0, 0)])

    assert clear_coupled(*case).fills.tolist() == [4, 2, 6]
    assert clear_coupled(*case, ties=Ties.PRO_RATA).fills.tolist() == [3, 3, 6]


def test_neighbours_trade_with_each_other_before_they_trade_with_other_zones() -> None:
    case = coupled(2, NARROW, [(0, 1, 4, 3, 0)])
    trades = pair_in_zones(case.network, clear_coupled(*case))

    rows = [
        list(zip(*(column.tolist() for column in vars(zone).values()), strict=True))
        for zone in trades
    ]

    assert rows == [[(1, 0, 2, -1, -1), (-1, 0, 4, 0, -1)], [(2, 3, 4, -1, -1), (2, -1, 4, -1, 0)]]


def test_the_same_book_gives_the_same_bytes_on_any_machine() -> None:
    digest = hashlib.sha256()
    for seed in range(50):
        case = random_coupled(Random(seed), orders_max=60, links_max=20, price_max=40)
        for _ in range(2):
            result = clear_coupled(*case)
            digest.update(result.fills.astype("<i8").tobytes())
            digest.update(repr((result.prices, result.duals, result.sent)).encode())

    assert digest.hexdigest() == (
        "3aad41cafcc532bc8e74d5246d0e99723b00642dfc640c83c34252d6ceb23d40"
    )


def test_a_thick_book_of_many_zones_is_proved_optimal() -> None:
    for seed, loss in ((1, 0), (2, 0), (3, 25_000)):
        seeded = np.random.default_rng(seed)
        links = {
            (a, b): (a, b, int(seeded.integers(0, 400_000)), int(seeded.integers(0, 40_000)), loss)
            for a, b in seeded.integers(0, 20, (60, 2)).tolist()
            if a != b
        }
        zone = seeded.integers(0, 20, 8_000)
        orders = ZoneOrders(
            zone,
            seeded.integers(0, 2, 8_000) == 0,
            seeded.integers(0, 600_000, 8_000) + seeded.integers(0, 200_000, 20)[zone],
            seeded.integers(1, 5_000, 8_000),
        )
        case = Coupled(coupled(20, [], list(links.values())).network, orders)

        certified(case, clear_coupled(*case))


Wrong = Callable[[ClaimedClearing], ClaimedClearing]


def with_fills(*fills: int) -> Wrong:
    return lambda claim: replace(claim, fills=np.array(fills, dtype=np.int64))


@pytest.mark.parametrize(
    ("message", "wrong"),
    [
        ("one whole fill for each order", with_fills(6, 2, 8)),
        ("order 1 of 2 Wh gets 3 Wh", with_fills(7, 3, 8, 4)),
        ("order 3 of 5 Wh gets -1 Wh", with_fills(6, 2, 3, -1)),
        ("zone 0 has 1 Wh that nobody", with_fills(7, 2, 8, 4)),
        ("link 0 carries 5 Wh of 4 Wh", lambda c: replace(c, sent=(5,), received=(5,))),
        ("link 0 carries -1 Wh", lambda c: replace(c, sent=(-1,), received=(-1,))),
        ("link 0 delivers 3 Wh of 4 Wh", lambda c: replace(c, received=(3,))),
        ("zone 1 has the price 40, its dual is 41", lambda c: replace(c, duals=(10, 41))),
        ("zone 1 has the price None", lambda c: replace(c, prices=(10, None))),
        (
            "zone 1 has orders, but no dual",
            lambda c: replace(c, prices=(10, None), duals=(10, None)),
        ),
        ("order 3 trades beyond", lambda c: replace(c, prices=(10, 39), duals=(10, 39))),
        ("order 0 trades beyond", lambda c: replace(c, prices=(9, 40), duals=(9, 40))),
        # Allowed and balanced, but worse: a neighbour is not served, or the link is not used.
        ("more welfare", with_fills(4, 0, 8, 4)),
        ("more welfare", lambda c: replace(with_fills(5, 2, 8, 5)(c), sent=(3,), received=(3,))),
        ("1 nano more welfare", lambda c: replace(c, prices=(10, 41), duals=(10, 41))),
    ],
)
def test_each_way_of_being_wrong_is_refused(message: str, wrong: Wrong) -> None:
    case = coupled(2, NARROW, [(0, 1, 4, 3, 0)])
    claim = claim_of(clear_coupled(*case))

    with pytest.raises(NotOptimal, match=message):
        check(case, wrong(claim))


def test_less_than_the_greatest_volume_and_too_wide_a_gap_are_refused() -> None:
    at_par = coupled(2, [(0, "offer", 10, 6), (1, "bid", 10, 6)], [(0, 1, 9, 0, 0)])
    lossy = coupled(2, [(0, "offer", 10, 9_000), (1, "bid", 90, 9_000)], [(0, 1, 9_000, 0, 100)])
    nothing = np.zeros(2, dtype=np.int64)
    # Sending less would serve the neighbour, and zone 1 could help itself.
    used = coupled(
        2,
        [(0, "offer", 10, 3), (1, "bid", 10, 3), (1, "offer", 10, 3), (0, "bid", 10, 3)],
        [(0, 1, 3, 0, 0)],
    )

    with pytest.raises(NotOptimal, match="zone 1 could buy more at its price"):
        check(at_par, ClaimedClearing(nothing, (0,), (0,), (None, None), (10, 10)))
    with pytest.raises(NotOptimal, match="zone 0 could buy more at its price"):
        check(used, ClaimedClearing(np.array([3, 3, 0, 0]), (3,), (3,), (10, 10), (10, 10)))
    with pytest.raises(NotOptimal, match="more than rounding can cost"):
        check(lossy, ClaimedClearing(nothing, (0,), (0,), (None, None), (10, 90)))


def check(case: Coupled, claim: ClaimedClearing) -> Fraction:
    orders = case.orders
    return check_certificate(
        case.network,
        zone=orders.zone,
        is_bid=orders.is_bid,
        prices=orders.prices,
        quantities=orders.quantities,
        claimed=claim,
    )


@pytest.mark.parametrize(
    ("line", "links"),
    [
        (4, [(0, 1, 5, 2, 0), (1, 2, 5, -3, 0), (2, 0, 5, 0, 0)]),
        (3, [(0, 1, 5, -1, 0), (1, 0, 0, 0, 0)]),
        (2, [(0, 0, 5, 1, 0)]),
        (3, [(0, 1, 5, 1, 0), (0, 1, 6, 1, 0)]),
        (2, [(0, 1, -1, 1, 0)]),
        (2, [(0, 1, 1, 1, 1_000_000)]),
        (2, [(0, 1, 1, 10**9 + 1, 0)]),
    ],
)
def test_networks_that_make_no_sense_are_refused_at_the_link(
    line: int, links: list[tuple[int, int, int, int, int]]
) -> None:
    with pytest.raises(NetworkInvalid) as refused:
        coupled(3, [], links)

    assert refused.value.line == line
    assert ";" in str(refused.value)


def test_orders_of_no_zone_are_refused() -> None:
    network = coupled(2, [], []).network

    def attempt(**changes: np.ndarray) -> CoupledClearing:
        return clear_coupled(network, replace(coupled(2, NARROW, []).orders, **changes))

    with pytest.raises(ValueError, match="zones must be from 0 to 1"):
        attempt(zone=np.array([0, 1, 2, 0]))
    with pytest.raises(ValueError, match="4 zones but 3 sides"):
        attempt(is_bid=np.array([True, True, False]))
    with pytest.raises(ValueError, match="sides must be bool"):
        attempt(is_bid=np.array([1, 0, 1, 0]))
    with pytest.raises(ValueError, match="quantities must be positive"):
        attempt(quantities=np.array([1, 0, 1, 1]))

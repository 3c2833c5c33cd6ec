"""Random coupled books for tests, small enough that ties and full links happen often."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

import numpy as np

from marketplace.domain.zones.certificate import ClaimedClearing, check_certificate
from marketplace.domain.zones.clearing import CoupledClearing, ZoneOrders
from marketplace.domain.zones.network import Network, NetworkInvalid, network_of


class Coupled(NamedTuple):
    network: Network
    orders: ZoneOrders


Order = tuple[int, str, int, int]
Arrow = tuple[int, int, int, int, int]


def coupled(zones: int, orders: list[Order], links: list[Arrow]) -> Coupled:
    """Make a book of (zone, side, limit, energy) and links of (from, to, limit, fee, loss)."""
    names = [f"z{number}" for number in range(zones)]
    network = network_of(
        names,
        [
            {
                "from": names[origin],
                "to": names[target],
                "limit_wh": limit,
                "loss_ppm": loss,
                "fee_micro_per_kwh": fee,
            }
            for origin, target, limit, fee, loss in links
        ],
    )
    return Coupled(network, zone_orders(orders))


def zone_orders(orders: list[Order]) -> ZoneOrders:
    return ZoneOrders(
        np.array([order[0] for order in orders], dtype=np.int64),
        np.array([order[1] == "bid" for order in orders], dtype=np.bool_),
        np.array([order[2] for order in orders], dtype=np.int64),
        np.array([order[3] for order in orders], dtype=np.int64),
    )


def random_coupled(
    random: Random,
    *,
    zones_max: int = 6,
    orders_max: int = 14,
    links_max: int = 10,
    price_max: int | None = None,
    losses: tuple[int, ...] = (0,),
) -> Coupled:
    """Draw a book; networks with a loop that pays are drawn again."""
    price = price_max or random.choice((3, 10, 1_000))
    while True:
        zones = random.randint(1, zones_max)
        orders = [
            (
                random.randrange(zones),
                random.choice(("bid", "offer")),
                random.randint(-price, price),
                random.randint(1, 9 if orders_max > 6 else 2),
            )
            for _ in range(random.randint(0, orders_max) if random.random() < 0.3 else orders_max)
        ]
        links: dict[tuple[int, int], Arrow] = {}
        for _ in range(random.randint(0, links_max) if zones > 1 else 0):
            origin, target = random.sample(range(zones), 2)
            limit = random.choice((0, 1, 3, 5, 20) if orders_max > 6 else (0, 1, 2))
            fee = random.choice((0, 0, 1, 2, -1, price // 2))
            links[origin, target] = (origin, target, limit, fee, random.choice(losses))
        try:
            return coupled(zones, orders, list(links.values()))
        except NetworkInvalid:
            continue


def certified(case: Coupled, result: CoupledClearing) -> None:
    """Check the certificate of a result, and that it tells the same gap."""
    orders = case.orders
    gap = check_certificate(
        case.network,
        zone=orders.zone,
        is_bid=orders.is_bid,
        prices=orders.prices,
        quantities=orders.quantities,
        claimed=claim_of(result),
    )
    assert gap == result.gap_nano


def claim_of(result: CoupledClearing) -> ClaimedClearing:
    return ClaimedClearing(result.fills, result.sent, result.received, result.prices, result.duals)

"""Clear coupled zones together, for the greatest welfare that links, fees and losses allow.

``clear_coupled`` is the one entry. What it decides can be checked without a solver, in linear
time, by ``clearing_certificate``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import TypeVar

import numpy as np

from marketplace.domain.clearing import (
    Int64Array,
    Ties,
    checked_row,
    clear_uniform_price,
    exact_dot,
)
from marketplace.domain.zones.book import BoolArray, ZoneBook, zone_books
from marketplace.domain.zones.flows import Flows, chosen_flows
from marketplace.domain.zones.lossy_flows import rounded_flows
from marketplace.domain.zones.network import Network
from marketplace.domain.zones.price_range import Bounds, OptimalFacts, Price, WholeBounds, facts_of
from marketplace.domain.zones.prices import middle_prices, optimal_prices
from marketplace.domain.zones.welfare_programme import Optimum, optimum_of

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class ZoneOrders:
    """Orders of several zones, in arrival order: zone from 0, side, limit, energy.

    ``prices`` are in micro/kWh, ``quantities`` in Wh and positive. ``ranks`` order equal prices of
    a zone for pro rata ties, as in `clear_uniform_price`; default is the row.
    """

    zone: Int64Array
    is_bid: BoolArray
    prices: Int64Array
    quantities: Int64Array
    ranks: Int64Array | None = None


@dataclass(frozen=True, eq=False)
class CoupledClearing:
    """What an auction of coupled zones decided. Tuples are by zone or by link of the network.

    ``fills`` stand in the order of the book [Wh]; ``sent`` leaves the origin of a link and
    ``received`` reaches its target, the rest is the link's loss [Wh]. ``prices`` are the clearing
    prices, the floors of the middles of ``price_low`` and ``price_high`` [micro/kWh]; all three
    are None in zones that are joined, by links with a limit above 0, with no zone that trades;
    where a price is bounded on one side only, that end alone is None. ``duals`` prove that
    nothing better exists: the prices, and also those of zones where nothing trades; None only
    where no order and no open link depends on it. ``welfare_nano`` is the bids' limits less the
    offers' limits less the fees; ``gap_nano`` is by how much it could be below the greatest, 0
    without losses. ``bid_sequences`` and ``offer_sequences`` are each zone's rows that trade, most
    eager first.
    """

    fills: Int64Array
    prices: tuple[int | None, ...]
    price_low: tuple[Price | None, ...]
    price_high: tuple[Price | None, ...]
    duals: tuple[int | None, ...]
    sent: tuple[int, ...]
    received: tuple[int, ...]
    bought: tuple[int, ...]
    sold: tuple[int, ...]
    volume_wh: int
    welfare_nano: int
    gap_nano: Fraction
    bid_sequences: tuple[Int64Array, ...]
    offer_sequences: tuple[Int64Array, ...]

    def fee_nano(self, network: Network, link: int) -> int:
        """Return what a link earns the grid. [nano]"""
        return self.sent[link] * network.links[link].fee_micro_per_kwh

    def rent_nano(self, network: Network, link: int) -> int:
        """Return a congestion rent: what energy gains on the way, the fee taken off. [nano]"""
        if not self.sent[link]:
            return 0
        ends = network.links[link]
        origin, target = self.prices[ends.from_zone], self.prices[ends.to_zone]
        assert origin is not None and target is not None  # both take part in a flow
        return (
            self.received[link] * target - self.sent[link] * origin - self.fee_nano(network, link)
        )

    def link_dual(self, network: Network, link: int) -> Fraction | None:
        """Return what one more Wh of limit is worth, None where an end has no dual. [micro/kWh]"""
        ends = network.links[link]
        origin, target = self.duals[ends.from_zone], self.duals[ends.to_zone]
        if origin is None or target is None:
            return None
        return max(Fraction(0), ends.gain * target - origin - ends.fee_micro_per_kwh)


def clear_coupled(
    network: Network, orders: ZoneOrders, *, ties: Ties = Ties.ARRIVAL
) -> CoupledClearing:
    """Clear the orders of all zones of a network as one auction.

    Parameters
    ----------
    network : Network
        The zones and the links between them.
    orders : ZoneOrders
        The book.
    ties : Ties
        Who is served when a zone's orders at one price want more than is left, as in
        `clear_uniform_price`.

    Returns
    -------
    CoupledClearing
        In every zone, energy sold and received equals energy bought and sent, to the Wh.

    Raises
    ------
    ValueError
        If the arrays are no book of these zones.

    Notes
    -----
    Without losses welfare is the greatest there is, exactly. Of the clearings that reach it this
    is the one with the most energy bought, of these the one that sends least, of these the one
    whose flows are smallest in the order of the links; within a zone, orders are then served as in
    one auction. The price vector is the floor of the middle between the smallest and the largest
    vector that prove the optimum. One zone alone is cleared by `clear_uniform_price` itself.

    With losses see `lossy_flows`: the flows are those of a linear programme, rounded to Wh.
    """
    _check(network, orders)
    if len(network.zones) == 1:
        return _clear_one(orders, ties)
    books = zone_books(
        len(network.zones),
        zone=orders.zone,
        is_bid=orders.is_bid,
        prices=orders.prices,
        quantities=orders.quantities,
        ranks=orders.ranks,
    )
    if network.is_lossless:
        flows = chosen_flows(network, books, optimal_prices(network, books))
        vectors = middle_prices(network, _facts(network, books, flows))
    else:
        optimum = optimum_of(network, books)
        vectors = middle_prices(network, _solver_facts(network, books, optimum))
        flows = rounded_flows(network, books, vectors[0], optimum)
    return _result(network, orders, books, flows, ties=ties, vectors=vectors)


def _check(network: Network, orders: ZoneOrders) -> None:
    rows = checked_row("zones", orders.zone).shape
    for name, column in (
        ("prices", checked_row("prices", orders.prices)),
        ("quantities", checked_row("quantities", orders.quantities)),
        ("sides", orders.is_bid),
        ("ranks", orders.zone if orders.ranks is None else checked_row("ranks", orders.ranks)),
    ):
        if column.shape != rows:
            raise ValueError(f"{rows[0]} zones but {len(column)} {name}")
    if orders.is_bid.dtype != np.bool_:
        raise ValueError(f"sides must be bool, not {orders.is_bid.dtype}")
    if orders.zone.size and not 0 <= orders.zone.min() <= orders.zone.max() < len(network.zones):
        raise ValueError(f"zones must be from 0 to {len(network.zones) - 1}")


def _clear_one(orders: ZoneOrders, ties: Ties) -> CoupledClearing:
    bids, offers = np.flatnonzero(orders.is_bid), np.flatnonzero(~orders.is_bid)
    one = clear_uniform_price(
        orders.prices[bids],
        orders.quantities[bids],
        orders.prices[offers],
        orders.quantities[offers],
        ties=ties,
        bid_ranks=None if orders.ranks is None else orders.ranks[bids],
        offer_ranks=None if orders.ranks is None else orders.ranks[offers],
    )
    fills = np.empty_like(orders.quantities)
    fills[bids], fills[offers] = one.bid_fills, one.offer_fills
    dual = one.price
    if dual is None:  # between the best bid and the best offer, which do not meet
        low = int(orders.prices[bids].max()) if len(bids) else None
        high = int(orders.prices[offers].min()) if len(offers) else None
        dual = _middle_of_one(low, high)
    buying, selling = bids[one.bid_sequence], offers[one.offer_sequence]
    return CoupledClearing(
        fills=fills,
        prices=(one.price,),
        price_low=(one.price_low,),
        price_high=(one.price_high,),
        duals=(dual,),
        sent=(),
        received=(),
        bought=(one.volume_wh,),
        sold=(one.volume_wh,),
        volume_wh=one.volume_wh,
        welfare_nano=_worth(orders, fills, [buying], [selling]),
        gap_nano=Fraction(0),
        bid_sequences=(buying,),
        offer_sequences=(selling,),
    )


def _middle_of_one(low: int | None, high: int | None) -> int | None:
    if low is None or high is None:
        return high if low is None else low
    return (low + high) // 2


def _facts(network: Network, books: Sequence[ZoneBook], flows: Flows) -> OptimalFacts:
    sent = list(zip(flows.sent, network.links, strict=True))
    return facts_of(
        books,
        served=list(zip(flows.bought, flows.sold, strict=True)),
        left_after=list(zip(flows.bought, flows.sold, strict=True)),
        carries=[flow > 0 for flow, _ in sent],
        has_room=[flow < link.limit_wh for flow, link in sent],
    )


def _solver_facts(network: Network, books: Sequence[ZoneBook], optimum: Optimum) -> OptimalFacts:
    """Read the facts from energies that are not whole, a little either way taken for nothing."""
    noise = optimum.noise
    served, left_after = [], []
    for book, *energies in zip(books, optimum.bought, optimum.sold, strict=True):
        totals = (book.bids.book.total, book.offers.book.total)
        buys, sells = (
            min(max(0, ceil(energy - noise)), total)
            for energy, total in zip(energies, totals, strict=True)
        )
        bought, sold = (
            min(max(0, floor(energy + noise)), total)
            for energy, total in zip(energies, totals, strict=True)
        )
        served.append((buys, sells))
        left_after.append((bought, sold))
    sent = list(zip(optimum.sent, network.links, strict=True))
    return facts_of(
        books,
        served=served,
        left_after=left_after,
        carries=[flow > noise for flow, _ in sent],
        has_room=[flow < link.limit_wh - noise for flow, link in sent],
    )


def _result(
    network: Network,
    orders: ZoneOrders,
    books: Sequence[ZoneBook],
    flows: Flows,
    *,
    ties: Ties,
    vectors: tuple[WholeBounds, Bounds, Bounds],
) -> CoupledClearing:
    """Serve the orders of each zone and put a number on everything."""
    prices, lows, highs = vectors
    fills = np.zeros_like(orders.quantities)
    sequences: tuple[list[Int64Array], list[Int64Array]] = ([], [])
    for book, bought, sold in zip(books, flows.bought, flows.sold, strict=True):
        for side, volume, kept in (
            (book.bids, bought, sequences[0]),
            (book.offers, sold, sequences[1]),
        ):
            served, sequence = side.book.serve(volume, ties)
            fills[side.rows] = served
            kept.append(side.rows[sequence])
    trades = _trading(network, flows)
    welfare = _worth(orders, fills, *sequences) - sum(
        sent * link.fee_micro_per_kwh for sent, link in zip(flows.sent, network.links, strict=True)
    )
    gap = dual_value_nano(network, books, prices) - welfare
    # A bug must stop the auction. What rounding lost counts, at the price where it did not arrive.
    assert gap >= _remainders_nano(network, flows, prices), gap
    assert gap == 0 or not network.is_lossless, gap

    return CoupledClearing(
        fills=fills,
        prices=tuple(_where(trades, prices)),
        price_low=tuple(_where(trades, lows)),
        price_high=tuple(_where(trades, highs)),
        duals=tuple(prices),
        sent=flows.sent,
        received=flows.received,
        bought=flows.bought,
        sold=flows.sold,
        volume_wh=sum(flows.bought),
        welfare_nano=welfare,
        gap_nano=gap,
        bid_sequences=tuple(sequences[0]),
        offer_sequences=tuple(sequences[1]),
    )


def _remainders_nano(network: Network, flows: Flows, duals: WholeBounds) -> Fraction:
    """Return the worth of the parts of a Wh that rounding took from what arrives. [nano]"""
    worth = Fraction(0)
    for link, sent, received in zip(network.links, flows.sent, flows.received, strict=True):
        price = duals[link.to_zone]
        if price is not None and link.loss_ppm:
            worth += (sent * link.gain - received) * price
    return worth


def _where(trades: Sequence[bool], values: Sequence[T | None]) -> list[T | None]:
    return [value if joins else None for value, joins in zip(values, trades, strict=True)]


def dual_value_nano(
    network: Network, books: Sequence[ZoneBook], duals: Sequence[int | None]
) -> Fraction:
    """Return the welfare that nothing can exceed, as a vector of prices proves it. [nano]"""
    value = Fraction(
        sum(book.gain(price) for book, price in zip(books, duals, strict=True) if price is not None)
    )
    for link in network.links:
        origin, target = duals[link.from_zone], duals[link.to_zone]
        if origin is not None and target is not None:
            apart = link.gain * target - origin - link.fee_micro_per_kwh
            value += link.limit_wh * max(Fraction(0), apart)
    return value


def _worth(
    orders: ZoneOrders,
    fills: Int64Array,
    bids: Sequence[Int64Array],
    offers: Sequence[Int64Array],
) -> int:
    def limits(sequences: Sequence[Int64Array]) -> int:
        return sum(exact_dot(fills[rows], orders.prices[rows]) for rows in sequences)

    return limits(bids) - limits(offers)


def _trading(network: Network, flows: Flows) -> list[bool]:
    """Say of each zone whether it, or one that open links join it to, buys or sells."""
    group = list(range(len(network.zones)))

    def root(zone: int) -> int:
        while group[zone] != zone:
            group[zone] = zone = group[group[zone]]
        return zone

    for link in network.links:
        if link.limit_wh:
            group[root(link.from_zone)] = root(link.to_zone)
    active = {
        root(zone)
        for zone, traded in enumerate(zip(flows.bought, flows.sold, strict=True))
        if any(traded)
    }
    return [root(zone) in active for zone in range(len(network.zones))]

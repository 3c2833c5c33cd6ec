"""Check a coupled clearing without a solver, in time linear in the book.

Nothing here is shared with what clears: it takes the book and the published result, as numbers,
and asks whether each is allowed, balances, and is proved optimal by the prices.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Final

import numpy as np

from marketplace.domain.clearing import Int64Array, exact_dot
from marketplace.domain.zones.book import BoolArray
from marketplace.domain.zones.network import MILLION, Link, Network

# Whole Wh may cost a network with losses so many Wh for each link and zone, see check_certificate.
_ROUNDED_WH: Final = 4


class NotOptimal(ValueError):
    """A clearing that is not what it claims to be: the text says where."""


@dataclass(frozen=True, eq=False)
class ClaimedClearing:
    """What is claimed: fills by order; flows by link; prices and bought energy by zone.

    ``duals`` are prices also where nothing trades, None where nothing depends on one.
    """

    fills: Int64Array
    sent: Sequence[int]
    received: Sequence[int]
    prices: Sequence[int | None]
    duals: Sequence[int | None]


def check_certificate(
    network: Network,
    *,
    zone: Int64Array,
    is_bid: BoolArray,
    prices: Int64Array,
    quantities: Int64Array,
    claimed: ClaimedClearing,
) -> Fraction:
    """Check that a clearing is feasible, breaks no limit and is optimal; return its exact gap.

    Parameters
    ----------
    network : Network
        Zones and links.
    zone, is_bid, prices, quantities : ndarray
        The book, an order a row.
    claimed : ClaimedClearing
        The result.

    Returns
    -------
    Fraction
        What the prices allow less the welfare: 0 without losses. [nano]

    Raises
    ------
    NotOptimal
        At the first thing that is wrong.

    Notes
    -----
    Without losses, complementary slackness proves the optimum: a better limit than the dual is
    served, a worse one not, a link that gains is full and one that loses is empty. With losses
    no limit may be broken, and the gap may be what whole prices and whole Wh can cost: 1 for each
    Wh of the links' limits, and a few Wh for each pair of link and zone at the largest price.
    """
    book = _Book(network, claimed, zone=zone, is_bid=is_bid, prices=prices, quantities=quantities)
    book.check_feasible()
    book.check_prices()
    gap = book.gap_nano()
    if network.is_lossless:
        if gap != 0:
            raise NotOptimal(f"the prices allow {gap} nano more welfare than there is")
        book.check_volume()
    elif gap > book.allowance_nano():
        raise NotOptimal(f"the gap of {gap} nano is more than rounding can cost")
    return gap


class _Book:
    """A book beside what is claimed of it, its rows grouped by zone and side."""

    def __init__(
        self,
        network: Network,
        claimed: ClaimedClearing,
        *,
        zone: Int64Array,
        is_bid: BoolArray,
        prices: Int64Array,
        quantities: Int64Array,
    ) -> None:
        self.network, self.claimed = network, claimed
        self.prices, self.quantities = prices, quantities
        place = zone * 2 + ~is_bid
        order = np.argsort(place, kind="stable")
        ends = np.searchsorted(place[order], np.arange(2 * len(network.zones) + 1))
        groups = [order[start:end] for start, end in pairwise(ends.tolist())]
        self.bids, self.offers = groups[0::2], groups[1::2]

    def check_feasible(self) -> None:
        """Check that fills are parts of orders, flows within limits, and every zone balances."""
        fills = self.claimed.fills
        if fills.shape != self.quantities.shape or fills.dtype != np.int64:
            raise NotOptimal("there is not one whole fill for each order")
        wrong = np.flatnonzero((fills < 0) | (fills > self.quantities))
        if len(wrong):
            row = int(wrong[0])
            raise NotOptimal(f"order {row} of {self.quantities[row]} Wh gets {fills[row]} Wh")
        balance = [
            int(fills[offers].sum()) - int(fills[bids].sum())
            for bids, offers in zip(self.bids, self.offers, strict=True)
        ]
        for number, (link, sent, received) in enumerate(self._flows()):
            if not 0 <= sent <= link.limit_wh:
                raise NotOptimal(f"link {number} carries {sent} Wh of {link.limit_wh} Wh")
            if received != sent * (MILLION - link.loss_ppm) // MILLION:
                raise NotOptimal(f"link {number} delivers {received} Wh of {sent} Wh")
            balance[link.from_zone] -= sent
            balance[link.to_zone] += received
        for place, left in enumerate(balance):
            if left:
                raise NotOptimal(f"zone {place} has {left} Wh that nobody buys or sells")

    def check_prices(self) -> None:
        """Check that prices are duals, stand where something trades, and break no limit."""
        trades = self._trading()
        columns = zip(self.claimed.prices, self.claimed.duals, strict=True)
        for place, (price, dual) in enumerate(columns):
            bids, offers = self.bids[place], self.offers[place]
            if price != (dual if trades[place] else None):
                raise NotOptimal(f"zone {place} has the price {price}, its dual is {dual}")
            if dual is None:
                if len(bids) or len(offers):
                    raise NotOptimal(f"zone {place} has orders, but no dual")
                continue
            for rows, broken in (
                (bids, self.prices[bids] < dual),
                (offers, self.prices[offers] > dual),
            ):
                wrong = rows[broken & (self.claimed.fills[rows] > 0)]
                if len(wrong):
                    row = int(wrong[0])
                    raise NotOptimal(f"order {row} trades beyond its limit of {self.prices[row]}")

    def gap_nano(self) -> Fraction:
        """Return what the duals allow less what the clearing is worth.

        Summed as what each order and each link misses at the duals: in zones that balance, what
        the duals add on one side they take on the other.
        """
        gap = Fraction(0)
        for place, dual in enumerate(self.claimed.duals):
            if dual is not None:
                bids, offers = self.bids[place], self.offers[place]
                gap += self._missed(bids, self.prices[bids] > dual, dual)
                gap -= self._missed(offers, self.prices[offers] < dual, dual)
        for number, (link, sent, received) in enumerate(self._flows()):
            origin, target = self.claimed.duals[link.from_zone], self.claimed.duals[link.to_zone]
            if origin is None or target is None:
                if sent:
                    raise NotOptimal(f"link {number} is used, but has no dual at an end")
                continue
            gained = link.gain * target - origin - link.fee_micro_per_kwh
            gap += link.limit_wh * max(Fraction(0), gained)
            gap -= received * target - sent * (origin + link.fee_micro_per_kwh)
        return gap

    def check_volume(self) -> None:
        """Check that no more could trade for the same welfare, by a walk along links at par."""
        ways: list[list[int]] = [[] for _ in self.network.zones]
        for link, sent, _ in self._flows():
            origin, target = self.claimed.duals[link.from_zone], self.claimed.duals[link.to_zone]
            if origin is None or target is None or target - origin != link.fee_micro_per_kwh:
                continue
            if sent < link.limit_wh:
                ways[link.from_zone].append(link.to_zone)
            if sent > 0:
                ways[link.to_zone].append(link.from_zone)
        places = range(len(ways))
        start = [place for place in places if self._left_at_dual(self.offers[place], place)]
        reached = _reached(start, ways)
        for place in places:
            if reached[place] and self._left_at_dual(self.bids[place], place):
                raise NotOptimal(f"zone {place} could buy more at its price")

    def allowance_nano(self) -> int:
        """Return what rounding to whole prices and whole Wh can cost a network with losses."""
        links = self.network.links
        largest = max(int(self.prices.max(initial=0)), -int(self.prices.min(initial=0)))
        largest += max((abs(link.fee_micro_per_kwh) for link in links), default=0)
        places = (len(links) + 1) * (len(self.network.zones) + 1)
        return sum(link.limit_wh for link in links) + _ROUNDED_WH * places * largest

    def _flows(self) -> Iterator[tuple[Link, int, int]]:
        return zip(self.network.links, self.claimed.sent, self.claimed.received, strict=True)

    def _trading(self) -> list[bool]:
        """Say of each zone whether it is joined by links with a limit to one that trades."""
        ways: list[list[int]] = [[] for _ in self.network.zones]
        for link in self.network.links:
            if link.limit_wh:
                ways[link.from_zone].append(link.to_zone)
                ways[link.to_zone].append(link.from_zone)
        fills = self.claimed.fills
        start = [
            place
            for place, rows in enumerate(zip(self.bids, self.offers, strict=True))
            if any(fills[side].any() for side in rows)
        ]
        return _reached(start, ways)

    def _missed(self, rows: Int64Array, better: BoolArray, dual: int) -> int:
        """Sum, over orders, limit less dual times the energy short of what the dual calls for."""
        missed = np.where(better, self.quantities[rows], 0) - self.claimed.fills[rows]
        limits, total = self.prices[rows], 0
        for sign in (1, -1):
            energies = np.maximum(sign * missed, 0)
            total += sign * (exact_dot(energies, limits) - dual * int(energies.sum()))
        return total

    def _left_at_dual(self, rows: Int64Array, place: int) -> bool:
        dual = self.claimed.duals[place]
        left = self.claimed.fills[rows] < self.quantities[rows]
        return dual is not None and bool((left & (self.prices[rows] == dual)).any())


def _reached(start: Sequence[int], ways: Sequence[Sequence[int]]) -> list[bool]:
    seen = [False] * len(ways)
    queue = deque(start)
    while queue:
        place = queue.popleft()
        if not seen[place]:
            seen[place] = True
            queue.extend(ways[place])
    return seen

"""The range of all price vectors that prove that fills and flows are optimal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from marketplace.domain.zones.book import ZoneBook
from marketplace.domain.zones.network import Network

Price = int | Fraction
Bounds = list[Price | None]
WholeBounds = list[int | None]


@dataclass(frozen=True)
class OptimalFacts:
    """What an optimum says about its prices.

    ``at_least`` and ``at_most`` bound the price of each zone by its orders: the last accepted offer
    and the best bid with energy left, the last accepted bid and the best offer with energy left;
    None is no bound [micro/kWh]. ``carries`` and ``has_room`` say of each link whether it is used
    and whether it could be used more.
    """

    at_least: tuple[Price | None, ...]
    at_most: tuple[Price | None, ...]
    carries: tuple[bool, ...]
    has_room: tuple[bool, ...]


def facts_of(
    books: Sequence[ZoneBook],
    *,
    served: Sequence[tuple[int, int]],
    left_after: Sequence[tuple[int, int]],
    carries: Sequence[bool],
    has_room: Sequence[bool],
) -> OptimalFacts:
    """Read the facts from what zones bought and sold: the last that was served, the first left.

    ``served`` and ``left_after`` are pairs of bought and sold energy, the same where it is whole.
    """
    at_least: WholeBounds = []
    at_most: WholeBounds = []
    for book, (buys, sells), (bought, sold) in zip(books, served, left_after, strict=True):
        lows = (book.offers.last_price(sells), book.bids.next_price(bought))
        highs = (book.bids.last_price(buys), book.offers.next_price(sold))
        at_least.append(max((price for price in lows if price is not None), default=None))
        at_most.append(min((price for price in highs if price is not None), default=None))
    return OptimalFacts(tuple(at_least), tuple(at_most), tuple(carries), tuple(has_room))


def price_range(network: Network, facts: OptimalFacts) -> tuple[Bounds, Bounds]:
    """Return the smallest and the largest price vector that prove an optimum.

    Parameters
    ----------
    network : Network
        Zones and links.
    facts : OptimalFacts
        Of an optimal solution.

    Returns
    -------
    tuple of two lists
        Low and high per zone, None where nothing bounds the price: whole numbers without losses,
        else fractions. [micro/kWh]

    Notes
    -----
    Shortest paths by Bellman-Ford: what arrives over a link with room is worth at most what it cost
    at its origin and the fee, over a link in use at least as much. Without losses the vectors are
    exact after as many rounds as there are zones. With losses, bounds may chase each other around a
    loop, always nearer to where it leaves them: that point is calculated [1]_.

    References
    ----------
    .. [1] B. Aspvall and Y. Shiloach, "A polynomial time algorithm for solving systems of linear
       inequalities with two variables per inequality," SIAM J. Comput., vol. 9, no. 4,
       pp. 827-845, 1980, doi:10.1137/0209063.
    """
    highs: list[_Step] = []
    lows: list[_Step] = []  # of the negated prices, so that both are "at most"
    for link, carries, has_room in zip(network.links, facts.carries, facts.has_room, strict=True):
        origin, target, fee = link.from_zone, link.to_zone, link.fee_micro_per_kwh
        gain: Price = link.gain if link.loss_ppm else 1
        back: Price = 1 / link.gain if link.loss_ppm else 1
        if has_room:
            highs.append(_Step(origin, target, back, fee * back))
            lows.append(_Step(target, origin, gain, fee))
        if carries:
            highs.append(_Step(target, origin, gain, -fee))
            lows.append(_Step(origin, target, back, -fee * back))
    largest = _tightened(facts.at_most, highs)
    smallest = _tightened([None if low is None else -low for low in facts.at_least], lows)
    return [None if low is None else -low for low in smallest], largest


class _Step(NamedTuple):
    """The value at ``target`` is at most ``factor`` times that at ``origin`` plus ``offset``."""

    origin: int
    target: int
    factor: Price
    offset: Price


def _tightened(bounds: Sequence[Price | None], steps: Sequence[_Step]) -> Bounds:
    """Return the largest values within the bounds and all steps; None is no bound."""
    if all(step.factor == 1 for step in steps):
        return _tightest(list(bounds), steps, is_lossless=True)
    # A loop that loses can bound a price which no order bounds. To find it one has to start
    # somewhere: so far out that no bound of an order can get there, through whatever losses.
    zones = len(bounds)
    far = 10 ** (21 + 12 * zones)
    values: Bounds = [far if bound is None else bound for bound in bounds]
    return [
        None if value is None or value > 10 ** (20 + 6 * zones) else value
        for value in _tightest(values, steps, is_lossless=False)
    ]


def _tightest(values: Bounds, steps: Sequence[_Step], *, is_lossless: bool) -> Bounds:
    # Every loop is passed over once or twice in practice; more must not stop an auction.
    for _ in range(len(values) + 1):
        came_by: list[_Step | None] = [None] * len(values)
        last: int | None = None
        for _ in range(len(values) + 1):
            last = _one_round(values, steps, came_by)
            if last is None:
                return values
        assert not is_lossless, "a loop would pay: the flows are not optimal"
        assert last is not None
        zone, end = _end_of_loop(came_by, last)
        known = values[zone]
        if end is not None and known is not None and end < known:
            values[zone] = end
    return values


def _one_round(values: Bounds, steps: Sequence[_Step], came_by: list[_Step | None]) -> int | None:
    """Tighten by each step once; return a zone whose value changed, None if none did."""
    last = None
    for step in steps:
        value = values[step.origin]
        if value is None:
            continue
        through = step.factor * value + step.offset
        known = values[step.target]
        if known is None or through < known:
            values[step.target] = through
            came_by[step.target] = step
            last = step.target
    return last


def _end_of_loop(came_by: Sequence[_Step | None], zone: int) -> tuple[int, Price | None]:
    """Find the loop behind a zone; return a zone on it and the value it approaches, if any."""
    for _ in came_by:  # after so many steps back one stands on the loop
        step = came_by[zone]
        if step is None:
            return zone, None
        zone = step.origin
    factor, offset = Fraction(1), Fraction(0)
    at = zone
    while True:
        step = came_by[at]
        if step is None:
            return zone, None
        factor, offset = factor * step.factor, offset + factor * step.offset
        at = step.origin
        if at == zone:
            return zone, offset / (1 - factor) if factor < 1 else None

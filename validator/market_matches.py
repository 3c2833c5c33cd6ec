"""The first stages: what agreements in force move between two metering points.

References
----------
docs/market.md, "The first two stages".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from validator.agreement_text import PARTNER, Agreement
from validator.interval_book import Book, Match, Position
from validator.market_rules import CONTRACTS, PARTNERS


class Left:
    """What of each position's energy is left, while matches take from it. [Wh]

    Parameters
    ----------
    positions : sequence of Position
        All positions of a book.
    """

    def __init__(self, positions: Sequence[Position]) -> None:
        self.exports = {one.meter: one.export_wh for one in positions}
        self.imports = {one.meter: one.import_wh for one in positions}

    def between(self, seller: int, buyer: int) -> int:
        """Return what could still move between two metering points; nothing without both."""
        return min(self.exports.get(seller, 0), self.imports.get(buyer, 0))

    def take(self, match: Match) -> None:
        self.exports[match.seller] -= match.wh
        self.imports[match.buyer] -= match.wh


def left_after(book: Book) -> Left:
    """Return what the matches of a book, which were checked, have left."""
    left = Left(book.positions)
    for one in book.matches:
        left.take(one)
    return left


def matches_of(
    positions: Sequence[Position],
    left_out: Collection[int],
    agreements: Mapping[int, Agreement],
    stages: Sequence[str],
    middle: int,
) -> list[Match]:
    """Return what the agreements in force move, in the order of the stages.

    Parameters
    ----------
    positions : sequence of Position
        All positions of a book.
    left_out : collection of int
        Metering points that buy nothing.
    agreements : mapping
        Those in force, by their numbers.
    stages : sequence of str
        The matching order of the rule set.
    middle : int
        The price of a partner who names none. [micro per kWh]
    """
    left, barred = Left(positions), set(left_out)
    matches = []
    for number in in_order(agreements, stages):
        agreement = agreements[number]
        seller, buyer = agreement.seller.point, agreement.buyer.point
        wh = 0 if buyer in barred else left.between(seller, buyer)
        if agreement.maximum is not None:
            wh = min(wh, agreement.maximum)
        if wh:
            match = Match(number, buyer, price_of(agreement, middle), seller, wh)
            left.take(match)
            matches.append(match)
    return matches


def in_order(agreements: Mapping[int, Agreement], stages: Sequence[str]) -> list[int]:
    """Return the numbers of agreements in the order in which they take."""
    first = (number for number, one in agreements.items() if one.kind != PARTNER)
    partners = (number for number, one in agreements.items() if one.kind == PARTNER)
    return [
        *(sorted(first) if CONTRACTS in stages else ()),
        *(
            sorted(partners, key=lambda number: (agreements[number].rank or 0, number))
            if PARTNERS in stages
            else ()
        ),
    ]


def price_of(agreement: Agreement, middle: int) -> int:
    return middle if agreement.price is None else agreement.price

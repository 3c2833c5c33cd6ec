"""Whether a book follows the one before it: the first of its interval, cleared anew, or amended.

References
----------
docs/rules.md, "Revisions"; docs/market.md, "Money".
"""

from __future__ import annotations

from collections.abc import Mapping

from validator.checks import Objected
from validator.interval_archive import Kept
from validator.interval_book import (
    AFTER_DEADLINE,
    CORRECTION,
    DEADLINE,
    READINGS,
    Book,
    Position,
)

_SHARED = ("interval", "community", "starts", "ends", "timezone", "parties", "auction")
_Fills = Mapping[int, int]


def require_succession(
    index: int, book: Book, last: Kept | None, rules: str, fills: tuple[_Fills, _Fills] | None
) -> None:
    """Check that a book is the first of its interval, or follows the one before it.

    Parameters
    ----------
    index : int
        The book's leaf.
    book : Book
        The book.
    last : Kept or None
        The revision before.
    rules : str
        Hash of the book's rule set.
    fills : pair of mapping or None
        What each metering point bought and sold in the interval's auction before delivery,
        None where that is not known any more. [Wh]

    Raises
    ------
    Objected
        If it does not follow.
    """
    header = book.header
    if last is None:
        reason = DEADLINE if book.missing else READINGS
        if header.revision != 1 or header.reason != reason:
            raise Objected(index, "revision", "an interval does not begin like this")
        return
    before = last.book.header
    if (
        header.revision != before.revision + 1
        or rules != last.rules
        or any(getattr(header, name) != getattr(before, name) for name in _SHARED)
    ):
        raise Objected(index, "revision", "it is not the next revision of the same interval")
    if header.reason not in (CORRECTION, AFTER_DEADLINE):
        raise Objected(index, "revision", "the reason is not one of a later revision")
    if header.reason == AFTER_DEADLINE and not _amends_only(book, last.book, fills):
        raise Objected(index, "revision", "after the deadline something changed that stands")


def _amends_only(book: Book, before: Book, fills: tuple[_Fills, _Fills] | None) -> bool:
    """Tell whether only readings differ, and what is new came late and without new orders."""
    known = len(before.positions)
    new = book.positions[known:]
    meters = [one.meter for one in new]
    cleared = ("price", "prices", "links")
    return (
        all(getattr(book.header, name) == getattr(before.header, name) for name in cleared)
        and book.left_out == before.left_out
        and book.matches == before.matches
        and [_standing(one) for one in book.positions[:known]]
        == [_standing(one) for one in before.positions]
        and meters == sorted(meters)
        and all(
            (one.offer, one.request, one.sell_limit, one.buy_limit) == (0, 0, None, None)
            and (fills is None or (one.bought_wh, one.sold_wh) == _of(one.meter, fills))
            for one in new
        )
        and book.missing == [meter for meter in before.missing if meter not in set(meters)]
    )


def _of(meter: int, fills: tuple[_Fills, _Fills]) -> tuple[int, int]:
    bought, sold = fills
    return bought.get(meter, 0), sold.get(meter, 0)


def _standing(position: Position) -> Position:
    return position._replace(import_wh=0, export_wh=0, is_estimated=False)

"""Whether a book of form 2 follows from its own readings and limits, agreements and auction."""

from dataclasses import dataclass, fields

import numpy as np

from marketplace.domain.agreement_matching import Agreements
from marketplace.domain.book_check import Fault
from marketplace.domain.forward.delivery import HeldAuction
from marketplace.domain.interval_book import IntervalBook, LateReadings
from marketplace.domain.interval_rules import IntervalRules
from marketplace.domain.market import clear_positions
from marketplace.domain.market_part import LatePlaces, MarketPart
from marketplace.domain.market_positions import MarketPositions


@dataclass(frozen=True, eq=False)
class Given:
    """What a book is held against, besides its own readings and limits."""

    rules: IntervalRules
    agreements: Agreements
    auction: HeldAuction | None


def recomputed_book(book: IntervalBook, given: Given) -> IntervalBook:
    """Clear a book's positions again; orders are those that it has.

    Raises
    ------
    ValueError
        If the book is not of form 2, or its zones are others than the rule set's.
    """
    part = book.market
    if part is None or part.zones != given.rules.zones:
        raise ValueError("its zones are not those of its rules")
    if (given.auction is None) != (given.rules.forward is None):
        raise ValueError("its rules and its auction do not fit")
    positions = MarketPositions(
        ids=book.metering_point_ids,
        accounts=book.account_ids,
        import_wh=book.import_wh,
        export_wh=book.export_wh,
        estimated=part.estimated,
        zone_of=part.zone_of,
        levels=part.levels,
        level_of=part.level_of,
        weights=part.weights,
        admitted=~np.isin(book.metering_point_ids, book.left_out_ids),
        offer_ids=book.offer_ids,
        request_ids=book.request_ids,
        sell_limits=book.sell_limits,
        buy_limits=book.buy_limits,
    )
    return clear_positions(
        rules=given.rules,
        positions=positions,
        agreements=given.agreements,
        auction=given.auction,
        missing_ids=book.missing_ids,
    ).book


def reamended_book(book: IntervalBook, before: IntervalBook, given: Given) -> IntervalBook:
    """Amend the revision before with a book's readings again."""
    part = book.market
    if part is None or before.market is None or part.zones != given.rules.zones:
        raise ValueError("its zones are not those of its rules")
    bought, sold = np.zeros_like(book.import_wh), np.zeros_like(book.import_wh)
    if given.auction is not None:
        bought, sold = given.auction.filled_by_point(book.metering_point_ids)
    late = LateReadings(
        metering_point_ids=book.metering_point_ids,
        account_ids=book.account_ids,
        import_wh=book.import_wh,
        export_wh=book.export_wh,
        bought_wh=bought,
        sold_wh=sold,
        places=LatePlaces(
            zones=tuple(part.zones[each] for each in part.zone_of.tolist()),
            levels=tuple(part.levels[each] for each in part.level_of.tolist()),
            weights=part.weights,
            estimated=part.estimated,
            local_fees=given.rules.local_fees(part.zone_of, part.levels, part.level_of),
        ),
    )
    return before.amended(late)


def check_market_book(
    book: IntervalBook, given: Given, *, before: IntervalBook | None = None
) -> Fault | None:
    """Compute a stored book again and compare all of it; None if all follows.

    Parameters
    ----------
    before : IntervalBook, optional
        The revision before, for one that was amended after the correction deadline.
    """
    try:
        expected = (
            recomputed_book(book, given) if before is None else reamended_book(book, before, given)
        )
    except ValueError as error:
        return Fault(str(error))
    return difference(book, expected)


def difference(book: IntervalBook, expected: IntervalBook) -> Fault | None:
    """Return the first column in which a book is not what is expected, and where."""
    part, wanted = book.market, expected.market
    if part is None or wanted is None:
        return Fault("it is no book of form 2")
    if part.prices != wanted.prices:
        return Fault(f"its prices are {part.prices}, its orders give {wanted.prices}")
    for name in _COLUMNS:
        if fault := _differs(book, name, getattr(expected, name)):
            return fault
    return _part_differs(part, wanted)


_COLUMNS = tuple(each.name for each in fields(IntervalBook) if each.name != "market")


def _part_differs(part: MarketPart, wanted: MarketPart) -> Fault | None:
    # Names of levels may be listed otherwise; what each position has is the same.
    if _levels(part) != _levels(wanted):
        return Fault("its voltage levels differ")
    for each in fields(MarketPart):
        if each.name in ("levels", "level_of"):
            continue
        is_, says = getattr(part, each.name), getattr(wanted, each.name)
        same = np.array_equal(is_, says) if isinstance(is_, np.ndarray) else is_ == says
        if not same:
            return Fault(f"its {each.name} are not what its rules, orders and agreements give")
    return None


def _levels(part: MarketPart) -> list[str]:
    return [part.levels[each] for each in part.level_of.tolist()]


def _differs(book: IntervalBook, name: str, says: object) -> Fault | None:
    is_ = getattr(book, name)
    if not isinstance(is_, np.ndarray) or not isinstance(says, np.ndarray):
        return None if is_ == says else Fault(f"its {name} is {is_}, its rules say {says}")
    if np.array_equal(is_, says):
        return None
    if is_.shape == book.metering_point_ids.shape == says.shape:
        row = int(np.flatnonzero(is_ != says)[0])
        point = book.metering_point_ids[row]
        return Fault(f"{name} of metering point {point} is {is_[row]}, not {says[row]}")
    return Fault(f"its {name} are not what its rules, orders and agreements give")

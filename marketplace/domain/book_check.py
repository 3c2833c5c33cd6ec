"""Whether a stored book follows from its own readings, limits and rules."""

from dataclasses import dataclass

import numpy as np

from marketplace.domain.clearing import Ties, clear_uniform_price
from marketplace.domain.interval_book import Int64Array, IntervalBook
from marketplace.domain.rules import BandPrices

# What an amendment after the correction deadline leaves as it was, position by position.
_STANDING = (
    "metering_point_ids",
    "account_ids",
    "offer_ids",
    "request_ids",
    "sell_limits",
    "buy_limits",
    "sold_wh",
    "bought_wh",
)


@dataclass(frozen=True)
class Fault:
    """The first thing in a book that does not follow, in words."""

    what: str


def check_cleared_book(book: IntervalBook, prices: BandPrices) -> Fault | None:
    """Run a book's auction again and compare prices and fills; None if all follows."""
    if fault := _check_prices(book, prices) or _check_orders(book):
        return fault
    bids, offers = np.flatnonzero(book.request_ids), np.flatnonzero(book.offer_ids)
    clearing = clear_uniform_price(
        book.buy_limits[bids],
        book.import_wh[bids],
        book.sell_limits[offers],
        book.export_wh[offers],
        ties=Ties.PRO_RATA,
        bid_ranks=bids,
        offer_ranks=offers,
    )
    if clearing.price != book.price:
        return Fault(f"its clearing price is {book.price}, its orders give {clearing.price}")
    for name, filled, rows, fills in (
        ("bought_wh", book.bought_wh, bids, clearing.bid_fills),
        ("sold_wh", book.sold_wh, offers, clearing.offer_fills),
    ):
        expected = np.zeros_like(filled)
        expected[rows] = fills
        if len(wrong := np.flatnonzero(filled != expected)):
            return _at(book, int(wrong[0]), name, int(filled[wrong[0]]), int(expected[wrong[0]]))
    return None


def check_amended_book(
    book: IntervalBook, before: IntervalBook, prices: BandPrices
) -> Fault | None:
    """Compare a book amended after the deadline with the one before; None if only energy moved."""
    if fault := _check_prices(book, prices):
        return fault
    if book.price != before.price:
        return Fault(f"its clearing price is {book.price}, the revision before had {before.price}")
    known = len(before.metering_point_ids)
    for name in _STANDING:
        is_, was = getattr(book, name)[:known], getattr(before, name)
        if len(is_) != known or (is_ != was).any():
            return Fault(f"its {name} changed after the correction deadline")
    for name in ("offer_ids", "request_ids", "sold_wh", "bought_wh"):
        if getattr(book, name)[known:].any():
            return Fault(f"somebody who came late has {name}")
    return None


def _check_prices(book: IntervalBook, prices: BandPrices) -> Fault | None:
    for name, is_, says in (
        ("retail tariff", book.retail, prices.retail_micro_per_kwh),
        ("feed-in tariff", book.feed_in, prices.feed_in_micro_per_kwh),
        ("platform fee", book.platform_fee, prices.platform_fee_micro_per_kwh),
    ):
        if is_ != says:
            return Fault(f"its {name} is {is_}, its rules say {says}")
    return None


def _check_orders(book: IntervalBook) -> Fault | None:
    left_out = np.isin(book.metering_point_ids, book.left_out_ids)
    for name, orders, energy in (
        ("bid", book.request_ids, book.import_wh),
        ("offer", book.offer_ids, book.export_wh),
    ):
        wrong = np.flatnonzero((orders > 0) & (left_out | (energy <= 0)))
        if len(wrong):
            meter = int(book.metering_point_ids[wrong[0]])
            return Fault(f"metering point {meter} has a {name} that it cannot have")
    return None


def _at(book: IntervalBook, row: int, name: str, is_: int, says: int) -> Fault:
    points: Int64Array = book.metering_point_ids
    return Fault(f"{name} of metering point {points[row]} is {is_}, the auction gives {says}")

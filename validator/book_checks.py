"""A book's prices, and of form 1 its orders, its price and its fills, recomputed.

References
----------
docs/rules.md, "The rule set" and "The auction".
"""

from __future__ import annotations

from validator.checks import Objected
from validator.interval_auction import Order, clear
from validator.interval_book import Book
from validator.interval_rules import Prices, RuleSet
from validator.market_checks import require_zones

MICROSECONDS_PER_MINUTE = 60_000_000


def prices_of(index: int, rules: RuleSet, starts: int) -> Prices:
    """Return the prices of an interval, if it is in any calendar."""
    try:
        return rules.prices_at(starts)
    except (OverflowError, ValueError) as error:
        raise Objected(index, "prices", "the interval is in no calendar") from error


def require_prices(index: int, book: Book, rules: RuleSet) -> None:
    """Check what a book copies from its rule set."""
    header = book.header
    prices = prices_of(index, rules, header.starts)
    if header.timezone != rules.timezone or (header.retail, header.feed_in, header.fee) != (
        prices.retail,
        prices.feed_in,
        prices.fee,
    ):
        raise Objected(index, "prices", "the rule set gives other prices at that time")
    if header.ends - header.starts != rules.interval_minutes * MICROSECONDS_PER_MINUTE:
        raise Objected(index, "prices", "the rule set's intervals have another length")
    if rules.market is not None:
        require_zones(index, book, rules.market)


def require_uniform_pool(index: int, book: Book) -> None:
    """Check orders, price and fills of a book of form 1."""
    _require_orders(index, book)
    _require_auction(index, book)


def _require_orders(index: int, book: Book) -> None:
    left_out = set(book.left_out)
    for one in book.positions:
        for terms, limit, wh in (
            (one.offer, one.sell_limit, one.export_wh),
            (one.request, one.buy_limit, one.import_wh),
        ):
            if (terms == 0) != (limit is None):
                raise Objected(index, "order", "an order has no limit, or a limit no order")
            if terms and (wh == 0 or one.meter in left_out):
                raise Objected(index, "order", "an order stands where none may stand")


def _require_auction(index: int, book: Book) -> None:
    rows = list(enumerate(book.positions))
    outcome = clear(
        [Order(one.buy_limit, one.import_wh, at) for at, one in rows if one.buy_limit is not None],
        [
            Order(one.sell_limit, one.export_wh, at)
            for at, one in rows
            if one.sell_limit is not None
        ],
    )
    if outcome.price != book.header.price:
        raise Objected(index, "auction", "the auction gives another price")
    bought, sold = outcome.bought.get, outcome.sold.get
    if any((one.bought_wh, one.sold_wh) != (bought(at, 0), sold(at, 0)) for at, one in rows):
        raise Objected(index, "auction", "the auction gives other fills")

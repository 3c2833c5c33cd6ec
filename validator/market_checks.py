"""A book of form 2 recomputed: zones, matches, orders and fills.

References
----------
docs/market.md, "What a validator checks besides".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from validator.agreement_text import Agreement
from validator.auction_book import AuctionBook, fills_of
from validator.checks import Objected
from validator.interval_auction import Order, Outcome, clear
from validator.interval_book import Book, Position
from validator.interval_rules import Prices, RuleSet
from validator.market_archive import KeptAuction
from validator.market_matches import Left, in_order, left_after, matches_of, price_of
from validator.market_pool import clear_pool
from validator.market_rules import PAY_AS_BID, UNIFORM, MarketRules
from validator.terms_checks import Drawn
from validator.zone_checks import require_optimal
from validator.zones import ZoneOrder


def require_auction_named(
    index: int, book: Book, market: MarketRules, auction: KeptAuction | None, rules: str
) -> None:
    """Check that a book names the auction of its interval, and that this one is it."""
    header = book.header
    name = None if market.forward is None else f"auction:{header.interval}"
    if header.auction != name:
        raise Objected(index, "book", "the header names another auction")
    if auction is None:
        return
    held = auction.book
    if auction.rules != rules or (held.community, held.starts, held.ends) != (
        header.community,
        header.starts,
        header.ends,
    ):
        raise Objected(index, "book", "the auction is of another interval or other rules")


def require_zones(index: int, book: Book, market: MarketRules) -> None:
    """Check that zones and links are those of the rule set."""
    if book.header.prices.keys() != {*market.zones} or any(
        one.zone not in market.zones for one in book.positions
    ):
        raise Objected(index, "prices", "the zones are others than the rule set's")
    if len(book.header.links) != len(market.links):
        raise Objected(index, "prices", "the links are others than the rule set's")


def require_market_pool(
    index: int,
    book: Book,
    rules: RuleSet,
    agreements: Mapping[int, Agreement],
    auction: KeptAuction | None,
    *,
    is_whole: bool,
) -> None:
    """Check matches, orders and the outcome of a book that was cleared.

    Parameters
    ----------
    index : int
        The book's leaf.
    book : Book
        The book.
    rules : RuleSet
        Its rules, of form 2.
    agreements : mapping
        Those in force, by their numbers.
    auction : KeptAuction or None
        Of a forward interval; None also where it was pruned.
    is_whole : bool
        Whether every agreement since the first leaf is known; else others are taken as given.

    Raises
    ------
    Objected
        At the first of them that does not follow.
    """
    market, prices = rules.market, rules.prices_at(book.header.starts)
    assert market is not None, "a book of form 2 has rules of form 2"
    barred, stages = book.left_out, market.matching_order
    if is_whole or agreements.keys() >= {one.agreement for one in book.matches}:
        expected = matches_of(book.positions, barred, agreements, stages, prices.middle)
        is_same = book.matches == expected
    else:
        is_same = _can_be(book, agreements, stages, prices.middle)
    if not is_same:
        raise Objected(index, "matches", "the agreements in force give other matches")
    _require_orders(index, book, market)
    if auction is not None:
        _require_copied(index, book, auction.book)
    elif market.forward is None:
        _require_pool(index, book, market, prices)


def _can_be(
    book: Book, agreements: Mapping[int, Agreement], stages: tuple[str, ...], middle: int
) -> bool:
    """Tell whether matches fit each other, and those of known agreements fit these."""
    left, barred = Left(book.positions), set(book.left_out)
    known = in_order(agreements, stages)
    named = [one.agreement for one in book.matches]
    if [number for number in named if number in agreements] != [
        number for number in known if number in set(named)
    ] or len(set(named)) != len(named):
        return False
    for one in book.matches:
        most = 0 if one.buyer in barred else left.between(one.seller, one.buyer)
        agreement = agreements.get(one.agreement)
        if not 0 < one.wh <= most:
            return False
        if agreement is not None and one != (
            one.agreement,
            agreement.buyer.point,
            price_of(agreement, middle),
            agreement.seller.point,
            most if agreement.maximum is None else min(most, agreement.maximum),
        ):
            return False
        left.take(one)
    return all(
        agreement.maximum == 0
        or agreement.buyer.point in barred
        or left.between(agreement.seller.point, agreement.buyer.point) == 0
        for number, agreement in agreements.items()
        if number in known and number not in named
    )


def _require_orders(index: int, book: Book, market: MarketRules) -> None:
    """Check that orders stand only where energy is left for them."""
    left_out, left = set(book.left_out), left_after(book)
    for one in book.positions:
        for terms, limit, wh in (
            (one.offer, one.sell_limit, left.exports[one.meter]),
            (one.request, one.buy_limit, left.imports[one.meter]),
        ):
            if (terms == 0) != (limit is None):
                raise Objected(index, "order", "an order has no limit, or a limit no order")
            if terms and (wh == 0 or one.meter in left_out or market.forward is not None):
                raise Objected(index, "order", "an order stands where none may stand")


def _require_copied(index: int, book: Book, auction: AuctionBook) -> None:
    """Check that a book has the outcome of its auction before delivery."""
    if book.header.prices != auction.prices or book.header.links != auction.links:
        raise Objected(index, "auction", "prices or flows are not those of the auction")
    bought, sold = fills_of(auction.orders)
    if any(
        (one.bought_wh, one.sold_wh) != (bought[one.meter], sold[one.meter])
        for one in book.positions
    ):
        raise Objected(index, "auction", "the fills are not those of the auction")


def _require_pool(index: int, book: Book, market: MarketRules, prices: Prices) -> None:
    """Check prices, fills and flows of a pool that was cleared from readings."""
    left, rows = left_after(book), list(enumerate(book.positions))
    bids = [
        Order(one.buy_limit, left.imports[one.meter], at)
        for at, one in rows
        if one.buy_limit is not None
    ]
    offers = [
        Order(one.sell_limit, left.exports[one.meter], at)
        for at, one in rows
        if one.sell_limit is not None
    ]
    if len(market.zones) > 1:
        _require_no_fill_without_order(index, book)
        orders = [_in_zone(book.positions[one.rank], one, is_bid=True) for one in bids]
        orders += (_in_zone(book.positions[one.rank], one, is_bid=False) for one in offers)
        require_optimal(index, market, orders, book.header.prices, book.header.links)
        return
    outcome = _cleared(book, market, prices, bids, offers)
    (price,) = book.header.prices.values()
    if price != (None if market.pricing == PAY_AS_BID else outcome.price):
        raise Objected(index, "auction", "the pool has another price")
    bought, sold = outcome.bought.get, outcome.sold.get
    if any((one.bought_wh, one.sold_wh) != (bought(at, 0), sold(at, 0)) for at, one in rows):
        raise Objected(index, "auction", "the pool fills orders otherwise")


def _in_zone(position: Position, order: Order, *, is_bid: bool) -> ZoneOrder:
    filled = position.bought_wh if is_bid else position.sold_wh
    return ZoneOrder(position.zone, is_bid, order.limit, order.wh, order.rank, filled)


def _require_no_fill_without_order(index: int, book: Book) -> None:
    for one in book.positions:
        if (one.bought_wh and one.buy_limit is None) or (one.sold_wh and one.sell_limit is None):
            raise Objected(index, "auction", "something is filled without an order")


def _cleared(
    book: Book, market: MarketRules, prices: Prices, bids: list[Order], offers: list[Order]
) -> Outcome:
    if market.pricing in (UNIFORM, PAY_AS_BID):
        return clear(bids, offers)
    return clear_pool(
        market.pricing,
        bids,
        offers,
        prices=prices,
        sharing_price=market.sharing_price if market.pricing.startswith("sharing_") else None,
        weights={at: one.weight for at, one in enumerate(book.positions)},
    )


def drawn_by(rules: RuleSet, starts: int) -> Callable[[Position], Drawn]:
    """Return what a rule set draws for a position where its owner names no limit."""
    prices, at = rules.prices_at(starts), rules.moment(starts)
    market = rules.market

    def drawn(position: Position) -> Drawn:
        fee = 0 if market is None else market.local_fee(position.zone, position.level, at)
        ceiling = prices.retail - prices.fee - fee
        if market is None or market.pricing in (UNIFORM, PAY_AS_BID):
            return range(prices.feed_in, prices.middle + 1), range(prices.middle, ceiling + 1)
        return range(prices.feed_in, prices.feed_in + 1), range(ceiling, ceiling + 1)

    return drawn

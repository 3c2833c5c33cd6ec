"""The money of a book of form 2: entries under every pricing and every rule for deviations.

References
----------
docs/market.md, "Money".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from validator.auction_book import AuctionBook, fills_of
from validator.interval_auction import Order
from validator.interval_book import AFTER_DEADLINE, Book
from validator.interval_money import (
    FEE,
    GRID_PURCHASE,
    GRID_SALE,
    NOBODY,
    PURCHASE,
    ROUNDING,
    SALE,
    Entry,
    amount_of,
)
from validator.interval_rules import Prices, RuleSet
from validator.market_auction import Trade, pair, trades_of
from validator.market_delivery import Delivered, deliver
from validator.market_matches import Left, left_after
from validator.market_rules import OWN, PAY_AS_BID, SINGLE_PRICE, MarketRules

AGREED, GRID_FEE, LINK_FEES, RENT = 7, 8, 9, 11
DEVIATION_DUE, DEVIATION_RECEIVED, SHORTFALL, NOT_TAKEN = 12, 13, 14, 15


@dataclass(slots=True)
class Account:
    """What one metering point's part of the pool and of the grid comes to.

    Energies in Wh, money in micro, prices (of codes 3 and 4) in micro per kWh.
    """

    number: int
    meter: int
    paid: int = 0
    earned: int = 0
    billed: int = 0
    taken: int = 0
    from_grid: int = 0
    to_grid: int = 0
    owed: int = 0
    due: int = 0
    short: int = 0
    not_taken: int = 0
    buys_at: int = 0
    sells_at: int = 0
    grid_fee: int = 0


class Fills(NamedTuple):
    """What each metering point's orders in an auction come to. [Wh, micro]"""

    bought: Counter[int]
    sold: Counter[int]
    paid: Counter[int]
    earned: Counter[int]


def market_entries(
    book: Book, base: Book, rules: RuleSet, market: MarketRules, auction: AuctionBook | None
) -> list[Entry]:
    """Return all entries of a book, also those of an amount of 0.

    Parameters
    ----------
    book : Book
        Of form 2, checked.
    base : Book
        The last revision of its interval that was cleared: the book itself, unless it amends.
    rules, market : RuleSet, MarketRules
        Its rules, and what form 2 adds to them.
    auction : AuctionBook or None
        Of a forward interval.
    """
    entries = _cleared(base, rules, market, auction)
    if book.header.reason == AFTER_DEADLINE:
        entries += _amendments(book, base, market)
    return entries


def _amendments(book: Book, base: Book, market: MarketRules) -> list[Entry]:
    """Return what late readings cost against the grid; the pool's trades stand."""
    header = book.header
    has_traded = market.forward is not None and market.forward.deviation != OWN
    before = {one.meter: (one.import_wh, one.export_wh) for one in base.positions}
    entries = []
    for one in book.positions:
        begun = (one.bought_wh, one.sold_wh) if has_traded else (0, 0)
        import_wh, export_wh = before.get(one.meter, begun)
        more = amount_of(one.import_wh - import_wh, header.retail)
        entries.append(Entry(one.meter, GRID_PURCHASE, one.account, header.parties.supplier, more))
        more = amount_of(one.export_wh - export_wh, header.feed_in)
        entries.append(Entry(one.meter, GRID_SALE, header.parties.supplier, one.account, more))
    return entries


def _cleared(
    book: Book, rules: RuleSet, market: MarketRules, auction: AuctionBook | None
) -> list[Entry]:
    header, left = book.header, left_after(book)
    at = rules.moment(header.starts)
    absent: list[Account] = []
    if auction is None:
        accounts = _metered(book, left, market)
    elif market.forward is not None and market.forward.deviation == OWN:
        prices = rules.prices_at(header.starts)
        accounts = _own(book, left, market.forward.delivery, auction, prices)
    else:
        accounts = _contracted(book, left, market, auction)
        absent = _absent(book, market, auction)
    bought = {account.meter: account for account in accounts}
    places = {one.meter: one for one in book.positions}
    for one in book.positions:
        account = bought[one.meter]
        fee = market.local_fee(one.zone, one.level, at)
        account.grid_fee = amount_of(account.taken, fee)
    for match in book.matches:
        buyer, seller = places[match.buyer], places[match.seller]
        fee = market.grid_fees.fee(seller.zone, buyer.zone, buyer.level, at)
        bought[match.buyer].grid_fee += amount_of(match.wh, fee)
    return _entries(book, market, accounts, absent)


def _begun(book: Book) -> list[Account]:
    retail, feed_in = book.header.retail, book.header.feed_in
    return [
        Account(one.account, one.meter, buys_at=retail, sells_at=feed_in) for one in book.positions
    ]


def _metered(book: Book, left: Left, market: MarketRules) -> list[Account]:
    """Bill what the pool filled; the rest is the grid's."""
    rows = book.positions
    trades: list[Trade] | None = None
    if market.pricing == PAY_AS_BID:
        trades = pair(
            (Order(one.buy_limit or 0, one.bought_wh, at) for at, one in enumerate(rows)),
            (Order(one.sell_limit or 0, one.sold_wh, at) for at, one in enumerate(rows)),
        )
    paid, earned = _sums(trades, [one.meter for one in rows])
    accounts = _begun(book)
    for account, one in zip(accounts, rows, strict=True):
        price = book.header.prices[one.zone] or 0
        by_price = trades is None
        account.paid = amount_of(one.bought_wh, price) if by_price else paid[one.meter]
        account.earned = amount_of(one.sold_wh, price) if by_price else earned[one.meter]
        account.billed = account.taken = one.bought_wh
        account.from_grid = left.imports[one.meter] - one.bought_wh
        account.to_grid = left.exports[one.meter] - one.sold_wh
    return accounts


def _sums(
    trades: Sequence[Trade] | None, meters: Sequence[int]
) -> tuple[Counter[int], Counter[int]]:
    """Add up what trades cost, by the metering point of each rank."""
    paid: Counter[int] = Counter()
    earned: Counter[int] = Counter()
    for trade in trades or ():
        amount = amount_of(trade.wh, trade.price)
        paid[meters[trade.buyer]] += amount
        earned[meters[trade.seller]] += amount
    return paid, earned


def _bill(
    account: Account, zone: str, fills: Fills, market: MarketRules, auction: AuctionBook
) -> None:
    """Bill what a metering point has contracted in an auction."""
    bought, sold = fills.bought[account.meter], fills.sold[account.meter]
    account.billed = bought
    if market.pricing == PAY_AS_BID:
        account.paid, account.earned = fills.paid[account.meter], fills.earned[account.meter]
    else:
        price = auction.prices[zone] or 0
        account.paid, account.earned = amount_of(bought, price), amount_of(sold, price)


def _fills(market: MarketRules, auction: AuctionBook) -> Fills:
    trades = trades_of(auction.orders, None) if market.pricing == PAY_AS_BID else None
    sums = _sums(trades, [one.meter for one in auction.orders])
    return Fills(*fills_of(auction.orders), *sums)


def _contracted(book: Book, left: Left, market: MarketRules, auction: AuctionBook) -> list[Account]:
    """Bill what was contracted; what was metered otherwise meets the supplier."""
    fills = _fills(market, auction)
    accounts = _begun(book)
    for account, one in zip(accounts, book.positions, strict=True):
        _bill(account, one.zone, fills, market, auction)
        account.taken = min(left.imports[one.meter], one.bought_wh)
        given = min(left.exports[one.meter], one.sold_wh)
        account.from_grid = left.imports[one.meter] - account.taken
        account.to_grid = left.exports[one.meter] - given
        account.short = one.sold_wh - given
        account.not_taken = one.bought_wh - account.taken
    if market.forward is not None and market.forward.deviation == SINGLE_PRICE:
        _price_once(book, left, accounts)
    return accounts


def _price_once(book: Book, left: Left, accounts: Sequence[Account]) -> None:
    """Give everybody who traded one price for deviations: that of what all are short of."""
    header = book.header
    traded = [
        (account, one)
        for account, one in zip(accounts, book.positions, strict=True)
        if one.bought_wh + one.sold_wh
    ]
    surplus = sum(
        left.exports[one.meter] - one.sold_wh - left.imports[one.meter] + one.bought_wh
        for _, one in traded
    )
    middle = (header.feed_in + header.retail) // 2
    price = header.retail if surplus < 0 else header.feed_in if surplus > 0 else middle
    for account, _ in traded:
        account.buys_at = account.sells_at = price


def _absent(book: Book, market: MarketRules, auction: AuctionBook) -> list[Account]:
    """Bill those who have traded and whose reading is missing, by their first orders."""
    fills = _fills(market, auction)
    known = {one.meter for one in book.positions}
    accounts: dict[int, Account] = {}
    for one in auction.orders:
        has_traded = fills.bought[one.meter] or fills.sold[one.meter]
        if has_traded and one.meter not in known and one.meter not in accounts:
            accounts[one.meter] = Account(one.account, one.meter)
            _bill(accounts[one.meter], one.zone, fills, market, auction)
    return list(accounts.values())


def _own(
    book: Book, left: Left, delivery: str, auction: AuctionBook, prices: Prices
) -> list[Account]:
    """Bill what each trade delivered, and let each side answer for what it missed."""
    (price,) = auction.prices.values()
    delivered = deliver(
        trades_of(auction.orders, price),
        auction.orders,
        exports=left.exports,
        imports=left.imports,
        delivery=delivery,
        prices=prices,
    )
    accounts = _begun(book)
    for account in accounts:
        one = delivered.get(account.meter, Delivered())
        account.paid, account.earned = one.paid, one.earned
        account.owed, account.due = one.owed, one.due
        account.billed = account.taken = one.bought
        account.from_grid = left.imports[account.meter] - one.bought
        account.to_grid = left.exports[account.meter] - one.sold
    return accounts


def _entries(
    book: Book, market: MarketRules, accounts: Sequence[Account], absent: Sequence[Account]
) -> list[Entry]:
    header, parties = book.header, book.header.parties
    pool, supplier, grid = parties.pool, parties.supplier, parties.grid
    everybody = [*accounts, *absent]
    of = {account.meter: account.number for account in accounts}
    fees = {account.meter: amount_of(account.billed, header.fee) for account in everybody}
    link_fees, rent = _link_money(book, market)
    rounding = sum(one.paid - one.earned + one.owed - one.due for one in everybody)
    return [
        *(
            Entry(one.meter, PURCHASE, one.number, pool, one.paid + fees[one.meter])
            for one in everybody
        ),
        *(Entry(one.meter, SALE, pool, one.number, one.earned) for one in everybody),
        *(
            Entry(
                one.meter,
                GRID_PURCHASE,
                one.number,
                supplier,
                amount_of(one.from_grid, one.buys_at),
            )
            for one in accounts
        ),
        *(
            Entry(one.meter, GRID_SALE, supplier, one.number, amount_of(one.to_grid, one.sells_at))
            for one in accounts
        ),
        *(
            Entry(one.buyer, AGREED, of[one.buyer], of[one.seller], amount_of(one.wh, one.price))
            for one in book.matches
        ),
        *(Entry(one.meter, GRID_FEE, one.number, grid, one.grid_fee) for one in accounts),
        *(Entry(one.meter, DEVIATION_DUE, one.number, pool, one.owed) for one in accounts),
        *(Entry(one.meter, DEVIATION_RECEIVED, pool, one.number, one.due) for one in accounts),
        *(
            Entry(one.meter, SHORTFALL, one.number, supplier, amount_of(one.short, one.buys_at))
            for one in accounts
        ),
        *(
            Entry(
                one.meter, NOT_TAKEN, supplier, one.number, amount_of(one.not_taken, one.sells_at)
            )
            for one in accounts
        ),
        Entry(NOBODY, FEE, pool, parties.platform, sum(fees.values())),
        Entry(NOBODY, LINK_FEES, pool, grid, link_fees),
        Entry(NOBODY, RENT, pool, grid, rent),
        Entry(NOBODY, ROUNDING, pool, parties.rounding, rounding - link_fees - rent),
    ]


def _link_money(book: Book, market: MarketRules) -> tuple[int, int]:
    """Return the fees and the congestion rent of all links. [micro]"""
    prices = book.header.prices
    fees = rent = 0
    for link, flow in zip(market.links, book.header.links, strict=True):
        fee = amount_of(flow.sent, link.fee)
        fees += fee
        rent += amount_of(flow.received, prices[link.target] or 0)
        rent -= amount_of(flow.sent, prices[link.source] or 0) + fee
    return fees, rent

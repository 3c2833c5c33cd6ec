"""What each position of a book pays, earns and owes, before it is known to whom."""

from dataclasses import dataclass

import numpy as np

from marketplace.domain.clearing import Int64Array
from marketplace.domain.interval_book import IntervalBook
from marketplace.domain.keyed_sums import summed_by
from marketplace.domain.market_part import MarketPart
from marketplace.domain.money import amounts_micro, signed_amounts_micro


@dataclass(frozen=True, eq=False)
class Positions:
    """The positions that money is computed of, with what agreements left of their energy. [Wh]"""

    ids: Int64Array
    import_left: Int64Array
    export_left: Int64Array
    bought: Int64Array
    sold: Int64Array


@dataclass(frozen=True, eq=False)
class Traders:
    """Who has traded in the pool: the positions, then who traded ahead and has none. [micro]"""

    ids: Int64Array
    accounts: Int64Array
    paid: Int64Array
    earned: Int64Array
    fees: Int64Array


@dataclass(frozen=True, eq=False)
class Deviations:
    """Energies and amounts of positions once what was delivered is known. [Wh], [micro]

    ``grid_prices`` and ``feed_in_prices`` are what energy from and to the grid costs each.
    """

    taken: Int64Array
    from_grid: Int64Array
    to_grid: Int64Array
    grid_prices: Int64Array
    feed_in_prices: Int64Array
    owed: Int64Array
    due: Int64Array
    short: Int64Array
    not_taken: Int64Array


def positions_of(book: IntervalBook) -> Positions:
    """Return the positions as they were last settled by the auction or by trades.

    After the correction deadline those are the positions of the book that stands.
    """
    part = book.market
    if part is None:
        left = book.import_wh, book.export_wh
        return Positions(book.metering_point_ids, *left, book.bought_wh, book.sold_wh)
    count = len(book.metering_point_ids) if part.settled_count is None else part.settled_count
    import_wh = book.import_wh if part.settled_count is None else part.settled_import
    export_wh = book.export_wh if part.settled_count is None else part.settled_export
    ids = book.metering_point_ids[:count]
    return Positions(
        ids=ids,
        import_left=import_wh[:count] - summed_by(ids, part.match_buyers, part.match_wh),
        export_left=export_wh[:count] - summed_by(ids, part.match_sellers, part.match_wh),
        bought=book.bought_wh[:count],
        sold=book.sold_wh[:count],
    )


def traders_of(book: IntervalBook, positions: Positions) -> Traders:
    """Return what the pool charges and pays."""
    part, count = book.market, len(positions.ids)
    ids, accounts = positions.ids, book.account_ids[:count]
    bought, sold = positions.bought, positions.sold
    prices: Int64Array | int = book.price or 0
    if part is not None:
        ids = np.concatenate([ids, part.absent_ids])
        accounts = np.concatenate([accounts, part.absent_accounts])
        bought = np.concatenate([bought, part.absent_bought])
        sold = np.concatenate([sold, part.absent_sold])
        zones = np.concatenate([part.zone_of[:count], part.absent_zones])
        prices = part.prices_of_zones()[zones]
        if part.by_trades:
            return _traders_by_trades(book, part, ids, accounts, bought)
    return Traders(
        ids=ids,
        accounts=accounts,
        paid=signed_amounts_micro(bought, prices),
        earned=signed_amounts_micro(sold, prices),
        fees=signed_amounts_micro(bought, book.platform_fee),
    )


def _traders_by_trades(
    book: IntervalBook, part: MarketPart, ids: Int64Array, accounts: Int64Array, bought: Int64Array
) -> Traders:
    """Sum up trade by trade: what was delivered by own deviation, else what was agreed."""
    delivered, billed = part.trade_wh, bought
    if part.deviation == "own":
        delivered = np.minimum(part.trade_given, part.trade_taken)
        billed = summed_by(ids, part.trade_buyers, delivered)
    amounts = signed_amounts_micro(delivered, part.trade_prices)
    return Traders(
        ids=ids,
        accounts=accounts,
        paid=summed_by(ids, part.trade_buyers, amounts),
        earned=summed_by(ids, part.trade_sellers, amounts),
        fees=signed_amounts_micro(billed, book.platform_fee),
    )


def deviations_of(book: IntervalBook, positions: Positions) -> Deviations:
    """Return what is left for the grid, and what follows from trades that were not kept."""
    part = book.market
    if part is None or part.deviation is None:
        return _as_metered(book, positions)
    if part.deviation == "own":
        return _own(book, part, positions)
    taken = np.minimum(positions.import_left, positions.bought)
    given = np.minimum(positions.export_left, positions.sold)
    grid_prices, feed_in_prices = _full(book.retail, taken), _full(book.feed_in, taken)
    if part.deviation == "single_price":
        trading = (positions.bought > 0) | (positions.sold > 0)
        price = _single_price(book, positions, trading)
        grid_prices[trading] = price
        feed_in_prices[trading] = price
    none = np.zeros_like(taken)
    return Deviations(
        taken=taken,
        from_grid=positions.import_left - taken,
        to_grid=positions.export_left - given,
        grid_prices=grid_prices,
        feed_in_prices=feed_in_prices,
        owed=none,
        due=none,
        short=positions.sold - given,
        not_taken=positions.bought - taken,
    )


def _as_metered(book: IntervalBook, positions: Positions) -> Deviations:
    none = np.zeros_like(positions.bought)
    return Deviations(
        taken=positions.bought,
        from_grid=positions.import_left - positions.bought,
        to_grid=positions.export_left - positions.sold,
        grid_prices=_full(book.retail, none),
        feed_in_prices=_full(book.feed_in, none),
        owed=none,
        due=none,
        short=none,
        not_taken=none,
    )


def _own(book: IntervalBook, part: MarketPart, positions: Positions) -> Deviations:
    """Let whoever falls further behind in a trade pay the other what the grid costs more."""
    ids, none = positions.ids, np.zeros_like(positions.bought)
    delivered = np.minimum(part.trade_given, part.trade_taken)
    # What one side lacks more than the other: above 0 the seller's, below 0 the buyer's.
    lack = (part.trade_wh - part.trade_given) - (part.trade_wh - part.trade_taken)
    dearer = np.maximum(0, book.retail - book.platform_fee - part.trade_prices)
    cheaper = np.maximum(0, part.trade_prices - book.feed_in)
    by_seller = amounts_micro(np.maximum(lack, 0), dearer)
    by_buyer = amounts_micro(np.maximum(-lack, 0), cheaper)
    sellers, buyers = part.trade_sellers, part.trade_buyers
    taken = summed_by(ids, buyers, delivered)
    return Deviations(
        taken=taken,
        from_grid=positions.import_left - taken,
        to_grid=positions.export_left - summed_by(ids, sellers, delivered),
        grid_prices=_full(book.retail, none),
        feed_in_prices=_full(book.feed_in, none),
        owed=summed_by(ids, sellers, by_seller) + summed_by(ids, buyers, by_buyer),
        due=summed_by(ids, sellers, by_buyer) + summed_by(ids, buyers, by_seller),
        short=none,
        not_taken=none,
    )


def _single_price(book: IntervalBook, positions: Positions, trading: np.ndarray) -> int:
    """Return the one price of deviations: dear when the community lacks energy. [micro/kWh]"""
    surplus = int(
        (positions.export_left - positions.sold - positions.import_left + positions.bought)[
            trading
        ].sum()
    )
    if surplus < 0:
        return book.retail
    return book.feed_in if surplus > 0 else (book.feed_in + book.retail) // 2


def _full(value: int, like: Int64Array) -> Int64Array:
    return np.full(len(like), value, dtype=np.int64)

"""What a book's metering points did, as the columns that statements are made of."""

import numpy as np

from marketplace.domain.billing.statements import Int64Array, Positions
from marketplace.domain.interval_book import IntervalBook
from marketplace.domain.keyed_sums import summed_by
from marketplace.domain.position_money import deviations_of, positions_of, traders_of


def billing_positions(
    book: IntervalBook, *, interval: int, weight: int, accounts: Int64Array
) -> Positions:
    """Return the positions of a book of either form; then who traded ahead and has none.

    Parameters
    ----------
    book : IntervalBook
    interval : int
        Index of its interval.
    weight : int
        1, or -1 to take back what was billed of it before.
    accounts : ndarray of int64
        The members' accounts in ascending order; a member's index is the place of their account.
        Every account of the book is among them.
    """
    part, count = book.market, len(book.metering_point_ids)
    settled = positions_of(book)
    deviations, traders = deviations_of(book, settled), traders_of(book, settled)
    ids, holders = points_of(book), book.account_ids
    if part is not None:
        still = ~np.isin(part.absent_ids, book.metering_point_ids)
        holders = np.concatenate([holders, part.absent_accounts[still]])
    nothing = np.zeros(len(ids), dtype=np.int64)
    agreed_bought = agreed_sold = nothing
    bought, sold = (summed_by(ids, settled.ids, each) for each in (settled.bought, settled.sold))
    if part is not None:
        agreed_bought = summed_by(ids, part.match_buyers, part.match_wh)
        agreed_sold = summed_by(ids, part.match_sellers, part.match_wh)
        bought = bought + summed_by(ids, part.absent_ids, part.absent_bought)
        sold = sold + summed_by(ids, part.absent_ids, part.absent_sold)
        if part.deviation == "own":
            # Only what both sides laid on a trade is paid at its price.
            delivered = np.minimum(part.trade_given, part.trade_taken)
            bought = summed_by(ids, part.trade_buyers, delivered)
            sold = summed_by(ids, part.trade_sellers, delivered)
    late = len(ids) - count
    import_wh = np.concatenate([book.import_wh, nothing[:late]])
    export_wh = np.concatenate([book.export_wh, nothing[:late]])
    # What came after the correction deadline met the grid, whoever it is of.
    grid_import = summed_by(ids, settled.ids, deviations.from_grid - settled.import_left)
    grid_export = summed_by(ids, settled.ids, deviations.to_grid - settled.export_left)
    return Positions(
        intervals=nothing + interval,
        members=np.searchsorted(accounts, holders),
        weights=nothing + weight,
        import_wh=import_wh,
        export_wh=export_wh,
        bought_wh=bought,
        sold_wh=sold,
        agreed_bought_wh=agreed_bought,
        agreed_sold_wh=agreed_sold,
        grid_import_wh=import_wh - agreed_bought + grid_import,
        grid_export_wh=export_wh - agreed_sold + grid_export,
        fees=summed_by(ids, traders.ids, traders.fees),
    )


def points_of(book: IntervalBook) -> Int64Array:
    """Return the metering point of each row that `billing_positions` makes of a book."""
    if book.market is None:
        return book.metering_point_ids
    # Of who traded ahead the reading may have come since, after the correction deadline.
    absent = book.market.absent_ids
    still = ~np.isin(absent, book.metering_point_ids)
    return np.concatenate([book.metering_point_ids, absent[still]])


def accounts_of(book: IntervalBook) -> Int64Array:
    """Return the accounts of a book in ascending order, of who traded ahead only as well."""
    if book.market is None:
        return np.unique(book.account_ids)
    return np.union1d(book.account_ids, book.market.absent_accounts)


def is_settled_at_tariffs(book: IntervalBook) -> bool:
    """Return whether all energy from and to the grid was settled at the interval's tariffs."""
    return book.market is None or book.market.deviation != "single_price"

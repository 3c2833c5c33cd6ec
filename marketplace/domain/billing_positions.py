"""What a book's metering points did, as the columns that statements are made of."""

import numpy as np

from marketplace.domain.billing import Int64Array, Positions
from marketplace.domain.interval_book import IntervalBook
from marketplace.domain.money import amounts_micro


def billing_positions(
    book: IntervalBook, *, interval: int, weight: int, accounts: Int64Array
) -> Positions:
    """Return the positions of a book.

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
    constant = np.ones_like(book.account_ids)
    nothing = np.zeros_like(book.account_ids)
    return Positions(
        intervals=constant * interval,
        members=np.searchsorted(accounts, book.account_ids),
        weights=constant * weight,
        import_wh=book.import_wh,
        export_wh=book.export_wh,
        bought_wh=book.bought_wh,
        sold_wh=book.sold_wh,
        agreed_bought_wh=nothing,
        agreed_sold_wh=nothing,
        grid_import_wh=book.import_wh - book.bought_wh,
        grid_export_wh=book.export_wh - book.sold_wh,
        fees=amounts_micro(book.bought_wh, book.platform_fee),
    )

"""Why money moved: the code of every transfer that the marketplace submits."""

from enum import IntEnum


class TransferCode(IntEnum):
    """The reason a transfer carries; opaque to the ledger, never renumbered."""

    POOL_PURCHASE = 1
    POOL_SALE = 2
    GRID_PURCHASE = 3
    GRID_SALE = 4
    PLATFORM_FEE = 5
    ROUNDING = 6
    DATA_PURCHASE = 10
    DEPOSIT = 20
    CREDIT_LINE = 21
    MARGIN = 22

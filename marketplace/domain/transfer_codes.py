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
    AGREED_PURCHASE = 7
    GRID_FEE = 8
    LINK_FEE = 9
    DATA_PURCHASE = 10  # of the first data market; nobody submits it, books of then have it
    CONGESTION_RENT = 11
    DEVIATION_DUE = 12
    DEVIATION_RECEIVED = 13
    SHORTFALL = 14
    NOT_TAKEN = 15
    DEPOSIT = 20
    CREDIT_LINE = 21
    MARGIN = 22
    CERTIFICATE_ISSUE = 30
    CERTIFICATE_TRADE = 31
    CERTIFICATE_TRANSFER = 32
    CERTIFICATE_CANCELLATION = 33
    CERTIFICATE_WITHDRAWAL = 34
    CERTIFICATE_RETURN = 35
    DATA_ESCROW = 40
    DATA_SALE = 41
    DATA_SHARE = 42
    DATA_REFUND = 43
    PRIVACY_GRANT = 50
    PRIVACY_QUERY = 51

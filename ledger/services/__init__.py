"""Write the ledger: open accounts, submit commands, settle the inbox, verify the book."""

from ledger.services.accounts import open_accounts
from ledger.services.expiry import release_expired_holds
from ledger.services.inbox import submit
from ledger.services.verification import Verified, verify_book
from ledger.services.worker import SettlementWorker

__all__ = [
    "SettlementWorker",
    "Verified",
    "open_accounts",
    "release_expired_holds",
    "submit",
    "verify_book",
]

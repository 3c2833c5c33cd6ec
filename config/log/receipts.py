"""Where receipts take their proofs from, as the settings say."""

import logging
from collections.abc import Callable

from django.conf import settings

from config.log.keys import KeyMissing, read_policy
from ledger.errors import BookBroken, LogBroken, PolicyInvalid, ReceiptRefused
from ledger.services.log_folder import LogFolder
from ledger.services.receipts import PublishedLog, Receipt, ReceiptState

Find = Callable[[PublishedLog], Receipt | None]

log = logging.getLogger(__name__)


def published_log(*, with_all_signatures: bool = False) -> PublishedLog | None:
    """Return the published log with the policy in force; None where there is none yet."""
    try:
        policy = read_policy()
    except (KeyMissing, PolicyInvalid):
        log.exception("the log's key or policy cannot be read")
        return None
    return PublishedLog(LogFolder(settings.LOG_FOLDER), policy, with_all_signatures)


def found_receipt(find: Find, *, with_all_signatures: bool = False) -> Receipt | None:
    """Return a receipt; where the log's files cannot give one, say so as not attested.

    What is wrong with the book or the files is the operator's to mend, and is logged for them.
    """
    published = published_log(with_all_signatures=with_all_signatures)
    if published is None:
        return Receipt(ReceiptState.BOOKED)
    try:
        return find(published)
    except (BookBroken, LogBroken, ReceiptRefused):
        log.exception("a receipt cannot be made")
        return Receipt(ReceiptState.BROKEN)

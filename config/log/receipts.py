"""Where receipts take their proofs from, as the settings say."""

from django.conf import settings

from config.log.keys import KeyMissing, read_policy
from ledger.services.log_folder import LogFolder
from ledger.services.receipts import PublishedLog


def published_log(*, with_all_signatures: bool = False) -> PublishedLog | None:
    """Return the published log with the policy in force; None where there is none yet."""
    try:
        policy = read_policy()
    except KeyMissing:
        return None
    return PublishedLog(LogFolder(settings.LOG_FOLDER), policy, with_all_signatures)

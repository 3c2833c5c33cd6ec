"""What a month of a feed may take: its cap in units, and why a request is turned away.

Counting itself is one statement of the database (`marketplace.services.data.feeds`): two requests
that come at once can not both take the last unit.
"""

from dataclasses import dataclass
from enum import StrEnum

from marketplace.domain.data.prices import PriceForm, PriceRule, units_within_cap


class Answer(StrEnum):
    """What becomes of a request to a feed; the codes are part of the API."""

    SERVED = "served"
    UNCHANGED = "unchanged"
    UNKNOWN_CREDENTIAL = "credential_unknown"
    REVOKED = "credential_revoked"
    OTHER_FEED = "not_this_feed"
    NOT_IN_FORCE = "contract_not_in_force"
    PAYMENT_PENDING = "payment_pending"
    NOT_PAID = "payment_missing"
    NO_FILE = "no_such_file"
    CAP_REACHED = "cap_reached"
    TOO_FAST = "too_many_requests"


@dataclass(frozen=True)
class Limits:
    """How much a month may take; None: the price does not depend on it."""

    requests: int | None
    records: int | None


def limits_of(rule: PriceRule, *, taken_before: int = 0, is_trial: bool = False) -> Limits:
    """Return how much a period may take before it would cost more than its cap.

    Parameters
    ----------
    rule : PriceRule
        The contract's.
    taken_before : int
        Units taken in earlier periods of the contract, which use up a trial quantity.
    is_trial : bool
        The period is the trial: it costs nothing however much is taken.
    """
    most = None if is_trial else units_within_cap(rule, taken_before=taken_before)
    if rule.form == PriceForm.PER_RECORD:
        return Limits(requests=None, records=most)
    return Limits(requests=most, records=None)

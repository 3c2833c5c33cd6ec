"""One interval under any rule set of either form: one clearing for the present and the past."""

from datetime import datetime

import numpy as np
import numpy.typing as npt

from marketplace.domain.agreement_matching import Agreements
from marketplace.domain.auction import Cleared, Metered, Terms, clear_interval_book
from marketplace.domain.forward.delivery import HeldAuction
from marketplace.domain.interval_rules import IntervalRules
from marketplace.domain.market import clear_market
from marketplace.domain.rules import Rules


def clear_by_rules(
    *,
    rules: Rules,
    starts_at: datetime,
    terms: Terms,
    metered: Metered,
    over_limit: npt.NDArray[np.bool_],
    agreements: Agreements,
    auction: HeldAuction | None = None,
) -> Cleared:
    """Clear the interval that starts at a moment, by the form of its rule set.

    Parameters
    ----------
    rules : Rules
        Those in force at the start.
    terms, metered : Terms, Metered
        Who is expected to report on what terms, and readings.
    over_limit : ndarray of bool, shape (n,)
        Rows of ``terms`` whose member owes more than the credit limit.
    agreements : Agreements
        Those in force; rule sets of form 1 know none.
    auction : HeldAuction, optional
        Of a forward interval.
    """
    if rules.market.form == 1:
        return clear_interval_book(
            terms=terms,
            metered=metered,
            prices=rules.prices_at(starts_at),
            over_limit=over_limit,
        )
    return clear_market(
        rules=IntervalRules.of(rules, starts_at),
        terms=terms,
        metered=metered,
        over_limit=over_limit,
        agreements=agreements,
        auction=auction,
    )

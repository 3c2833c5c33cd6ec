"""One settled interval, computed again by the code that cleared it, under changed rules."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from marketplace.domain.agreement_matching import Agreements
from marketplace.domain.auction import Matches, Metered, Terms
from marketplace.domain.clear_by_rules import clear_by_rules
from marketplace.domain.clearing import Int64Array
from marketplace.domain.forward.delivery import HeldAuction
from marketplace.domain.interval_book import IntervalBook
from marketplace.domain.interval_rules import IntervalRules
from marketplace.domain.pricing_comparison import with_keys
from marketplace.domain.readings.late import late_readings
from marketplace.domain.rules import Rules
from marketplace.domain.what_if.change import ChangedRules, Solar
from marketplace.domain.what_if.solar import Roofs, with_sun


@dataclass(frozen=True, eq=False)
class SettledInterval:
    """What happened in an interval, and what it was made from.

    Attributes
    ----------
    book : IntervalBook
        The latest revision's.
    cleared_book : IntervalBook
        The last one that was cleared; another one where readings came after the deadline.
    auction : HeldAuction or None
        Of a forward interval.
    """

    starts_at: datetime
    minutes: int
    book: IntervalBook
    cleared_book: IntervalBook
    terms: Terms
    agreements: Agreements
    auction: HeldAuction | None

    @property
    def is_amended(self) -> bool:
        """Whether the latest revision only settled late readings against the grid."""
        return self.book is not self.cleared_book


@dataclass(frozen=True, eq=False)
class Outcome:
    """A book, who traded in it, and what hypothetical roofs made by metering point. [Wh]"""

    book: IntervalBook
    matches: Matches
    ids: Int64Array
    made_wh: Int64Array
    own_used_wh: Int64Array


def as_it_was(settled: SettledInterval, rules: Rules) -> Outcome:
    """Return what happened; only who traded ahead has to be computed again, the book is stored."""
    matches = Matches.none()
    if settled.auction is not None:
        matches = _cleared(settled, rules, settled.terms, metered_of(settled.cleared_book)).matches
    none = np.zeros(0, dtype=np.int64)
    return Outcome(settled.book, matches, none, none, none)


def as_it_might_have_been(
    settled: SettledInterval, changed: ChangedRules, roofs: Roofs, solar: Solar
) -> Outcome:
    """Clear an interval again under changed rules and more sun.

    Who was over the credit limit then is over it here; limits of members and agreements are as
    they were. Readings that came after the correction deadline meet the grid here as they did.
    """
    rules = changed.rules
    terms = with_keys(settled.terms, rules) if changed.needs_keys else settled.terms
    sunny = with_sun(metered_of(settled.book), roofs, solar)
    metered = sunny.metered
    if settled.is_amended:
        metered = with_sun(metered_of(settled.cleared_book), roofs, solar).metered
    outcome = _cleared(settled, rules, terms, metered)
    book = outcome.book
    if settled.is_amended:
        at_start = IntervalRules.of(rules, settled.starts_at) if rules.market.form == 2 else None
        late = late_readings(
            terms=terms,
            metered=sunny.metered,
            rules=at_start,
            auction=settled.auction if changed.keeps_auctions else None,
        )
        book = book.amended(late)
    return Outcome(
        book,
        outcome.matches,
        sunny.metered.metering_point_ids,
        sunny.made_wh,
        sunny.own_used_wh,
    )


@dataclass(frozen=True, eq=False)
class _Again:
    book: IntervalBook
    matches: Matches


def _cleared(settled: SettledInterval, rules: Rules, terms: Terms, metered: Metered) -> _Again:
    cleared = clear_by_rules(
        rules=rules,
        starts_at=settled.starts_at,
        terms=terms,
        metered=metered,
        over_limit=np.isin(terms.metering_point_ids, settled.cleared_book.left_out_ids),
        agreements=settled.agreements,
        auction=settled.auction if rules.market.forward is not None else None,
    )
    return _Again(cleared.book, cleared.matches)


def metered_of(book: IntervalBook) -> Metered:
    """Return the readings that a book was made from."""
    estimated = book.market.estimated if book.market is not None else None
    return Metered(book.metering_point_ids, book.import_wh, book.export_wh, estimated)

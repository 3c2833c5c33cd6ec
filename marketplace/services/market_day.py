"""Carry a community's intervals through their life, as far as their readings allow."""

from dataclasses import dataclass
from datetime import datetime

from marketplace.queries.terms import TermsInForce
from marketplace.services.clearing import clear_next_interval, meter_intervals
from marketplace.services.settlement import note_booked_settlements, settle_clearings


@dataclass(frozen=True)
class Advanced:
    """What one pass moved on."""

    metered: int
    cleared: int
    submitted: int
    booked: int

    @property
    def any(self) -> bool:
        """Whether there was anything to do."""
        return bool(self.metered or self.cleared or self.submitted or self.booked)


def advance_community(*, community_id: int, now: datetime, clear_limit: int = 100) -> Advanced:
    """Meter, clear and settle what is due in one community. Safe to run twice, late, anywhere."""
    metered = meter_intervals(community_id=community_id, now=now)
    terms = TermsInForce(community_id=community_id)
    cleared = 0
    while (
        cleared < clear_limit
        and clear_next_interval(community_id=community_id, now=now, terms=terms) is not None
    ):
        cleared += 1
    submitted = settle_clearings(community_id=community_id, now=now, limit=clear_limit)
    return Advanced(metered, cleared, submitted, note_booked_settlements())

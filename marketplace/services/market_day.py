"""Carry a community's intervals through their life, as far as their readings allow."""

from dataclasses import dataclass
from datetime import datetime

from marketplace.services.clearing import clear_due_intervals, meter_intervals
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
    cleared = clear_due_intervals(community_id=community_id, now=now, limit=clear_limit)
    submitted = settle_clearings(community_id=community_id, now=now, limit=clear_limit)
    return Advanced(metered, cleared, submitted, note_booked_settlements())

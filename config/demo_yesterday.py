"""The demo's forward market has a past: yesterday was ordered, auctioned, metered and settled.

It is lived as any day is, the clock being an argument of everything: orders the evening before,
gates, readings that differ from what was planned, deviations.
"""

from datetime import datetime, timedelta
from typing import Final

from config.demo_forward import MINUTES, metered, place_orders_for, starts_from
from ledger.services import SettlementWorker
from marketplace.domain.readings.rows import ReadingRow, readings_of_rows
from marketplace.queries.people import list_meter_points
from marketplace.services.credit_lines import note_credit_lines
from marketplace.services.gate_closure import close_due_gates
from marketplace.services.market_day import advance_community
from marketplace.services.order_answers import advance_orders
from marketplace.services.readings import import_readings

# Enough to look at: each interval is a block of its own, since credit is limited there.
FIRST_HOUR: Final = 9
HOURS: Final = 6


def live_yesterday(*, community_id: int, day: datetime) -> None:
    """Carry the middle of a civil day of the quarter from its orders to settled books.

    Parameters
    ----------
    day : datetime
        When the day begins; nothing later may be booked yet.
    """
    starts = starts_from(day + timedelta(hours=FIRST_HOUR), HOURS)
    evening, end = day - timedelta(hours=6), starts[-1] + timedelta(minutes=MINUTES)
    place_orders_for(community_id, starts, now=evening)
    _settle(community_id, evening)
    while close_due_gates(community_id=community_id, now=end):
        pass
    _settle(community_id, end)
    meters = sorted(list_meter_points(community_id=community_id))
    rows = [
        ReadingRow(meter, start.isoformat(), *metered(meter, start))
        for start in starts
        for meter in meters
    ]
    import_readings(
        community_id=community_id,
        readings=readings_of_rows(minutes=MINUTES, rows=rows),
        source="made up by the demo",
        sha256="0" * 64,
        now=end,
    )
    _settle(community_id, end)


def _settle(community_id: int, now: datetime) -> None:
    """Let everything happen that is due at a time, as tasks and the settlement worker would."""
    worker = SettlementWorker(holder="demo")
    if not worker.take_head():
        return
    moved = True
    while moved:
        moved = advance_community(community_id=community_id, now=now).any
        moved = bool(worker.settle_inbox(now=now)) or moved
        moved = advance_orders(now=now).any or bool(note_credit_lines()) or moved
    worker.give_back()

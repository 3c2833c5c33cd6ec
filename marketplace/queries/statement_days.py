"""A member's days over a longer time: energies, money, and what the grid alone would have cost."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime

from marketplace.queries.pages import Persona, Place
from marketplace.queries.statements import StatementLine, list_statement_lines, total_of


@dataclass(frozen=True)
class StatementDay:
    """What a civil day came to; money of intervals that are booked. [Wh], [micro]"""

    day: date
    import_wh: int
    export_wh: int
    bought_wh: int
    sold_wh: int
    net_micro: int
    alone_micro: int
    waiting_count: int


def list_statement_days(
    *, persona: Persona, place: Place, start: datetime, end: datetime
) -> list[StatementDay]:
    """Return a member's civil days of a period that have any interval, in order."""
    lines = list_statement_lines(persona=persona, place=place, start=start, end=end)
    by_day: dict[date, list[StatementLine]] = defaultdict(list)
    for line in lines:
        by_day[line.interval.starts_at.astimezone(place.zone).date()].append(line)
    return [_day(day, some) for day, some in by_day.items()]


def _day(day: date, lines: list[StatementLine]) -> StatementDay:
    totals = total_of(lines)
    return StatementDay(
        day=day,
        import_wh=totals.import_wh,
        export_wh=totals.export_wh,
        bought_wh=totals.bought_wh,
        sold_wh=totals.sold_wh,
        net_micro=sum(line.net_micro for line in lines),
        alone_micro=sum(line.net_micro for line in lines) - totals.saved_micro,
        waiting_count=totals.waiting_count,
    )

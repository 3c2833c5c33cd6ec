"""Compare the rollups of a community's days and months with what they are computed to anew."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain

from analytics.models import DayRollup
from analytics.queries.recomputed import Difference, differences, is_pruned
from analytics.queries.recomputed_savings import savings_differences
from marketplace.domain.billing.month import month_bounds, month_of
from marketplace.domain.civil_day import day_bounds
from marketplace.queries.pages import Place, get_market_days
from marketplace.queries.rollups import list_settled_starts


@dataclass(frozen=True)
class Compared:
    """A civil day, or a month's savings, with what differs."""

    period: str
    start: datetime
    end: datetime
    is_pruned: bool
    differences: tuple[Difference, ...]


def compare(*, place: Place, first: date | None, last: date | None) -> Iterator[Compared]:
    """Yield every civil day from ``first`` to ``last`` that has anything settled; then months.

    A synthetic city's past, which has no intervals, is left out.
    """
    market = get_market_days(place=place)
    if market is None:
        return
    first, last = max(first or market.first, market.first), min(last or market.last, market.last)
    start, end = day_bounds(first, place.zone)[0], day_bounds(last, place.zone)[1]
    starts = list_settled_starts(community_id=place.community_id, start=start, end=end)
    settled = {each.astimezone(place.zone).date() for each in starts}
    known = {
        row.day: row
        for row in DayRollup.objects.filter(
            community_id=place.community_id, day__gte=first, day__lte=last, is_seeded=False
        )
    }
    for day in sorted(settled | known.keys()):
        yield _compared_day(place, day, known.get(day))
    for month in sorted({month_of(day) for day in known}):
        found = savings_differences(community_id=place.community_id, month=month)
        bounds = month_bounds(month, place.zone)
        yield Compared(f"{month:%Y-%m}", *bounds, is_pruned=False, differences=tuple(found))


def _compared_day(place: Place, day: date, row: DayRollup | None) -> Compared:
    bounds = day_bounds(day, place.zone)
    if row is None:
        missing = Difference("DayRollup", f"{day}", "the row", None, "settled intervals")
        return Compared(f"{day}", *bounds, is_pruned=False, differences=(missing,))
    if is_pruned(row):
        return Compared(f"{day}", *bounds, is_pruned=True, differences=())
    found = differences(row)
    if (row.starts_at, row.ends_at) != bounds:
        wrong = Difference("DayRollup", f"{day}", "bounds", row.starts_at, bounds[0])
        found = chain([wrong], found)
    return Compared(f"{day}", *bounds, is_pruned=False, differences=tuple(found))

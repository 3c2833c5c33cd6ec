"""The day, week or month that an enterprise's home is about."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal

from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy, pgettext_lazy

from marketplace.domain.civil_day import day_bounds
from marketplace.queries.pages import Place, get_market_days
from marketplace.queries.procurement import Bucket

SpanName = Literal["day", "week", "month"]
SPANS: Final[dict[SpanName, str | Promise]] = {
    "day": gettext_lazy("Day"),
    "week": gettext_lazy("Week"),
    "month": pgettext_lazy("length of time", "Month"),
}


@dataclass(frozen=True)
class Span:
    """Civil days from first to last, with bounds in UTC; days that an address names beside it."""

    name: SpanName
    first: date
    last: date
    start: datetime
    end: datetime
    previous: date | None
    next: date | None

    @property
    def bucket(self) -> Bucket:
        """How finely it is drawn."""
        return "hour" if self.name == "day" else "day"

    @property
    def month(self) -> date:
        """The month it ends in."""
        return self.last.replace(day=1)


def asked_span(request: HttpRequest, place: Place, now: datetime) -> Span:
    """Return the span a request asks for, as near to it as the market has days."""
    known = get_market_days(place=place)
    today = now.astimezone(place.zone).date()
    oldest, newest = (known.first, known.last) if known else (today, today)
    try:
        asked = date.fromisoformat(request.GET.get("day", ""))
    except ValueError:
        asked = newest
    day = min(max(asked, oldest), newest)
    match request.GET.get("span", ""):
        case "week":
            name: SpanName = "week"
            first = day - timedelta(days=day.weekday())
            last = first + timedelta(days=6)
        case "month":
            name = "month"
            first = day.replace(day=1)
            last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        case _:
            name, first, last = "day", day, day
    return Span(
        name,
        first,
        last,
        day_bounds(first, place.zone)[0],
        day_bounds(last, place.zone)[1],
        first - timedelta(days=1) if first > oldest else None,
        last + timedelta(days=1) if last < newest else None,
    )

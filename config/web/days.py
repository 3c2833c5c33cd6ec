"""The civil day a page is about: chosen in the address, else the last one with settled books."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from marketplace.domain.civil_day import day_bounds
from marketplace.queries.pages import Place, get_market_days


@dataclass(frozen=True)
class ChosenDay:
    """A civil day with its bounds in UTC, and the days one may go to from it."""

    day: date
    start: datetime
    end: datetime
    first: date
    last: date

    @property
    def previous(self) -> date | None:
        """The day before, None at the beginning."""
        return self.day - timedelta(days=1) if self.day > self.first else None

    @property
    def next(self) -> date | None:
        """The day after, None at the end."""
        return self.day + timedelta(days=1) if self.day < self.last else None


def chosen_day(request: HttpRequest, place: Place, now: datetime) -> ChosenDay:
    """Return the day a request asks for, as near to it as the market has days."""
    try:
        asked = date.fromisoformat(request.GET.get("day", ""))
    except ValueError:
        return day_near(None, place, now)
    return day_near(asked, place, now)


def day_near(asked: date | None, place: Place, now: datetime) -> ChosenDay:
    """Return a day, as near to the one asked for as the market has days; else the last one."""
    known = get_market_days(place=place)
    today = now.astimezone(place.zone).date()
    first, last = (known.first, known.last) if known else (today, today)
    day = min(max(asked or last, first), last)
    start, end = day_bounds(day, place.zone)
    return ChosenDay(day=day, start=start, end=end, first=first, last=last)


def render_in(
    request: HttpRequest, place: Place, template: str, context: dict[str, object]
) -> HttpResponse:
    """Render a page on a community's own clock."""
    with timezone.override(place.zone):
        return render(request, template, {"place": place, "currency": place.currency, **context})

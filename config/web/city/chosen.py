"""Which community and civil days a page of the city is about; both stand in its address."""

from calendar import monthrange
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from analytics.queries.disclosed import get_released_days
from marketplace.domain.civil_day import day_bounds
from marketplace.queries.pages import MarketDays, Place, get_market_days

DAY: Final = timedelta(days=1)
KINDS: Final = ("day", "week", "month", "year", "own")
# Longer than any period that anybody picked by hand; a slip in a year is no reason to read ages.
LONGEST: Final = timedelta(days=3 * 366)
ALL: Final = "all"


@dataclass(frozen=True)
class Chosen:
    """Civil days from ``first`` to ``last``, both included, of one community or of all.

    Attributes
    ----------
    place : Place or None
        None: all of them.
    known : MarketDays or None
        Between which days the market has anything; None before the first settlement.
    """

    places: Sequence[Place]
    place: Place | None
    kind: str
    first: date
    last: date
    known: MarketDays | None

    @property
    def shown(self) -> Sequence[Place]:
        """Communities that are looked at."""
        return [self.place] if self.place else self.places

    @property
    def days(self) -> list[date]:
        """Each civil day, in order."""
        return [self.first + DAY * number for number in range(self.day_count)]

    @property
    def day_count(self) -> int:
        """How many civil days it is."""
        return (self.last - self.first).days + 1

    @property
    def query(self) -> str:
        """The choice as the end of an address, for links between pages."""
        return urlencode(self._asked(self.kind, self.first))

    @property
    def cited(self) -> str:
        """The same by its days alone: what it means does not depend on when it is opened."""
        return urlencode(
            {"community": self._community, "from": self.first.isoformat(), "to": self.last}
        )

    @property
    def earlier(self) -> str:
        """The period before, as the end of an address; empty at the beginning."""
        if self.known is None or self.first <= self.known.first:
            return ""
        return self._moved(self.first - DAY, self.first - DAY * self.day_count)

    @property
    def later(self) -> str:
        """The period after, as the end of an address; empty at the end."""
        if self.known is None or self.last >= self.known.last:
            return ""
        return self._moved(self.last + DAY, self.last + DAY)

    @property
    def is_outside(self) -> bool:
        """Whether there are figures, but all of them before or after these days."""
        known = self.known
        return known is not None and not (known.first <= self.last and self.first <= known.last)

    @property
    def newest(self) -> str:
        """The newest such period with figures, as the end of an address."""
        kind = "month" if self.kind == "own" else self.kind
        day = self.known.last if self.known else self.first
        query = {"community": self._community, "period": kind, "day": day.isoformat()}
        return urlencode(query)

    def bounds(self, place: Place) -> tuple[datetime, datetime]:
        """Return the half-open time in UTC, on a community's own clock."""
        return day_bounds(self.first, place.zone)[0], day_bounds(self.last, place.zone)[1]

    def _moved(self, within: date, first: date) -> str:
        if self.kind != "own":
            return urlencode(self._asked(self.kind, within))
        end = first + DAY * (self.day_count - 1)
        return urlencode({"community": self._community, "from": first, "to": end})

    def _asked(self, kind: str, day: date) -> dict[str, object]:
        if kind == "own":
            return {"community": self._community, "from": self.first, "to": self.last}
        return {"community": self._community, "period": kind, "day": day.isoformat()}

    @property
    def _community(self) -> object:
        return self.place.community_id if self.place else ALL


def choose(
    asked: Mapping[str, str], places: Sequence[Place], now: datetime, *, of_one: bool
) -> Chosen | None:
    """Return what an address asks for, as near to it as there is; None without any community.

    Parameters
    ----------
    asked : mapping of str to str
        ``community`` (an id, or ``all``), and either ``period`` and ``day``, any day in it, or
        ``from`` and ``to``.
    of_one : bool
        Whether the page is about one community: then the first with figures stands for all.
    """
    if not places:
        return None
    named = [each for each in places if str(each.community_id) == asked.get("community")]
    place = named[0] if named else None
    if place is None and (of_one or len(places) == 1):
        place = _with_figures(asked, places)
    found = _known([place] if place else places)
    known = MarketDays(min(d.first for d in found), max(d.last for d in found)) if found else None
    latest = _latest(found) if found else _today(places[0], now)
    kind, first, last = _period(asked, latest)
    return Chosen(places, place, kind, first, last, known)


def period_of(kind: str, day: date) -> tuple[date, date]:
    """Return the first and last civil day of the period of a kind that a day is in."""
    match kind:
        case "week":
            monday = day - DAY * day.weekday()
            return monday, monday + DAY * 6
        case "month":
            return day.replace(day=1), day.replace(day=monthrange(day.year, day.month)[1])
        case "year":
            return date(day.year, 1, 1), date(day.year, 12, 31)
        case _:
            return day, day


def _period(asked: Mapping[str, str], latest: date) -> tuple[str, date, date]:
    first, last = _date(asked.get("from")), _date(asked.get("to"))
    if first is not None and last is not None and asked.get("period", "own") == "own":
        first, last = min(first, last), max(first, last)
        return "own", first, min(last, first + LONGEST)
    kind = asked.get("period", "month")
    kind = kind if kind in KINDS[:-1] else "month"
    return kind, *period_of(kind, _date(asked.get("day")) or latest)


def _with_figures(asked: Mapping[str, str], places: Sequence[Place]) -> Place:
    """Return the first place that has figures in the time asked for; without any, the first."""
    for place in places if len(places) > 1 else ():
        days = get_released_days(community_id=place.community_id)
        if days is not None:
            _kind, first, last = _period(asked, days[1])
            if days[0] <= last and first <= days[1]:
                return place
    return places[0]


def _date(text: str | None) -> date | None:
    try:
        day = date.fromisoformat(text or "")
    except ValueError:
        return None
    return day if 1970 <= day.year < 2199 else None


def _known(places: Sequence[Place]) -> list[MarketDays]:
    """Return between which days each place has something to see; without any, will have."""
    released = [get_released_days(community_id=place.community_id) for place in places]
    found = [MarketDays(*days) for days in released if days]
    return found or [days for days in (get_market_days(place=place) for place in places) if days]


def _latest(found: Sequence[MarketDays]) -> date:
    """Return the last day of the month that most communities end in; of two, of the newer."""
    months = Counter(days.last.replace(day=1) for days in found)
    shared = max(months, key=lambda month: (months[month], month))
    return max(days.last for days in found if days.last.replace(day=1) == shared)


def _today(place: Place, now: datetime) -> date:
    return now.astimezone(place.zone).date()

"""Published months as pages read them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, Final

from analytics.domain.figures import Energies, EnergyBucket, Flow, SavingsSpread
from analytics.domain.published import (
    HOUR_COLUMNS,
    added_energies,
    read_days,
    read_flows,
    read_savings,
)
from analytics.queries.publications import PublicationLine, get_document, list_newest
from config.templatetags.place_names import place_name
from marketplace.queries.pages import Place, list_places

HOURS: Final = range(24)
_IMPORT, _BOUGHT = HOUR_COLUMNS.index("import_wh"), HOUR_COLUMNS.index("bought_wh")


@dataclass(frozen=True)
class HourOfDay:
    """A clock hour of an average day; None where no day's may be shown. [Wh]"""

    hour: int
    bought_wh: int | None
    grid_wh: int | None


@dataclass(frozen=True)
class Month:
    """A published month of a community, in its newest revision."""

    line: PublicationLine
    place: Place

    @property
    def first(self) -> date:
        """Its first day."""
        return self.line.month

    @cached_property
    def document(self) -> dict[str, Any]:
        """The text as it was published."""
        return get_document(line=self.line)

    @property
    def zone_names(self) -> dict[int, str]:
        """Zones of the community, shown or not; the only one is the community itself."""
        zones = self.document["zones"]
        if len(zones) == 1:
            return {zones[0]["id"]: place_name(self.place)}
        return {each["id"]: each["name"] for each in zones}

    @cached_property
    def days(self) -> list[tuple[date, EnergyBucket | None]]:
        """Every civil day from the first to the last published; None where one is not."""
        scope = f"community:{self.line.community_id}"
        known = {each.day: each for each in read_days(scope, self.document["days"][scope])}
        first, last = min(known), max(known)
        every = [first + timedelta(days=each) for each in range((last - first).days + 1)]
        return [(day, known.get(day)) for day in every]

    @cached_property
    def energies(self) -> Energies | None:
        """Sum of the published days."""
        found = [each.energies for _, each in self.days if each]
        return added_energies(f"community:{self.line.community_id}", found)

    @cached_property
    def zones(self) -> list[Energies]:
        """Sums of the zones that stand alone."""
        found = []
        for zone in self.zone_names:
            scope = f"zone:{zone}"
            days = read_days(scope, self.document["days"].get(scope, ()))
            total = added_energies(scope, [each.energies for each in days])
            if total is not None:
                found.append(total)
        return found

    @property
    def flows(self) -> list[Flow]:
        """Who delivered to whom."""
        return read_flows(self.document["flows"])

    @property
    def savings(self) -> list[SavingsSpread]:
        """How savings are spread; the first is of all members."""
        return read_savings(self.first, self.document["savings"])

    @property
    def as_of(self) -> datetime:
        """Until when corrections are in it."""
        moment: datetime = datetime.fromisoformat(self.document["basis"]["as_of"])
        return moment


def list_months(*, community_id: int | None = None) -> list[Month]:
    """Return the published months, newest first, each in its newest revision."""
    found = [
        Month(line, place)
        for place in list_places()
        if community_id in (None, place.community_id)
        for line in list_newest(community_id=place.community_id)
    ]
    return sorted(found, key=lambda each: (each.first, each.place.name), reverse=True)


def average_day(month: Month) -> list[HourOfDay]:
    """Return the mean of each clock hour over the published days.

    An hour that most days do not show is not shown: its mean would be of other days than that of
    the hour beside it.
    """
    days = sum(each is not None for _, each in month.days)
    found = {
        row[0]: (row[_BOUGHT] / row[1], row[_IMPORT] / row[1])
        for row in month.document["hours_of_day"]
        if 2 * row[1] >= days
    }
    return [
        HourOfDay(hour, round(found[hour][0]), round(found[hour][1] - found[hour][0]))
        if hour in found
        else HourOfDay(hour, None, None)
        for hour in HOURS
    ]


def best_told(months: Sequence[Month]) -> Month:
    """Return the month of which most hours of the day may be shown; of those the largest."""
    return max(
        months,
        key=lambda each: (
            sum(hour.bought_wh is not None for hour in average_day(each)),
            each.energies.bought_wh if each.energies else 0,
        ),
    )

"""What a buyer may wish for, checked once; and how wishes are grouped for who could answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from marketplace.domain.data.matching import Box
from marketplace.errors import N_, Invalid

TITLE_MAX: Final = 200
PRICE_MAX_MICRO: Final = 10**15
DEADLINE_DAYS_MAX: Final = 366
DAYS_MAX: Final = 3_660
RESOLUTION_MAX_S: Final = 31 * 24 * 3600
AGE_MAX_S: Final = 366 * 24 * 3600
GROUP_MAX: Final = 1_000
MICRODEGREES: Final = 1_000_000
# Open demand is shown by cells of a quarter of a degree, and figures of it from so many buyers on.
CELL_MICRODEGREES: Final = 250_000
DEMAND_MINIMUM: Final = 3


@dataclass(frozen=True)
class Area:
    """A box of longitude and latitude, half-open. [microdegrees]"""

    west: int
    south: int
    east: int
    north: int

    def __post_init__(self) -> None:
        """Refuse what is no box on the globe; raises `Invalid`."""
        edges = (
            ("west", self.west, 180),
            ("east", self.east, 180),
            ("south", self.south, 90),
            ("north", self.north, 90),
        )
        for name, value, most in edges:
            if abs(value) > most * MICRODEGREES:
                raise Invalid(name, N_("A place between -{most} and {most} degrees."), most=most)
        if self.west >= self.east:
            raise Invalid("east", N_("The eastern edge must lie east of the western one."))
        if self.south >= self.north:
            raise Invalid("north", N_("The northern edge must lie north of the southern one."))


@dataclass(frozen=True)
class Wish:
    """A buyer's stated need.

    Attributes
    ----------
    first_day, last_day : date
        Both included.
    resolution_s : int
        One value at least every so many seconds; trips and timetables are single events, 0. [s]
    age_s : int or None
        At most this old; None: any age. [s]
    minimum_group : int
        Data about people must not show groups smaller than this; 0: any.
    limit_price_micro : int
        Of a file for all of it, of a feed for a month. [micro]
    """

    title: str
    area: Area
    first_day: date
    last_day: date
    resolution_s: int
    age_s: int | None
    minimum_group: int
    limit_price_micro: int
    deadline_at: datetime

    def check(self, now: datetime) -> None:
        """Refuse a wish that nobody could meet.

        Raises
        ------
        Invalid
            Naming the first field that is not of its form.
        """
        if not 0 < len(self.title.strip()) <= TITLE_MAX or not self.title.isprintable():
            raise Invalid(
                "title", N_("Write a title of at most {most} characters."), most=TITLE_MAX
            )
        if self.last_day < self.first_day:
            raise Invalid("last_day", N_("The last day must not come before the first."))
        if (self.last_day - self.first_day).days >= DAYS_MAX:
            raise Invalid("last_day", N_("Ask for ten years at most."))
        bounds = (
            ("resolution_s", self.resolution_s, 0, RESOLUTION_MAX_S),
            ("age_s", self.age_s, 1, AGE_MAX_S),
            ("minimum_group", self.minimum_group, 0, GROUP_MAX),
            ("limit_price_micro", self.limit_price_micro, 0, PRICE_MAX_MICRO),
        )
        for name, value, least, most in bounds:
            if value is not None and not least <= value <= most:
                raise Invalid(name, N_("A number from {least} to {most}."), least=least, most=most)
        if not now < self.deadline_at <= now + timedelta(days=DEADLINE_DAYS_MAX):
            raise Invalid("deadline_at", N_("The deadline must lie within the year to come."))


@dataclass(frozen=True, order=True)
class DemandGroup:
    """Wishes that sellers see as one: the same sort of data around the same place and month."""

    format: str
    kind: int
    currency: str
    cell_longitude: int
    cell_latitude: int
    month: date

    @property
    def area(self) -> Area:
        """Return the cell."""
        west = self.cell_longitude * CELL_MICRODEGREES
        south = self.cell_latitude * CELL_MICRODEGREES
        return Area(west, south, west + CELL_MICRODEGREES, south + CELL_MICRODEGREES)


def cell_of(low: int, high: int) -> int:
    """Return the cell in which the middle of an edge's two ends lies. [microdegrees]"""
    return (low + high) // 2 // CELL_MICRODEGREES


def describe(box: Box) -> Mapping[str, object]:
    """Return a box of a wish as plain JSON values; days both included."""
    (west, east), (south, north), (first, after) = box
    return {
        "west": west,
        "south": south,
        "east": east,
        "north": north,
        "first_day": date.fromordinal(first).isoformat(),
        "last_day": date.fromordinal(after - 1).isoformat(),
    }

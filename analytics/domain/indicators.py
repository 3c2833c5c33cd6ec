"""Figures of a city from what is licensed for its planning: traffic, flows, balance, service.

Every figure is a sum and what it is a sum over, so that means are taken where they are read and
sums of published cells stay sums. Places are names as the products have them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import IntEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Int64Array = NDArray[np.int64]
HOUR_S: Final = 3600
DAY_S: Final = 86_400
SATURDAY: Final = 5  # as Python counts days of the week
CALENDAR_DAYS_MAX: Final = 3 * 366
_THURSDAY: Final = 3  # 1970-01-01


class Kind(IntEnum):
    """What an indicator says."""

    TRAFFIC = 1
    FLOW = 2
    DEPARTURES = 3
    STATIONS = 4


class DayType(IntEnum):
    """Which days a figure is about; 0: all of a month."""

    ALL = 0
    WORKDAY = 1
    WEEKEND = 2


@dataclass(frozen=True)
class Indicator:
    """One figure.

    Attributes
    ----------
    place, to_place : str
        A detector, a stop or an area; of a flow where it starts and ends.
    period : str
        Of a flow the month, ``2014-03``; else empty.
    hour : int
        0 to 23; -1: not by hour.
    value, weight : int
        Vehicles and seconds that were counted; trips and 1; departures and 1; bikes that stood
        at a station and places for them, over all looks.
    """

    kind: Kind
    place: str
    to_place: str
    period: str
    day_type: DayType
    hour: int
    value: int
    weight: int


def traffic_by_hour(
    site: Int64Array, names: Sequence[str], local_s: Int64Array, count: Int64Array, slot_s: int
) -> list[Indicator]:
    """Return the vehicles of every site by hour of the day, workdays and weekends apart.

    Parameters
    ----------
    site : ndarray of int64, shape (n,)
        Index into ``names``.
    local_s : ndarray of int64, shape (n,)
        Start of each slot by the wall clock. [s since 1970]
    count : ndarray of int64, shape (n,)
        Vehicles in the slot.
    slot_s : int
        Length of a slot. [s]
    """
    hour = local_s % DAY_S // HOUR_S
    weekday = (local_s // DAY_S + _THURSDAY) % 7
    is_weekend = (weekday >= SATURDAY).astype(np.int64)
    cell = (site * 2 + is_weekend) * 24 + hour
    size = len(names) * 48
    vehicles = np.bincount(cell, weights=count, minlength=size)
    slots = np.bincount(cell, minlength=size)
    found = []
    for index in np.flatnonzero(slots).tolist():
        place, rest = divmod(index, 48)
        weekend, at = divmod(rest, 24)
        found.append(
            Indicator(
                Kind.TRAFFIC,
                names[place],
                "",
                "",
                DayType.WEEKEND if weekend else DayType.WORKDAY,
                at,
                round(vehicles[index]),
                int(slots[index]) * slot_s,
            )
        )
    return found


def stations_by_hour(
    information: Mapping[str, Any], status: Mapping[str, Any], *, local: datetime
) -> list[Indicator]:
    """Return how full each station of a GBFS feed is at one look, to be added to earlier ones.

    Parameters
    ----------
    information, status : mapping
        ``station_information`` and ``station_status``, GBFS 2 or 3, as they were validated.
    local : datetime
        When the status was true, by the clock of the system.
    """
    named = {
        each["station_id"]: (_name_of(each), each["capacity"])
        for each in information["data"]["stations"]
        if each.get("capacity")
    }
    day_type = DayType.WEEKEND if local.weekday() >= SATURDAY else DayType.WORKDAY
    bikes: Counter[str] = Counter()
    places: Counter[str] = Counter()
    for each in status["data"]["stations"]:
        count = each.get("num_bikes_available", each.get("num_vehicles_available"))
        if count is not None and each["station_id"] in named:
            name, capacity = named[each["station_id"]]
            bikes[name] += count
            places[name] += capacity
    return [
        Indicator(Kind.STATIONS, name, "", "", day_type, local.hour, bikes[name], places[name])
        for name in sorted(places)
    ]


def _name_of(station: Mapping[str, Any]) -> str:
    """Return a station's name: a text in GBFS 2, texts by language in 3."""
    name = station.get("name") or station["station_id"]
    return str(name[0]["text"]) if isinstance(name, list) else str(name)


def flows_by_month(
    cells: Iterable[tuple[str, str, str, int]], area_of: Mapping[str, str]
) -> list[Indicator]:
    """Return the trips between areas by month: sums of the cells that are shown, nothing else.

    Parameters
    ----------
    cells : iterable of (period_start, from_area, to_area, trips)
        As the gate publishes them; of several levels.
    area_of : mapping of str to str
        Area of any level to the coarsest area that it lies in.
    """
    sums: Counter[tuple[str, str, str]] = Counter()
    for start, from_area, to_area, trips in cells:
        sums[start[:7], area_of[from_area], area_of[to_area]] += trips
    return [
        Indicator(Kind.FLOW, a, b, month, DayType.ALL, -1, trips, 1)
        for (month, a, b), trips in sorted(sums.items())
    ]


def departures_by_hour(
    services: Mapping[str, Iterable[date]],
    trips: Mapping[str, str],
    departures: Iterable[tuple[str, str, int]],
) -> list[Indicator]:
    """Return departures by stop and hour, on the busiest workday and the busiest weekend day.

    Parameters
    ----------
    services : mapping of str to dates
        Service id to the days it runs on.
    trips : mapping of str to str
        Trip id to service id.
    departures : iterable of (trip id, stop, seconds after midnight)
        Times beyond 24 hours belong to the day that the trip began on.
    """
    trips_of = Counter(trips.values())
    load: Counter[date] = Counter()
    for service, days in services.items():
        for day in days:
            load[day] += trips_of[service]
    chosen = {}
    for day_type in (DayType.WORKDAY, DayType.WEEKEND):
        days = [day for day in load if (day.weekday() >= SATURDAY) == (day_type == DayType.WEEKEND)]
        if days:
            busiest = max(days, key=lambda day: (load[day], -day.toordinal()))
            chosen[day_type] = {s for s, runs in services.items() if busiest in set(runs)}
    sums: Counter[tuple[DayType, str, int]] = Counter()
    for trip, stop, at in departures:
        for day_type, running in chosen.items():
            if trips.get(trip) in running:
                sums[day_type, stop, at // HOUR_S % 24] += 1
    return [
        Indicator(Kind.DEPARTURES, stop, "", "", day_type, hour, number, 1)
        for (day_type, stop, hour), number in sorted(sums.items())
    ]


def running_days(
    first: date, last: date, weekdays: Sequence[bool], added: set[date], removed: set[date]
) -> list[date]:
    """Return the days on which a service of a timetable runs.

    Parameters
    ----------
    weekdays : sequence of bool
        Monday first.
    """
    # A calendar that runs for ever is told by its beginning.
    length = min((last - first).days + 1, CALENDAR_DAYS_MAX)
    days = {
        first + timedelta(days=number)
        for number in range(max(0, length))
        if weekdays[(first + timedelta(days=number)).weekday()]
    }
    return sorted((days | added) - removed)


def balance(flows: Iterable[Indicator]) -> dict[tuple[str, str], int]:
    """Return by (month, area) how many more trips start than end there; those within count not."""
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for flow in flows:
        if flow.place != flow.to_place:
            sums[flow.period, flow.place] += flow.value
            sums[flow.period, flow.to_place] -= flow.value
    return dict(sums)

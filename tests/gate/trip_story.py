"""A made-up bike-share city for tests: stations, trips, people, and the rule once more, slowly."""

from __future__ import annotations

import csv
import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from gate.areas import Areas
from gate.policy import Policy

START = datetime(2026, 3, 1, 6)  # noqa: DTZ001 -- a wall clock
HEADER = ("trip_id", "start_time", "end_time", "start_station", "end_station", "bike_id")
MORE = ("zip_code", "kind", "remark")

Cell = tuple[str, str, str, str, str, *tuple[str, ...]]


@dataclass(frozen=True)
class Trip:
    """One row as it stands in the file."""

    number: int
    start: datetime
    end: datetime
    a: str
    b: str
    bike: str
    zip_code: str
    kind: str

    @property
    def cells(self) -> tuple[str, ...]:
        return (
            str(self.number),
            self.start.isoformat(sep=" "),
            self.end.isoformat(sep=" "),
            self.a,
            self.b,
            self.bike,
            self.zip_code,
            self.kind,
            f"secret of {self.number}",
        )


def make_stations() -> list[tuple[str, float, float]]:
    """Return fourteen stations: a dense middle, two lonely ones, and one that moved."""
    stations = [(f"S{i:02}", 52.50 + 0.006 * (i % 4), 13.37 + 0.009 * (i // 4)) for i in range(12)]
    stations += [("S12", 52.60, 13.50), ("S13", 52.47, 13.30), ("S03", 52.62, 13.52)]
    return stations


def make_trips(*, count: int, seed: int = 1) -> list[Trip]:
    """Return trips of ten days: most between a few places, one person's every day."""
    rng = random.Random(seed)
    names = sorted({name for name, _, _ in make_stations()})
    trips = []
    for number in range(count):
        minutes = rng.randrange(14_400) if rng.random() < 0.6 else rng.randrange(10) * 1440 + 120
        start = START + timedelta(minutes=minutes, seconds=rng.randrange(60))
        end = start + timedelta(seconds=rng.randrange(60, 3600))
        a, b = rng.choices(names, weights=range(1, len(names) + 1), k=2)
        zip_code = (
            rng.choice(["", "nil", "10115"]) if rng.random() < 0.4 else str(rng.randrange(60))
        )
        if rng.random() < 0.15:  # the commuter, who fills a group alone
            a, b, zip_code = "S01", "S02", "99999"
        kind = rng.choice(["member", "member", "guest"])
        trips.append(Trip(number, start, end, a, b, f"B{rng.randrange(30)}", zip_code, kind))
    return trips


def write_trips(path: Path, trips: Iterable[Trip]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*HEADER, *MORE])
        writer.writerows(trip.cells for trip in trips)
    return path


def write_stations(path: Path) -> Path:
    rows = [f"{name},{lat},{lon}" for name, lat, lon in make_stations()]
    path.write_text("\n".join(["station_id,lat,lon", *rows]) + "\n", encoding="utf-8")
    return path


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def told_slowly(trips: Iterable[Trip], policy: Policy, areas: Areas) -> dict[Cell, int]:
    """Apply the rule as the documents say it, trip by trip, with nothing but dictionaries."""
    index = {place.name: number for number, place in enumerate(areas.places)}
    left, told = list(trips), {}
    for level in policy.levels:
        groups: dict[Cell, list[Trip]] = defaultdict(list)
        for trip in left:
            kept = [trip.kind] if policy.keep_columns else []
            names = areas.names[level.area]
            groups[
                period_start(trip.start, level.period).isoformat(),
                level.period,
                level.area,
                names[index[trip.a]],
                names[index[trip.b]],
                *kept,
            ].append(trip)
        left = []
        for cell, members in groups.items():
            if is_enough(members, policy):
                told[cell] = len(members)
            else:
                left += members
    return told


def is_enough(members: list[Trip], policy: Policy) -> bool:
    people = Counter(each.zip_code for each in members if each.zip_code not in ("", "nil", "0"))
    most = max(people.values(), default=0)
    return (
        len(members) >= policy.minimum_group
        and len(people) >= policy.minimum_distinct
        and most * 100 <= policy.dominance_percent * len(members)
    )


def period_start(at: datetime, period: str) -> datetime:
    hours = {"hour": 1, "3-hours": 3, "6-hours": 6}
    at = at.replace(minute=at.minute // 15 * 15 if period == "quarter" else 0, second=0)
    if period in hours:
        return at.replace(hour=at.hour // hours[period] * hours[period])
    if period in ("day", "month", "year"):
        at = at.replace(hour=0)
    if period in ("month", "year"):
        at = at.replace(day=1)
    return at.replace(month=1) if period == "year" else at

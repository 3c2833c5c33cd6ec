"""Which column plays which role: told by names, so that tables of many sources are understood."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from gate.errors import Refused, gettext_noop

# Role to patterns, the surest first; a column plays one role at most.
PATTERNS: dict[str, dict[str, tuple[str, ...]]] = {
    "trips": {
        "start": (
            r"start_local|started_at|start_time|starttime|start_date|departure_time",
            r"(start|begin|departure|pickup|tpep_pickup|lpep_pickup).*(time|date|at|local|utc)?",
        ),
        "end": (
            r"end_local|ended_at|end_time|stoptime|stop_time|end_date|arrival_time",
            r"(end|stop|arrival|dropoff|tpep_dropoff|lpep_dropoff).*(time|date|at|local|utc)?",
        ),
        "from": (
            (
                r"start_terminal|start_station_id|from_station_id|start_station|origin(_id)?"
                r"|pulocationid|from"
            ),
        ),
        "to": (
            (
                r"end_terminal|end_station_id|to_station_id|end_station|destination(_id)?"
                r"|dolocationid|to"
            ),
        ),
        "vehicle": (r"bike_id|bike_number|bikeid|vehicle_id|scooter_id|vehicle",),
        "person": (r"user_id|rider_id|member_id|customer_id|person_id",),
        "duration": (r"duration|tripduration|duration_s(ec)?",),
    },
    "counts": {
        "site": (
            r"(detector|site|station|sensor|counter|loop|location|segment)(_?id)?",
            r".*(detector|site|station|sensor|counter|scats|location|segment).*",
        ),
        "time": (
            r"ts_local|ts|ts_utc|timestamp|date_?time|time|interval_start|start(_time)?",
            r".*(time|date|interval|hour).*",
        ),
        "count": (
            r"volume|count|vehicles?|flow|total|intensity|traffic",
            r"(volume|count|vehicles?|flow|vol|q|n|menge|anzahl|intensity|traffic)(_.*)?",
        ),
    },
    "stations": {
        "site": (
            r"(detector|site|station|sensor|counter|stop)_?id|id|terminal",
            r".*(_id|id)",
        ),
        "lat": (r"lat|latitude|y",),
        "lon": (r"lon|lng|long|longitude|x",),
    },
}
NEEDED: dict[str, tuple[str, ...]] = {
    "trips": ("start", "end", "from", "to"),
    "counts": ("site", "time", "count"),
    "stations": ("site", "lat", "lon"),
}


def roles_of(names: Sequence[str], format: str) -> dict[str, str]:  # noqa: A002 -- as in check
    """Return role to column for the roles that the names tell of a format."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for role, patterns in PATTERNS[format].items():
        for pattern in patterns:
            fits = [n for n in names if n not in taken and re.fullmatch(pattern, n.strip().lower())]
            if fits:
                found[role] = fits[0]
                taken.add(fits[0])
                break
    return found


def format_of_columns(names: Sequence[str]) -> str:
    """Return trips, counts or stations for a table with such columns, else table."""
    for format_ in ("trips", "counts", "stations"):
        found = roles_of(names, format_)
        if all(role in found for role in NEEDED[format_]):
            return format_
    return "table"


def resolved(
    names: Sequence[str],
    format: str,  # noqa: A002 -- as in check
    columns: Mapping[str, str],
    place: str,
) -> dict[str, str]:
    """Return role to column, as a person said and else as the names tell.

    Raises
    ------
    Refused
        A column that was named isn't there, or a needed role has none.
    """
    for role, column in columns.items():
        if column not in names:
            raise Refused(
                "column-missing",
                gettext_noop("there is no column {column} (for {role})"),
                place,
                gettext_noop("Choose one of: {names}."),
                column=column,
                role=role,
                names=", ".join(names)[:300],
            )
    rest = [name for name in names if name not in columns.values()]
    found = {**roles_of(rest, format), **columns}
    missing = [role for role in NEEDED[format] if role not in found]
    if missing:
        raise Refused(
            "role-missing",
            gettext_noop("no column tells the {missing}"),
            place,
            gettext_noop("Say which column it is, or rename it; the columns are: {names}."),
            missing=", ".join(missing),
            names=", ".join(names)[:300],
        )
    return found

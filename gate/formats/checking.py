"""Check any input by its format's own validator, in a child process with limits."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gate.bounded import bounded
from gate.errors import Refused, gettext_noop
from gate.findings import Finding
from gate.limits import Limits
from gate.profile import Profile

MODULES = {
    "trips": "trips",
    "counts": "counts",
    "stations": "stations",
    "gtfs": "gtfs",
    "gtfs-rt": "gtfs_rt",
    "gbfs": "gbfs",
    "datex": "datex",
}
# Their tables are judged by pandera, which works on pandas.
BY_PANDERA = {"counts", "stations", "datex"}
SAMPLE_ROWS = 10


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a person knows of the input and the bytes don't say.

    Attributes
    ----------
    columns
        Role to column name, where the names don't tell: ``start``, ``end``, ``from``, ``to``,
        ``person``, ``vehicle`` of trips; ``site``, ``time``, ``count`` of counts; ``site``,
        ``lat``, ``lon`` of stations.
    zone
        IANA name of the time zone of times without an offset.
    docked
        Of GBFS: a system with stations; None: as its discovery file lists them.
    country
        Of GTFS: ISO 3166 code for the checks of telephone numbers.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    zone: str = "UTC"
    docked: bool | None = None
    country: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "columns": dict(self.columns),
            "zone": self.zone,
            "docked": self.docked,
            "country": self.country,
        }


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A header and a few rows, for formats that aren't about people."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {"columns": list(self.columns), "rows": [list(row) for row in self.rows]}


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What a format's validator says of one input.

    ``records`` counts rows, trips, stations or entities; ``source_time`` is what a live format
    says of its own age, None where it says nothing.
    """

    findings: tuple[Finding, ...]
    profile: Profile
    records: int
    source_time: datetime | None = None
    sample: Sample = Sample()

    @property
    def error_count(self) -> int:
        return sum(one.count for one in self.findings if one.severity == "error")

    @property
    def is_valid(self) -> bool:
        return self.error_count == 0

    def as_json(self) -> dict[str, Any]:
        return {
            "findings": [one.as_json() for one in self.findings],
            "profile": self.profile.as_json(),
            "records": self.records,
            "source_time": self.source_time.isoformat() if self.source_time else None,
            "sample": self.sample.as_json(),
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Checked:
        time = said["source_time"]
        return cls(
            findings=tuple(Finding.from_json(one) for one in said["findings"]),
            profile=Profile.from_json(said["profile"]),
            records=said["records"],
            source_time=datetime.fromisoformat(time) if time else None,
            sample=Sample(
                columns=tuple(said["sample"]["columns"]),
                rows=tuple(tuple(row) for row in said["sample"]["rows"]),
            ),
        )


def check(
    path: Path,
    format: str,  # noqa: A002 -- the word everybody uses for it
    *,
    at: datetime,
    limits: Limits | None = None,
    companions: Mapping[str, Path] | None = None,
    options: Options | None = None,
    name: str = "",
) -> Checked:
    """Validate and profile one input.

    Parameters
    ----------
    path : Path
        The file; of GBFS the discovery file ``gbfs.json``, a folder, or a zip of its files.
    format : str
        trips, counts, stations, gtfs, gtfs-rt, gbfs or datex.
    at : datetime
        The time to judge by, aware: expired calendars and times in the future depend on it.
    limits : Limits
        How much is read, and what the child process may use.
    companions : mapping of str to Path
        Other files that belong to it: of gbfs its files by name (``station_status``…), of gtfs-rt
        the timetable as ``gtfs`` and the last message as ``previous``, of trips and counts the
        table of places as ``stations``.
    options : Options
        Columns by role, time zone, docked.
    name : str
        What to call the file in errors, when its path is of a temporary copy.

    Returns
    -------
    Checked
        Findings, profile, records, and the source's own time.

    Raises
    ------
    Refused
        The file can't be read as this format at all, or a limit stopped it.
    """
    if at.utcoffset() is None:
        raise ValueError("at must be an aware time")
    limits, options = limits or Limits(), options or Options()
    if format not in MODULES:
        raise Refused(
            "format-unknown",
            gettext_noop("no validator for the format {format}"),
            name or path.name,
            gettext_noop("The hall takes trips, counts, GTFS, GTFS-Realtime, GBFS and DATEX II."),
            format=format,
        )
    try:
        ZoneInfo(options.zone)
    except (ZoneInfoNotFoundError, ValueError) as e:
        raise Refused(
            "zone-unknown",
            gettext_noop("{zone} is not a time zone"),
            name or path.name,
            gettext_noop("Name it as in Europe/Berlin or Asia/Shanghai."),
            zone=options.zone,
        ) from e
    arguments = {
        "format": format,
        "path": str(path.absolute()),
        "name": name or path.name,
        "at": at.isoformat(),
        "companions": {key: str(file.absolute()) for key, file in (companions or {}).items()},
        "options": options.as_json(),
        "limits": limits.as_json(),
    }
    said = bounded(
        "gate.formats.checking:judge",
        arguments,
        limits=limits,
        place=name or path.name,
        needs_pandas=format in BY_PANDERA,
    )
    return Checked.from_json(said)


def judge(
    *,
    format: str,  # noqa: A002 -- as in check
    path: str,
    name: str,
    at: str,
    companions: dict[str, str],
    options: dict[str, Any],
    limits: dict[str, int],
) -> dict[str, Any]:
    """Do what `check` promises, in this process; the child calls it."""
    module = importlib.import_module(f"gate.formats.{MODULES[format]}")
    checked: Checked = module.judge(
        Path(path),
        name=name,
        at=datetime.fromisoformat(at),
        companions={key: Path(file) for key, file in companions.items()},
        options=Options(**options),
        limits=Limits.from_json(limits),
    )
    return checked.as_json()

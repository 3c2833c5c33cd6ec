"""Trips, one a row: checked batch by batch, fast, and never with a cell in what is said.

Trips are about people. Their findings hold line numbers and counts only, their profile no
extremes of any column, and there is no sample: what may be shown comes out of the gate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gate.errors import gettext_noop
from gate.findings import Findings, Severity
from gate.formats.checking import Checked, Options
from gate.formats.profiling import ColumnProfiler, extent_of, is_place, type_name
from gate.formats.tables import Table, open_table
from gate.formats.values import (
    BoolArray,
    Int64Array,
    Times,
    WallClock,
    as_numbers,
    as_text,
    as_times,
    iso,
)
from gate.limits import Limits
from gate.profile import Column, Profile
from gate.roles import resolved, roles_of

DAY_S = 86_400
# Shared vehicles are younger; a time before is a broken clock.
OLDEST_S = int(datetime.fromisoformat("1990-01-01T00:00:00+00:00").timestamp())
# Many sources give times to the minute, and durations to the second.
DURATION_SLACK_S = 60
RULES: dict[str, tuple[Severity, str]] = {
    "time-missing": ("error", gettext_noop("a trip without its begin or end")),
    "time-unreadable": ("error", gettext_noop("a time that can't be read; write 2026-03-29 14:05")),
    "time-skipped": ("warning", gettext_noop("a time that the clocks skip in this time zone")),
    "time-old": ("error", gettext_noop("a time before 1990")),
    "time-in-future": ("error", gettext_noop("a time in the future")),
    "end-before-start": ("error", gettext_noop("a trip that ends before it begins")),
    "trip-long": ("warning", gettext_noop("a trip of more than a day")),
    "duration-differs": ("warning", gettext_noop("a duration that the times don't give")),
    "place-missing": ("error", gettext_noop("a trip without the place where it begins or ends")),
    "place-unknown": ("error", gettext_noop("a place that the table of stations lacks")),
}


@dataclass(frozen=True)
class ParsedTrips:
    """What one batch says: UTC seconds, and which rows can be used. [s]"""

    start_s: Int64Array
    end_s: Int64Array
    usable: BoolArray


@dataclass
class TripChecks:
    """Checks trips batch by batch, in one pass and without pandas.

    Parameters
    ----------
    roles : mapping of str to str
        Role to column; start, end, from and to are needed, duration is used where it is.
    name : str
        Of the file, for places.
    zone : ZoneInfo
        Of times without an offset.
    at : datetime
        What counts as the future.
    stations : frozenset of str, optional
        The known places; without it any place is.
    """

    roles: Mapping[str, str]
    name: str
    zone: ZoneInfo
    at: datetime
    limits: Limits
    stations: frozenset[str] | None = None
    rows: int = 0
    least_s: int | None = None
    greatest_s: int | None = None
    findings: Findings = field(init=False)
    _clock: WallClock = field(init=False)
    _known: pa.Array | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.findings = Findings(self.limits)
        self._clock = WallClock(self.zone)
        if self.stations is not None:
            self._known = pa.array(sorted(self.stations), pa.string())

    def add(self, batch: pa.RecordBatch) -> ParsedTrips:
        """Check one batch; return its times in UTC and the rows without an error."""
        start, start_bad, start_skipped = self._times(batch, "start")
        end, end_bad, end_skipped = self._times(batch, "end")
        unknown = self._places(batch)
        usable = ~(start_bad | end_bad | unknown)
        # Of a time that the clocks skip nobody can say how far it is from another.
        good = ~(start_bad | end_bad | start_skipped | end_skipped)
        backwards = self._note("end-before-start", good & (end < start))
        future_s = int(self.at.timestamp()) + DAY_S
        future = self._note("time-in-future", good & (np.maximum(start, end) > future_s))
        old = self._note("time-old", good & (np.minimum(start, end) < OLDEST_S))
        self._note("trip-long", good & (end - start > DAY_S))
        self._durations(batch, good & ~backwards, end - start)
        usable &= ~(backwards | future | old)
        if usable.any():
            low, high = int(start[usable].min()), int(end[usable].max())
            self.least_s = low if self.least_s is None else min(self.least_s, low)
            self.greatest_s = high if self.greatest_s is None else max(self.greatest_s, high)
        self.rows += batch.num_rows
        return ParsedTrips(start, end, usable)

    def _times(self, batch: pa.RecordBatch, role: str) -> tuple[Int64Array, BoolArray, BoolArray]:
        times: Times = as_times(batch.column(self.roles[role]))
        self._note("time-missing", times.missing)
        self._note("time-unreadable", times.bad)
        bad = times.missing | times.bad
        if times.is_utc:
            return times.values, bad, np.zeros_like(bad)
        seconds, skipped, _ = self._clock.to_utc(times.values)
        return seconds, bad, self._note("time-skipped", skipped & ~bad)

    def _places(self, batch: pa.RecordBatch) -> BoolArray:
        wrong = np.zeros(batch.num_rows, bool)
        for role in ("from", "to"):
            text = as_text(batch.column(self.roles[role]))
            missing = pc.fill_null(pc.equal(text, ""), True).to_numpy(zero_copy_only=False)
            wrong |= self._note("place-missing", missing)
            if self._known is not None:
                known = pc.is_in(text, self._known).to_numpy(zero_copy_only=False)
                wrong |= self._note("place-unknown", ~known & ~missing)
        return wrong

    def _durations(self, batch: pa.RecordBatch, good: BoolArray, real_s: Int64Array) -> None:
        column = self.roles.get("duration")
        if column is None:
            return
        said = as_numbers(batch.column(column))
        differs = np.abs(said.values - real_s) > DURATION_SLACK_S
        self._note("duration-differs", good & differs & ~said.missing & ~said.bad)

    def _note(self, code: str, mask: BoolArray) -> BoolArray:
        count = int(mask.sum())
        if count:
            severity, text = RULES[code]
            for row in np.flatnonzero(mask)[: self.limits.places].tolist():
                place = f"{self.name}, line {self.rows + row + 2}"
                self.findings.add(code, severity, text, place=place)
            more = count - min(count, self.limits.places)
            self.findings.add(code, severity, text, count=more)
        return mask

    def note_ragged(self, table: Table) -> None:
        """Count the rows that the reader left out."""
        if table.ragged_count:
            text = gettext_noop("rows with more or fewer cells than the header")
            place = "; ".join(table.ragged)
            self.findings.add("row-width", "error", text, place=place, count=table.ragged_count)


def judge(
    path: Path,
    *,
    name: str,
    at: datetime,
    companions: Mapping[str, Path],
    options: Options,
    limits: Limits,
) -> Checked:
    """Check a table of trips; its profile tells nothing of any one of them."""
    table = open_table(path, name=name, limits=limits)
    roles = resolved(table.names, "trips", options.columns, name)
    places = _places(companions["stations"], limits) if "stations" in companions else None
    checks = TripChecks(
        roles,
        name,
        ZoneInfo(options.zone),
        at,
        limits,
        None if places is None else frozenset(places),
    )
    meanings = {column: role for role, column in roles.items()}
    columns = [ColumnProfiler(one, meanings.get(one, "")) for one in table.names]
    nulls = np.zeros(len(columns), np.int64)
    for batch in table.batches():
        checks.add(batch)
        nulls += [column.null_count for column in batch.columns]
        for one, column in zip(columns, batch.columns, strict=True):
            one.type = type_name(column.type)
    table.check_rows()
    checks.note_ragged(table)
    extent = extent_of((places or {}).values())
    return Checked(
        findings=checks.findings.kept(),
        profile=Profile(
            rows=checks.rows,
            columns=tuple(
                Column(name=one.name, type=one.type, nulls=int(count), meaning=one.meaning)
                for one, count in zip(columns, nulls, strict=True)
            ),
            bbox=extent.bbox,
            cells=extent.cells,
            # Whole days: the first and the last trip are somebody's.
            start=None if checks.least_s is None else iso(checks.least_s // DAY_S * DAY_S),
            end=None if checks.greatest_s is None else iso(-(-checks.greatest_s // DAY_S) * DAY_S),
            entities={"stations": len(places)} if places else {},
        ),
        records=checks.rows,
    )


def _places(path: Path, limits: Limits) -> dict[str, tuple[float, float]]:
    """Return the stations by number; their own faults are told where their table is checked."""
    table = open_table(path, name="stations", limits=limits)
    roles = resolved(table.names, "stations", roles_of(table.names, "stations"), "stations")
    found: dict[str, tuple[float, float]] = {}
    for batch in table.batches():
        lat, lon = (as_numbers(batch.column(roles[role])).values for role in ("lat", "lon"))
        sites = as_text(batch.column(roles["site"])).to_pylist()
        for site, y, x in zip(sites, lat.tolist(), lon.tolist(), strict=True):
            if site and (site not in found or not is_place(*found[site])):
                found[site] = (y, x)
    return found

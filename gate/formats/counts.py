"""Traffic counts, one a detector and interval: values by pandera, completeness by ourselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa

from gate.errors import gettext_noop
from gate.findings import Findings, Severity
from gate.formats.checking import SAMPLE_ROWS, Checked, Options, Sample
from gate.formats.frames import note_failures
from gate.formats.presence import Presence
from gate.formats.profiling import TableProfiler, extent_of, is_place
from gate.formats.stations import Places, read_places
from gate.formats.tables import open_table, text_rows
from gate.formats.values import BoolArray, Int64Array, WallClock, as_numbers, as_text, as_times, iso
from gate.limits import Limits
from gate.profile import Profile
from gate.roles import resolved

DAY_S = 86_400
# More vehicles than a motorway of ten lanes passes in a day.
COUNT_MAX = 1_000_000
GAPS_MAX = 100
SCHEMA = pandera.DataFrameSchema(
    {
        "site": pandera.Column(
            str, [pandera.Check.str_length(1, 128, error="length")], nullable=False
        ),
        "count": pandera.Column(
            float,
            [
                pandera.Check.ge(0, error="negative"),
                pandera.Check.le(COUNT_MAX, error="impossible"),
            ],
            nullable=True,
        ),
    }
)
RULES: dict[str, tuple[Severity, str]] = {
    "time-missing": ("error", gettext_noop("a count without its time")),
    "time-unreadable": ("error", gettext_noop("a time that can't be read; write 2026-03-29 14:05")),
    "time-skipped": (
        "warning",
        gettext_noop("a time that the clocks skip in this time zone; it isn't counted as present"),
    ),
    "time-in-future": ("error", gettext_noop("a time in the future")),
    "time-off-grid": ("warning", gettext_noop("a time between two intervals")),
    "count-unreadable": ("error", gettext_noop("a count that is no number")),
    "count-missing": ("info", gettext_noop("a row without a count")),
    "reading-twice": ("warning", gettext_noop("a detector and time with several rows")),
    "site-silent": ("warning", gettext_noop("a detector that counted nothing all the time")),
    "site-unplaced": ("warning", gettext_noop("a detector whose place nobody says")),
    "values-missing": ("info", gettext_noop("intervals without a value")),
}


@dataclass
class CountChecks:
    """Checks counts batch by batch and remembers which intervals are there."""

    roles: Mapping[str, str]
    name: str
    zone: ZoneInfo
    at: datetime
    limits: Limits
    rows: int = 0
    findings: Findings = field(init=False)
    presence: Presence = field(init=False)
    _clock: WallClock = field(init=False)

    def __post_init__(self) -> None:
        self.findings = Findings(self.limits)
        self.presence = Presence(self.name)
        self._clock = WallClock(self.zone)

    def add(self, batch: pa.RecordBatch) -> None:
        sites = as_text(batch.column(self.roles["site"])).to_pandas()
        counts = as_numbers(batch.column(self.roles["count"]))
        self._note("count-unreadable", counts.bad)
        self._note("count-missing", counts.missing)
        values = np.where(counts.missing | counts.bad, np.nan, counts.values)
        frame = pd.DataFrame({"site": sites, "count": values})
        note_failures(SCHEMA, frame, self.findings, self.name, first_row=self.rows)
        seconds, wrong = self._times(batch)
        usable = ~wrong & ~np.isnan(values) & frame["site"].notna().to_numpy(bool)
        on_grid = self.presence.add(sites[usable].to_numpy(), seconds[usable], values[usable])
        self._note("time-off-grid", _spread(usable, ~on_grid))
        self.rows += batch.num_rows

    def _times(self, batch: pa.RecordBatch) -> tuple[Int64Array, BoolArray]:
        times = as_times(batch.column(self.roles["time"]))
        self._note("time-missing", times.missing)
        self._note("time-unreadable", times.bad)
        seconds, wrong = times.values, times.missing | times.bad
        if not times.is_utc:
            seconds, skipped, _ = self._clock.to_utc(seconds)
            wrong = wrong | self._note("time-skipped", skipped & ~wrong)
        future = seconds > int(self.at.timestamp()) + DAY_S
        return seconds, wrong | self._note("time-in-future", future & ~wrong)

    def _note(self, code: str, mask: BoolArray) -> BoolArray:
        severity, text = RULES[code]
        rows = np.flatnonzero(mask)
        for row in rows[: self.limits.places].tolist():
            place = f"{self.name}, line {self.rows + row + 2}"
            self.findings.add(code, severity, text, place=place)
        self.findings.add(
            code, severity, text, count=len(rows) - min(len(rows), self.limits.places)
        )
        return mask

    def note_sites(self, places: Places | None) -> None:
        """Judge whole detectors at the end."""
        for code, sites in (
            ("site-silent", self.presence.silent()),
            ("site-unplaced", self._unplaced(places)),
        ):
            severity, text = RULES[code]
            for site in sites:
                self.findings.add(code, severity, text, place=site[:80])
        severity, text = RULES["reading-twice"]
        self.findings.add("reading-twice", severity, text, count=self.presence.doubles())
        present, expected = self.presence.totals()
        severity, text = RULES["values-missing"]
        self.findings.add("values-missing", severity, text, count=expected - present)

    def _unplaced(self, places: Places | None) -> list[str]:
        if places is None:
            return []
        known = places.by_site
        return [s for s in self.presence.sites if s not in known or not is_place(*known[s])]


def judge(
    path: Path,
    *,
    name: str,
    at: datetime,
    companions: Mapping[str, Path],
    options: Options,
    limits: Limits,
) -> Checked:
    """Check a table of counts, with the table of its detectors where there is one."""
    table = open_table(path, name=name, limits=limits)
    roles = resolved(table.names, "counts", options.columns, name)
    checks = CountChecks(roles, name, ZoneInfo(options.zone), at, limits)
    profiler = TableProfiler(table.names, roles)
    rows: tuple[tuple[str, ...], ...] = ()
    for batch in table.batches():
        rows = rows or text_rows(batch, SAMPLE_ROWS)
        checks.add(batch)
        profiler.add(batch)
    table.check_rows()
    if table.ragged_count:
        text = gettext_noop("rows with more or fewer cells than the header")
        ragged = "; ".join(table.ragged)
        checks.findings.add("row-width", "error", text, place=ragged, count=table.ragged_count)
    places = None
    if "stations" in companions:
        places = read_places(
            companions["stations"],
            name="stations",
            columns={},
            limits=limits,
            findings=checks.findings,
        )
    checks.note_sites(places)
    return Checked(
        findings=checks.findings.kept(),
        profile=_profile(checks, profiler, places),
        records=checks.rows,
        sample=Sample(columns=tuple(table.names), rows=rows),
        source_time=_last(checks.presence),
    )


def _profile(checks: CountChecks, profiler: TableProfiler, places: Places | None) -> Profile:
    presence = checks.presence
    at = {} if places is None else places.by_site
    extent = extent_of(at[site] for site in presence.sites if site in at)
    span = presence.span()
    return Profile(
        rows=checks.rows,
        columns=profiler.columns(),
        bbox=extent.bbox,
        cells=extent.cells,
        start=iso(span[0]) if span else None,
        end=iso(span[1]) if span else None,
        resolution_s=presence.step_s,
        completeness_ppm=presence.completeness_ppm(),
        entities={"detectors": len(presence.sites), "vehicles": presence.sum_of_all()},
        gaps=presence.gaps()[:GAPS_MAX],
    )


def _last(presence: Presence) -> datetime | None:
    span = presence.span()
    return datetime.fromtimestamp(span[1], UTC) if span else None


def _spread(rows: BoolArray, of_them: BoolArray) -> BoolArray:
    """Return a mask of all rows from one of some of them."""
    mask = np.zeros(len(rows), bool)
    mask[np.flatnonzero(rows)[of_them]] = True
    return mask

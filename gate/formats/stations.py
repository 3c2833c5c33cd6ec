"""Tables of places: detectors or stations by number, with latitude and longitude."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pandera

from gate.errors import Refused, gettext_noop
from gate.findings import Findings
from gate.formats.checking import SAMPLE_ROWS, Checked, Options, Sample
from gate.formats.frames import note_failures
from gate.formats.profiling import TableProfiler, extent_of, is_place
from gate.formats.tables import open_table, text_rows
from gate.formats.values import Numbers, as_numbers, as_text
from gate.limits import Limits
from gate.profile import Profile
from gate.roles import resolved

ROWS_MAX = 200_000
SCHEMA = pandera.DataFrameSchema(
    {
        "site": pandera.Column(
            str, [pandera.Check.str_length(1, 128, error="length")], nullable=False
        ),
        "lat": pandera.Column(
            float, [pandera.Check.in_range(-90, 90, error="out-of-range")], nullable=False
        ),
        "lon": pandera.Column(
            float, [pandera.Check.in_range(-180, 180, error="out-of-range")], nullable=False
        ),
    }
)


@dataclass
class Places:
    """Places by number; a number with several rows has several, the first counts."""

    by_site: dict[str, tuple[float, float]] = field(default_factory=dict)
    rows: int = 0


def read_places(
    path: Path,
    *,
    name: str,
    columns: Mapping[str, str],
    limits: Limits,
    findings: Findings,
    profiler: TableProfiler | None = None,
) -> Places:
    """Read a table of places; what is wrong with it goes into the findings."""
    table = open_table(path, name=name, limits=limits)
    roles = resolved(table.names, "stations", columns, name)
    places = Places()
    for batch in table.batches():
        if table.rows > ROWS_MAX:
            raise Refused(
                "too-many-places",
                gettext_noop("more than {limit} places"),
                name,
                gettext_noop("Is this the right table?"),
                limit=ROWS_MAX,
            )
        if profiler is not None:
            profiler.add(batch)
        lat, lon = (as_numbers(batch.column(roles[role])) for role in ("lat", "lon"))
        sites = as_text(batch.column(roles["site"])).to_pylist()
        _note_bad(findings, name, places.rows, lat, lon)
        y, x = (np.where(one.missing | one.bad, np.nan, one.values) for one in (lat, lon))
        frame = pd.DataFrame({"site": sites, "lat": y, "lon": x}).astype({"site": str})
        note_failures(SCHEMA, frame, findings, name, first_row=places.rows)
        rows = zip(sites, y.tolist(), x.tolist(), strict=True)
        _take(places, rows, name, findings)
    table.check_rows()
    if table.ragged_count:
        text = gettext_noop("rows with more or fewer cells than the header")
        findings.add(
            "row-width", "error", text, place="; ".join(table.ragged), count=table.ragged_count
        )
    return places


def _note_bad(findings: Findings, name: str, before: int, lat: Numbers, lon: Numbers) -> None:
    bad = np.flatnonzero(lat.bad | lon.bad)
    text = gettext_noop("a latitude or longitude is no number")
    for row in bad[: findings.limits.places]:
        findings.add("place-unreadable", "error", text, place=f"{name}, line {before + row + 2}")
    findings.add("place-unreadable", "error", text, count=max(0, len(bad) - findings.limits.places))


def _take(
    places: Places,
    rows: Iterable[tuple[str | None, float, float]],
    name: str,
    findings: Findings,
) -> None:
    for site, y, x in rows:
        places.rows += 1
        line = f"{name}, line {places.rows + 1}"
        if not site:
            continue
        if site in places.by_site:
            text = gettext_noop("a number with several rows; the first place counts")
            findings.add("place-twice", "warning", text, place=line)
            continue
        if not math.isnan(y + x) and not is_place(y, x):
            text = gettext_noop("latitude and longitude are 0, or beyond the earth's")
            findings.add("place-zero", "warning", text, place=line)
        places.by_site[site] = (y, x)


def judge(
    path: Path,
    *,
    name: str,
    at: datetime,
    companions: Mapping[str, Path],
    options: Options,
    limits: Limits,
) -> Checked:
    """Check a table of places by itself."""
    findings = Findings(limits)
    table = open_table(path, name=name, limits=limits)
    roles = resolved(table.names, "stations", options.columns, name)
    profiler = TableProfiler(table.names, roles)
    places = read_places(
        path,
        name=name,
        columns=options.columns,
        limits=limits,
        findings=findings,
        profiler=profiler,
    )
    extent = extent_of(places.by_site.values())
    rows = next((text_rows(one, SAMPLE_ROWS) for one in table.batches()), ())
    return Checked(
        findings=findings.kept(),
        profile=Profile(
            rows=places.rows,
            columns=profiler.columns(),
            bbox=extent.bbox,
            cells=extent.cells,
            entities={"stations": len(places.by_site)},
        ),
        records=places.rows,
        sample=Sample(columns=tuple(table.names), rows=rows),
    )

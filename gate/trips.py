"""The gate for trips: what goes out is a table of counts, and each count is of enough people.

The file is read once, as a stream. Rows are packed into two numbers each and sorted into buckets
on disk (`gate.spill`), so that every cell of any level is whole in one bucket; then the rule
(`gate.cascade`) goes over bucket after bucket. Memory does not grow with the file, only with the
cells that are shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from gate.areas import AREAS_PART, Areas, Place, make_areas, too_few_places
from gate.cascade import Cascade, Periods, Told, joined
from gate.columns import SAMPLE_ROWS, ColumnFate, fates, person_column
from gate.dictionary import DICTIONARY_PART, dictionary_bytes
from gate.errors import Refused, gettext_noop
from gate.flows import COUNT_COLUMN, OWN_COLUMNS, Flows
from gate.flows_figures import level_shares, uniqueness_after
from gate.flows_profile import profile_of
from gate.formats.values import as_numbers, as_text
from gate.limits import Limits
from gate.line_totals import Leftovers, LineTotals, write_totals
from gate.policy import Policy
from gate.previous import Earlier, Previous
from gate.profile import Profile
from gate.report import REPORT_PART, Report
from gate.roles import resolved
from gate.rows import Rows, open_rows
from gate.sink import Sink
from gate.spill import Int64Array, Spill, buckets_of, mixed
from gate.trip_rows import TripRows, as_places, check_label, packed, unpacked
from gate.uniqueness import RowGroups, Uniqueness

# Rows that one bucket is made for, and bytes of a row in a file as it comes.
BUCKET_ROWS: Final = 100_000
ROW_BYTES, PACKED_ROW_BYTES = 100, 15
BUCKETS_MAX: Final = 1024
STATIONS_MAX: Final = 200_000

# A published column's name needs no quotes anywhere.
KEPT_NAME: Final = re.compile(r"\w[\w .-]{0,79}")

Progress = Callable[[str, int], None]


@dataclass(frozen=True)
class Gated:
    """What the gate let through.

    Attributes
    ----------
    rows_in, rows_out, cells
        Trips read and told; rows of the published table.
    report, profile, sample, areas
        All of them of what is published; see `gate.report`, `gate.profile`.
    """

    rows_in: int
    rows_out: int
    cells: int
    report: Report
    profile: Profile
    sample: dict[str, Any]
    areas: Areas


def publish_trips(
    path: Path,
    *,
    stations: Path | None,
    policy: Policy,
    out: Sink,
    limits: Limits | None = None,
    name: str = "",
    previous: Previous | None = None,
    progress: Progress | None = None,
    rows_to: Callable[[Int64Array], None] | None = None,
) -> Gated:
    """Turn trips into counts, and write the parts of a version.

    Parameters
    ----------
    path : Path
        CSV, also gzip, or Parquet, one trip a row.
    stations : Path, optional
        Table with id, latitude and longitude; without it the levels may only be "place" and "all".
    policy : Policy
    out : Sink
        Gets ``flows.parquet``, ``flows.csv``, ``totals.csv`` if the policy asks for it,
        ``areas.csv``, ``dictionary.json`` and ``privacy-report.json``. After a refusal it holds
        less: throw it away, key and all.
    limits : Limits
    name : str
        What to call the file in errors.
    previous : Previous, optional
        What was published before of the same product.
    progress : callable
        Told a step and, while rows are read, how many.
    rows_to : callable
        Given when and between which places every trip was, packed, in no order that says more: for
        questions with noise, see `gate.queries`. Only where a table tells the places, since names
        that trips alone have told would tell of single trips.

    Raises
    ------
    Refused
        The table cannot be read, the policy cannot be followed, or nothing would be left.
    """
    limits, name = limits or Limits(), name or path.name
    tell = progress or (lambda _step, _done: None)
    with ExitStack() as stack, open_rows(path, name=name, limits=limits) as table:
        run = _Run.prepared(
            table,
            stations=stations,
            policy=policy,
            limits=limits,
            name=name,
            previous=previous,
        )
        spill = stack.enter_context(Spill(bucket_count=_bucket_count(path), width=2))
        columns = run.take_in(table, spill, stack, tell)
        tell("counting", run.rows.rows)
        before = tuple(each.counted(policy.minimum_group) for each in run.groups)
        tell("gating", run.rows.rows)
        areas = run.areas or run.named_areas()
        cascade = Cascade(policy, areas, counts_people=bool(run.rows.person_column))
        told, level, key, trips, totals = run.gate(cascade, spill, stack)
        if not len(trips):
            raise _nothing_left(name)
        if rows_to is not None and run.areas is not None:
            for rows in spill.buckets():
                rows_to(rows[:, 0])
    flows = Flows.of(cascade, run.rows, level, key, trips)
    if run.areas is None:
        shown = set(flows.area_texts()[0]) | (totals.area_texts(cascade) if totals else set())
        areas = areas.only(shown)
    profile = profile_of(flows, areas)
    again = previous.of_the_same_time(profile, policy, name) if previous else None
    report = run.report(
        table=table,
        columns=columns,
        told=told,
        before=before,
        flows=flows,
        areas=areas,
        again=again,
    )
    tell("writing", len(trips))
    flows.write(out)
    if totals is not None:
        write_totals(totals, cascade, run.rows, out)
    for part, media_type, data in (
        (AREAS_PART, "text/csv", areas.to_csv()),
        (DICTIONARY_PART, "application/json", dictionary_bytes(policy)),
        (REPORT_PART, "application/json", report.to_bytes()),
    ):
        with closing(out.add_part(part, media_type)) as file:
            file.write(data)
    return Gated(
        rows_in=run.rows.rows,
        rows_out=report.rows_out,
        cells=len(trips),
        report=report,
        profile=profile,
        sample=flows.sample(),
        areas=areas,
    )


@dataclass
class _Run:
    """One passage through the gate, until its rows are in buckets."""

    rows: TripRows
    groups: list[RowGroups]
    areas: Areas | None
    policy: Policy
    roles: Mapping[str, str]

    @classmethod
    def prepared(
        cls,
        table: Rows,
        *,
        stations: Path | None,
        policy: Policy,
        limits: Limits,
        name: str,
        previous: Previous | None,
    ) -> _Run:
        """Find columns and areas, before a single row is read."""
        roles = resolved(table.names, "trips", policy.columns, name)
        person = person_column(table.names, roles, policy)
        wanted = [*policy.keep_columns, *([person] if person else [])]
        for column in wanted:
            is_own = column in (*OWN_COLUMNS, COUNT_COLUMN)
            if column not in table.names or is_own or not KEPT_NAME.fullmatch(column):
                raise _no_such_column(column, table.names, name)
        areas = None
        if stations is not None:
            places = _read_places(stations, limits)
            names = {each.name for each in places}
            # A station that is gone keeps its area, so that others in it do not become lonely.
            known = previous.areas.places if previous else ()
            areas = make_areas(
                [*places, *(each for each in known if each.name not in names)],
                [level.area for level in policy.levels],
                minimum_places=policy.minimum_places,
                before=previous.areas if previous else None,
                place=stations.name,
            )
        elif any(level.area not in ("place", "all") for level in policy.levels):
            raise Refused(
                "stations-missing",
                gettext_noop("areas are made of stations' coordinates, and there is no table"),
                name,
                gettext_noop("Add a table of stations with id, lat and lon."),
            )
        rows = TripRows(
            policy=policy,
            roles=roles,
            person_column=person,
            places={each.name: index for index, each in enumerate(areas.places if areas else ())},
            grows=areas is None,
            source=name,
        )
        return cls(rows, [], areas, policy, roles)

    def take_in(
        self, table: Rows, spill: Spill, stack: ExitStack, tell: Progress
    ) -> tuple[ColumnFate, ...]:
        """Read all rows into buckets; return what becomes of each column."""
        policy, rows = self.policy, self.rows
        coarsest, periods = policy.levels[-1], Periods()
        area = None
        if self.areas is not None:
            area = self.areas.numbered(coarsest.area)[1]
        first: list[pa.RecordBatch] = []
        columns: tuple[ColumnFate, ...] = ()
        for batch in table.batches:
            if not columns:
                first.append(batch)
                if sum(each.num_rows for each in first) >= SAMPLE_ROWS:
                    columns, first = fates(first, self.roles, rows.person_column, policy), []
            trips = rows.read(batch)
            if not self.groups:
                self.groups = _row_groups(trips.known, spill.bucket_count)
                for group in self.groups:
                    stack.enter_context(group.spill)
            for group in self.groups:
                group.add(trips.known)
            quarter, a, b, kept = unpacked(trips.key)
            if area is not None:
                a, b = area[a], area[b]
            elif coarsest.area == "all":
                a, b = np.zeros_like(a), np.zeros_like(b)
            cell = packed(periods.start(quarter, coarsest.period), a, b, kept)
            bucket = buckets_of(mixed(cell.view(np.uint64)), spill.bucket_count)
            spill.add(bucket, np.stack((trips.key, trips.person), axis=1))
            tell("reading", rows.rows)
        if not rows.rows:
            raise _nothing_left(rows.source)
        return columns or fates(first, self.roles, rows.person_column, policy)

    def gate(
        self, cascade: Cascade, spill: Spill, stack: ExitStack
    ) -> tuple[Told, Int64Array, Int64Array, Int64Array, LineTotals | None]:
        """Go over bucket after bucket; return cells by level, and totals if they are asked for."""
        leftovers = None
        if self.policy.totals == "all":
            leftovers = Leftovers(cascade, stack, bucket_count=spill.bucket_count)
        found = []
        for rows in spill.buckets():
            found.append(cascade.tell(rows[:, 0], rows[:, 1]))
            if leftovers is not None:
                leftovers.add(*rows[found[-1].left].T)
        told, level, key, trips = joined(found)
        totals = None if leftovers is None else leftovers.totals(key, trips)
        return told, level, key, trips, totals

    def named_areas(self) -> Areas:
        """Return areas of places that only the trips have named."""
        places, policy = [Place(each) for each in self.rows.places], self.policy
        if len(places) < policy.minimum_places:
            raise too_few_places(len(places), policy.minimum_places, self.rows.source)
        return make_areas(
            places, [level.area for level in policy.levels], minimum_places=policy.minimum_places
        )

    def report(
        self,
        *,
        table: Rows,
        columns: tuple[ColumnFate, ...],
        told: Told,
        before: tuple[Uniqueness, ...],
        flows: Flows,
        areas: Areas,
        again: Earlier | None,
    ) -> Report:
        """Say what happened; what stands "after" is counted in the table that goes out."""
        left_out = dict(self.rows.left_out)
        left_out["row-width"] = table.row_width_count
        return Report(
            policy=self.policy,
            rows_in=self.rows.rows + table.row_width_count,
            rows_out=int(flows.trips.sum()),
            left_out=left_out,
            told=told,
            columns=columns,
            person_column=self.rows.person_column,
            person_is_told=self.roles.get("person", "") == self.rows.person_column,
            levels=level_shares(flows.policy, flows.level, flows.trips),
            before=before,
            after=(uniqueness_after(flows, self.policy.minimum_group),),
            areas_joined=areas.joined_count,
            previous_sha256=again.manifest_sha256 if again else None,
        )


def _row_groups(known: Mapping[str, Any], buckets: int) -> list[RowGroups]:
    """Return what somebody may know of a raw row, most first."""
    sets = [tuple(known), ("start", "from", "to"), ("start", "from")]
    if "person" in known:
        sets.append(("start", "person"))
    return [RowGroups(each, bucket_count=buckets) for each in sets]


def _bucket_count(path: Path) -> int:
    with path.open("rb") as file:
        is_packed = file.read(4)[:2] in (b"\x1f\x8b", b"PA")
    rows = path.stat().st_size // (PACKED_ROW_BYTES if is_packed else ROW_BYTES)
    wanted = max(1, rows // BUCKET_ROWS)
    return min(BUCKETS_MAX, 1 << (wanted - 1).bit_length())


def _read_places(path: Path, limits: Limits) -> tuple[Place, ...]:
    found: list[tuple[str, float, float]] = []
    with open_rows(path, name=path.name, limits=limits) as table:
        roles = resolved(table.names, "stations", {}, path.name)
        for batch in table.batches:
            lat, lon = (as_numbers(batch.column(roles[role])) for role in ("lat", "lon"))
            names = as_text(batch.column(roles["site"])).to_pylist()
            usable = ~(lat.missing | lat.bad | lon.missing | lon.bad)
            usable &= (np.abs(lat.values) <= 90) & (np.abs(lon.values) <= 180)
            for name, y, x, ok in zip(names, lat.values, lon.values, usable, strict=True):
                if name and name.strip() and ok:
                    check_label(name.strip(), path.name)
                    found.append((name.strip(), float(y), float(x)))
            if len(found) > STATIONS_MAX:
                raise Refused(
                    "too-many-places",
                    gettext_noop("more than {limit} places"),
                    path.name,
                    gettext_noop("Is this the right table?"),
                    limit=STATIONS_MAX,
                )
    return as_places(found)


def _no_such_column(column: str, names: list[str], place: str) -> Refused:
    return Refused(
        "column-missing",
        gettext_noop("there is no column {column} that the policy could use"),
        place,
        gettext_noop("Choose one of: {names}."),
        column=column,
        names=", ".join(names)[:300],
    )


def _nothing_left(name: str) -> Refused:
    return Refused(
        "nothing-left",
        gettext_noop("no group of trips is large enough to be published"),
        name,
        gettext_noop("Publish a longer time or more stations, or choose coarser levels."),
    )

"""What the hall looks at in a package that was gated at a provider's home.

It sees the table that goes out, so it can say that every count is large enough, that periods and
areas are those of the policy, that nothing else travels in the package, and that report, profile
and table agree. It can't see who the trips were of: that a group holds several people, that no
trip was made up or counted twice, and what was left out, are the provider's word.
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from gate import parquet
from gate.areas import AREAS_PART, Areas, make_areas
from gate.bounded import bounded
from gate.cascade import Periods
from gate.dictionary import DICTIONARY_PART, dictionary_bytes
from gate.errors import Refused, gettext_noop
from gate.flows import CSV_PART, PARQUET_PART, Flows, columns_of, write_csv
from gate.flows_figures import level_shares, uniqueness_after
from gate.flows_profile import profile_of
from gate.formats.tables import open_table
from gate.formats.values import as_text, as_times
from gate.limits import Limits
from gate.line_totals import TOTALS_PART
from gate.manifest import Manifest, canonical_json
from gate.package import open_package
from gate.policy import Policy
from gate.previous import Previous
from gate.profile import Profile
from gate.recheck_totals import check_totals
from gate.report import REPORT_PART, TOTALS_OF, TYPE
from gate.spill import Int64Array
from gate.trip_rows import KEPT_VALUES_MAX, QUARTER_SECONDS, check_label

PARTS: Final = {
    PARQUET_PART: "application/vnd.apache.parquet",
    CSV_PART: "text/csv",
    AREAS_PART: "text/csv",
    DICTIONARY_PART: "application/json",
    REPORT_PART: "application/json",
}
REPORT_BYTES_MAX: Final = 1 << 20
REPORT_KEYS: Final = frozenset(
    {
        *("type", "format", "policy", "policy_sha256", "previous_sha256", "rounded_to"),
        *("rows_in", "rows_out", "left_out", "suppressed", "columns", "person_column"),
        *("levels", "areas_joined", "totals", "uniqueness", "risks"),
    }
)
AGAIN: Final = gettext_noop("Run the current gate over the source again, and change nothing after.")


WITH_PREVIOUS: Final = gettext_noop(
    "Run the gate again with the areas and the policy of the versions that were published before."
)


@dataclass(frozen=True)
class Rechecked:
    """What the hall found in the table itself."""

    cells: int
    rows_out: int
    policy: Policy
    profile: Profile
    sample: dict[str, Any]
    report: dict[str, Any]


def recheck(
    file: IO[bytes],
    manifest: Manifest,
    key: bytes,
    *,
    policy: Policy,
    previous: Previous | None = None,
    limits: Limits | None = None,
) -> Rechecked:
    """Open a package of trips that was gated elsewhere, and check all that can be seen.

    Parameters
    ----------
    file, manifest, key
        The ciphertext and what it is said to be; every hash is compared.
    policy : Policy
        What the product promises.
    previous : Previous, optional
        What the hall has published before of the same product.

    Raises
    ------
    PackageBroken
        The package is not what the manifest says.
    Refused
        ``recheck-…``: the package is not what the gate makes under this policy.
    """
    limits = limits or Limits()
    found = {part.name: part.media_type for part in manifest.package.parts}
    parts = {**PARTS, TOTALS_PART: "text/csv"} if policy.totals == "all" else PARTS
    if manifest.format != "trips" or found != parts:
        raise _not("parts", gettext_noop("the package holds other parts than the gate makes"))
    with tempfile.TemporaryDirectory(prefix="gate-") as folder:
        open_package(file, manifest.package, key, Path(folder))
        return recheck_folder(
            Path(folder), manifest, policy=policy, previous=previous, limits=limits
        )


def recheck_folder(
    folder: Path, manifest: Manifest, *, policy: Policy, previous: Previous | None, limits: Limits
) -> Rechecked:
    """Check the parts of a package that lie open in a folder."""
    report = _report(folder / REPORT_PART, manifest, policy)
    if (folder / DICTIONARY_PART).read_bytes() != dictionary_bytes(policy):
        raise _not("dictionary", gettext_noop("the data dictionary is not the policy's"))
    areas = _areas(folder / AREAS_PART, policy, previous.areas if previous else None, limits)
    flows = _flows(folder / CSV_PART, policy, areas, limits)
    if policy.totals == "all":
        check_totals(folder / TOTALS_PART, flows, limits)
    profile = profile_of(flows, areas)
    again = previous.of_the_same_time(profile, policy, REPORT_PART) if previous else None
    if manifest.previous_sha256 != (again.manifest_sha256 if again else None):
        raise _not(
            "previous",
            gettext_noop("the manifest does not name the version of the same time"),
            WITH_PREVIOUS,
        )
    _compare(report, flows, areas, manifest)
    # Last, because it takes a child process.
    said = bounded(
        "gate.recheck:parquet_as_csv_sha256",
        {"path": str(folder / PARQUET_PART), "limits": limits.as_json()},
        limits=limits,
        place=PARQUET_PART,
    )
    if said != manifest.package.part(CSV_PART).sha256:
        raise _not("two-tables", gettext_noop("the Parquet and the CSV hold different tables"))
    return Rechecked(
        cells=len(flows.trips),
        rows_out=int(flows.trips.sum()),
        policy=policy,
        profile=profile,
        sample=flows.sample(),
        report=report,
    )


def parquet_as_csv_sha256(*, path: str, limits: dict[str, int]) -> str:
    """Return the hash of the CSV that a Parquet file's table makes; the child calls it."""
    bounds = Limits.from_json(limits)
    file = parquet.opened(Path(path), name=PARQUET_PART, limits=bounds)
    schema = file.schema_arrow
    # Beside the table a file can carry any text as metadata; the gate's carries none.
    notes = {*(file.metadata.metadata or {}), *(schema.metadata or {})} - {b"ARROW:schema"}
    told = {name for field in schema for name in field.metadata or {}}
    if notes or told - {b"PARQUET:field_id"}:
        raise _not("parts", gettext_noop("the Parquet carries more than the table"))
    digest = _Digest()
    write_csv(parquet.batches(file, name=PARQUET_PART, limits=bounds), digest)
    return digest.sha256.hexdigest()


class _Digest(io.RawIOBase):
    def __init__(self) -> None:
        self.sha256 = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.sha256.update(data)
        return memoryview(data).nbytes


def _report(path: Path, manifest: Manifest, policy: Policy) -> dict[str, Any]:
    """Return the report, in form, of this policy, and the one of the manifest."""
    data = path.read_bytes()
    try:
        if len(data) > REPORT_BYTES_MAX:
            raise ValueError("too long")
        report: dict[str, Any] = json.loads(data)
        is_canonical = canonical_json(report) == data and set(report) == REPORT_KEYS
        names = [(each["name"], each["fate"], each["reason"]) for each in report["columns"]]
        is_plain = all(isinstance(text, str) and len(text) <= 200 for row in names for text in row)
        kept = [name for name, fate, _ in names if fate == "kept"]
        stated = Policy.from_canonical(report["policy"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _not("report", gettext_noop("the privacy report is not in form")) from None
    is_form = is_canonical and is_plain and report["type"] == TYPE
    if not is_form or sorted(kept) != sorted(policy.keep_columns):
        raise _not("report", gettext_noop("the privacy report is not in form"))
    hashes = {stated.sha256, policy.sha256, report["policy_sha256"], manifest.policy_sha256}
    if len(hashes) != 1 or hashlib.sha256(data).hexdigest() != manifest.report_sha256:
        raise _not(
            "policy", gettext_noop("it was gated under another policy than the product states")
        )
    return report


def _areas(path: Path, policy: Policy, before: Areas | None, limits: Limits) -> Areas:
    """Return the areas if they are what the gate makes of these stations."""
    if path.stat().st_size > limits.json_bytes:
        raise _not("areas", gettext_noop("the table of areas is too long"))
    areas = Areas.from_csv(path.read_bytes())
    for place in areas.places:
        check_label(place.name, AREAS_PART)
    made = make_areas(
        areas.places,
        [level.area for level in policy.levels],
        minimum_places=policy.minimum_places,
        before=before,
        place=AREAS_PART,
    )
    names = [place.name for place in areas.places]
    if made != areas or len(set(names)) != len(names) or made.to_csv() != path.read_bytes():
        text = gettext_noop("the areas are not those of the stations and the policy")
        raise _not("areas", text, WITH_PREVIOUS if before else AGAIN)
    return areas


def _flows(path: Path, policy: Policy, areas: Areas, limits: Limits) -> Flows:
    """Read the table; every row is a cell of the policy, and of enough trips."""
    table = open_table(path, name=CSV_PART, limits=limits)
    if table.names != columns_of(policy):
        raise _not("columns", gettext_noop("the table has other columns than the policy says"))
    numbered = [areas.numbered(level.area)[0] for level in policy.levels]
    level_number = {(each.period, each.area): n for n, each in enumerate(policy.levels)}
    number = [{name: n for n, name in enumerate(names)} for names in numbered]
    pieces: list[list[Any]] = []
    kept: list[list[str]] = [[] for _ in policy.keep_columns]
    for batch in table.batches():
        times = as_times(batch.column(0))
        texts = [as_text(column).to_pylist() for column in batch.columns[1:]]
        try:
            levels = [level_number[pair] for pair in zip(texts[0], texts[1], strict=True)]
            a, b = (
                [number[lv][name] for lv, name in zip(levels, names, strict=True)]
                for names in texts[2:4]
            )
            trips = [int(text) for text in texts[-1]]
        except (KeyError, ValueError, TypeError):
            raise _not(
                "cells", gettext_noop("a row is no cell of the policy's levels and areas")
            ) from None
        if (times.missing | times.bad).any() or times.is_utc:
            raise _not("cells", gettext_noop("a period has no begin on the wall clock"))
        pieces.append([levels, times.values, a, b, trips])
        for values, column in zip(kept, texts[4:-1], strict=True):
            values += ["" if text is None else text for text in column]
    if table.ragged_count or not pieces:
        raise _not("cells", gettext_noop("a row of the table has not the header's columns"))
    whole = [np.concatenate([np.asarray(p[n], np.int64) for p in pieces]) for n in range(5)]
    flows = Flows(
        policy=policy,
        areas=numbered,
        level=whole[0],
        start_quarter=whole[1] // QUARTER_SECONDS,
        from_area=whole[2],
        to_area=whole[3],
        kept=kept,
        trips=whole[4],
    )
    _check_cells(flows, whole[1])
    return flows


def _check_cells(flows: Flows, seconds: Int64Array) -> None:
    policy, periods = flows.policy, Periods()
    if (flows.trips < policy.minimum_group).any():
        text = gettext_noop("a group has fewer trips than the {minimum} of the policy")
        raise _not("group", text, minimum=policy.minimum_group)
    aligned = seconds % QUARTER_SECONDS == 0
    aligned &= (seconds >= 0) & (flows.start_quarter < 1 << 22)
    if not aligned.all() or any(
        (periods.start(begin, each.period) != begin).any()
        for number, each in enumerate(policy.levels)
        for begin in [flows.start_quarter[flows.level == number]]
    ):
        raise _not("cells", gettext_noop("a period does not begin where the policy's periods do"))
    for values in flows.kept:
        for text in set(values):
            check_label(text, CSV_PART)
        if len(set(values)) > KEPT_VALUES_MAX:
            raise _not("cells", gettext_noop("a kept column has more values than the gate keeps"))
    if not _rises(flows):
        raise _not("order", gettext_noop("the rows are not in order, or a cell stands there twice"))


def _rises(flows: Flows) -> bool:
    """Return whether every row comes after the one before it, so that no cell comes twice."""
    ranks = [np.unique(each, return_inverse=True)[1] for each in flows.kept]
    columns = [flows.start_quarter, flows.level, flows.from_area, flows.to_area, *ranks]
    undecided = np.ones(len(flows.trips) - 1, bool)
    for column in columns:
        if (undecided & (column[1:] < column[:-1])).any():
            return False
        undecided &= column[1:] == column[:-1]
    return not undecided.any()


def _compare(report: dict[str, Any], flows: Flows, areas: Areas, manifest: Manifest) -> None:
    """Refuse a report that says of the table what is not so, or more exactly than it may."""
    policy = flows.policy
    step = policy.minimum_group
    expected = {
        "format": "trips",
        "rounded_to": step,
        "rows_out": int(flows.trips.sum()),
        "totals": TOTALS_OF[policy.totals],
        "areas_joined": areas.joined_count,
        "previous_sha256": manifest.previous_sha256,
        "levels": [
            {"period": each.period, "area": each.area, "rows": each.trips, "cells": each.cells}
            for each in level_shares(policy, flows.level, flows.trips)
        ],
    }
    after = [uniqueness_after(flows, step).as_json(1)]
    try:
        agrees = all(_same(report[name], value) for name, value in expected.items())
        agrees &= _same(report["uniqueness"]["after"], after)
        agrees &= manifest.row_count == len(flows.trips)
        rounded = [
            report["rows_in"],
            *report["left_out"].values(),
            *report["suppressed"].values(),
            *(
                v
                for each in report["uniqueness"]["before"]
                for k, v in each.items()
                if k != "known"
            ),
        ]
        agrees &= all(int(number) % step == 0 for number in rounded)
    except (KeyError, ValueError, TypeError, AttributeError):
        agrees = False
    if not agrees:
        raise _not("report", gettext_noop("the privacy report does not agree with the table"))


def _same(said: object, found: object) -> bool:
    return canonical_json(said) == canonical_json(found)


def _not(code: str, text: str, remedy: str = AGAIN, **values: str | int) -> Refused:
    return Refused(f"recheck-{code}", text, "", remedy, **values)

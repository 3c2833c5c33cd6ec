"""Trips through the gate: what is sold of them is a table of counts, never a trip.

Findings of the raw rows stay out: of what is published there are its own figures and its report.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Final

from gate.areas import AREAS_PART, Areas
from gate.errors import Refused, gettext_noop
from gate.formats import Checked
from gate.keys import key_commitment
from gate.manifest import Manifest
from gate.package import read_part
from gate.policy import Policy
from gate.previous import Earlier, Previous
from gate.recheck import recheck
from gate.report import REPORT_PART
from gate.trips import publish_trips
from marketplace.models import DataVersion
from marketplace.services.data import storage
from marketplace.services.data.deposit_key import open_version_key
from marketplace.services.data.made import PPM, Follow, Made, reserved
from marketplace.services.data.query_stores import QueryRows

# Shares of the work at which the gate's steps begin, as far as one can tell beforehand. [ppm]
STEPS: Final = {"counting": 600_000, "gating": 800_000, "writing": 900_000}
_TOLD_EVERY_ROWS: Final = 100_000
# Names of a report's whole numbers.
_NUMBERS: Final = frozenset(
    {
        *("rows_in", "rows_out", "rows", "cells", "rounded_to", "areas_joined"),
        *("alone", "below_5", "below_minimum"),
        *("minimum_group", "n", "dominance_percent", "minimum_places"),
    }
)


def make(
    *,
    version: DataVersion,
    path: Path,
    stations: Path | None,
    checked: Checked,
    file_name: str,
    follow: Follow,
) -> Made:
    """Make the package of a version from a file of trips.

    Raises
    ------
    Refused
        If the policy cannot be followed, or nothing would be left.
    """
    policy = Policy.from_json(version.product.privacy_policy)
    previous = _previous(version)
    told = _Told(follow, checked.records)
    follow("gate")
    query_rows = None
    with reserved(version) as (packer, package_id, key):
        rows = _rows_for_questions(version, package_id, has_places=stations is not None)
        gated = publish_trips(
            path,
            stations=stations,
            policy=policy,
            out=packer,
            name=file_name,
            previous=previous,
            progress=told,
            rows_to=None if rows is None else rows.add,
        )
        follow("package", PPM)
        package = packer.finish()
        if rows is not None:
            query_rows = rows.finish(gated.areas)
    report = gated.report
    manifest = Manifest(
        format=version.product.format,
        row_count=gated.cells,
        package=package,
        key_commitment=key_commitment(package_id, key),
        policy_sha256=policy.sha256,
        report_sha256=package.part(REPORT_PART).sha256,
        previous_sha256=report.previous_sha256,
    )
    return Made(
        package_id=package_id,
        key=key,
        manifest=manifest,
        row_count=gated.cells,
        profile=gated.profile.as_json(),
        findings=[],
        sample=gated.sample,
        privacy_report=report.as_json(),
        asks_provider=previous is None,
        query_rows=query_rows,
    )


def _rows_for_questions(
    version: DataVersion, package_id: bytes, *, has_places: bool
) -> QueryRows | None:
    """Return what takes the rows for questions, where their provider grants a budget for them."""
    if not version.product.query_budget_micro_epsilon:
        return None
    if not has_places:
        raise Refused(
            "questions-need-stations",
            gettext_noop("questions with noise need a table of stations, and there is none"),
            "",
            gettext_noop("Add the table, or grant no privacy budget for questions."),
        )
    return QueryRows(package_id.hex())


def recheck_at_home(
    *, version: DataVersion, manifest: Manifest, file: IO[bytes], key: bytes
) -> Made:
    """Judge trips that were gated at their provider's home, as far as what goes out shows it.

    Raises
    ------
    Refused, gate.manifest.PackageBroken
        If it is not what the gate makes under the product's policy.
    """
    previous = _previous(version)
    found = recheck(
        file,
        manifest,
        key,
        policy=Policy.from_json(version.product.privacy_policy),
        previous=previous,
    )
    return Made(
        package_id=manifest.package.package_id,
        key=key,
        manifest=manifest,
        row_count=found.cells,
        profile=found.profile.as_json(),
        findings=[],
        sample=found.sample,
        privacy_report=_with_numbers(found.report),
        is_ours=False,
    )


def _with_numbers(report: Any, name: str = "") -> Any:
    """Return a report read from canonical JSON, where numbers are texts, as the gate's own is."""
    if isinstance(report, Mapping):
        is_count = name in ("left_out", "suppressed")
        return {
            key: _with_numbers(value, "rows" if is_count else key) for key, value in report.items()
        }
    if isinstance(report, list):
        return [_with_numbers(each, name) for each in report]
    return int(report) if name in _NUMBERS and isinstance(report, str) else report


class _Told:
    """Tells how far the gate is: the rows that it has read, then its own steps."""

    def __init__(self, follow: Follow, rows: int) -> None:
        self._follow, self._rows, self._next = follow, max(rows, 1), 0

    def __call__(self, step: str, done: int) -> None:
        if step == "reading" and done < self._next:
            return
        self._next = done + _TOLD_EVERY_ROWS
        share = min(done, self._rows) * STEPS["counting"] // self._rows
        self._follow("gate", STEPS.get(step, share))


def _previous(version: DataVersion) -> Previous | None:
    """Return what the new version must fit: all that were published, newest first."""
    published = list(
        DataVersion.objects.filter(
            product=version.product_id, state=DataVersion.State.READY, manifest__isnull=False
        ).order_by("-number")
    )
    if not published:
        return None
    manifests = [Manifest.from_bytes(bytes(each.manifest or b"")) for each in published]
    newest = published[0]
    with storage.package_path(newest.package).open("rb") as file:
        areas = read_part(file, manifests[0].package, open_version_key(newest), AREAS_PART)
    return Previous(
        areas=Areas.from_csv(areas),
        versions=[
            Earlier(
                manifest_sha256=each.manifest_sha256,
                policy_sha256=manifest.policy_sha256 or "",
                start=str(each.profile.get("start")),
                end=str(each.profile.get("end")),
            )
            for each, manifest in zip(published, manifests, strict=True)
        ],
    )

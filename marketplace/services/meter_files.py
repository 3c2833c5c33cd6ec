"""Take in a file of any known format: added up to delivery intervals, and reported on."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from django.db import transaction

from marketplace.domain.readings.columns import ReadingsInvalid
from marketplace.domain.readings.formats.flows import Flows, Int64Array
from marketplace.domain.readings.formats.gap_report import GapReport
from marketplace.domain.readings.formats.intervals import readings_of_flows
from marketplace.domain.rules import load_rules
from marketplace.models import ReadingReport, RuleSet
from marketplace.services.readings import Imported, import_readings

GAPS_KEPT = 500


@dataclass(frozen=True)
class FileTaken:
    """What became of a file: one report per length of delivery intervals in its time."""

    imported: Imported
    reports: tuple[GapReport, ...]


@transaction.atomic
def import_meter_file(
    *, community_id: int, flows: Flows, source: str, sha256: str, now: datetime
) -> FileTaken:
    """Store a file's readings and the report on it.

    Parameters
    ----------
    flows : Flows
        What was read, under the codes of metering points.
    source, sha256 : str
        The file's name, and the hash of its bytes.

    Raises
    ------
    ReadingsInvalid
        Names the line of what cannot be taken; nothing is stored.
    """
    _check_has_ended(flows, source, now)
    imported = Imported(0, 0, 0, 0)
    reports = []
    for minutes, part in _by_interval_length(community_id, flows, source):
        readings, report = readings_of_flows(part, minutes=minutes, file=source)
        done = import_readings(
            community_id=community_id, readings=readings, source=source, sha256=sha256, now=now
        )
        imported = Imported(
            imported.new + done.new,
            imported.corrected + done.corrected,
            imported.unchanged + done.unchanged,
            imported.repeated + done.repeated,
        )
        reports.append(report)
        _store_report(community_id, report, done, source=source, sha256=sha256, now=now)
    return FileTaken(imported, tuple(reports))


def _check_has_ended(flows: Flows, source: str, now: datetime) -> None:
    early = flows.start_s + flows.length_s > now.timestamp()
    if early.any():
        row = int(np.flatnonzero(early)[0])
        moment = datetime.fromtimestamp(int(flows.start_s[row]), UTC).isoformat()
        raise ReadingsInvalid(
            source,
            int(flows.line[row]),
            f"the interval at {moment} has not ended yet, so nobody can have metered it",
            "check the date and the time zone, or leave forecasts out",
        )


def _by_interval_length(community_id: int, flows: Flows, source: str) -> list[tuple[int, Flows]]:
    """Part a file where rules of another interval length began."""
    rule_sets = RuleSet.objects.filter(community_id=community_id).order_by("effective_from")
    begins, lengths = [], []
    for rule_set in rule_sets:
        begins.append(int(rule_set.effective_from.timestamp()))
        lengths.append(load_rules(rule_set.document).interval_minutes)
    in_force = np.searchsorted(np.array(begins, dtype=np.int64), flows.start_s, side="right") - 1
    if (in_force < 0).any():
        row = int(np.flatnonzero(in_force < 0)[0])
        moment = datetime.fromtimestamp(int(flows.start_s[row]), UTC).isoformat()
        raise ReadingsInvalid(
            source,
            int(flows.line[row]),
            f"{moment} is before the community's first rules",
            "leave out what was metered before the community began",
        )
    minutes = np.array(lengths, dtype=np.int64)[in_force]
    found = np.unique(minutes).tolist()
    if len(found) == 1:
        return [(found[0], flows)]
    dropped = np.array([each.start_s for each in flows.dropped], dtype=np.int64)
    dropped_minutes = np.array(lengths, dtype=np.int64)[
        np.maximum(np.searchsorted(np.array(begins), dropped, side="right") - 1, 0)
    ]
    return [(each, _part(flows, minutes == each, dropped_minutes == each)) for each in found]


def _part(flows: Flows, rows: np.ndarray, dropped: np.ndarray) -> Flows:
    def taken(column: Int64Array) -> Int64Array:
        return np.asarray(column[rows], dtype=np.int64)

    return replace(
        flows,
        channel=taken(flows.channel),
        start_s=taken(flows.start_s),
        length_s=taken(flows.length_s),
        micro_wh=taken(flows.micro_wh),
        quality=taken(flows.quality),
        line=taken(flows.line),
        needed=taken(flows.needed),
        dropped=tuple(each for each, kept in zip(flows.dropped, dropped, strict=True) if kept),
    )


def _store_report(
    community_id: int,
    report: GapReport,
    imported: Imported,
    *,
    source: str,
    sha256: str,
    now: datetime,
) -> None:
    gaps = sorted(report.gaps, key=lambda gap: (-gap.count, gap.meter, gap.start_s))[:GAPS_KEPT]
    lines = report.meters
    ReadingReport.objects.create(
        community_id=community_id,
        source=source,
        sha256=sha256,
        format=report.format,
        notes=list(report.notes),
        meter_count=len(lines),
        first_at=datetime.fromtimestamp(min(line.first_s for line in lines), UTC),
        end_at=datetime.fromtimestamp(max(line.end_s for line in lines), UTC),
        expected_count=sum(line.expected for line in lines),
        present_count=sum(line.present for line in lines),
        estimated_count=sum(line.estimated for line in lines),
        substituted_count=sum(line.substituted for line in lines),
        new_count=imported.new,
        corrected_count=imported.corrected,
        gaps=[[gap.meter, gap.start_s, gap.count, gap.why] for gap in gaps],
        received_at=now,
    )

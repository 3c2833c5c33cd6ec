"""What a file lacks between the first and the last moment of each of its meters, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from marketplace.domain.meter_formats.flows import Dropped, Int64Array, Quality
from marketplace.domain.readings_columns import ReadingsFile

ABSENT = "no value"
INCOMPLETE = "a part or a channel is missing"


@dataclass(frozen=True, slots=True)
class Gap:
    """Delivery intervals in a row without a reading: [start_s, end_s). [s since 1970 UTC]"""

    meter: str
    start_s: int
    end_s: int
    count: int
    why: str


@dataclass(frozen=True, slots=True)
class MeterLine:
    """One meter of a file, in delivery intervals."""

    meter: str
    first_s: int
    end_s: int
    expected: int
    present: int
    estimated: int
    substituted: int
    import_wh: int
    export_wh: int

    @property
    def missing(self) -> int:
        """Intervals between first and last without a reading."""
        return self.expected - self.present


@dataclass(frozen=True, slots=True)
class GapReport:
    """What the sender of a file should know of it."""

    format: str
    notes: tuple[str, ...]
    minutes: int
    meters: tuple[MeterLine, ...]
    gaps: tuple[Gap, ...]
    repeated: int

    @property
    def missing(self) -> int:
        """Missing intervals of all meters."""
        return sum(line.missing for line in self.meters)


def gaps_of(
    readings: ReadingsFile,
    *,
    format_name: str,
    notes: tuple[str, ...],
    seen_meter: Int64Array,
    seen_slot: Int64Array,
    dropped: Sequence[Dropped] = (),
) -> GapReport:
    """Compare readings with what a file spoke of.

    Parameters
    ----------
    readings : ReadingsFile
    seen_meter, seen_slot : ndarray of int64, shape (m,)
        Meter by index and delivery interval by number of every value in the file, also of those
        that made no reading: they are the first and the last moment of a meter.
    dropped : sequence of Dropped
        Values that the file itself does not vouch for.
    """
    length_s = readings.minutes * 60
    slots = readings.start_epoch_s // length_s
    unusable = {each.start_s // length_s: each.why for each in dropped}
    lines, gaps = [], []
    for index, name in enumerate(readings.meters):
        seen = np.unique(seen_slot[seen_meter == index])
        if not len(seen):
            continue
        rows = np.flatnonzero(readings.meter_index == index)
        present = np.unique(slots[rows])
        first, end = int(seen[0]), int(seen[-1]) + 1
        lines.append(
            _line(
                readings,
                name,
                rows,
                first_s=first * length_s,
                end_s=end * length_s,
                expected=end - first,
            )
        )
        known = np.concatenate([[first - 1], present, [end]])
        partial = set(np.setdiff1d(seen, present).tolist())
        for at in np.flatnonzero(np.diff(known) > 1).tolist():
            gaps.append(
                _gap(
                    name,
                    first=int(known[at]) + 1,
                    end=int(known[at + 1]),
                    length_s=length_s,
                    partial=partial,
                    unusable=unusable,
                )
            )
    return GapReport(
        format_name, notes, readings.minutes, tuple(lines), tuple(gaps), readings.repeated
    )


def _gap(
    meter: str,
    *,
    first: int,
    end: int,
    length_s: int,
    partial: set[int],
    unusable: dict[int, str],
) -> Gap:
    why = ABSENT
    if first in unusable:
        why = unusable[first]
    elif first in partial:
        why = INCOMPLETE
    return Gap(meter, first * length_s, end * length_s, end - first, why)


def _line(
    readings: ReadingsFile, name: str, rows: Int64Array, *, first_s: int, end_s: int, expected: int
) -> MeterLine:
    quality = np.zeros(len(rows), dtype=np.int64)
    if readings.quality is not None:
        quality = readings.quality[rows]
    return MeterLine(
        meter=name,
        first_s=first_s,
        end_s=end_s,
        expected=expected,
        present=len(rows),
        estimated=int((quality == Quality.ESTIMATED).sum()),
        substituted=int((quality == Quality.SUBSTITUTED).sum()),
        import_wh=int(readings.import_wh[rows].sum()),
        export_wh=int(readings.export_wh[rows].sum()),
    )

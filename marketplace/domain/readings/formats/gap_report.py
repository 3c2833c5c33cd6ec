"""What a file lacks between the first and the last moment of each of its meters, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from marketplace.domain.readings.columns import ReadingsFile
from marketplace.domain.readings.formats.flows import Int64Array, Quality

ABSENT = "no value"
INCOMPLETE = "a part or a channel is missing"


class Unusable(NamedTuple):
    """A value that the file itself does not vouch for."""

    meter: str
    start_s: int
    why: str


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
    dropped: Sequence[Unusable] = (),
) -> GapReport:
    """Compare readings with what a file spoke of.

    Parameters
    ----------
    readings : ReadingsFile
        In order of meter and time.
    seen_meter, seen_slot : ndarray of int64, shape (m,)
        Meter by index and delivery interval by number of every value in the file, also of those
        that made no reading: they are the first and the last moment of a meter.
    dropped : sequence of Unusable
        Values that the file itself does not vouch for.
    """
    length_s = readings.minutes * 60
    slots = readings.start_epoch_s // length_s
    unusable: dict[str, dict[int, str]] = {}
    for each in dropped:
        unusable.setdefault(each.meter, {})[each.start_s // length_s] = each.why
    # One number per meter and interval sorts far faster than pairs do.
    lowest = int(seen_slot.min())
    width = int(seen_slot.max()) - lowest + 1
    keys = np.sort(seen_meter * width + seen_slot - lowest)
    keys = keys[np.concatenate([[True], keys[1:] != keys[:-1]])]
    pairs = np.stack(np.divmod(keys, width))
    pairs[1] += lowest
    edges = np.arange(len(readings.meters) + 1)
    seen_at = np.searchsorted(pairs[0], edges)
    rows_at = np.searchsorted(readings.meter_index, edges)
    lines, gaps = [], []
    for index, name in enumerate(readings.meters):
        seen = pairs[1, seen_at[index] : seen_at[index + 1]]
        if not len(seen):
            continue
        rows = slice(int(rows_at[index]), int(rows_at[index + 1]))
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
        known = np.concatenate([[first - 1], slots[rows], [end]])
        breaks = np.flatnonzero(np.diff(known) > 1).tolist()
        partial = set(np.setdiff1d(seen, slots[rows]).tolist()) if breaks else set()
        for at in breaks:
            gaps.append(
                _gap(
                    name,
                    first=int(known[at]) + 1,
                    end=int(known[at + 1]),
                    length_s=length_s,
                    partial=partial,
                    unusable=unusable.get(name, {}),
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
    readings: ReadingsFile, name: str, rows: slice, *, first_s: int, end_s: int, expected: int
) -> MeterLine:
    present = rows.stop - rows.start
    quality = np.zeros(present, dtype=np.int64)
    if readings.quality is not None:
        quality = readings.quality[rows]
    return MeterLine(
        meter=name,
        first_s=first_s,
        end_s=end_s,
        expected=expected,
        present=present,
        estimated=int((quality == Quality.ESTIMATED).sum()),
        substituted=int((quality == Quality.SUBSTITUTED).sum()),
        import_wh=int(readings.import_wh[rows].sum()),
        export_wh=int(readings.export_wh[rows].sum()),
    )

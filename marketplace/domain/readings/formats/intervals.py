"""Flows of any length become readings of delivery intervals; what lacks a part stays missing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Never

import numpy as np

from marketplace.domain.readings.cells import ENERGY_MAX_WH, quoted
from marketplace.domain.readings.columns import (
    KNOWS_EXPORT,
    KNOWS_IMPORT,
    ReadingsFile,
    ReadingsInvalid,
)
from marketplace.domain.readings.formats.flows import (
    MICRO,
    QUALITY_OF_RANK,
    QUALITY_RANK,
    Direction,
    Flows,
    Int64Array,
)
from marketplace.domain.readings.formats.gap_report import GapReport, Unusable, gaps_of

KNOWS_BOTH: Final = KNOWS_IMPORT | KNOWS_EXPORT


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """Energies by channel and delivery interval, in their order."""

    channel: Int64Array
    slot: Int64Array
    seconds: Int64Array
    micro_wh: Int64Array
    rank: Int64Array
    line: Int64Array
    needed: Int64Array


def readings_of_flows(flows: Flows, *, minutes: int, file: str) -> tuple[ReadingsFile, GapReport]:
    """Add flows up to the readings of delivery intervals.

    Parameters
    ----------
    flows : Flows
    minutes : int
        Length of a delivery interval. [min]
    file : str
        For errors.

    Returns
    -------
    readings : ReadingsFile
        One row per meter and interval of which every part of every channel is there. Energies are
        rounded once, after the addition, a half to the even Wh.
    report : GapReport
        What is missing between a meter's first and last moment in the file, and why.

    Raises
    ------
    ReadingsInvalid
        If a flow is longer than the interval or crosses its border, if two of one channel overlap
        or contradict each other, or if no interval is whole.
    """
    length_s = minutes * 60
    order, repeated = _in_time(flows, file)
    _check_lengths(flows, order, length_s, file)
    parts = _parts(flows, order, length_s)
    rank = {name: index for index, name in enumerate(flows.meters)}
    meter_of = np.array([rank[each.meter] for each in flows.channels], dtype=np.int64)
    meter = meter_of[parts.channel]
    readings = _readings(flows, parts, meter_of, minutes=minutes, repeated=repeated, file=file)
    seen = (
        np.concatenate([meter, meter_of[[each.channel for each in flows.dropped]]]),
        np.concatenate(
            [parts.slot, np.array([d.start_s // length_s for d in flows.dropped], np.int64)]
        ),
    )
    report = gaps_of(
        readings,
        format_name=flows.format,
        notes=flows.notes,
        seen_meter=seen[0].astype(np.int64),
        seen_slot=seen[1].astype(np.int64),
        dropped=[
            Unusable(flows.channels[each.channel].meter, each.start_s, each.why)
            for each in flows.dropped
        ],
    )
    if not len(readings):
        reason = report.gaps[0].why if report.gaps else "nothing is whole"
        raise ReadingsInvalid(
            file,
            int(flows.line[0]),
            f"no interval of {minutes} minutes is complete: {reason}{_absent_channels(flows)}",
            "send all channels of a meter in one file, with every part of an interval",
        )
    return readings, report


def _absent_channels(flows: Flows) -> str:
    """Say which channels the first meter has here, where it should have more."""
    meter = flows.channels[int(flows.channel[0])].meter
    own = [index for index, each in enumerate(flows.channels) if each.meter == meter]
    needed = int(flows.needed[np.isin(flows.channel, own)].max())
    if needed <= len(own):
        return ""
    there = ", ".join(flows.channels[index].name for index in own)
    return f" (meter {quoted(meter)} has {needed} channels of energy, here is {there} alone)"


def _refuse(flows: Flows, row: int, file: str, what: str, remedy: str) -> Never:
    channel = flows.channels[int(flows.channel[row])]
    moment = datetime.fromtimestamp(int(flows.start_s[row]), UTC).isoformat()
    raise ReadingsInvalid(
        file,
        int(flows.line[row]),
        f"meter {quoted(channel.meter)}, channel {channel.name}, at {moment}: {what}",
        remedy,
    )


def _in_time(flows: Flows, file: str) -> tuple[Int64Array, int]:
    """Return the rows by channel and time, each once, and how many stood twice."""
    order = np.lexsort((np.arange(len(flows)), flows.start_s, flows.channel))
    same = (
        (flows.channel[order][1:] == flows.channel[order][:-1])
        & (flows.start_s[order][1:] == flows.start_s[order][:-1])
        & (flows.length_s[order][1:] == flows.length_s[order][:-1])
    )
    later, before = order[1:][same], order[:-1][same]
    differs = flows.micro_wh[later] != flows.micro_wh[before]
    if differs.any():
        at = int(np.argmin(np.where(differs, flows.line[later], np.iinfo(np.int64).max)))
        _refuse(
            flows,
            int(later[at]),
            file,
            f"another value than on line {int(flows.line[before[at]])}",
            "keep the one that is right",
        )
    order = order[np.concatenate([[True], ~same])]
    ends_s = flows.start_s[order] + flows.length_s[order]
    overlaps = (flows.channel[order][1:] == flows.channel[order][:-1]) & (
        flows.start_s[order][1:] < ends_s[:-1]
    )
    if overlaps.any():
        at = int(np.flatnonzero(overlaps)[0])
        _refuse(
            flows,
            int(order[at + 1]),
            file,
            f"overlaps what line {int(flows.line[order[at]])} says of the same channel",
            "send each moment once",
        )
    return order, int(same.sum())


def _check_lengths(flows: Flows, order: Int64Array, length_s: int, file: str) -> None:
    coarse = np.flatnonzero(flows.length_s > length_s)
    if len(coarse):
        row = int(coarse[0])
        _refuse(
            flows,
            row,
            file,
            f"its {_length(int(flows.length_s[row]))} are longer than the delivery interval of "
            f"{length_s // 60} minutes",
            "ask for readings of that interval or a part of it: longer ones cannot be divided",
        )
    starts = flows.start_s[order]
    crossing = starts // length_s != (starts + flows.length_s[order] - 1) // length_s
    if crossing.any():
        _refuse(
            flows,
            int(order[np.argmax(crossing)]),
            file,
            f"lies across the border of two delivery intervals of {length_s // 60} minutes",
            f"read the meter at whole multiples of {length_s // 60} minutes past the UTC hour, or "
            "check the time zone",
        )


def _length(seconds: int) -> str:
    return f"{seconds // 60} minutes" if seconds % 60 == 0 else f"{seconds} seconds"


def _parts(flows: Flows, order: Int64Array, length_s: int) -> _Parts:
    channel, slot = flows.channel[order], flows.start_s[order] // length_s
    begins = np.concatenate([[True], (channel[1:] != channel[:-1]) | (slot[1:] != slot[:-1])])
    first = np.flatnonzero(begins)
    return _Parts(
        channel=channel[first],
        slot=slot[first],
        seconds=np.add.reduceat(flows.length_s[order], first),
        micro_wh=np.add.reduceat(flows.micro_wh[order], first),
        rank=np.maximum.reduceat(QUALITY_RANK[flows.quality[order]], first),
        line=np.minimum.reduceat(flows.line[order], first),
        needed=np.maximum.reduceat(flows.needed[order], first),
    )


def _readings(
    flows: Flows,
    parts: _Parts,
    meter_of: Int64Array,
    *,
    minutes: int,
    repeated: int,
    file: str,
) -> ReadingsFile:
    """Join the channels of each meter; a reading that lacks one of them is left out."""
    meters = flows.meters
    directions = np.array([int(each.direction) for each in flows.channels], dtype=np.int64)
    in_file = np.bincount(meter_of, minlength=len(meters))
    knows = np.zeros(len(meters), dtype=np.int64)
    np.bitwise_or.at(knows, meter_of, directions)
    meter = meter_of[parts.channel]
    order = np.lexsort((parts.slot, meter))
    order = order[parts.seconds[order] == minutes * 60]
    by_meter, slot = meter[order], parts.slot[order]
    first = (
        np.flatnonzero(
            np.concatenate([[True], (by_meter[1:] != by_meter[:-1]) | (slot[1:] != slot[:-1])])
        )
        if len(order)
        else np.zeros(0, dtype=np.int64)
    )
    if not len(first):
        return _file(meters, minutes, repeated, [np.zeros(0, dtype=np.int64)] * 7)
    is_import = directions[parts.channel[order]] == Direction.IMPORT
    energies = [
        _rounded(np.add.reduceat(np.where(mask, parts.micro_wh[order], 0), first))
        for mask in (is_import, ~is_import)
    ]
    said = np.maximum.reduceat(parts.needed[order], first)
    needed = np.where(said > 0, said, in_file[by_meter[first]])
    complete = np.diff(np.append(first, len(order))) == needed
    for energy in energies:
        if (energy > ENERGY_MAX_WH).any():
            row = int(order[first[np.argmax(energy)]])
            raise ReadingsInvalid(
                file,
                int(parts.line[row]),
                f"a meter's channels come to more than {ENERGY_MAX_WH} Wh",
                "check the unit",
            )
    columns = [
        by_meter[first],
        slot[first] * minutes * 60,
        energies[0],
        energies[1],
        np.minimum.reduceat(parts.line[order], first),
        QUALITY_OF_RANK[np.maximum.reduceat(parts.rank[order], first)],
        np.where(said > 0, KNOWS_BOTH, knows[by_meter[first]]),
    ]
    return _file(meters, minutes, repeated, [column[complete] for column in columns])


def _rounded(micro_wh: Int64Array) -> Int64Array:
    """Round to whole Wh, a half to the even neighbour."""
    whole, rest = np.divmod(micro_wh, MICRO)
    up = (2 * rest > MICRO) | ((2 * rest == MICRO) & (whole % 2 == 1))
    return np.asarray(whole + up, dtype=np.int64)


def _file(
    meters: tuple[str, ...], minutes: int, repeated: int, columns: list[Int64Array]
) -> ReadingsFile:
    index, start_s, import_wh, export_wh, line, quality, knows = columns
    return ReadingsFile(
        meters=meters,
        meter_index=index.astype(np.int32),
        start_epoch_s=start_s,
        minutes=minutes,
        import_wh=import_wh,
        export_wh=export_wh,
        lines=line.astype(np.int32),
        repeated=repeated,
        quality=quality,
        knows=knows,
    )

"""Tell the format of a readings file by what is in it, never by its name, and read it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta, timezone, tzinfo
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from marketplace.domain.readings.cells import CellInvalid, checked_name, quoted
from marketplace.domain.readings.columns import ReadingsFile, ReadingsInvalid
from marketplace.domain.readings.file import HEADER, read_opened_readings
from marketplace.domain.readings.formats.csv_hints import CsvHints
from marketplace.domain.readings.formats.csv_reader import read_csv
from marketplace.domain.readings.formats.espi import read_espi
from marketplace.domain.readings.formats.flows import MICRO, Channel, Direction, Flows
from marketplace.domain.readings.formats.mscons import read_mscons
from marketplace.domain.readings.formats.nem12 import EASTERN_STANDARD, read_nem12
from marketplace.domain.readings.formats.source import Source

OFFSET: Final = re.compile(r"([+-])([0-9]{2}):?([0-9]{2})")
OWN_FORMAT: Final = "readings CSV"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the sender says of a file.

    Attributes
    ----------
    zone : tzinfo, optional
        Whose clock its times are of, where they have no offset.
    hints : CsvHints
    meters : mapping of str to str
        Names in the file to codes of metering points; ``""`` is the only meter of a file.
    """

    zone: tzinfo | None = None
    hints: CsvHints = field(default_factory=CsvHints)
    meters: Mapping[str, str] = field(default_factory=dict)


def read_meter_file(path: Path, *, default_zone: tzinfo, asked: Asked) -> Flows:
    """Read a file of any known format.

    Parameters
    ----------
    path : Path
        Plain, gzip, or a ZIP of one file.
    default_zone : tzinfo
        The community's; for times without an offset, unless ``asked`` names one.
    asked : Asked

    Raises
    ------
    ReadingsInvalid
        If the format is not known, or the file does not follow it.
    """
    source = Source(path, str(path))
    head = source.head().lstrip(b"\xef\xbb\xbf \t\r\n")
    if not head:
        raise ReadingsInvalid(source.name, 1, "the file is empty", "send one with readings")
    if head.startswith(b"<"):
        flows = read_espi(source)
    elif re.match(rb"100,\s*NEM1[23]", head):
        zone = asked.zone
        flows = read_nem12(source, utc_offset=EASTERN_STANDARD if zone is None else _fixed(zone))
    elif re.match(rb"UN[AB]", head) and b"UNH" in head:
        flows = read_mscons(source)
    elif head.split(b"\n", 1)[0].strip().decode("latin-1").replace('"', "") == HEADER:
        with source.open() as file:
            flows = flows_of_readings(read_opened_readings(file, source.name))
    else:
        flows = read_csv(source, zone=asked.zone or default_zone, hints=asked.hints)
    return renamed(flows, asked.meters, source.name)


def zone_of(text: str) -> tzinfo:
    """Return a zone by its IANA name or its offset like +10:00.

    Raises
    ------
    ReadingsInvalid
    """
    found = OFFSET.fullmatch(text)
    if found is not None and int(found[2]) < 24 and int(found[3]) < 60:
        offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
        return timezone(-offset if found[1] == "-" else offset)
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ReadingsInvalid(
            "--timezone",
            0,
            f"{quoted(text)} is no time zone",
            "use one like Europe/Berlin or +10:00",
        ) from error


def _fixed(zone: tzinfo) -> timedelta:
    offset = zone.utcoffset(None)
    if offset is None:
        raise ReadingsInvalid(
            "--timezone",
            0,
            f"{zone} has a summer time, which NEM12 does not know",
            "name a fixed offset like +10:00",
        )
    return offset


def flows_of_readings(readings: ReadingsFile) -> Flows:
    """Return readings as flows: two channels a meter, both always there."""
    count = len(readings)
    channels = tuple(
        Channel(meter, direction, direction.name.lower())
        for direction in (Direction.IMPORT, Direction.EXPORT)
        for meter in readings.meters
    )
    index = readings.meter_index.astype(np.int64)
    quality = np.zeros(count, dtype=np.int64) if readings.quality is None else readings.quality
    notes: tuple[str, ...] = ()
    if readings.repeated:
        notes = (f"{readings.repeated} rows stood twice",)
    return Flows(
        format=OWN_FORMAT,
        notes=notes,
        channels=channels,
        channel=np.concatenate([index, index + len(readings.meters)]),
        start_s=np.tile(readings.start_epoch_s, 2),
        length_s=np.full(2 * count, readings.minutes * 60, dtype=np.int64),
        micro_wh=np.concatenate([readings.import_wh, readings.export_wh]) * MICRO,
        quality=np.tile(quality, 2),
        line=np.tile(readings.lines.astype(np.int64), 2),
        needed=np.full(2 * count, 2, dtype=np.int64),
        dropped=(),
    )


def renamed(flows: Flows, meters: Mapping[str, str], file: str) -> Flows:
    """Return flows under the codes of metering points.

    Raises
    ------
    ReadingsInvalid
        If a name to be replaced is not in the file, or two would become one.
    """
    if not meters:
        return flows
    known = flows.meters
    codes = dict(meters)
    if "" in codes:
        if len(known) != 1:
            raise ReadingsInvalid(
                file, 0, f"holds {len(known)} meters", "write --meter NAME=CODE for each of them"
            )
        codes[known[0]] = codes.pop("")
    for name, code in codes.items():
        if name not in known:
            raise ReadingsInvalid(
                file, 0, f"holds no meter {quoted(name)}", f"its meters are: {', '.join(known[:5])}"
            )
        try:
            checked_name(code)
        except CellInvalid as problem:
            raise ReadingsInvalid("--meter", 0, problem.what, problem.remedy) from problem
    new_names = [codes.get(name, name) for name in known]
    if len(set(new_names)) != len(new_names):
        raise ReadingsInvalid(file, 0, "two meters would get one name", "give each its own code")
    return replace(
        flows,
        channels=tuple(
            each._replace(meter=codes.get(each.meter, each.meter)) for each in flows.channels
        ),
    )

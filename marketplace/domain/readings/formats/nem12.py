"""NEM12, the Australian meter data file: one row per channel and day, a flag per interval.

Of the channels only the master registers of active energy count: E is what the customer drew from
the grid, B what went into it. The configuration names all channels that a meter has, so it is
known when one of them is absent. All times are Eastern Standard Time, which knows no summer time.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from marketplace.domain.readings.cells import CellInvalid, quoted
from marketplace.domain.readings.columns import ReadingsInvalid
from marketplace.domain.readings.formats.flows import (
    Direction,
    Flows,
    FlowsBuilder,
    Quality,
    micro_wh_of,
)
from marketplace.domain.readings.formats.source import Source

FORMAT: Final = "NEM12"
EASTERN_STANDARD: Final = timedelta(hours=10)
DAY_MINUTES: Final = 24 * 60
LENGTHS_MINUTES: Final = (1, 5, 10, 15, 30, 60)
DIRECTIONS: Final = {"E": Direction.IMPORT, "B": Direction.EXPORT}
WH_EXPONENTS: Final = {"WH": 0, "KWH": 3, "MWH": 6, "GWH": 9}
POWER_UNITS: Final = ("W", "KW", "MW", "VA", "KVA", "MVA")
QUALITIES: Final = {
    "A": Quality.MEASURED,
    "E": Quality.ESTIMATED,
    "F": Quality.SUBSTITUTED,
    "S": Quality.SUBSTITUTED,
}
FLAG: Final = re.compile(r"([AEFNSV])([0-9]{2})?")
PAIRS: Final = re.compile(r"([A-Z][0-9A-Z])+")
SEND_AGAIN: Final = "ask the meter data provider for a correct file"
ASK_FOR: Final = "ask for the registers of active energy: E from the grid, B to it"


@dataclass(frozen=True, slots=True)
class _Stream:
    """A 200 record: what the rows after it are about. ``channel`` is -1 where they do not count."""

    channel: int
    minutes: int
    wh_exponent: int
    needed: int


@dataclass(slots=True)
class _Day:
    """A 300 record, until the 400 records that change its flags have been read."""

    line: int
    first_s: int
    values: Sequence[str]
    flags: list[str]


def read_nem12(source: Source, *, utc_offset: timedelta = EASTERN_STANDARD) -> Flows:
    """Read a NEM12 file.

    Parameters
    ----------
    source : Source
    utc_offset : timedelta, default 10 hours
        Of the file's clock.

    Raises
    ------
    ReadingsInvalid
        Names the first record that breaks the format, or a channel whose unit is not energy.
    """
    return _Reader(source.name, utc_offset).read(source)


class _Reader:
    def __init__(self, file: str, utc_offset: timedelta) -> None:
        self.file = file
        self.offset_s = utc_offset // timedelta(seconds=1)
        self.flows = FlowsBuilder(file, FORMAT, ask_for=ASK_FOR)
        self.stream: _Stream | None = None
        self.day: _Day | None = None
        self.has_ended = False
        self.moments: dict[str, int] = {}

    def read(self, source: Source) -> Flows:
        line = 0
        for line, raw in source.lines():
            row = self._cells(raw, line)
            kind = row[0].strip()
            if kind != "400":
                self._end_day()
            if self.has_ended and kind not in ("100", "900"):
                raise self._bad(line, f"record {quoted(kind)} stands after the end record 900")
            if kind == "100":
                self._take_header(row, line)
            elif kind == "200":
                self.stream = self._stream(row, line)
            elif kind == "300":
                self._take_day(row, line)
            elif kind == "400":
                self._take_event(row, line)
            elif kind == "900":
                self.has_ended = True
            elif kind != "500":
                raise self._bad(line, f"{quoted(kind)} is no kind of record")
        if not self.has_ended:
            raise self._bad(line, "the file ends without its end record 900, so it was cut off")
        if len(self.flows):  # of a file without any, the clock explains nothing
            is_usual = self.offset_s == EASTERN_STANDARD // timedelta(seconds=1)
            said = "are {}, as the format has them" if is_usual else "taken as {}, as asked"
            self.flows.note(f"times {said.format(_utc(self.offset_s))}")
        return self.flows.result()

    def _cells(self, raw: bytes, line: int) -> list[str]:
        try:
            return next(csv.reader([raw.decode("utf-8")], strict=True))
        except (UnicodeDecodeError, csv.Error) as error:
            raise self._bad(line, "the record is not comma-separated text") from error

    def _bad(self, line: int, what: str, remedy: str = SEND_AGAIN) -> ReadingsInvalid:
        return ReadingsInvalid(self.file, line, what, remedy)

    def _take_header(self, row: list[str], line: int) -> None:
        version = row[1].strip() if len(row) > 1 else ""
        if version != "NEM12":
            raise self._bad(
                line,
                f"the header says {quoted(version)}, not NEM12",
                "send interval data: NEM13 holds register reads weeks apart",
            )
        self.has_ended = False
        self.stream = None

    def _stream(self, row: list[str], line: int) -> _Stream:
        if len(row) < 9:
            raise self._bad(line, f"a 200 record has 9 cells or more, this one {len(row)}")
        nmi, suffix, unit = row[1].strip(), row[4].strip().upper(), row[7].strip().upper()
        length = row[8].strip()
        if length not in map(str, LENGTHS_MINUTES):
            raise self._bad(line, f"the interval length is {quoted(length)} minutes")
        if len(suffix) != 2:
            raise self._bad(line, f"{quoted(suffix)} is no channel")
        direction = DIRECTIONS.get(suffix[0])
        if direction is None:
            self.flows.note(f"channel {suffix} of {nmi} left aside: not active energy")
            return _Stream(-1, int(length), 0, 0)
        if unit not in WH_EXPONENTS:
            power = unit in POWER_UNITS
            raise self._bad(
                line,
                f"channel {suffix} of {nmi} is in {quoted(row[7])}, "
                + ("which is power, not energy" if power else "not in Wh, kWh or MWh"),
                "ask for the active energy of each interval",
            )
        channel = self.flows.channel(nmi, direction, suffix, line)
        return _Stream(channel, int(length), WH_EXPONENTS[unit], _needed(row[2], suffix))

    def _take_day(self, row: list[str], line: int) -> None:
        if self.stream is None:
            raise self._bad(line, "a 300 record stands before any 200 record")
        count = DAY_MINUTES // self.stream.minutes
        flag = row[2 + count].strip() if len(row) > 2 + count else ""
        if FLAG.fullmatch(flag) is None:
            raise self._bad(
                line,
                f"after {count} values of {self.stream.minutes} minutes stands {quoted(flag)}, not "
                "a quality flag: the record has too few or too many values",
            )
        self.day = _Day(line, self._day_start(row[1].strip(), line), row[2 : 2 + count], [])
        self.day.flags = [flag] * count

    def _day_start(self, date: str, line: int) -> int:
        if date not in self.moments:
            try:
                if len(date) != 8:
                    raise ValueError(date)
                day = datetime.strptime(date, "%Y%m%d").replace(tzinfo=UTC)
            except ValueError as error:
                raise self._bad(line, f"{quoted(date)} is no day like 20260701") from error
            self.moments[date] = int(day.timestamp()) - self.offset_s
        return self.moments[date]

    def _take_event(self, row: list[str], line: int) -> None:
        if self.day is None:
            raise self._bad(line, "a 400 record follows no 300 record")
        cells = [cell.strip() for cell in row[1:4]]
        if len(cells) < 3 or not (cells[0].isdecimal() and cells[1].isdecimal()):
            raise self._bad(line, "a 400 record names a first and a last interval and a flag")
        first, last = int(cells[0]), int(cells[1])
        if not 1 <= first <= last <= len(self.day.flags):
            raise self._bad(
                line, f"intervals {first} to {last} are not within 1 to {len(self.day.flags)}"
            )
        if FLAG.fullmatch(cells[2]) is None or cells[2][0] == "V":
            raise self._bad(line, f"{quoted(cells[2])} is no quality flag of an interval")
        self.day.flags[first - 1 : last] = [cells[2]] * (last - first + 1)

    def _end_day(self) -> None:
        """Take the values of the day before, whose flags are all known now."""
        day, stream, self.day = self.day, self.stream, None
        if day is None or stream is None or stream.channel < 0:
            return
        length_s = stream.minutes * 60
        for number, (value, flag) in enumerate(zip(day.values, day.flags, strict=True)):
            start_s = day.first_s + number * length_s
            if flag[0] == "V":
                raise self._bad(
                    day.line, f"its quality varies, but no 400 record covers interval {number + 1}"
                )
            if flag[0] == "N" or not value.strip():
                why = "flagged as null" if flag[0] == "N" else "empty"
                self.flows.drop(channel=stream.channel, start_s=start_s, line=day.line, why=why)
                continue
            try:
                micro_wh = micro_wh_of(value.strip(), stream.wh_exponent)
            except CellInvalid as problem:
                raise self._bad(
                    day.line, f"interval {number + 1}: {problem.what}", problem.remedy
                ) from problem
            self.flows.add(
                channel=stream.channel,
                start_s=start_s,
                length_s=length_s,
                micro_wh=micro_wh,
                quality=QUALITIES[flag[0]],
                line=day.line,
                needed=stream.needed,
            )


def _needed(configuration: str, suffix: str) -> int:
    """Return how many energy channels a meter has, by its configuration like E1B1Q1."""
    text = configuration.strip().upper()
    channels = {suffix}
    if PAIRS.fullmatch(text):
        channels.update(text[at : at + 2] for at in range(0, len(text), 2))
    return sum(channel[0] in DIRECTIONS for channel in channels)


def _utc(offset_s: int) -> str:
    hours, minutes = divmod(abs(offset_s) // 60, 60)
    return f"UTC{'-' if offset_s < 0 else '+'}{hours:02d}:{minutes:02d}"

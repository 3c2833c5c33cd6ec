"""MSCONS, the EDIFACT message of metered consumption: load profiles by their OBIS codes.

The quantity's qualifier says what a value is worth; the OBIS code says what it is of. Only load
profiles of active energy count (1-n:1.29.n from the grid, 1-n:2.29.n to it). A number after the
file's name in an error is that of the segment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from marketplace.domain.readings.cells import CellInvalid, quoted
from marketplace.domain.readings.columns import ReadingsInvalid
from marketplace.domain.readings.formats.edifact import Segment, segments
from marketplace.domain.readings.formats.flows import (
    Direction,
    Flows,
    FlowsBuilder,
    Quality,
    micro_wh_of,
)
from marketplace.domain.readings.formats.source import Source

FORMAT: Final = "MSCONS"
OBIS: Final = re.compile(r"([0-9]+)-([0-9]+):([0-9A-Z]+)\.([0-9]+)\.([0-9]+)(?:\*[0-9]+)?")
ELECTRICITY, LOAD_PROFILE = "1", "29"
MEDIA: Final = {"4": "heat", "5": "cold", "6": "heat", "7": "gas", "8": "water", "9": "water"}
DIRECTIONS: Final = {"1": Direction.IMPORT, "2": Direction.EXPORT}
# A delivered quantity (46) is what interchanges before 220 called a true value; 79 is what they
# put among them for a replaced one.
QUALITIES: Final = {
    "220": Quality.MEASURED,
    "46": Quality.MEASURED,
    "67": Quality.SUBSTITUTED,
    "79": Quality.SUBSTITUTED,
    "187": Quality.ESTIMATED,
    "201": Quality.ESTIMATED,
    "Z18": Quality.ESTIMATED,
}
NOT_USABLE: Final = "20"
WH_EXPONENTS: Final = {"": 3, "KWH": 3, "WHR": 0, "WH": 0, "MWH": 6}
POWER_UNITS: Final = ("KWT", "KW", "WTT", "MAW")
MINUTES_CODE: Final = "806"
MOMENT: Final = re.compile(r"([0-9]{12})([+-])([0-9]{2})(?::?([0-9]{2}))?")
BEGINS, ENDS, GRANULARITY = "163", "164", "672"
CANCELLATION: Final = "1"
SEND_AGAIN: Final = "ask the sender for a correct message"
ASK_FOR: Final = "ask for active energy, like 1-1:1.29.0 from the grid and 1-1:2.29.0 to it"


@dataclass(slots=True)
class _Value:
    """A QTY segment until its own DTM segments have been read."""

    number: int
    qualifier: str
    text: str
    unit: str
    begins_s: int | None = None
    ends_s: int | None = None


def read_mscons(source: Source) -> Flows:
    """Read an interchange of MSCONS messages.

    Raises
    ------
    ReadingsInvalid
        Names the first segment that breaks the format, or a quantity that is not energy.
    """
    reader = _Reader(source.name)
    for segment in segments(source):
        reader.take(segment)
    return reader.result()


class _Reader:
    def __init__(self, file: str) -> None:
        self.file = file
        self.flows = FlowsBuilder(file, FORMAT, ask_for=ASK_FOR)
        self.meter = ""
        self.channel = -1
        self.next_s: int | None = None
        self.step_s = 0
        self.has_line = False
        self.value: _Value | None = None
        self.has_ended = False

    def take(self, segment: Segment) -> None:
        if segment.tag not in ("DTM", "STS"):
            self._end_value()
        taker = {
            "UNH": self._take_message,
            "BGM": self._take_function,
            "LOC": self._take_place,
            "LIN": self._take_line,
            "PIA": self._take_product,
            "QTY": self._take_quantity,
            "DTM": self._take_moment,
            "UNZ": self._take_end,
        }.get(segment.tag)
        if taker is not None:
            taker(segment)

    def result(self) -> Flows:
        if not self.has_ended:
            raise ReadingsInvalid(
                self.file, 0, "ends without its UNZ segment, so it was cut off", SEND_AGAIN
            )
        return self.flows.result()

    def _bad(self, number: int, what: str, remedy: str = SEND_AGAIN) -> ReadingsInvalid:
        return ReadingsInvalid(self.file, number, f"segment {number}: {what}", remedy)

    def _take_message(self, segment: Segment) -> None:
        if (kind := segment.part(1)) != "MSCONS":
            raise self._bad(
                segment.number, f"the message is {quoted(kind)}, not MSCONS", "send meter readings"
            )
        self.meter, self.channel, self.has_line = "", -1, False

    def _take_function(self, segment: Segment) -> None:
        if segment.part(2) == CANCELLATION:
            raise self._bad(
                segment.number,
                "the message cancels another one",
                "readings are never taken back: send the correct values",
            )

    def _take_place(self, segment: Segment) -> None:
        if segment.part(0) == "172":
            names = segment.elements[1] if len(segment.elements) > 1 else ()
            self.meter = next((name for name in reversed(names) if len(name) > 4), "")
            self.channel, self.next_s, self.step_s, self.has_line = -1, None, 0, False
            if not self.meter:
                raise self._bad(segment.number, "LOC+172 names no metering point")

    def _take_line(self, segment: Segment) -> None:
        self.has_line, self.channel = True, -1

    def _take_product(self, segment: Segment) -> None:
        found = OBIS.fullmatch(code := segment.part(1))
        if found is None:
            raise self._bad(segment.number, f"{quoted(code)} is no OBIS code")
        if found[1] != ELECTRICITY:
            raise self._bad(
                segment.number,
                f"{code} is {MEDIA.get(found[1], 'no electricity')}",
                "send electricity only",
            )
        if not self.meter:
            raise self._bad(segment.number, "a product stands before any LOC+172")
        direction = DIRECTIONS.get(found[3])
        if direction is None:
            self.flows.note(f"register {code} of {self.meter} left aside: not active energy")
        elif found[4] != LOAD_PROFILE:
            what = "a register's stand" if found[4] == "8" else "not energy per interval"
            raise self._bad(
                segment.number, f"{code} is {what}", f"send the load profile 1-1:{found[3]}.29.0"
            )
        else:
            name = f"{found[3]}.{found[4]}.{found[5]}"
            self.channel = self.flows.channel(self.meter, direction, name, segment.number)

    def _take_quantity(self, segment: Segment) -> None:
        if not self.has_line:
            raise self._bad(segment.number, "a quantity stands before any LIN")
        self.value = _Value(
            segment.number,
            segment.part(0).strip(),
            segment.part(0, 1).strip(),
            segment.part(0, 2).strip(),
        )

    def _take_moment(self, segment: Segment) -> None:
        kind, text, form = (segment.part(0, at) for at in range(3))
        if kind == GRANULARITY:
            if form != MINUTES_CODE or not text.isdecimal() or not int(text):
                raise self._bad(segment.number, f"{quoted(text)} is no length in minutes")
            self.step_s = int(text) * 60
        elif kind in (BEGINS, ENDS):
            moment_s = self._moment(text, form, segment.number)
            if self.value is None:
                if kind == BEGINS:
                    self.next_s = moment_s
            elif kind == BEGINS:
                self.value.begins_s = moment_s
            else:
                self.value.ends_s = moment_s

    def _moment(self, text: str, form: str, number: int) -> int:
        found = MOMENT.fullmatch(text) if form == "303" else None
        if found is None:
            raise self._bad(
                number,
                f"{quoted(text)} in form {quoted(form)} is no time with its offset from UTC",
                "send times in form 303, like 202607010800+00",
            )
        try:
            local = datetime.strptime(found[1], "%Y%m%d%H%M").replace(tzinfo=UTC)
        except ValueError as error:
            raise self._bad(number, f"{quoted(text)} does not exist") from error
        offset_s = int(found[3]) * 3600 + int(found[4] or 0) * 60
        return int(local.timestamp()) - (offset_s if found[2] == "+" else -offset_s)

    def _take_end(self, segment: Segment) -> None:
        self.has_ended = True

    def _end_value(self) -> None:
        """Take the quantity whose times are all known now."""
        value, self.value = self.value, None
        if value is None or self.channel < 0:
            return
        begins_s = self.next_s if value.begins_s is None else value.begins_s
        if begins_s is None:
            raise self._bad(value.number, "the quantity has no begin (DTM+163)")
        ends_s = begins_s + self.step_s if value.ends_s is None else value.ends_s
        if ends_s <= begins_s:
            raise self._bad(value.number, "the quantity does not end after its begin")
        if value.begins_s is None:
            self.next_s = ends_s
        if value.qualifier == NOT_USABLE:
            self.flows.drop(
                channel=self.channel, start_s=begins_s, line=value.number, why="not usable"
            )
            return
        if value.qualifier not in QUALITIES:
            raise self._bad(value.number, f"{quoted(value.qualifier)} is no kind of reading")
        self.flows.add(
            channel=self.channel,
            start_s=begins_s,
            length_s=ends_s - begins_s,
            micro_wh=self._energy(value),
            quality=QUALITIES[value.qualifier],
            line=value.number,
        )

    def _energy(self, value: _Value) -> int:
        unit = value.unit.upper()
        if unit not in WH_EXPONENTS:
            power = "power, not energy" if unit in POWER_UNITS else "not Wh, kWh or MWh"
            raise self._bad(
                value.number,
                f"the unit {quoted(value.unit)} is {power}",
                "send the energy of each interval in kWh",
            )
        if not unit:
            self.flows.note("values without a unit taken as kWh, as the format has them")
        try:
            return micro_wh_of(value.text, WH_EXPONENTS[unit])
        except CellInvalid as problem:
            raise self._bad(value.number, problem.what, problem.remedy) from problem

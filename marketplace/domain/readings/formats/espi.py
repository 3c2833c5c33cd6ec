"""Green Button (NAESB ESPI): usage points, their meter readings, the type of each, and blocks.

A feed joins these by links. It is read twice: once for who is who, once for the readings, which
are far more. A usage point is named by the end of its own link, as no other name is certain.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from marketplace.domain.readings.cells import CellInvalid, quoted
from marketplace.domain.readings.columns import ReadingsInvalid
from marketplace.domain.readings.formats.espi_xml import (
    READING,
    RESOURCES,
    Element,
    Entry,
    elements,
)
from marketplace.domain.readings.formats.flows import (
    Direction,
    Flows,
    FlowsBuilder,
    Quality,
    micro_wh_of,
)
from marketplace.domain.readings.formats.source import Source

FORMAT: Final = "Green Button"
SERVICES: Final = {
    "1": "natural gas",
    "2": "water",
    "3": "time",
    "4": "heat",
    "5": "refuse",
    "6": "sewerage",
    "7": "rates",
    "8": "TV licence",
    "9": "internet",
}
WATT_HOURS, WATTS, AVERAGE = "72", "38", "2"
GAS_UNITS: Final = {"169": "therms", "119": "cubic feet", "42": "cubic metres", "132": "Btu"}
OTHER_ENERGY: Final = {"71": "VAh", "73": "varh"}
DELTAS: Final = ("", "0", "4")
FORWARD, REVERSE, NET = "1", "19", "4"
ESTIMATES: Final = frozenset({"8", "9", "10", "12", "13", "16"})
SUBSTITUTES: Final = frozenset({"7", "11", "15"})
ASK_FOR: Final = "ask the utility for interval data of energy (uom 72, accumulationBehaviour 4)"
NO_RESOURCE: Final = "/resource/"


@dataclass(frozen=True, slots=True)
class _Type:
    """How the readings of one meter reading count. ``channels`` is empty where they do not."""

    wh_exponent: int
    is_mean_power: bool
    channels: tuple[int, ...]


@dataclass(slots=True)
class _Feed:
    """The resources of a feed that are few."""

    usage_points: list[tuple[Entry, Element]] = field(default_factory=list)
    meter_readings: list[tuple[Entry, Element]] = field(default_factory=list)
    types: list[tuple[Entry, Element]] = field(default_factory=list)


def read_espi(source: Source) -> Flows:
    """Read a Green Button feed.

    Raises
    ------
    ReadingsInvalid
        If it is of another service than electricity, of power or of a unit that is no energy, or
        if its links do not say what a reading is of.
    """
    return _Reader(source.name).read(source)


class _Reader:
    def __init__(self, file: str) -> None:
        self.file = file
        self.flows = FlowsBuilder(file, FORMAT)
        self.feed = _Feed()
        self.types: dict[str, _Type] = {}

    def read(self, source: Source) -> Flows:
        places = {
            "UsagePoint": self.feed.usage_points,
            "MeterReading": self.feed.meter_readings,
            "ReadingType": self.feed.types,
        }
        for entry, element in elements(source, RESOURCES):
            places[element.name].append((entry, element))
        self._check_services()
        for entry, element in elements(source, frozenset({READING})):
            self._take(entry, element)
        return self.flows.result()

    def _bad(self, line: int, what: str, remedy: str = ASK_FOR) -> ReadingsInvalid:
        return ReadingsInvalid(self.file, line, what, remedy)

    def _check_services(self) -> None:
        if not self.feed.usage_points:
            raise self._bad(0, "names no usage point", "send the whole feed, not a part of it")
        for _, point in self.feed.usage_points:
            kind = point.texts.get("ServiceCategory/kind", "")
            if not kind:
                raise self._bad(
                    point.line,
                    "the usage point does not say what is metered (no ServiceCategory kind)",
                    "send electricity (kind 0) only, and have the utility say so in the feed",
                )
            if kind != "0":
                what = SERVICES.get(kind, f"service {quoted(kind)}")
                raise self._bad(
                    point.line, f"the usage point is of {what}", "send electricity (kind 0) only"
                )

    def _take(self, entry: Entry, reading: Element) -> None:
        if entry.self_href not in self.types:
            self.types[entry.self_href] = self._type_of(entry, reading.line)
        counted = self.types[entry.self_href]
        if not counted.channels:
            return
        start_s, length_s = (
            self._seconds(reading, f"timePeriod/{name}") for name in ("start", "duration")
        )
        if length_s < 1:
            raise self._bad(reading.line, "the reading has no duration", ASK_FOR)
        try:
            micro_wh = micro_wh_of(
                reading.texts.get("value", ""),
                counted.wh_exponent,
                divisor=3600 if counted.is_mean_power else 1,
            )
        except CellInvalid as problem:
            raise self._bad(reading.line, problem.what, problem.remedy) from problem
        if counted.is_mean_power:
            micro_wh *= length_s
        quality = _quality(reading.texts.get("ReadingQuality/quality", "").split())
        energies: tuple[int, ...] = (micro_wh,)
        if len(counted.channels) == 2:
            energies = (max(micro_wh, 0), max(-micro_wh, 0))
        for channel, energy in zip(counted.channels, energies, strict=True):
            self.flows.add(
                channel=channel,
                start_s=start_s,
                length_s=length_s,
                micro_wh=energy,
                quality=quality,
                line=reading.line,
            )

    def _seconds(self, reading: Element, way: str) -> int:
        text = reading.texts.get(way, "")
        if not text.isdecimal() or len(text) > 12:
            raise self._bad(
                reading.line,
                f"{way} is {quoted(text)}, not a whole number of seconds",
                "ask the utility for a feed that follows the standard",
            )
        return int(text)

    def _type_of(self, block: Entry, line: int) -> _Type:
        hrefs = (block.self_href, block.up_href)
        meter_reading = _joined(self.feed.meter_readings, hrefs)
        if meter_reading is None:
            raise self._bad(line, "no link says which meter reading this block is of")
        entry, _ = meter_reading
        point = _joined(self.feed.usage_points, (entry.self_href, entry.up_href))
        if point is None:
            raise self._bad(line, "no link says which usage point this block is of")
        kinds = [each for each in self.feed.types if each[0].self_href in entry.related]
        kinds = kinds or (self.feed.types if len(self.feed.types) == 1 else [])
        if not kinds:
            raise self._bad(line, "no reading type says what this block is of, nor its unit")
        return self._checked_type(kinds[0][1], _name(point[0]), _tail(entry.self_href))

    def _checked_type(self, kind: Element, meter: str, name: str) -> _Type:
        unit = kind.texts.get("uom", "")
        is_mean_power = unit == WATTS and kind.texts.get("dataQualifier") == AVERAGE
        if unit in GAS_UNITS or kind.texts.get("commodity") == "7":
            what = GAS_UNITS.get(unit, "gas")
            raise self._bad(kind.line, f"is of gas ({what})", "send electricity only")
        if unit in OTHER_ENERGY:
            self.flows.note(f"{OTHER_ENERGY[unit]} of {meter} left aside: not active energy")
            return _Type(0, False, ())
        if unit == WATTS and not is_mean_power:
            raise self._bad(kind.line, "is of power (W) and does not say that it is its mean")
        if unit != WATT_HOURS and not is_mean_power:
            raise self._bad(kind.line, f"has the unit of measure {quoted(unit)}, not Wh (72)")
        behaviour = kind.texts.get("accumulationBehaviour", "")
        if not is_mean_power and behaviour not in DELTAS:
            raise self._bad(
                kind.line, f"is no energy per interval (accumulationBehaviour {behaviour})"
            )
        if is_mean_power:
            self.flows.note("mean power turned into energy, as the reading type says it is one")
        power = kind.texts.get("powerOfTenMultiplier", "") or "0"
        if power.lstrip("-") not in {str(each) for each in range(13)}:
            raise self._bad(kind.line, f"has the power of ten {quoted(power)}")
        channels = self._channels(kind, meter, name)
        return _Type(int(power), is_mean_power, channels)

    def _channels(self, kind: Element, meter: str, name: str) -> tuple[int, ...]:
        directions = {
            FORWARD: (Direction.IMPORT,),
            REVERSE: (Direction.EXPORT,),
            NET: (Direction.IMPORT, Direction.EXPORT),
        }.get(flow := kind.texts.get("flowDirection", ""))
        if directions is None:
            raise self._bad(
                kind.line,
                f"has the flow direction {quoted(flow)}, so nobody knows from or to the grid",
                "ask the utility for flowDirection 1 (delivered), 19 (received) or 4 (net)",
            )
        return tuple(self.flows.channel(meter, each, name, kind.line) for each in directions)


def _joined(
    candidates: list[tuple[Entry, Element]], hrefs: Iterable[str]
) -> tuple[Entry, Element] | None:
    """Return the resource that links join with one of these addresses; the only one if none do."""
    known = [href for href in hrefs if href]
    for entry, element in candidates:
        if entry.self_href and any(href.startswith(f"{entry.self_href}/") for href in known):
            return entry, element
    for entry, element in candidates:
        if any(href in entry.related for href in known):
            return entry, element
    return candidates[0] if len(candidates) == 1 else None


def _name(point: Entry) -> str:
    return point.self_href.rpartition(NO_RESOURCE)[2].strip("/") or "UsagePoint"


def _tail(href: str) -> str:
    return href.rpartition("/")[2] or "1"


def _quality(codes: list[str]) -> Quality:
    if ESTIMATES.intersection(codes):
        return Quality.ESTIMATED
    return Quality.SUBSTITUTED if SUBSTITUTES.intersection(codes) else Quality.MEASURED

"""What every format is read into: energies of channels, each over its own stretch of time.

A channel is one register of one meter in one direction. A meter may have several in a direction;
their energies add up. Energies are kept in millionths of a Wh, so that parts of an interval are
added before anything is rounded.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from marketplace.domain.readings.cells import (
    END_EPOCH_S,
    ENERGY_MAX_WH,
    CellInvalid,
    checked_name,
    quoted,
)
from marketplace.domain.readings.columns import ReadingsInvalid

Int64Array = NDArray[np.int64]

MICRO: Final = 10**6
FLOW_MAX_MICRO_WH: Final = ENERGY_MAX_WH * MICRO
FLOWS_MAX: Final = 30_000_000
NUMBER: Final = re.compile(r"(-?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,2}))?")


class Direction(IntEnum):
    """Which way a channel counts, as seen from the grid connection."""

    IMPORT = 1  # from the grid
    EXPORT = 2  # to the grid


class Quality(IntEnum):
    """How a reading came about; the numbers are those that are stored."""

    MEASURED = 0
    ESTIMATED = 1
    SUBSTITUTED = 2


# Of a reading made of several parts: one estimate makes an estimate.
QUALITY_RANK: Final = np.array([0, 2, 1], dtype=np.int64)
QUALITY_OF_RANK: Final = np.array([0, 2, 1], dtype=np.int64)


class Channel(NamedTuple):
    """One register: whose it is, its direction, and its name in the file."""

    meter: str
    direction: Direction
    name: str


class Dropped(NamedTuple):
    """A value that the file itself does not vouch for, or that stands for two moments."""

    line: int
    channel: int
    start_s: int
    why: str


@dataclass(frozen=True, slots=True, eq=False)
class Flows:
    """The energies of a file in its order.

    Attributes
    ----------
    format : str
        What the file was recognised as.
    notes : tuple of str
        What a reader took for granted or left aside; shown to whoever sent the file.
    channels : tuple of Channel
    channel, start_s, length_s, micro_wh, quality, line, needed : ndarray of int64, shape (n,)
        Channel by index, start [s since 1970-01-01 UTC], length [s], energy [10^-6 Wh], `Quality`,
        line in the file, and how many energy channels the meter has at that time: a reading of
        which one is missing is missing. 0 where the file does not say.
    dropped : tuple of Dropped
    """

    format: str
    notes: tuple[str, ...]
    channels: tuple[Channel, ...]
    channel: Int64Array
    start_s: Int64Array
    length_s: Int64Array
    micro_wh: Int64Array
    quality: Int64Array
    line: Int64Array
    needed: Int64Array
    dropped: tuple[Dropped, ...]

    def __len__(self) -> int:
        return len(self.line)

    @property
    def meters(self) -> tuple[str, ...]:
        """Names of the meters, sorted by code point."""
        return tuple(sorted({each.meter for each in self.channels}))

    def sum_wh(self, meter: str, direction: Direction, name: str | None = None) -> int:
        """Return what a file says a meter counted, rounded once. [Wh]"""
        wanted = [
            index
            for index, each in enumerate(self.channels)
            if (each.meter, each.direction) == (meter, direction) and name in (None, each.name)
        ]
        total = int(self.micro_wh[np.isin(self.channel, wanted)].sum())
        return (total + MICRO // 2) // MICRO


class FlowsBuilder:
    """Collects the flows of one file, in bounded columns."""

    def __init__(self, file: str, format_name: str, *, ask_for: str = "") -> None:
        self.file = file
        self.format = format_name
        self.ask_for = ask_for or "send a file with interval readings of energy"
        self.notes: dict[str, None] = {}
        self._channels: dict[Channel, int] = {}
        self._columns = tuple(array("q") for _ in range(7))
        self.dropped: list[Dropped] = []

    def __len__(self) -> int:
        return len(self._columns[0])

    def note(self, text: str) -> None:
        """Remember once what the sender should know."""
        self.notes[text] = None

    def channel(self, meter: str, direction: Direction, name: str, line: int) -> int:
        """Return the index of a channel, made at its first mention."""
        key = Channel(meter, direction, name)
        if key not in self._channels:
            try:
                checked_name(meter)
            except CellInvalid as problem:
                raise ReadingsInvalid(self.file, line, problem.what, problem.remedy) from problem
            self._channels[key] = len(self._channels)
        return self._channels[key]

    def add(
        self,
        *,
        channel: int,
        start_s: int,
        length_s: int,
        micro_wh: int,
        quality: Quality,
        line: int,
        needed: int = 0,
    ) -> None:
        """Take one flow; its energy and time must be such as exist."""
        if not 0 <= micro_wh <= FLOW_MAX_MICRO_WH:
            self._refuse_energy(line, micro_wh)
        if not 0 <= start_s < END_EPOCH_S:
            raise ReadingsInvalid(
                self.file, line, "the time is not between 1970 and 2200", "correct the date"
            )
        row = (channel, start_s, length_s, micro_wh, int(quality), line, needed)
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)
        if len(self) > FLOWS_MAX:
            raise ReadingsInvalid(
                self.file, line, f"holds more than {FLOWS_MAX} values", "split it by meter or month"
            )

    def drop(self, *, channel: int, start_s: int, line: int, why: str) -> None:
        """Take a value as missing: the file says so, or cannot say which moment it is of."""
        self.dropped.append(Dropped(line, channel, start_s, why))

    def _refuse_energy(self, line: int, micro_wh: int) -> None:
        if micro_wh < 0:
            raise ReadingsInvalid(
                self.file,
                line,
                "the energy is negative",
                "send energy to the grid on a channel of its own, as a positive number",
            )
        raise ReadingsInvalid(
            self.file, line, f"the energy is above {ENERGY_MAX_WH} Wh", "check the unit"
        )

    def result(self) -> Flows:
        """Return what was collected.

        Raises
        ------
        ReadingsInvalid
            If there is nothing.
        """
        if not len(self):
            raise ReadingsInvalid(
                self.file,
                0,
                f"this {self.format} file holds no reading of electrical energy"
                + (": " + ", ".join(self.notes) if self.notes else ""),
                self.ask_for,
            )
        channel, start_s, length_s, micro_wh, quality, line, needed = (
            np.array(column, dtype=np.int64) for column in self._columns
        )
        return Flows(
            format=self.format,
            notes=tuple(self.notes),
            channels=tuple(self._channels),
            channel=channel,
            start_s=start_s,
            length_s=length_s,
            micro_wh=micro_wh,
            quality=quality,
            line=line,
            needed=needed,
            dropped=tuple(self.dropped),
        )


def micro_wh_of(text: str, wh_exponent: int, *, divisor: int = 1) -> int:
    """Return a decimal number with its power of ten as an energy, without a float on the way.

    Parameters
    ----------
    text : str
        Like ``18.023``; a point is the decimal sign.
    wh_exponent : int
        Its unit is ten to this power of Wh: 3 for kWh.
    divisor : int, default 1
        Divides the result: 3600 makes W times seconds to Wh.

    Returns
    -------
    int
        Half to even. [10^-6 Wh]

    Raises
    ------
    CellInvalid
    """
    found = NUMBER.fullmatch(text)
    if found is None or not (found[2] or found[3]) or len(text) > 40:
        raise CellInvalid(
            f"{quoted(text)} is not a number", "leave the value out where a reading is missing"
        )
    sign, whole, part, power = found.groups(default="")
    exponent = wh_exponent + 6 - len(part) + int(power or 0)
    digits = int(whole + part)
    if not digits:
        return 0
    if exponent > 60:
        raise CellInvalid(f"{quoted(text)} is no energy of a meter", "check the value and its unit")
    numerator = digits * 10 ** max(exponent, 0)
    value = divided_half_even(numerator, 10 ** max(-exponent, 0) * divisor)
    return -value if sign else value


def divided_half_even(numerator: int, denominator: int) -> int:
    """Return ``numerator / denominator`` rounded, a half to the even neighbour."""
    whole, rest = divmod(numerator, denominator)
    if 2 * rest > denominator or (2 * rest == denominator and whole % 2):
        whole += 1
    return whole


def named(values: Sequence[str], most: int = 5) -> str:
    """Return a few names as text for an error."""
    shown = ", ".join(quoted(value) for value in values[:most])
    return shown if len(values) <= most else f"{shown} and {len(values) - most} more"

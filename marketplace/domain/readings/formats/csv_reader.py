"""Somebody's own CSV, read by its guessed layout."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from marketplace.domain.readings.cells import CellInvalid, quoted
from marketplace.domain.readings.columns import ReadingsInvalid
from marketplace.domain.readings.formats.csv_guess import guess_layout
from marketplace.domain.readings.formats.csv_hints import CsvHints
from marketplace.domain.readings.formats.csv_layout import Layout, moment_cells, rows_of, time_role
from marketplace.domain.readings.formats.csv_numbers import EMPTY, plain
from marketplace.domain.readings.formats.csv_registers import RegisterStand, stand_difference
from marketplace.domain.readings.formats.csv_times import WallClock
from marketplace.domain.readings.formats.csv_words import QUALITIES
from marketplace.domain.readings.formats.flows import (
    Direction,
    Flows,
    FlowsBuilder,
    Quality,
    micro_wh_of,
)
from marketplace.domain.readings.formats.source import Source

FORMAT: Final = "CSV"
ONLY_METER: Final = "meter"
DIRECTIONS: Final = {"import": Direction.IMPORT, "export": Direction.EXPORT}
HOUR_S: Final = 3600


@dataclass(slots=True)
class _Row:
    line: int
    meter: str
    start_s: int
    length_s: int
    quality: Quality | None


def read_csv(source: Source, *, zone: tzinfo, hints: CsvHints) -> Flows:
    """Read a CSV whose columns are guessed; the guess is the first of the result's notes.

    Parameters
    ----------
    source : Source
    zone : tzinfo
        Whose wall clock times without an offset are of.
    hints : CsvHints
        What is not to be guessed.

    Raises
    ------
    ReadingsInvalid
        If the layout is not certain, or names the first row that does not follow it.
    """
    layout = guess_layout(source, hints)
    reader = _Reader(source.name, layout, zone)
    for line, cells in rows_of(source, layout):
        try:
            reader.take(line, cells)
        except CellInvalid as problem:
            raise ReadingsInvalid(source.name, line, problem.what, problem.remedy) from problem
    return reader.result()


class _Reader:
    def __init__(self, file: str, layout: Layout, zone: tzinfo) -> None:
        self.file = file
        self.layout = layout
        self.clock = WallClock(zone, layout.dates)
        self.flows = FlowsBuilder(file, FORMAT)
        self.flows.note(f"{layout.described()}, clock of {zone}")
        for note in layout.notes:
            self.flows.note(note)
        self.role = time_role(layout)
        # Lines of a repeated hour: the first time a meter says it is the earlier moment.
        self.repeated: dict[tuple[str, int], list[int]] = {}
        self.stands: dict[int, RegisterStand] = {}

    def take(self, line: int, cells: list[str]) -> None:
        row = self._row(line, cells)
        for role, direction in DIRECTIONS.items():
            at = self.layout.columns.get(role)
            if at is None:
                continue
            text = cells[at]
            channel = self.flows.channel(row.meter, direction, role, line)
            if text.lower() in EMPTY or row.quality is None:
                if not self.layout.is_register:
                    why = "empty" if row.quality is not None else "flagged as missing"
                    self.flows.drop(channel=channel, start_s=row.start_s, line=line, why=why)
                continue
            number = plain(text, self.layout.decimal)
            energy = micro_wh_of(
                number,
                self.layout.wh_exponents[role],
                divisor=HOUR_S if self.layout.is_power else 1,
            )
            if self.layout.is_register:
                stand = RegisterStand(row.start_s, number, energy, row.quality)
                self._take_stand(row, channel, stand)
                continue
            self.flows.add(
                channel=channel,
                start_s=row.start_s,
                length_s=row.length_s,
                micro_wh=energy * row.length_s if self.layout.is_power else energy,
                quality=row.quality,
                line=line,
            )

    def result(self) -> Flows:
        lonely = [lines[0] for lines in self.repeated.values() if len(lines) == 1]
        if lonely:
            raise ReadingsInvalid(
                self.file,
                min(lonely),
                f"this time comes twice in {self.clock.zone}, where the clock goes back, but once "
                "in the file",
                "if the file keeps standard time all year, name it, like --timezone +10:00; else "
                "write times with their offset",
            )
        return self.flows.result()

    def _row(self, line: int, cells: list[str]) -> _Row:
        columns = self.layout.columns
        meter = cells[columns["meter"]] if "meter" in columns else ONLY_METER
        moment_s = self._moment(meter, line, moment_cells(self.layout, cells, self.role))
        length_s = self.layout.length_s
        if "minutes" in columns:
            text = cells[columns["minutes"]]
            if not text.isdecimal() or not 1 <= int(text) <= 1440:
                raise CellInvalid(f"{quoted(text)} is no length in minutes", "write it like 15")
            length_s = int(text) * 60
        elif not length_s:
            ends = self.clock.moments(*moment_cells(self.layout, cells, "end"))
            length_s = min((end for end in ends if end > moment_s), default=moment_s) - moment_s
            if length_s <= 0:
                raise CellInvalid("the row ends before it begins", "correct its times")
        start_s = moment_s - length_s if self.layout.label == "end" else moment_s
        return _Row(line, meter, start_s, length_s, self._quality(cells))

    def _moment(self, meter: str, line: int, texts: tuple[str, str]) -> int:
        moments = self.clock.moments(*texts)
        if len(moments) == 1:
            return moments[0]
        lines = self.repeated.setdefault((meter, moments[0]), [])
        lines.append(line)
        if len(lines) > 2:
            raise CellInvalid("this time stands a third time", "keep the rows that are right")
        return moments[len(lines) - 1]

    def _quality(self, cells: list[str]) -> Quality | None:
        at = self.layout.columns.get("quality")
        word = cells[at].lower() if at is not None else ""
        if not word:
            return Quality.MEASURED
        if word not in QUALITIES:
            raise CellInvalid(
                f"{quoted(cells[at or 0])} is no known quality",
                "write measured, estimated, substituted or missing",
            )
        return QUALITIES[word]

    def _take_stand(self, row: _Row, channel: int, stand: RegisterStand) -> None:
        """Turn two stands of a register into the energy between them."""
        before, self.stands[channel] = self.stands.get(channel), stand
        if before is None:
            return
        difference, rolled_over = stand_difference(before, stand)
        if rolled_over:
            self.flows.note(f"the register of {row.meter} went through zero at line {row.line}")
        elapsed_s = stand.at_s - before.at_s
        if elapsed_s > self.layout.length_s:
            self.flows.drop(
                channel=channel,
                start_s=before.at_s,
                line=row.line,
                why="the register was not read in between",
            )
            return
        self.flows.add(
            channel=channel,
            start_s=before.at_s,
            length_s=elapsed_s,
            micro_wh=difference,
            quality=stand.worse_of(before),
            line=row.line,
        )

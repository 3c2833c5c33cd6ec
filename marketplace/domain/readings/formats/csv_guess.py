"""Guess how somebody's own CSV is written; what cannot be known for certain is asked, not taken.

The whole file is looked at once before any of it is read: one date beyond the twelfth decides
which number is the day, and one value with two decimals what a comma means.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC
from typing import Final

from marketplace.domain.readings.cells import CellInvalid, quoted
from marketplace.domain.readings.columns import ReadingsInvalid
from marketplace.domain.readings.formats.csv_hints import EXAMPLE, CsvHints
from marketplace.domain.readings.formats.csv_layout import (
    Layout,
    cells_of,
    moment_cells,
    rows_of,
    time_role,
)
from marketplace.domain.readings.formats.csv_numbers import EMPTY, NumberEvidence
from marketplace.domain.readings.formats.csv_times import DateEvidence, WallClock
from marketplace.domain.readings.formats.csv_words import UNITS, encoding_of, heading_of
from marketplace.domain.readings.formats.source import Source

DELIMITERS: Final = (",", ";", "\t", "|")
HEADER_LINES_MAX: Final = 30
TIME_ROLES: Final = ("start", "end", "time", "date", "clock")
VALUE_ROLES: Final = ("import", "export")
ENERGY_ROLES: Final = (*VALUE_ROLES, "value", "net", "generation")
SAMPLE_ROWS: Final = 5000
# So many values that never fall are hardly energies of intervals.
REGISTER_ROWS: Final = 96


@dataclass(slots=True)
class _Looked:
    """What one look at all rows has shown."""

    dates: DateEvidence = field(default_factory=DateEvidence)
    numbers: NumberEvidence = field(default_factory=NumberEvidence)
    first_clock: str = ""
    last_clock: str = ""
    has_24: bool = False
    rows: int = 0
    sample: list[tuple[str, str, str]] = field(default_factory=list)
    falls: int = 0
    rises: int = 0
    last_values: dict[tuple[str, str], float] = field(default_factory=dict)


def guess_layout(source: Source, hints: CsvHints) -> Layout:
    """Return how a file is written.

    Raises
    ------
    ReadingsInvalid
        If no header is found, or something could be meant in two ways; the remedy says which hint
        decides it.
    """
    layout = _header(source, hints)
    _settle_columns(layout, source.name, hints)
    _settle_units(layout, source.name, hints)
    looked = _look(source, layout)
    if not looked.rows:
        raise ReadingsInvalid(
            source.name, layout.header_line, "the file has no readings", "add rows below the header"
        )
    _settle_forms(layout, looked, source.name, hints)
    _settle_label(layout, looked, source.name, hints)
    _settle_length(layout, looked, source.name)
    _check_is_no_register(layout, looked, source.name, hints)
    return layout


def _check_is_no_register(layout: Layout, looked: _Looked, file: str, hints: CsvHints) -> None:
    if layout.is_register or "kind" in hints.choices or looked.rows < REGISTER_ROWS:
        return
    if not looked.falls and looked.rises:
        raise ReadingsInvalid(
            file,
            layout.header_line,
            "no value is ever smaller than the one before, as if it were a register's stand",
            "say which it is: --columns kind=register, or kind=energy",
        )


def _header(source: Source, hints: CsvHints) -> Layout:
    """Find the line that names the columns, and how it has to be read."""
    encoding = encoding_of(source.head())
    for number, (line, raw) in enumerate(source.lines()):
        if number == HEADER_LINES_MAX:
            break
        found: list[Layout] = []
        for delimiter in DELIMITERS:
            cells = cells_of(raw, encoding, delimiter)
            if cells is None or len(cells) < 2:
                continue
            headings = [heading_of(cell) for cell in cells]
            roles = {heading.role for heading in headings}.union(hints.columns)
            if roles.intersection(TIME_ROLES) and roles.intersection(ENERGY_ROLES):
                found.append(Layout(encoding, delimiter, line, headings))
        if len(found) > 1:
            raise ReadingsInvalid(
                source.name, line, "columns may be parted in two ways", "quote cells with commas"
            )
        if found:
            return found[0]
    raise ReadingsInvalid(
        source.name,
        1,
        "no line names a column of times and one of energies",
        "begin the table with names like start, meter, import kWh, export kWh",
    )


def _settle_columns(layout: Layout, file: str, hints: CsvHints) -> None:
    for key, number in hints.columns.items():
        if number > len(layout.headings):
            raise ReadingsInvalid(
                file,
                layout.header_line,
                f"there is no column {number}",
                f"count from 1 to {len(layout.headings)}",
            )
        layout.columns[key] = number - 1
    given = set(layout.columns.values())
    for at, heading in enumerate(layout.headings):
        role = heading.role
        if heading.is_gas and role in ("import", "export", "value", "net"):
            raise ReadingsInvalid(
                file,
                layout.header_line,
                f"column {quoted(heading.text)} is of gas",
                "send electricity only",
            )
        if at in given or role in ("", "value", "net"):
            continue
        if heading.is_reactive or role == "generation":
            layout.notes.append(f"column {quoted(heading.text)} left aside: not energy at the grid")
        elif role in layout.columns and role not in hints.columns:
            raise ReadingsInvalid(
                file,
                layout.header_line,
                f"two columns may be {role}: {quoted(layout.headings[layout.columns[role]].text)} "
                f"and {quoted(heading.text)}",
                f"name one by its number: --columns {role}={at + 1}",
            )
        elif role not in hints.columns:
            layout.columns[role] = at
    if not set(VALUE_ROLES).intersection(layout.columns):
        unclear = next(h for h in layout.headings if h.role in ("value", "net", "generation"))
        raise ReadingsInvalid(
            file,
            layout.header_line,
            f"column {quoted(unclear.text)} does not say whether energy came from the grid or went "
            "to it",
            f"say so by the column's number: {EXAMPLE}",
        )
    if "clock" in layout.columns and "date" not in layout.columns and "time" not in layout.columns:
        layout.columns["time"] = layout.columns.pop("clock")
    if not {"start", "end", "time", "date"}.intersection(layout.columns):
        raise ReadingsInvalid(
            file, layout.header_line, "no column holds the date", f"say which one: {EXAMPLE}"
        )


def _settle_units(layout: Layout, file: str, hints: CsvHints) -> None:
    powers = set()
    registers = set()
    for role in VALUE_ROLES:
        if role not in layout.columns:
            continue
        heading = layout.headings[layout.columns[role]]
        unit = hints.choices.get("unit", heading.unit)
        if not unit:
            raise ReadingsInvalid(
                file,
                layout.header_line,
                f"column {quoted(heading.text)} names no unit",
                "write it into the name, like import kWh, or say --columns unit=kwh",
            )
        exponent, is_power = UNITS[unit]
        if is_power and "unit" not in hints.choices:
            raise ReadingsInvalid(
                file,
                layout.header_line,
                f"column {quoted(heading.text)} is power ({unit}), not energy",
                "send energy; if each value is the mean power of its interval, say "
                f"--columns unit={unit}",
            )
        layout.wh_exponents[role] = exponent
        powers.add(is_power)
        registers.add(heading.is_register)
    if len(powers) > 1 or len(registers) > 1:
        raise ReadingsInvalid(
            file,
            layout.header_line,
            "one column is of another kind than the other",
            "send one kind",
        )
    layout.is_power = powers.pop()
    kind = hints.choices.get("kind", "register" if registers.pop() else "energy")
    layout.is_register = kind == "register"


def _look(source: Source, layout: Layout) -> _Looked:
    looked = _Looked()
    role = time_role(layout)
    values = [(each, layout.columns[each]) for each in VALUE_ROLES if each in layout.columns]
    meter_at = layout.columns.get("meter")
    for line, cells in rows_of(source, layout):
        meter = cells[meter_at] if meter_at is not None else ""
        try:
            date_text, clock_text = moment_cells(layout, cells, role)
            looked.dates.look(date_text)
            for name, at in values:
                if cells[at].lower() not in EMPTY:
                    looked.numbers.look(cells[at])
                    _note_change(looked, (meter, name), cells[at])
        except CellInvalid as problem:
            raise ReadingsInvalid(source.name, line, problem.what, problem.remedy) from problem
        looked.rows += 1
        looked.first_clock = looked.first_clock or clock_text
        looked.last_clock = clock_text
        looked.has_24 = looked.has_24 or clock_text.startswith("24")
        if len(looked.sample) < SAMPLE_ROWS:
            looked.sample.append((meter, date_text, clock_text))
    return looked


def _note_change(looked: _Looked, key: tuple[str, str], text: str) -> None:
    """Count values below the one before; a float is good enough to compare two neighbours by."""
    digits = text.replace(",", ".")
    try:
        value = float(digits)
    except ValueError:
        looked.falls += 1
        return
    looked.falls += value < looked.last_values.get(key, value)
    looked.rises += value > looked.last_values.get(key, value)
    looked.last_values[key] = value


def _settle_forms(layout: Layout, looked: _Looked, file: str, hints: CsvHints) -> None:
    orders = [each for each in ("y-m-d", "d-m-y", "m-d-y") if each in looked.dates.orders]
    layout.dates = hints.choices.get("dates", orders[0] if len(orders) == 1 else "")
    if not layout.dates:
        raise ReadingsInvalid(
            file,
            layout.header_line,
            "no date says which number is the day and which the month",
            "say --columns dates=d-m-y or dates=m-d-y",
        )
    if looked.numbers.is_open and "decimal" not in hints.choices:
        raise ReadingsInvalid(
            file,
            layout.header_line,
            "no number says whether its point or comma is the decimal sign or parts thousands",
            "say --columns decimal=point or decimal=comma",
        )
    decided = next(iter(looked.numbers.forms)) if len(looked.numbers.forms) == 1 else "point"
    layout.decimal = hints.choices.get("decimal", decided)


def _settle_label(layout: Layout, looked: _Looked, file: str, hints: CsvHints) -> None:
    role = time_role(layout)
    if layout.is_register:
        layout.label = "moment"
    elif role in ("start", "end"):
        layout.label = role
    elif "label" in hints.choices:
        layout.label = hints.choices["label"]
    else:
        layout.label = _label_of_clocks(looked)
    if not layout.label:
        raise ReadingsInvalid(
            file,
            layout.header_line,
            "nothing says whether the times are the start or the end of what was metered",
            "say --columns label=start or label=end",
        )


def _label_of_clocks(looked: _Looked) -> str:
    """Whole days tell: they begin at midnight, or end at it."""
    first, last = (_is_midnight(each) for each in (looked.first_clock, looked.last_clock))
    if looked.has_24 or (last and not first):
        return "end"
    return "start" if first and not last else ""


def _is_midnight(clock: str) -> bool:
    return not clock.strip("0:.时分秒 Z")


def _settle_length(layout: Layout, looked: _Looked, file: str) -> None:
    """Take the usual distance of a meter's neighbours, where no column says the length."""
    columns = set(layout.columns)
    if "minutes" in columns or ({"start", "end"} <= columns and "date" not in columns):
        return
    clock = WallClock(UTC, layout.dates)
    before: dict[str, int] = {}
    distances: Counter[int] = Counter()
    for meter, date_text, clock_text in looked.sample:
        try:
            moment = clock.moments(date_text, clock_text)[0]
        except CellInvalid:
            continue
        if meter in before and moment > before[meter]:
            distances[moment - before[meter]] += 1
        before[meter] = moment
    if not distances:
        raise ReadingsInvalid(
            file,
            layout.header_line,
            "one row alone does not say how long its interval is",
            "add a column of minutes, or of ends",
        )
    usual, count = distances.most_common(1)[0]
    if count * 2 < distances.total() and count != distances.total():
        raise ReadingsInvalid(
            file,
            layout.header_line,
            "rows stand at many distances, so the length of their intervals is not known",
            "add a column of minutes, or of ends",
        )
    layout.length_s = usual

"""How somebody's own CSV is written, and its rows read that way."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field

from marketplace.domain.readings.cells import quoted
from marketplace.domain.readings.columns import ReadingsInvalid
from marketplace.domain.readings.formats.csv_times import DATE_FORM, split_moment
from marketplace.domain.readings.formats.csv_words import Heading
from marketplace.domain.readings.formats.source import Source


@dataclass(slots=True)
class Layout:
    """How a CSV is written. Columns count from 0."""

    encoding: str
    delimiter: str
    header_line: int
    headings: list[Heading]
    columns: dict[str, int] = field(default_factory=dict)
    wh_exponents: dict[str, int] = field(default_factory=dict)
    is_power: bool = False
    is_register: bool = False
    label: str = ""
    dates: str = ""
    decimal: str = ""
    length_s: int = 0
    notes: list[str] = field(default_factory=list)

    def described(self) -> str:
        """Return the guess in words, for whoever has to check it."""
        names = ", ".join(
            f"{role} = column {at + 1} {quoted(self.headings[at].text)}"
            for role, at in sorted(self.columns.items(), key=lambda item: item[1])
        )
        kind = "register" if self.is_register else "mean power" if self.is_power else "energy"
        length = f"{self.length_s // 60} minutes" if self.length_s else "as each row says"
        return (
            f"guessed columns: {names}; values are {kind} with a decimal {self.decimal}, "
            f"dates {self.dates}, times the {self.label} of {length}"
        )


def rows_of(source: Source, layout: Layout) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of the rows below the header, blanks around them removed."""
    for line, raw in source.lines():
        if line <= layout.header_line:
            continue
        cells = cells_of(raw, layout.encoding, layout.delimiter)
        if cells is None or len(cells) < len(layout.headings):
            raise ReadingsInvalid(
                source.name,
                line,
                f"the row has {0 if cells is None else len(cells)} cells where the header has "
                f"{len(layout.headings)}",
                "export the whole table again",
            )
        yield line, cells


def cells_of(raw: bytes, encoding: str, delimiter: str) -> list[str] | None:
    """Return the cells of a line, None if it cannot be read that way."""
    try:
        text = raw.decode(encoding)
        return [cell.strip() for cell in next(csv.reader([text], delimiter=delimiter, strict=True))]
    except (UnicodeDecodeError, csv.Error, StopIteration):
        return None


def moment_cells(layout: Layout, cells: list[str], role: str) -> tuple[str, str]:
    """Return the date and the clock of a row's ``start``, ``end`` or ``time``."""
    columns = layout.columns
    if "date" not in columns:
        return split_moment(cells[columns[role]])
    # Beside a date, what else tells the time is a clock.
    clock = columns.get(role, columns.get("clock"))
    if clock is None:
        return split_moment(cells[columns["date"]])
    if DATE_FORM.match(cells[clock]) and not cells[clock].isdecimal():
        return split_moment(cells[clock])
    return cells[columns["date"]], cells[clock]


def time_role(layout: Layout) -> str:
    """Return which of its times a row is placed by."""
    return next((role for role in ("start", "time", "end") if role in layout.columns), "time")

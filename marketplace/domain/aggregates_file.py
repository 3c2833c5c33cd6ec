"""Check an uploaded file of aggregates: counts per area and time, and nothing about anybody.

The header is fixed by the kind, so that a column of trips, vehicles or people cannot slip in. An
empty cell is a suppressed count: a group too small to be shown.
"""

import csv
import hashlib
import io
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from marketplace.domain.data_matching import AREA_MAX, DataKind, DataTerms
from marketplace.errors import N_, AggregatesInvalid

FILE_MAX_BYTES: Final = 5 * 1000 * 1000
LINE_MAX_CHARACTERS: Final = 1000
COUNT_DIGITS_MAX: Final = 12
KEY_COLUMNS: Final = ("area", "start", "minutes")
COUNT_COLUMNS: Final = {
    DataKind.TRAFFIC_COUNTS: ("vehicles",),
    DataKind.BIKE_FLOWS: ("trips_out", "trips_in"),
}
# A spreadsheet takes a cell that starts like this for a formula.
FORMULA_SIGNS: Final = "=+-@"


@dataclass(frozen=True)
class Aggregates:
    """What a checked file holds."""

    sha256: str
    byte_count: int
    row_count: int


def header_of(kind: DataKind) -> str:
    """Return the one header that a file of this kind has."""
    return ",".join((*KEY_COLUMNS, *COUNT_COLUMNS[kind]))


def check_aggregates(content: bytes, *, terms: DataTerms) -> Aggregates:
    """Check that a file is what its terms say: only counts, in its period and resolution.

    Parameters
    ----------
    content : bytes
        A CSV in UTF-8. Starts are ISO 8601 with offset, minutes equal the resolution of the
        terms, counts are whole numbers from 0, empty where suppressed.
    terms : DataTerms
        The terms the file is published under.

    Returns
    -------
    Aggregates
        Hash, size and rows of the file.

    Raises
    ------
    AggregatesInvalid
        Naming the first bad line, what is wrong and what to do.
    """
    lines = _lines(content)
    header = header_of(terms.kind)
    if not lines or lines[0] != header:
        raise AggregatesInvalid(
            1, N_("Line {line}: the header must be exactly {header}"), header=header
        )
    seen: dict[tuple[str, datetime], int] = {}
    for number, line in enumerate(lines[1:], start=2):
        key = _check_row(number, line, terms)
        if key in seen:
            raise AggregatesInvalid(
                number,
                N_("Line {line}: area and start stand on line {other} already; keep one of them."),
                other=seen[key],
            )
        seen[key] = number
    if not seen:
        raise AggregatesInvalid(2, N_("Line {line}: the file has no rows; add at least one."))
    return Aggregates(hashlib.sha256(content).hexdigest(), len(content), len(seen))


def _lines(content: bytes) -> list[str]:
    if len(content) > FILE_MAX_BYTES:
        raise AggregatesInvalid(
            1,
            N_("The file has {size} bytes, at most {maximum} are taken; split it by period."),
            size=len(content),
            maximum=FILE_MAX_BYTES,
        )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise AggregatesInvalid(
            content.count(b"\n", 0, error.start) + 1,
            N_("Line {line}: this is not UTF-8 text; save the file as CSV in UTF-8."),
        ) from None
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _check_row(number: int, line: str, terms: DataTerms) -> tuple[str, datetime]:
    if len(line) > LINE_MAX_CHARACTERS:
        raise AggregatesInvalid(
            number,
            N_("Line {line}: more than {maximum} characters; check the line breaks."),
            maximum=LINE_MAX_CHARACTERS,
        )
    counts = COUNT_COLUMNS[terms.kind]
    try:
        cells = next(csv.reader(io.StringIO(line), strict=True), [])
    except csv.Error:
        cells = []
    if len(cells) != len(KEY_COLUMNS) + len(counts):
        raise AggregatesInvalid(
            number,
            N_("Line {line}: {columns} cells are needed, separated by commas."),
            columns=len(KEY_COLUMNS) + len(counts),
        )
    area, start, minutes = cells[:3]
    _check_area(number, area)
    if minutes != str(terms.resolution_minutes):
        raise AggregatesInvalid(
            number,
            N_("Line {line}: minutes must be {resolution}, the resolution of the terms."),
            resolution=terms.resolution_minutes,
        )
    for name, cell in zip(counts, cells[3:], strict=True):
        # str.isdigit alone takes digits of other scripts, which int would turn into numbers.
        if cell and not (cell.isascii() and cell.isdigit() and len(cell) <= COUNT_DIGITS_MAX):
            raise AggregatesInvalid(
                number,
                N_("Line {line}: {column} must be a whole number from 0, or empty if suppressed."),
                column=name,
            )
    return area, _start(number, start, terms)


def _check_area(number: int, area: str) -> None:
    if not area.strip() or len(area) > AREA_MAX or area.lstrip()[0] in FORMULA_SIGNS:
        raise AggregatesInvalid(
            number,
            N_("Line {line}: area must be a name of at most {maximum} characters."),
            maximum=AREA_MAX,
        )
    if any(unicodedata.category(sign) == "Cc" for sign in area):
        raise AggregatesInvalid(number, N_("Line {line}: area holds a control character."))


def _start(number: int, start: str, terms: DataTerms) -> datetime:
    try:
        moment = datetime.fromisoformat(start)
        if moment.tzinfo is None:
            raise ValueError(start)
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise AggregatesInvalid(
            number,
            N_("Line {line}: start must be a time with its offset, e.g. 2026-11-21T00:00+08:00."),
        ) from None
    if not terms.period_start <= moment < terms.period_end:
        raise AggregatesInvalid(
            number, N_("Line {line}: start lies outside the period of the terms.")
        )
    return moment

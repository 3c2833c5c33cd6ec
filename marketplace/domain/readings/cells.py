"""The cells of a readings file: what a meter, a start, a length and an energy may look like."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Final

INTERVAL_MINUTES: Final = (5, 15, 30, 60)
ENERGY_MAX_WH: Final = 10**9
METER_NAME_MAX: Final = 200
DIGITS_MAX: Final = len(str(ENERGY_MAX_WH))
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
END_EPOCH_S: Final = 7_258_118_400  # 2200-01-01: a start after it is a slip of the pen
START_FORM: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
    r"(?P<offset>Z|[+-][0-9]{2}:?[0-9]{2})?"
)


class CellInvalid(Exception):
    """One cell that cannot be taken; the reader of the file adds where it stands."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


def quoted(cell: str) -> str:
    return repr(cell if len(cell) <= 60 else cell[:57] + "...")


def checked_name(name: str) -> str:
    if not name or name != name.strip():
        raise CellInvalid(
            f"the meter name {quoted(name)} is empty or has blanks around it",
            "write the name of the metering point",
        )
    if len(name) > METER_NAME_MAX:
        raise CellInvalid(
            f"the meter name {quoted(name)} has {len(name)} characters",
            f"shorten it to {METER_NAME_MAX} or fewer",
        )
    if any(unicodedata.category(letter) in ("Cc", "Zl", "Zp") for letter in name):
        raise CellInvalid(
            f"the meter name {quoted(name)} holds a control character",
            "remove it from the name",
        )
    return name


def checked_start(cell: str, minutes: int) -> int:
    """Return the start in seconds of the epoch; ``minutes`` is the grid it must stand on."""
    example = "write it like 2026-07-01T08:00:00+08:00"
    form = START_FORM.fullmatch(cell)
    if form is None:
        raise CellInvalid(f"start is {quoted(cell)}, not an ISO 8601 time", example)
    if form["offset"] is None:
        raise CellInvalid(f"start {quoted(cell)} has no offset from UTC", example)
    try:
        since = datetime.fromisoformat(cell) - EPOCH
    except ValueError as error:
        raise CellInvalid(f"start {quoted(cell)} does not exist: {error}", example) from error
    if not timedelta(0) <= since < timedelta(seconds=END_EPOCH_S):
        raise CellInvalid(
            f"start {quoted(cell)} is not between the years 1970 and 2200",
            "correct the date",
        )
    if since % timedelta(minutes=minutes):
        raise CellInvalid(
            f"start {quoted(cell)} is not on the grid of {minutes} minutes, so the interval "
            "overlaps its neighbours",
            f"start each interval at a whole multiple of {minutes} minutes past the UTC hour",
        )
    return since // timedelta(seconds=1)


def checked_number(cell: str, column: str) -> int:
    digits = cell.lstrip("0")
    if re.fullmatch("[0-9]+", cell) and len(digits) <= DIGITS_MAX:
        value = int(cell[-DIGITS_MAX:])
        if value <= ENERGY_MAX_WH:
            return value
    what = f"{column} is {quoted(cell)}"
    if re.fullmatch("[0-9]+", cell):
        raise CellInvalid(f"{what}, above {ENERGY_MAX_WH}", "check the unit: energies are in Wh")
    if re.fullmatch(r"-[0-9.]+", cell):
        raise CellInvalid(
            f"{what}, negative",
            "write energy to the grid as export_wh and from it as import_wh",
        )
    if re.fullmatch(r"[0-9]*\.[0-9]*|[0-9.]+[eE][+-]?[0-9]+", cell):
        raise CellInvalid(f"{what}, not a whole number", "round it to whole Wh")
    raise CellInvalid(f"{what}, not a number", "leave the row out where a reading is missing")

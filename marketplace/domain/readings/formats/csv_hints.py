"""What an operator says of a CSV whose columns cannot be guessed for certain."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from marketplace.domain.readings.cells import quoted
from marketplace.domain.readings.columns import ReadingsInvalid
from marketplace.domain.readings.formats.csv_times import ORDERS
from marketplace.domain.readings.formats.csv_words import UNITS

COLUMN_KEYS: Final = (
    "meter", "start", "end", "time", "date", "clock", "import", "export", "minutes", "quality"
)  # fmt: skip
CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "label": ("start", "end"),
    "dates": ORDERS,
    "decimal": ("point", "comma"),
    "unit": tuple(UNITS),
    "kind": ("energy", "register"),
}
EXAMPLE: Final = '--columns "start=1,import=3,unit=kwh"'


@dataclass(frozen=True, slots=True)
class CsvHints:
    """Columns by role, counted from 1, and choices; whatever is absent is guessed."""

    columns: dict[str, int] = field(default_factory=dict)
    choices: dict[str, str] = field(default_factory=dict)


def read_hints(text: str) -> CsvHints:
    """Read hints like ``start=1,import=3,unit=kwh,dates=d-m-y``.

    Raises
    ------
    ReadingsInvalid
        If a hint is not known.
    """
    columns: dict[str, int] = {}
    choices: dict[str, str] = {}
    for hint in filter(None, (each.strip() for each in text.split(","))):
        key, _, value = (part.strip().lower() for part in hint.partition("="))
        if key in COLUMN_KEYS and value.isdecimal() and int(value):
            columns[key] = int(value)
        elif value in CHOICES.get(key, ()):
            choices[key] = value
        else:
            known = [f"{each}=COLUMN" for each in COLUMN_KEYS]
            known += [f"{each}={'|'.join(values)}" for each, values in CHOICES.items()]
            raise ReadingsInvalid(
                "--columns", 0, f"{quoted(hint)} is no hint", f"use: {', '.join(known)}"
            )
    return CsvHints(columns, choices)

"""What a benchmark reports: a measured number beside its limit, from the same run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Row:
    """One measured number. Without ``limit`` it is printed for information and cannot fail."""

    name: str
    measured: float
    unit: str
    limit: float | None = None

    @property
    def ratio(self) -> float | None:
        """Measured over limit: at most 1 is good."""
        return None if self.limit is None else self.measured / self.limit

    @property
    def ok(self) -> bool:
        """Whether the number is within its limit."""
        return self.limit is None or self.measured <= self.limit


HEADINGS: Final = ("benchmark", "measured", "limit", "of limit", "ok")


def format_table(rows: Sequence[Row]) -> str:
    """Lay the rows out as one table of text."""
    cells = [HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    lines = ["  ".join(_aligned(line, widths)).rstrip() for line in cells]
    lines.insert(1, "-" * (sum(widths) + 2 * (len(widths) - 1)))
    return "\n".join(lines)


def _cells(row: Row) -> tuple[str, ...]:
    measured = f"{_number(row.measured)} {row.unit}".rstrip()
    if row.limit is None or row.ratio is None:
        return row.name, measured, "", "", ""
    return row.name, measured, _number(row.limit), f"{row.ratio:.2f}", "yes" if row.ok else "NO"


def _number(value: float) -> str:
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"


def _aligned(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    name, *others = line
    return [name.ljust(widths[0])] + [
        cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)
    ]

"""Heat maps over days: a calendar by month, and days against hours."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from itertools import groupby
from typing import Final

from config.web.chart_cards import LegendItem
from config.web.chart_kinds.marks import hatch, told
from config.web.charts import HATCH_ID, Words, round_step

SHADES: Final = 5
CELL: Final = 26.0
MONTH_TOP: Final = 22.0
ROW: Final = 18.0
# Room for days, and for names of places. [px]
DAY_WIDTH: Final = 44
NAME_WIDTH: Final = 84
ROWS_TOP: Final = 20.0
TICK_HOURS: Final = 6
WEEK: Final = 7


@dataclass(frozen=True)
class Ramp:
    """Five shades of one hue from light to dark over values from ``low`` in equal ``step``s."""

    low: float
    step: float

    @classmethod
    def over(cls, values: Iterable[float | None]) -> "Ramp":
        """Return the shades that hold all values and change at round numbers."""
        known = [value for value in values if value is not None] or [0.0]
        low, high = min(known), max(known)
        # Values that are all alike are one shade, not five of nearly nothing.
        step = round_step(max(high - low, abs(high) / 4, 1e-9) / SHADES)
        while True:
            first = math.floor(low / step + 1e-9) * step
            if first + SHADES * step >= high - 1e-9 * step:
                return cls(first, step)
            step = round_step(step * 1.01)

    def shade(self, value: float) -> int:
        """Return the shade of a value, from 1 to 5."""
        return max(1, min(SHADES, 1 + math.floor((value - self.low) / self.step + 1e-9)))

    def legend(self, write: Callable[[float], str], missing: str) -> list[LegendItem]:
        """Name each shade by the values it stands for, and the hatch by its word."""
        items = [
            LegendItem(
                f"{write(self.low + number * self.step)}\N{EN DASH}"
                f"{write(self.low + (number + 1) * self.step)}",
                f"shade-{number + 1}",
            )
            for number in range(SHADES)
        ]
        return [*items, LegendItem(missing, "held")]


@dataclass(frozen=True)
class CalendarDay:
    """A civil day; ``name`` says day and value in words, ``value`` is None where it is missing."""

    day: date
    value: float | None
    name: str


@dataclass(frozen=True)
class HourRow:
    """A row of cells under one label, each with its name; a value is None where it is missing."""

    label: str
    values: Sequence[float | None]
    names: Sequence[str]


def calendar(
    days: Sequence[CalendarDay],
    ramp: Ramp,
    words: Words,
    *,
    month_name: Callable[[date], str],
    weekdays: Sequence[str],
) -> str:
    """Draw each month as a leaf of a calendar, weeks down and weekdays across.

    Parameters
    ----------
    days : sequence of CalendarDay
        In order; a day that is not listed stays empty, one without a value is hatched.
    ramp : Ramp
        The shades; `Ramp.over` the values, or one for several calendars.
    words : Words
        What the picture says to those who cannot see it.
    month_name : callable
        Writes a month in the reader's language, from any of its days.
    weekdays : sequence of str
        Seven short names, Monday first.
    """
    leaves = [
        _leaf(list(group), ramp, month_name, weekdays)
        for _, group in groupby(days, key=lambda each: (each.day.year, each.day.month))
    ]
    return (
        f'<div class="chart calendar" role="img" aria-label="{told(words)}">{"".join(leaves)}</div>'
    )


def day_hours(rows: Sequence[HourRow], ramp: Ramp, words: Words, *, has_names: bool = False) -> str:
    """Draw a row for each day and a cell for each hour, every sixth hour named.

    Parameters
    ----------
    rows : sequence of HourRow
        Of equal length, mostly 24 cells.
    ramp : Ramp
        The shades.
    words : Words
        What the picture says to those who cannot see it.
    has_names : bool
        Whether labels are names, which need more room than days.
    """
    count = max((len(row.values) for row in rows), default=0) or 1
    width = 100 / count
    labels, parts = [], [hatch()]
    for hour in range(0, count, TICK_HOURS):
        parts.append(f'<text x="{hour * width:.2f}%" y="{ROWS_TOP - 7:g}">{hour:02d}</text>')
    for index, row in enumerate(rows):
        y = ROWS_TOP + index * ROW
        labels.append(f'<text x="100%" y="{y + 13:g}" text-anchor="end">{escape(row.label)}</text>')
        for hour, (value, name) in enumerate(zip(row.values, row.names, strict=True)):
            parts.append(
                f'<rect {_fill(value, ramp)} x="{hour * width:.2f}%" y="{y:g}" '
                f'width="{width * 0.94:.2f}%" height="{ROW - 1.5:g}">'
                f"<title>{escape(name)}</title></rect>"
            )
    height = ROWS_TOP + len(rows) * ROW + 4
    css, label_width = ("days-hours named", NAME_WIDTH) if has_names else ("days-hours", DAY_WIDTH)
    return (
        f'<div class="chart {css}" role="img" aria-label="{told(words)}">'
        f'<svg class="chart-axis" width="{label_width}" height="{height:g}" aria-hidden="true">'
        f'{"".join(labels)}</svg><svg class="chart-plot" width="100%" height="{height:g}" '
        f'aria-hidden="true">{"".join(parts)}</svg></div>'
    )


def _fill(value: float | None, ramp: Ramp) -> str:
    if value is None:
        return f'class="held" fill="url(#{HATCH_ID})"'
    return f'class="shade-{ramp.shade(value)}"'


def _leaf(
    days: Sequence[CalendarDay],
    ramp: Ramp,
    month_name: Callable[[date], str],
    weekdays: Sequence[str],
) -> str:
    """Return one month: its name, the weekdays, and a numbered cell for each day."""
    first = days[0].day.replace(day=1)
    width = 100 / WEEK
    top = MONTH_TOP + 16
    parts = [hatch(), f'<text class="month" x="0" y="14">{escape(month_name(first))}</text>']
    for number, word in enumerate(weekdays):
        parts.append(
            f'<text class="weekday" x="{(number + 0.5) * width:.2f}%" y="{MONTH_TOP + 10:g}" '
            f'text-anchor="middle">{escape(word)}</text>'
        )
    rows = 0
    for each in days:
        row, column = divmod(each.day.day - 1 + first.weekday(), WEEK)
        # A month that begins late leaves no empty weeks above.
        row -= (days[0].day.day - 1 + first.weekday()) // WEEK
        rows = max(rows, row + 1)
        x, y = column * width, top + row * CELL
        css = "bare" if each.value is None else f"on-{ramp.shade(each.value)}"
        parts.append(
            f'<g><title>{escape(each.name)}</title><rect {_fill(each.value, ramp)} x="{x:.2f}%" '
            f'y="{y:g}" width="{width * 0.94:.2f}%" height="{CELL - 2:g}"/>'
            f'<text class="{css}" x="{x + width * 0.47:.2f}%" y="{y + 16:g}" '
            f'text-anchor="middle">{each.day.day}</text></g>'
        )
    height = top + rows * CELL + 4
    return f'<svg width="100%" height="{height:.0f}" aria-hidden="true">{"".join(parts)}</svg>'

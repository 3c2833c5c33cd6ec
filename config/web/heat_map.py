"""A heat map as SVG text: days down, hours across, a shade per cell; no browser code, no Django."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

ROW_HEIGHT: Final = 18
TOP: Final = 20
LABEL_PERCENT: Final = 12
TICK_HOURS: Final = 6
# Every fifth: shades that can be told apart, and named in a legend.
SHADES: Final = 5


@dataclass(frozen=True)
class HeatRow:
    """A row with its label; values lie in 0..1, None where there is nothing to say."""

    label: str
    values: Sequence[float | None]
    names: Sequence[str]


def shade_of(value: float | None) -> str:
    """Return the class that gives a cell its colour: nothing, none, then fifths up to all."""
    if value is None:
        return "heat-nothing"
    return f"heat-{min(SHADES, max(0, -int(-value * SHADES // 1)))}"


def heat_map(rows: Sequence[HeatRow], *, title: str, description: str) -> str:
    """Draw rows of cells; horizontal places are percentages, so that it is as wide as its place.

    Parameters
    ----------
    rows : sequence of HeatRow
        Of equal length.
    title, description : str
        What it says to those who cannot see it.
    """
    count = max((len(row.values) for row in rows), default=0) or 1
    width = (100 - LABEL_PERCENT) / count
    parts = []
    for hour in range(0, count, TICK_HOURS):
        x = LABEL_PERCENT + hour * width
        parts.append(f'<text x="{x:.2f}%" y="{TOP - 7}">{hour:02d}</text>')
    for index, row in enumerate(rows):
        y = TOP + index * ROW_HEIGHT
        parts.append(f'<text x="0" y="{y + 13}">{escape(row.label)}</text>')
        for hour, (value, name) in enumerate(zip(row.values, row.names, strict=True)):
            parts.append(
                f'<rect class="{shade_of(value)}" x="{LABEL_PERCENT + hour * width:.2f}%" y="{y}" '
                f'width="{width * 0.94:.2f}%" height="{ROW_HEIGHT - 1.5}" rx="2">'
                f"<title>{escape(name)}</title></rect>"
            )
    height = TOP + len(rows) * ROW_HEIGHT + 4
    told = escape(f"{title}. {description}")
    return (
        f'<svg class="chart heat" role="img" aria-label="{told}" width="100%" height="{height}">'
        f"{''.join(parts)}</svg>"
    )

"""Small multiples: one thin line for each name, all on one scale or each on its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from config.web.chart_kinds.marks import hatch, stretched, told
from config.web.charts import HATCH_ID, Words

HEIGHT: Final = 44.0
PAD: Final = 4.0


@dataclass(frozen=True)
class Spark:
    """A line with its name and its latest figure as text; None where a value is missing."""

    name: str
    figure: str
    values: Sequence[float | None]
    css: str = "price"


def sparkline(values: Sequence[float | None], label: str, *, css: str = "price") -> str:
    """Draw one small line that says ``label`` to those who cannot see it."""
    low, high = _reach(values)
    return (
        f'<svg class="chart spark" role="img" width="100%" height="{HEIGHT:g}" '
        f'aria-label="{escape(label)}">{_marks(values, low, high, css)}</svg>'
    )


def small_multiples(sparks: Sequence[Spark], words: Words, *, is_shared: bool = True) -> str:
    """Draw a small line for each name, on one scale unless ``is_shared`` is False."""
    everything = [value for spark in sparks for value in spark.values]
    cells = []
    for spark in sparks:
        low, high = _reach(everything if is_shared else spark.values)
        cells.append(
            f'<div><span class="spark-name">{escape(spark.name)}</span> '
            f'<span class="spark-figure">{escape(spark.figure)}</span>'
            f'<svg width="100%" height="{HEIGHT:g}">'
            f"{_marks(spark.values, low, high, spark.css)}</svg></div>"
        )
    return f'<div class="chart sparks" role="img" aria-label="{told(words)}">{"".join(cells)}</div>'


def _reach(values: Sequence[float | None]) -> tuple[float, float]:
    known = [value for value in values if value is not None] or [0.0]
    low, high = min([*known, 0.0]), max(known)
    return low, high if high > low else low + 1.0


def _marks(values: Sequence[float | None], low: float, high: float, css: str) -> str:
    """Return unbroken runs as lines, single values as dots, missing ones hatched."""
    step = 100 / max(1, len(values) - 1)

    def y(value: float) -> float:
        return PAD + (high - value) / (high - low) * (HEIGHT - 2 * PAD)

    lines, gaps, run = [], [], list[str]()
    for index, value in enumerate([*values, None]):
        if value is not None:
            run.append(f"{index * step:.2f},{y(value):.2f}")
            continue
        if run:
            # A line of one point shows as a dot, by its round ends.
            lines.append(f'<polyline class="curve {css}" points="{" ".join([*run, run[-1]])}"/>')
            run = []
        if index < len(values):
            start, end = max(0.0, (index - 0.5) * step), min(100.0, (index + 0.5) * step)
            gaps.append(
                f'<rect class="held" fill="url(#{HATCH_ID})" x="{start:.2f}%" '
                f'width="{end - start:.2f}%" y="0" height="{HEIGHT:g}"/>'
            )
    marks = stretched("".join(lines), height=HEIGHT)
    return (hatch() + "".join(gaps) if gaps else "") + marks

"""Bars with their figures beside them: ranks, a waterfall, a distribution."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, Literal

from config.web.chart_kinds.marks import hatch, picture, text_width, wrap
from config.web.charts import HATCH_ID, PLOT_HEIGHT, Words

LINE: Final = 17.0
BAR: Final = 14.0
# Below a row's words, and from bar to bar beside them. [px]
GAP: Final = 6.0
AIR: Final = 11.0
# A small telephone's picture, less room between name and figure. [px]
ROOM: Final = 240.0


@dataclass(frozen=True)
class Bar:
    """A row: name above, figure at its right end, a bar below; no value is hatched."""

    name: str
    figure: str
    value: float | None
    css: str = "pool"


@dataclass(frozen=True)
class Step:
    """A step of a waterfall: a total stands on zero, a change on the sum before it."""

    name: str
    figure: str
    value: float
    kind: Literal["total", "change"] = "change"


@dataclass(frozen=True)
class _Row:
    """A row's words as SVG text, where its bar begins, and how tall it is. [px]"""

    words: str
    bar_at: float
    end: float


def ranked_bars(bars: Sequence[Bar], words: Words, *, whole: float = 0.0) -> str:
    """Draw a row for each bar from one line of zero, in the order given.

    Parameters
    ----------
    bars : sequence of Bar
        From above to below.
    words : Words
        What the picture says to those who cannot see it.
    whole : float
        What the full width stands for at least: 100 for shares in percent. Without it the longest
        bar has the full width.
    """
    low, high = _reach([whole, *(bar.value for bar in bars if bar.value is not None)])
    parts = []
    rows = _rows([(bar.name, bar.figure) for bar in bars])
    for bar, row in zip(bars, rows, strict=True):
        mark = (
            _bar(bar.css, (0.0, bar.value), (low, high), row.bar_at)
            if bar.value is not None
            else f'<rect class="held" fill="url(#{HATCH_ID})" x="0" width="100%" '
            f'y="{row.bar_at:g}" height="{BAR:g}"/>'
        )
        parts.append(
            row.words + mark + _upright("axis", _x(0.0, low, high), row.bar_at - 2, BAR + 4)
        )
    needed = hatch() if any(bar.value is None for bar in bars) else ""
    height = rows[-1].end if rows else 0
    return picture(needed + "".join(parts), words, height=height, css="rows")


def waterfall(steps: Sequence[Step], words: Words) -> str:
    """Draw how one total becomes another: a row a step, from above to below.

    A change that takes away is drawn as ``less``, one that adds as ``more``; each begins where the
    one above it ended, and a thin line joins them. Names and figures stand above the bars, so that
    it reads on a telephone as on a desk.

    Parameters
    ----------
    steps : sequence of Step
        In order. A total is drawn as given: the caller's figures agree, or the picture shows that
        they do not.
    words : Words
        What the picture says to those who cannot see it.
    """
    spans: list[tuple[float, float]] = []
    reached = 0.0
    for step in steps:
        start = 0.0 if step.kind == "total" else reached
        reached = start + step.value
        spans.append((start, reached))
    low, high = _reach([edge for span in spans for edge in span])
    rows = _rows([(step.name, step.figure) for step in steps])
    parts = []
    for span, row, after in zip(spans, rows, rows[1:], strict=False):
        # Joints lie below the words that they pass.
        top = row.bar_at + BAR
        parts.append(_upright("joint", _x(span[1], low, high), top, after.bar_at - top))
    for step, span, row in zip(steps, spans, rows, strict=True):
        css = "whole" if step.kind == "total" else "less" if step.value < 0 else "more"
        parts.append(row.words + _bar(css, span, (low, high), row.bar_at))
    return picture("".join(parts), words, height=rows[-1].end if rows else 0, css="rows waterfall")


def _reach(values: Sequence[float]) -> tuple[float, float]:
    low, high = min([*values, 0.0]), max([*values, 0.0])
    return (low, high) if high > low else (low, low + 1.0)


def _x(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low) * 100


def _bar(css: str, span: tuple[float, float], reach: tuple[float, float], top: float) -> str:
    left, right = sorted(_x(value, *reach) for value in span)
    return (
        f'<rect class="{css}" x="{left:.2f}%" width="{right - left:.2f}%" '
        f'y="{top:g}" height="{BAR:g}" rx="2"/>'
    )


def _upright(css: str, x: float, top: float, length: float) -> str:
    return f'<line class="{css}" x1="{x:.2f}%" x2="{x:.2f}%" y1="{top:g}" y2="{top + length:g}"/>'


def _rows(words: Sequence[tuple[str, str]]) -> list[_Row]:
    """Return the rows one below the other; a long name takes a second line, as on a telephone."""
    rows, top = [], 0.0
    for name, figure in words:
        lines = wrap(name, ROOM - text_width(figure))
        texts = [
            f'<text class="row-name" y="{top + LINE * (number + 0.8):g}">{escape(line)}</text>'
            for number, line in enumerate(lines)
        ]
        bottom = top + LINE * len(lines)
        texts.append(
            f'<text class="row-figure" x="100%" text-anchor="end" y="{bottom - LINE * 0.2:g}">'
            f"{escape(figure)}</text>"
        )
        rows.append(_Row("".join(texts), bottom + GAP, bottom + GAP + BAR + AIR))
        top = rows[-1].end
    return rows


def _above(figure: str, index: int, width: float, y: float) -> str:
    return (
        f'<text class="label" x="{(index + 0.5) * width:.2f}%" y="{y:.2f}" '
        f'text-anchor="middle">{escape(figure)}</text>'
    )


def _below(name: str, index: int, width: float) -> str:
    # A telephone has room for every second word only.
    css = "tick minor" if index % 2 else "tick"
    # The first stands beside the unit of the axis, and must not run into it.
    x, anchor = (0.0, "start") if index == 0 else ((index + 0.5) * width, "middle")
    return (
        f'<text class="{css}" x="{x:.2f}%" y="{PLOT_HEIGHT + 21}" '
        f'text-anchor="{anchor}">{escape(name)}</text>'
    )

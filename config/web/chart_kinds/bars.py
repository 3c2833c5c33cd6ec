"""Bars with their figures beside them: ranks, a waterfall, a distribution."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, Literal

from config.web.chart_kinds.marks import hatch, picture
from config.web.charts import HATCH_ID, PLOT_HEIGHT, Scale, Slot, Words, framed, held_bands

ROW: Final = 42.0
WORDS_AT: Final = 14.0
BAR_AT: Final = 20.0
BAR: Final = 14.0


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
class Bin:
    """A column of a distribution: ``count`` is None where it may not be shown."""

    name: str
    count: int | None
    figure: str


def ranked_bars(bars: Sequence[Bar], words: Words) -> str:
    """Draw a row for each bar from one line of zero, in the order given."""
    low, high = _reach([bar.value for bar in bars if bar.value is not None])
    rows = []
    for index, bar in enumerate(bars):
        mark = (
            _bar(bar.css, (0.0, bar.value), (low, high), index)
            if bar.value is not None
            else f'<rect class="held" fill="url(#{HATCH_ID})" x="0" width="100%" '
            f'y="{index * ROW + BAR_AT:g}" height="{BAR:g}"/>'
        )
        rows.append(_words(bar.name, bar.figure, index) + mark + _zero(low, high, index))
    needed = hatch() if any(bar.value is None for bar in bars) else ""
    return picture(needed + "".join(rows), words, height=ROW * len(bars), css="rows")


def waterfall(steps: Sequence[Step], words: Words) -> str:
    """Draw how one total becomes another: a row a step, from above to below.

    A change that takes away is drawn as a gain (``less``), one that adds as ``more``; each begins
    where the one above it ended, and a thin line joins them. Names and figures stand above the
    bars, so that it reads on a telephone as on a desk.

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
    rows = []
    for index, (step, (start, end)) in enumerate(zip(steps, spans, strict=True)):
        css = "whole" if step.kind == "total" else "less" if end < start else "more"
        rows.append(
            _words(step.name, step.figure, index) + _bar(css, (start, end), (low, high), index)
        )
        if index + 1 < len(steps):
            x, top = _x(end, low, high), index * ROW + BAR_AT
            rows.append(
                f'<line class="joint" x1="{x:.2f}%" x2="{x:.2f}%" y1="{top + BAR:g}" '
                f'y2="{top + ROW:g}"/>'
            )
    return picture("".join(rows), words, height=ROW * len(steps), css="rows waterfall")


def histogram(bins: Sequence[Bin], words: Words, *, css: str = "pool") -> str:
    """Draw how many fall into each class, the count above its column.

    A class whose count may not be shown is hatched to the height of the axis: it says that there
    is something, not how much.
    """
    scale = Scale.around([float(each.count or 0) for each in bins] or [1.0])
    width = 100 / max(1, len(bins))
    slots = [Slot(each.name, "", each.count is None) for each in bins]
    marks = [held_bands(slots, width)]
    for index, each in enumerate(bins):
        marks.append(_below(each.name, index, width))
        if each.count is None:
            marks.append(_above(each.figure, index, width, PLOT_HEIGHT - 8))
            continue
        y = scale.y(each.count)
        marks.append(
            f'<rect class="{css}" x="{(index + 0.08) * width:.2f}%" y="{y:.2f}" '
            f'width="{width * 0.84:.2f}%" height="{scale.y(0) - y:.2f}">'
            f"<title>{escape(f'{each.name}: {each.figure}')}</title></rect>"
            + _above(each.figure, index, width, y - 5)
        )
    return framed(slots, scale, "".join(marks), words)


def _reach(values: Sequence[float]) -> tuple[float, float]:
    low, high = min([*values, 0.0]), max([*values, 0.0])
    return (low, high) if high > low else (low, low + 1.0)


def _x(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low) * 100


def _bar(css: str, span: tuple[float, float], reach: tuple[float, float], index: int) -> str:
    left, right = sorted(_x(value, *reach) for value in span)
    return (
        f'<rect class="{css}" x="{left:.2f}%" width="{right - left:.2f}%" '
        f'y="{index * ROW + BAR_AT:g}" height="{BAR:g}" rx="2"/>'
    )


def _zero(low: float, high: float, index: int) -> str:
    x, top = _x(0.0, low, high), index * ROW + BAR_AT
    return (
        f'<line class="axis" x1="{x:.2f}%" x2="{x:.2f}%" y1="{top - 2:g}" y2="{top + BAR + 2:g}"/>'
    )


def _words(name: str, figure: str, index: int) -> str:
    y = index * ROW + WORDS_AT
    return (
        f'<text class="row-name" y="{y:g}">{escape(name)}</text>'
        f'<text class="row-figure" x="100%" text-anchor="end" y="{y:g}">{escape(figure)}</text>'
    )


def _above(figure: str, index: int, width: float, y: float) -> str:
    return (
        f'<text class="label" x="{(index + 0.5) * width:.2f}%" y="{y:.2f}" '
        f'text-anchor="middle">{escape(figure)}</text>'
    )


def _below(name: str, index: int, width: float) -> str:
    # A telephone has room for every second word only.
    css = "tick minor" if index % 2 else "tick"
    return (
        f'<text class="{css}" x="{(index + 0.5) * width:.2f}%" y="{PLOT_HEIGHT + 21}" '
        f'text-anchor="middle">{escape(name)}</text>'
    )

"""Charts as SVG text: values in, a picture out; no browser code and no Django.

Every chart is as wide as its place: horizontal positions are percentages, vertical ones pixels,
so that lines keep their width and words their size on a telephone and on a desk alike. Colours
come from the style sheet by class, which is how a chart follows light and dark. What a chart
shows also stands in a table beside it, so a picture is one image with a name and a description.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

PLOT_HEIGHT: Final = 220
TICK_HEIGHT: Final = 26
TOP: Final = 10
GRID_LINES: Final = 6
HATCH_ID: Final = "held"
# An end of a flow lower than this has room for one line of words. [px]
LOW_END: Final = 40


@dataclass(frozen=True)
class Slot:
    """One interval on the horizontal axis: ``tick`` is its label where the axis has one."""

    name: str
    tick: str = ""
    is_held: bool = False


@dataclass(frozen=True)
class Series:
    """Values by slot under one name; ``css`` is the class that gives the colour."""

    label: str
    css: str
    values: Sequence[float | None]


@dataclass(frozen=True)
class Band:
    """Values by slot between which others are likely; drawn below zero where ``is_below``."""

    css: str
    low: Sequence[float | None]
    expected: Sequence[float | None]
    high: Sequence[float | None]
    is_below: bool = False

    def pixels(self, scale: Scale, index: int) -> tuple[float, float] | None:
        """Return the upper and lower edge of a slot; None where there is no band."""
        low, high = self.low[index], self.high[index]
        if low is None or high is None:
            return None
        sign = -1 if self.is_below else 1
        upper, lower = sorted((scale.y(sign * low), scale.y(sign * high)))
        return upper, lower


@dataclass(frozen=True)
class Words:
    """What a chart says to those who cannot see it, and the unit of its axis."""

    title: str
    description: str
    unit: str


@dataclass(frozen=True)
class Scale:
    """A vertical axis: round numbers from ``low`` to ``high``."""

    low: float
    high: float
    step: float

    def y(self, value: float) -> float:
        """Return the pixel of a value, counted from the top."""
        span = self.high - self.low
        return TOP + (self.high - value) / span * (PLOT_HEIGHT - TOP)

    @property
    def lines(self) -> list[float]:
        """Values that get a grid line, from low to high."""
        first = math.ceil(self.low / self.step - 1e-9)
        last = math.floor(self.high / self.step + 1e-9)
        return [number * self.step for number in range(first, last + 1)]

    @classmethod
    def around(cls, values: Iterable[float], *, from_zero: bool = True) -> Scale:
        """Return an axis that holds the values and ends on round numbers."""
        known = list(values) or [0.0]
        low, high = min(known), max(known)
        if from_zero:
            low, high = min(low, 0.0), max(high, 0.0)
        if high - low < 1e-9:
            high = low + 1.0
        step = round_step((high - low) / GRID_LINES)
        return cls(math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, step)


def round_step(rough: float) -> float:
    """Return the smallest of 1, 2, 2.5, 5 times a power of ten that is not below ``rough``."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * step for step in (1, 2, 2.5, 5, 10) if power * step >= rough - 1e-12)


def stacked_bars(
    slots: Sequence[Slot], above: Sequence[Series], below: Sequence[Series], words: Words
) -> str:
    """Draw bars that grow up for one direction and down for the other."""
    ups, downs = _totals(above, len(slots)), _totals(below, len(slots))
    scale = Scale.around([*ups, *(-down for down in downs)])
    width = 100 / max(1, len(slots))
    marks = [held_bands(slots, width)]
    for index, slot in enumerate(slots):
        rects = [
            *_pile(above, index, 1, scale, width),
            *_pile(below, index, -1, scale, width),
        ]
        if rects:
            marks.append(f"<g><title>{escape(slot.name)}</title>{''.join(rects)}</g>")
    marks.append(_rule(scale.y(0), "axis"))
    return framed(slots, scale, "".join(marks), words, absolute=bool(below))


def steps(slots: Sequence[Slot], lines: Sequence[Series], words: Words) -> str:
    """Draw values that hold for a whole interval each as stairs; a missing value is a gap."""
    known = [value for line in lines for value in line.values if value is not None]
    scale = Scale.around(known)
    width = 100 / max(1, len(slots))
    marks = [held_bands(slots, width)]
    for line in lines:
        marks.append(f'<g class="stairs {line.css}">{_stairs(line.values, scale, width)}</g>')
    marks.append(_rule(scale.y(0), "axis"))
    return framed(slots, scale, "".join(marks), words)


def likely(slots: Sequence[Slot], bands: Sequence[Band], words: Words) -> str:
    """Draw what is expected as stairs, each in the band in which it is likely to fall."""
    signed = [
        [None if value is None else -value if band.is_below else value for value in values]
        for band in bands
        for values in (band.low, band.expected, band.high)
    ]
    scale = Scale.around([value for values in signed for value in values if value is not None])
    width = 100 / max(1, len(slots))
    marks = [held_bands(slots, width)]
    for band, expected in zip(bands, signed[1::3], strict=True):
        edges = [band.pixels(scale, index) for index in range(len(slots))]
        marks.extend(
            f'<rect class="likely {band.css}" x="{index * width:.3f}%" y="{edge[0]:.2f}" '
            f'width="{width:.3f}%" height="{edge[1] - edge[0]:.2f}"/>'
            for index, edge in enumerate(edges)
            if edge is not None and edge[1] - edge[0] >= 0.01
        )
        marks.append(f'<g class="stairs {band.css}">{_stairs(expected, scale, width)}</g>')
    marks.append(_rule(scale.y(0), "axis"))
    mirrored = any(band.is_below for band in bands)
    return framed(slots, scale, "".join(marks), words, absolute=mirrored)


def flows(
    words: Words, *, names: Sequence[str], figures: Sequence[str], values: Sequence[int]
) -> str:
    """Draw where surplus went and where demand came from as bands.

    Parameters
    ----------
    names : sequence of str
        Surplus of the roofs, from the grid; demand of the homes, to the grid.
    figures : sequence of str
        The four totals as text, in the same order.
    values : sequence of int
        Roofs to homes, roofs to grid, grid to homes. [Wh]
    """
    shared, fed, drawn = values
    total = max(1, shared + fed + drawn)
    room, gap, bar = 190.0, 24.0, 3.0

    def tall(value: int) -> float:
        return room * value / total

    left = [(20.0, shared + fed), (20 + tall(shared + fed) + gap, drawn)]
    right = [(20.0, shared + drawn), (20 + tall(shared + drawn) + gap, fed)]
    bands = [
        ("pool", left[0][0], right[0][0], shared),
        ("grid", left[0][0] + tall(shared), right[1][0], fed),
        ("grid", left[1][0], right[0][0] + tall(shared), drawn),
    ]
    ribbons = "".join(
        f'<path class="ribbon {css}" d="{_ribbon(start, end, tall(value))}"/>'
        for css, start, end, value in bands
        if value
    )
    height = 20 + room + gap + 8
    frame = f'<svg x="{bar}%" width="{100 - 2 * bar}%" y="0" height="{height}"'
    parts = [f'{frame} viewBox="0 0 100 {height}" preserveAspectRatio="none">{ribbons}</svg>']
    ends = [
        (*left[0], "sun", 0),
        (*left[1], "grid", 0),
        (*right[0], "home", 1),
        (*right[1], "grid", 1),
    ]
    for (top, value, css, side), name, figure in zip(ends, names, figures, strict=True):
        if value:
            parts.append(_end(top, max(tall(value), 2), css, is_right=bool(side), bar=bar))
            parts.append(_end_words(top, tall(value), name, figure, is_right=bool(side), bar=bar))
    return (
        f'<svg class="chart flow" role="img" width="100%" height="{height:.0f}" '
        f'aria-label="{escape(words.title)}. {escape(words.description)}">{"".join(parts)}</svg>'
    )


def _end(top: float, height: float, css: str, *, is_right: bool, bar: float) -> str:
    x = 100 - bar if is_right else 0.0
    return (
        f'<rect class="end {css}" x="{x:g}%" y="{top:.1f}" width="{bar:g}%" '
        f'height="{height:.1f}" rx="2"/>'
    )


def _end_words(
    top: float, height: float, name: str, figure: str, *, is_right: bool, bar: float
) -> str:
    """Write an end's name and figure beside it: two lines, or one where it is low."""
    x = 100 - bar - 1.5 if is_right else bar + 1.5
    anchor = "end" if is_right else "start"
    middle = top + height / 2
    place = f'x="{x:g}%" text-anchor="{anchor}"'
    if height < LOW_END:
        return (
            f'<text {place} y="{middle + 4:.1f}"><tspan class="flow-name">{escape(name)}</tspan> '
            f'<tspan class="flow-figure">{escape(figure)}</tspan></text>'
        )
    return (
        f'<text class="flow-name" {place} y="{middle - 3:.1f}">{escape(name)}</text>'
        f'<text class="flow-figure" {place} y="{middle + 14:.1f}">{escape(figure)}</text>'
    )


def _ribbon(start: float, end: float, thickness: float) -> str:
    return (
        f"M0 {start:.1f}C50 {start:.1f} 50 {end:.1f} 100 {end:.1f}"
        f"V{end + thickness:.1f}C50 {end + thickness:.1f} 50 {start + thickness:.1f} "
        f"0 {start + thickness:.1f}Z"
    )


def _totals(series: Sequence[Series], count: int) -> list[float]:
    return [sum(one.values[index] or 0 for one in series) for index in range(count)]


def _pile(series: Sequence[Series], index: int, sign: int, scale: Scale, width: float) -> list[str]:
    """Return the rectangles of one slot in one direction, from zero outwards."""
    rects, reached = [], 0.0
    for one in series:
        value = one.values[index]
        if not value:
            continue
        ends = sorted((scale.y(sign * reached), scale.y(sign * (reached + value))))
        rects.append(
            f'<rect class="{one.css}" x="{(index + 0.12) * width:.3f}%" y="{ends[0]:.2f}" '
            f'width="{width * 0.76:.3f}%" height="{ends[1] - ends[0]:.2f}"/>'
        )
        reached += value
    return rects


def _stairs(values: Sequence[float | None], scale: Scale, width: float) -> str:
    parts: list[str] = []
    start = 0
    while start < len(values):
        value, end = values[start], start + 1
        while end < len(values) and values[end] == value:
            end += 1
        if value is not None:
            y = scale.y(value)
            parts.append(
                f'<line x1="{start * width:.3f}%" x2="{end * width:.3f}%" '
                f'y1="{y:.2f}" y2="{y:.2f}"/>'
            )
            following = values[end] if end < len(values) else None
            if following is not None:
                x = f"{end * width:.3f}%"
                parts.append(
                    f'<line x1="{x}" x2="{x}" y1="{y:.2f}" y2="{scale.y(following):.2f}"/>'
                )
        start = end
    return "".join(parts)


def held_bands(slots: Sequence[Slot], width: float) -> str:
    """Hatch the slots that are held, over the whole height."""
    return "".join(
        f'<rect class="held" fill="url(#{HATCH_ID})" x="{index * width:.3f}%" y="{TOP}" '
        f'width="{width:.3f}%" height="{PLOT_HEIGHT - TOP}">'
        f"<title>{escape(slot.name)}</title></rect>"
        for index, slot in enumerate(slots)
        if slot.is_held
    )


def _rule(y: float, css: str) -> str:
    return f'<line class="{css}" x1="0" x2="100%" y1="{y:.2f}" y2="{y:.2f}"/>'


def _ticks(slots: Sequence[Slot]) -> str:
    parts: list[str] = []
    for index, slot in enumerate(slots):
        if not slot.tick:
            continue
        anchor = "start" if index == 0 else "middle"
        # A telephone has room for every second word only.
        css = "tick minor" if len(parts) % 2 else "tick"
        parts.append(
            f'<text class="{css}" x="{index / len(slots) * 100:.3f}%" y="{PLOT_HEIGHT + 21}" '
            f'text-anchor="{anchor}">{escape(slot.tick)}</text>'
        )
    return "".join(parts)


def _axis_labels(scale: Scale, unit: str, *, absolute: bool) -> str:
    places = max(0, -math.floor(math.log10(scale.step) + 1e-9))
    if scale.step * 10**places % 1 > 1e-9:
        places += 1
    parts = []
    for value in scale.lines:
        shown = abs(value) if absolute or abs(value) < 1e-9 else value
        text = f"{shown:.{places}f}".replace("-", "\N{MINUS SIGN}")
        parts.append(f'<text x="100%" y="{scale.y(value) + 4:.2f}" text-anchor="end">{text}</text>')
    return (
        "".join(parts) + f'<text class="unit" x="100%" y="{PLOT_HEIGHT + 21}" '
        f'text-anchor="end">{escape(unit)}</text>'
    )


def framed(
    slots: Sequence[Slot], scale: Scale, marks: str, words: Words, *, absolute: bool = False
) -> str:
    """Put marks into the frame of a chart: axis with its unit, lines of the grid, names below."""
    grid = "".join(_rule(scale.y(value), "grid-line") for value in scale.lines)
    height = PLOT_HEIGHT + TICK_HEIGHT
    hatch = ""
    if any(slot.is_held for slot in slots):
        hatch = (
            f'<defs><pattern id="{HATCH_ID}" width="7" height="7" patternUnits="userSpaceOnUse" '
            'patternTransform="rotate(45)"><line class="hatch" x1="0" x2="0" y1="0" y2="7"/>'
            "</pattern></defs>"
        )
    told = escape(f"{words.title}. {words.description}")
    return (
        f'<div class="chart" role="img" aria-label="{told}">'
        f'<svg class="chart-axis" width="44" height="{height}" aria-hidden="true">'
        f"{_axis_labels(scale, words.unit, absolute=absolute)}</svg>"
        f'<svg class="chart-plot" width="100%" height="{height}" aria-hidden="true">'
        f"{hatch}{grid}{marks}{_ticks(slots)}</svg></div>"
    )

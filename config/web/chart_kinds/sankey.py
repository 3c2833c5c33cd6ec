"""Bands from many sources to many sinks: who sent to whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import accumulate
from typing import Final

from config.web.chart_kinds.marks import fitted, picture, stretched
from config.web.charts import Words

TOP: Final = 8.0
# Two lines of words, and air below them. [px]
ROOM_OF_WORDS: Final = 40.0
ROOM_OF_BANDS: Final = 200.0
BAR: Final = 3.0
# Half of a small telephone's picture, in letters that are bold. [px]
LABEL_WIDTH: Final = 98.0


@dataclass(frozen=True)
class End:
    """A source or a sink; ``figure`` is its total as text, ``css`` the class of its colour.

    ``short`` stands for its name where a telephone has no room for it; without, the name is cut.
    """

    name: str
    figure: str
    css: str
    short: str = ""


@dataclass(frozen=True)
class Stream:
    """What goes from one source to one sink; ``name`` says it in words."""

    source: int
    sink: int
    value: float
    name: str


@dataclass(frozen=True)
class _Column:
    """Where each end stands and how tall it is. [px]"""

    tops: list[float]
    heights: list[float]
    bottom: float


def sankey(
    sources: Sequence[End], sinks: Sequence[End], streams: Sequence[Stream], words: Words
) -> str:
    """Draw sources left, sinks right, and a band for each stream between them.

    Heights are in proportion on both sides; an end that is lower than its words gets the room of
    its words, so labels never overlap. A band has the colour of its source.

    Parameters
    ----------
    sources, sinks : sequences of End
        From above to below.
    streams : sequence of Stream
        By index into both; what is not above zero is left out.
    words : Words
        What the picture says to those who cannot see it.
    """
    drawn = [each for each in streams if each.value > 0]
    total = sum(each.value for each in drawn) or 1.0
    left = _column([_sum(drawn, source=index) for index in range(len(sources))], total)
    right = _column([_sum(drawn, sink=index) for index in range(len(sinks))], total)
    height = max(left.bottom, right.bottom)
    parts = [
        stretched(
            _bands(sources, drawn, left, right, total), height=height, x=BAR, width=100 - 2 * BAR
        )
    ]
    for ends, column, is_right in ((sources, left, False), (sinks, right, True)):
        for end, top, tall in zip(ends, column.tops, column.heights, strict=True):
            parts.append(_end(end, top, tall, is_right=is_right))
    return picture("".join(parts), words, height=height, css="flow sankey")


def _sum(streams: Sequence[Stream], *, source: int | None = None, sink: int | None = None) -> float:
    return sum(each.value for each in streams if source == each.source or sink == each.sink)


def _column(sums: Sequence[float], total: float) -> _Column:
    heights = [max(ROOM_OF_BANDS * value / total, 0.0) for value in sums]
    slots = [max(height + 12.0, ROOM_OF_WORDS) for height in heights]
    tops = [TOP + before for before in accumulate(slots, initial=0.0)]
    return _Column(tops[:-1], heights, tops[-1])


def _bands(
    sources: Sequence[End], streams: Sequence[Stream], left: _Column, right: _Column, total: float
) -> str:
    """Return the bands; at each end they lie on one another in the order of the other side."""
    paths = []
    reached_left, reached_right = list(left.tops), list(right.tops)
    starts = {}
    for each in sorted(streams, key=lambda one: (one.source, one.sink)):
        starts[each.source, each.sink] = reached_left[each.source]
        reached_left[each.source] += ROOM_OF_BANDS * each.value / total
    for each in sorted(streams, key=lambda one: (one.sink, one.source)):
        start, end = starts[each.source, each.sink], reached_right[each.sink]
        thickness = ROOM_OF_BANDS * each.value / total
        reached_right[each.sink] += thickness
        low, lower = start + thickness, end + thickness
        paths.append(
            f'<path class="ribbon {sources[each.source].css}" '
            f'd="M0 {start:.1f}C50 {start:.1f} 50 {end:.1f} 100 {end:.1f}V{lower:.1f}'
            f'C50 {lower:.1f} 50 {low:.1f} 0 {low:.1f}Z"><title>{escape(each.name)}</title></path>'
        )
    return "".join(paths)


def _end(end: End, top: float, height: float, *, is_right: bool) -> str:
    x = 100 - BAR if is_right else 0.0
    place = 'x="95.5%" text-anchor="end"' if is_right else 'x="4.5%"'
    middle = top + max(height, ROOM_OF_WORDS - 12) / 2
    at = f'{place} y="{middle - 3:.1f}"'
    return (
        f'<rect class="end {end.css}" x="{x:g}%" y="{top:.1f}" width="{BAR:g}%" '
        f'height="{max(height, 1.5):.1f}" rx="2"/>'
        + fitted(end.name, "flow-name", at, LABEL_WIDTH, short=end.short)
        + f'<text class="flow-figure" {place} y="{middle + 12:.1f}">{escape(end.figure)}</text>'
    )

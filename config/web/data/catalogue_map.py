"""Maps of the catalogue as SVG text: boxes of products, and cells of what one product covers.

Longitude and latitude as they are, the one shortened as at the middle of the map: right enough for
a city, and the sea is not ours to draw. Colours come from the style sheet by class.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

import h3

from marketplace.domain.data.wishes import MICRODEGREES, Area

WIDTH: Final = 600
HEIGHT: Final = 340
# A map of more cells weighs more than it tells.
CELLS_MAX: Final = 500
_MARGIN: Final = 0.06
_LEAST_DEGREES: Final = 0.005
_STEPS: Final = (60, 30, 15, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
_LINES_LEAST: Final = 3
_SHADES: Final = 4


@dataclass(frozen=True)
class Frame:
    """What part of the world a map shows. [degrees]"""

    west: float
    south: float
    east: float
    north: float

    @classmethod
    def around(cls, area: Area) -> "Frame":
        """Return the smallest frame of the map's shape around a box, with a margin."""
        west, south, east, north = _degrees(area)
        middle = (south + north) / 2
        shrink = max(0.2, math.cos(math.radians(middle)))
        tall = max(north - south, _LEAST_DEGREES) * (1 + 2 * _MARGIN)
        wide = max(east - west, _LEAST_DEGREES) * (1 + 2 * _MARGIN)
        wide = max(wide, tall / shrink * WIDTH / HEIGHT)
        tall = wide * shrink * HEIGHT / WIDTH
        centre = (west + east) / 2
        return cls(centre - wide / 2, middle - tall / 2, centre + wide / 2, middle + tall / 2)

    def x(self, longitude: float) -> float:
        """Return the place of a longitude, from the left. [px]"""
        return (longitude - self.west) / (self.east - self.west) * WIDTH

    def y(self, latitude: float) -> float:
        """Return the place of a latitude, from the top. [px]"""
        return (self.north - latitude) / (self.north - self.south) * HEIGHT


@dataclass(frozen=True)
class Box:
    """A box on the map under a name, with a class for its colour."""

    area: Area
    name: str
    css: str = "found"


def box_map(around: Area, boxes: Iterable[Box], *, title: str) -> str:
    """Draw boxes; the element says what part of the world it shows, for drawing on it."""
    frame = Frame.around(around)
    rects = "".join(_rect(frame, box) for box in boxes)
    edges = " ".join(
        f'data-{name}="{value:.6f}"'
        for name, value in (
            ("west", frame.west),
            ("south", frame.south),
            ("east", frame.east),
            ("north", frame.north),
        )
    )
    return _svg(frame, rects, title=title, more=edges)


def cell_map(coverage: Sequence[Mapping[str, Any]], *, title: str) -> str:
    """Draw the H3 cells that a product covers, the darker the more is in them; empty: no map.

    Parameters
    ----------
    coverage : sequence of mapping
        ``cell`` and ``count``, as in a version's profile.
    """
    counts = _coarser({str(each["cell"]): int(each["count"]) for each in coverage})
    outlines = {cell: h3.cell_to_boundary(cell) for cell in counts if h3.is_valid_cell(cell)}
    if not outlines:
        return ""
    latitudes = [point[0] for outline in outlines.values() for point in outline]
    longitudes = [point[1] for outline in outlines.values() for point in outline]
    edges = (min(longitudes), min(latitudes), max(longitudes), max(latitudes))
    frame = Frame.around(Area(*(round(edge * MICRODEGREES) for edge in edges)))
    ranked = sorted(counts[cell] for cell in outlines)
    paths = []
    for cell, outline in outlines.items():
        points = "L".join(f"{frame.x(lon):.1f} {frame.y(lat):.1f}" for lat, lon in outline)
        shade = _shade(counts[cell], ranked)
        paths.append(
            f'<path class="cell s{shade}" d="M{points}Z"><title>{counts[cell]}</title></path>'
        )
    return _svg(frame, "".join(paths), title=title)


def _coarser(counts: Mapping[str, int]) -> dict[str, int]:
    """Return counts by cell, by larger cells while there are too many."""
    cells = {cell: count for cell, count in counts.items() if h3.is_valid_cell(cell)}
    while len(cells) > CELLS_MAX:
        larger: dict[str, int] = {}
        for cell, count in cells.items():
            resolution = h3.get_resolution(cell)
            parent = h3.cell_to_parent(cell, max(0, resolution - 1))
            larger[parent] = larger.get(parent, 0) + count
        if len(larger) == len(cells):
            break
        cells = larger
    return cells


def _shade(count: int, ranked: Sequence[int]) -> int:
    """Return in which quarter of all cells a count is, from 1."""
    return min(_SHADES, 1 + bisect_left(ranked, count) * _SHADES // len(ranked))


def _rect(frame: Frame, box: Box) -> str:
    west, south, east, north = _degrees(box.area)
    x, y = frame.x(west), frame.y(north)
    # A single place is still something to see.
    width, height = max(6.0, frame.x(east) - x), max(6.0, frame.y(south) - y)
    return (
        f'<rect class="{box.css}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}"><title>{escape(box.name)}</title></rect>'
    )


def _svg(frame: Frame, marks: str, *, title: str, more: str = "") -> str:
    return (
        f'<svg class="map" role="img" viewBox="0 0 {WIDTH} {HEIGHT}" {more} '
        f'aria-label="{escape(title)}">{_lines(frame)}{marks}</svg>'
    )


def _lines(frame: Frame) -> str:
    """Draw lines of round longitudes and latitudes with their names."""
    step = next(
        (each for each in _STEPS if (frame.east - frame.west) / each >= _LINES_LEAST), _STEPS[-1]
    )
    places = max(0, math.ceil(-math.log10(step)))
    parts = []
    for longitude in _multiples(frame.west, frame.east, step):
        x = f"{frame.x(longitude):.1f}"
        parts.append(f'<line x1="{x}" x2="{x}" y1="0" y2="{HEIGHT}"/>')
        parts.append(f'<text x="{x}" y="{HEIGHT - 4}">{_named(longitude, places, "EW")}</text>')
    for latitude in _multiples(frame.south, frame.north, step):
        y = f"{frame.y(latitude):.1f}"
        parts.append(f'<line x1="0" x2="{WIDTH}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="3" y="{y}">{_named(latitude, places, "NS")}</text>')
    return f'<g class="graticule" aria-hidden="true">{"".join(parts)}</g>'


def _multiples(low: float, high: float, step: float) -> list[float]:
    first, last = math.ceil(low / step), math.floor(high / step)
    return [number * step for number in range(first, last + 1)]


def _named(degrees: float, places: int, letters: str) -> str:
    letter = letters[0] if degrees >= 0 else letters[1]
    return f"{abs(degrees):.{places}f}° {letter}"


def _degrees(area: Area) -> tuple[float, float, float, float]:
    west, south, east, north = (
        edge / MICRODEGREES for edge in (area.west, area.south, area.east, area.north)
    )
    return west, south, east, north

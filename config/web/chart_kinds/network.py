"""Zones and their links as a schematic: what went both ways, and where it was tight."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from config.web.chart_kinds.marks import fitted, picture
from config.web.charts import Words

HEIGHT: Final = 360.0
RADIUS: Final = 20.0
WIDEST: Final = 14.0
THINNEST: Final = 1.5
LABEL_WIDTH: Final = 110.0


@dataclass(frozen=True)
class Node:
    """A zone; ``at`` is its place in 0..1 from the upper left where it has one."""

    name: str
    figure: str
    css: str = "pool"
    at: tuple[float, float] | None = None


@dataclass(frozen=True)
class Link:
    """A line between two zones, by index; what went each way, and a name that says it."""

    source: int
    sink: int
    sent: float
    received: float
    figure: str
    name: str
    is_congested: bool = False


def network(nodes: Sequence[Node], links: Sequence[Link], words: Words) -> str:
    """Draw zones on an ellipse, or at their places, and their links.

    The half of a link beside a zone is as wide as what that zone sent over it, so direction shows
    without arrow heads. A congested link is dashed and carries a sign besides its colour.

    Parameters
    ----------
    nodes : sequence of Node
        The first stands on top, the others follow clockwise.
    links : sequence of Link
        Drawn in order, below the nodes.
    words : Words
        What the picture says to those who cannot see it.
    """
    free = [index for index, node in enumerate(nodes) if node.at is None]
    places = [node.at or _on_ellipse(free.index(at), len(free)) for at, node in enumerate(nodes)]
    pixels = [(8 + 84 * x, 58 + (HEIGHT - 110) * y) for x, y in places]
    widest = max((max(link.sent, link.received) for link in links), default=0.0) or 1.0
    lines = "".join(_halves(link, pixels[link.source], pixels[link.sink], widest) for link in links)
    figures = "".join(_figure(link, pixels[link.source], pixels[link.sink]) for link in links)
    circles = "".join(_circle(node, place) for node, place in zip(nodes, pixels, strict=True))
    return picture(lines + circles + figures, words, height=HEIGHT, css="network")


def _on_ellipse(index: int, count: int) -> tuple[float, float]:
    if count == 1:
        return 0.5, 0.5
    angle = 2 * math.pi * index / count - math.pi / 2
    return 0.5 + 0.42 * math.cos(angle), 0.5 + 0.5 * math.sin(angle)


def _halves(
    link: Link, source: tuple[float, float], sink: tuple[float, float], widest: float
) -> str:
    middle = ((source[0] + sink[0]) / 2, (source[1] + sink[1]) / 2)
    css = "wire congested" if link.is_congested else "wire"
    return (
        f'<g class="{css}"><title>{escape(link.name)}</title>'
        f"{_half(source, middle, link.sent / widest)}{_half(sink, middle, link.received / widest)}"
        "</g>"
    )


def _half(start: tuple[float, float], end: tuple[float, float], part: float) -> str:
    width = max(THINNEST, WIDEST * part)
    return (
        f'<line x1="{start[0]:.2f}%" y1="{start[1]:.1f}" x2="{end[0]:.2f}%" y2="{end[1]:.1f}" '
        f'stroke-width="{width:.2f}"/>'
    )


def _figure(link: Link, source: tuple[float, float], sink: tuple[float, float]) -> str:
    """Write what a link carried beside its middle; nearer to one end, where links cross."""
    x = source[0] * 0.56 + sink[0] * 0.44
    y = source[1] * 0.56 + sink[1] * 0.44
    sign = "\N{WARNING SIGN}\N{VARIATION SELECTOR-15} " if link.is_congested else ""
    return (
        f'<text class="wire-figure" x="{x:.2f}%" y="{y - 5:.1f}" text-anchor="middle">'
        f"{sign}{escape(link.figure)}</text>"
    )


def _circle(node: Node, place: tuple[float, float]) -> str:
    """Draw a zone; its words stand above it in the upper half, so that no link runs into them."""
    x, y = place
    anchor = "start" if x < 25 else "end" if x > 75 else "middle"
    at = max(0.0, x - 7) if anchor == "start" else min(100.0, x + 7) if anchor == "end" else x
    first = y - RADIUS - 20 if y < HEIGHT / 2 - 10 else y + RADIUS + 14
    words = f'x="{at:.2f}%" text-anchor="{anchor}"'
    name = fitted(node.name, "flow-name", f'y="{first:.1f}" {words}', LABEL_WIDTH)
    return (
        f"<g><title>{escape(f'{node.name}: {node.figure}')}</title>"
        f'<circle class="node {node.css}" cx="{x:.2f}%" cy="{y:.1f}" r="{RADIUS:g}"/>'
        + name
        + f'<text class="flow-figure" y="{first + 14:.1f}" {words}>{escape(node.figure)}</text></g>'
    )

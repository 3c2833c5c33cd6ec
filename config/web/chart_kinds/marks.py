"""What pictures have in common: their frame, the hatch of what is missing, words with room."""

import re
import unicodedata
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import Final

from config.web.charts import HATCH_ID, Words

# An average letter at 12 px; a Chinese character takes two. [px]
LETTER_WIDTH: Final = 6.4


def told(words: Words) -> str:
    """Return what a picture says to those who cannot see it, escaped."""
    return escape(f"{words.title}. {words.description}")


def picture(marks: str, words: Words, *, height: float, css: str) -> str:
    """Return the frame of a picture that is as wide as its place."""
    return (
        f'<svg class="chart {css}" role="img" width="100%" height="{height:.0f}" '
        f'aria-label="{told(words)}">{marks}</svg>'
    )


def hatch() -> str:
    """Return the pattern that what is missing is filled with."""
    return (
        f'<defs><pattern id="{HATCH_ID}" width="7" height="7" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><line class="hatch" x1="0" x2="0" y1="0" y2="7"/>'
        "</pattern></defs>"
    )


def stretched(marks: str, *, height: float, x: float = 0, width: float = 100) -> str:
    """Return marks whose places across are percent, where a shape takes no percentages itself."""
    return (
        f'<svg x="{x:g}%" width="{width:g}%" y="0" height="{height:.1f}" '
        f'viewBox="0 0 100 {height:.1f}" preserveAspectRatio="none">{marks}</svg>'
    )


def text_width(text: str) -> float:
    """Return about how wide a text is at twelve pixels. [px]"""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return LETTER_WIDTH * (len(text) + wide)


def wrap(text: str, room: float) -> list[str]:
    """Return a text in lines that fit in so many pixels; Chinese may break anywhere."""
    lines, line = [], ""
    for piece in re.findall(r"[\u3000-\uffef]\s*|[^\s\u3000-\uffef]+\s*", text):
        if line and text_width((line + piece).rstrip()) > room:
            lines.append(line.rstrip())
            line = ""
        line += piece
    return [*lines, line.rstrip()]


def shorten(text: str, room: float) -> str:
    """Return a text that fits in so many pixels, its end left out where it would not."""
    if text_width(text) <= room:
        return text
    kept = text
    while kept and text_width(kept) > room - 2 * LETTER_WIDTH:
        kept = kept[:-1]
    return f"{kept.rstrip()}\N{HORIZONTAL ELLIPSIS}"


def fitted(text: str, css: str, attributes: str, room: float, *, short: str = "") -> str:
    """Return a text element; where a telephone has no room for it, a short one stands there."""
    cut = shorten(text, room)
    short = shorten(short, room) if short and cut != text else cut
    if short == text:
        return f'<text class="{css}" {attributes}>{escape(text)}</text>'
    return (
        f'<text class="{css} wide-only" {attributes}>{escape(text)}</text>'
        f'<text class="{css} narrow-only" {attributes}>{escape(short)}'
        f"<title>{escape(text)}</title></text>"
    )


def spread(places: Sequence[float], *, gap: float, low: float, high: float) -> list[float]:
    """Move places apart so that none is nearer than ``gap`` to the next, within bounds.

    Where the bounds have no room for all of them, the gap wins over the upper bound.
    """
    order = sorted(range(len(places)), key=lambda index: places[index])
    moved = [max(low, min(high, place)) for place in places]
    for before, index in pairwise(order):
        moved[index] = max(moved[index], moved[before] + gap)
    if order and moved[order[-1]] > high:
        moved[order[-1]] = max(high, low + gap * (len(order) - 1))
        for index, after in zip(order[-2::-1], order[:0:-1], strict=True):
            moved[index] = min(moved[index], moved[after] - gap)
    return moved

"""What each pricing would have meant, as bars from one line of nothing; SVG text, no Django."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from config.web.charts import Words

ROW: Final = 44
WORDS_AT: Final = 14
BAR_AT: Final = 21
BAR: Final = 13


@dataclass(frozen=True)
class Bar:
    """One row: the figure in words stands at its right end. Only the lengths of bars compare."""

    name: str
    figure: str
    value: int
    is_booked: bool


def pricing_bars(bars: Sequence[Bar], words: Words) -> str:
    """Draw a row for each pricing; the name stands above its bar, on a telephone as on a desk."""
    low = min((bar.value for bar in bars), default=0)
    high = max((bar.value for bar in bars), default=0)
    low, high = min(low, 0), max(high, 0)
    width = (high - low) or 1
    zero = -low / width * 100
    height = ROW * len(bars)
    marks: list[str] = []
    for index, bar in enumerate(bars):
        top = index * ROW
        length = abs(bar.value) / width * 100
        left = zero - length if bar.value < 0 else zero
        css = "booked" if bar.is_booked else "loss" if bar.value < 0 else "gain"
        marks.append(
            f'<text class="pricing-name" y="{top + WORDS_AT}">{escape(bar.name)}</text>'
            f'<text class="pricing-figure" x="100%" text-anchor="end" y="{top + WORDS_AT}">'
            f"{escape(bar.figure)}</text>"
            f'<rect class="{css}" x="{left:.2f}%" width="{length:.2f}%" y="{top + BAR_AT}"'
            f' height="{BAR}" rx="3"/>'
            f'<line class="axis" x1="{zero:.2f}%" x2="{zero:.2f}%" y1="{top + BAR_AT - 2}"'
            f' y2="{top + BAR_AT + BAR + 2}"/>'
        )
    return (
        f'<svg class="chart pricings" role="img" width="100%" height="{height}" '
        f'aria-label="{escape(words.title)}. {escape(words.description)}">{"".join(marks)}</svg>'
    )

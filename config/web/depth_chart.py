"""The depth of an order book as SVG text: who would buy and sell how much at which price."""

from collections.abc import Sequence
from html import escape
from typing import Final

from config.web.charts import PLOT_HEIGHT, TICK_HEIGHT, Scale, Words, round_step

# Prices and energies of one side, most eager first. [currency/kWh, kWh]
Levels = Sequence[tuple[float, float]]
TICKS: Final = 4


def depth_chart(
    bids: Levels, offers: Levels, price: float | None, words: Words, *, energy_unit: str = "kWh"
) -> str:
    """Draw both sides as stairs over the energy that stands at a price or better.

    Parameters
    ----------
    bids, offers : sequence of (float, float)
        Price [currency/kWh] and energy [kWh] of each level, most eager first.
    price : float, optional
        Where an auction would clear now; drawn as a line. [currency/kWh]
    words : Words
        What the picture says to those who cannot see it; the unit is that of prices.
    energy_unit : str
        How the reader's language writes kWh.
    """
    known = [level for level, _ in (*bids, *offers)]
    scale = Scale.around([*known, *([] if price is None else [price])], from_zero=False)
    widest = max((sum(energy for _, energy in side) for side in (bids, offers)), default=0) or 1.0
    marks = [
        f'<g class="depth bids">{_stairs(bids, scale, widest)}</g>',
        f'<g class="depth offers">{_stairs(offers, scale, widest)}</g>',
    ]
    if price is not None:
        y = scale.y(price)
        marks.append(f'<line class="indicative" x1="0" x2="100%" y1="{y:.2f}" y2="{y:.2f}"/>')
    height = PLOT_HEIGHT + TICK_HEIGHT
    grid = "".join(
        f'<line class="grid-line" x1="0" x2="100%" y1="{scale.y(value):.2f}"'
        f' y2="{scale.y(value):.2f}"/>'
        for value in scale.lines
    )
    told = escape(f"{words.title}. {words.description}")
    return (
        f'<div class="chart" role="img" aria-label="{told}">'
        f'<svg class="chart-axis" width="44" height="{height}" aria-hidden="true">'
        f"{_prices(scale, words.unit)}</svg>"
        f'<svg class="chart-plot" width="100%" height="{height}" aria-hidden="true">'
        f"{grid}{''.join(marks)}{_energies(widest, energy_unit)}</svg></div>"
    )


def _stairs(levels: Levels, scale: Scale, widest: float) -> str:
    parts, reached, before = [], 0.0, None
    for price, energy in levels:
        left, right = reached / widest * 100, (reached + energy) / widest * 100
        y = scale.y(price)
        if before is not None:
            parts.append(_line(left, left, before, y))
        parts.append(_line(left, right, y, y))
        reached, before = reached + energy, y
    return "".join(parts)


def _line(left: float, right: float, top: float, bottom: float) -> str:
    return f'<line x1="{left:.3f}%" x2="{right:.3f}%" y1="{top:.2f}" y2="{bottom:.2f}"/>'


def _prices(scale: Scale, unit: str) -> str:
    parts = [f'<text x="0" y="{PLOT_HEIGHT + 21}">{escape(unit)}</text>']
    for value in scale.lines:
        parts.append(
            f'<text x="40" y="{scale.y(value) + 4:.2f}" text-anchor="end">{value:.6g}</text>'
        )
    return "".join(parts)


def _energies(widest: float, unit: str) -> str:
    step = round_step(widest / TICKS)
    count = int(widest / step + 1e-9)
    parts = []
    for number in range(count + 1):
        x = number * step / widest * 100
        # The last word would stand outside of the picture.
        anchor = "start" if number == 0 else "end" if x > 92 else "middle"
        parts.append(
            f'<text class="tick" x="{x:.3f}%" y="{PLOT_HEIGHT + 21}" text-anchor="{anchor}">'
            f"{number * step:.6g} {escape(unit)}</text>"
        )
    return "".join(parts)

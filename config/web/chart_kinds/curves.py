"""Curves over ranks: how long a value was reached, and how evenly something is spread."""

from collections.abc import Sequence
from html import escape

from config.web.chart_kinds.marks import spread, stretched
from config.web.charts import PLOT_HEIGHT, TOP, Band, Scale, Series, Slot, Words, framed, likely

QUARTERS = ("0\N{NO-BREAK SPACE}%", "25\N{NO-BREAK SPACE}%", "50\N{NO-BREAK SPACE}%")
LABEL_GAP = 16.0


def duration_curve(lines: Sequence[Series], words: Words, *, from_zero: bool = True) -> str:
    """Draw values from the highest to the lowest over the share of the time.

    Parameters
    ----------
    lines : sequence of Series
        Values in any order; missing ones are left out, so say in a note how many there are. The
        label stands at the curve's right end; the class gives colour and dashes.
    words : Words
        The unit is that of the values.
    from_zero : bool
        Whether the axis must hold zero.
    """
    ranked = [sorted((v for v in line.values if v is not None), reverse=True) for line in lines]
    scale = Scale.around([value for values in ranked for value in values], from_zero=from_zero)
    marks = "".join(
        _line(
            [(100 * at / max(1, len(values) - 1), value) for at, value in enumerate(values)],
            line.css,
            scale,
        )
        for line, values in zip(lines, ranked, strict=True)
    )
    ends = [(line, values[-1]) for line, values in zip(lines, ranked, strict=True) if values]
    return framed(
        _quarters(), scale, stretched(marks, height=PLOT_HEIGHT) + _labels(ends, scale), words
    )


def day_shape(
    low: Sequence[float | None],
    mean: Sequence[float | None],
    high: Sequence[float | None],
    words: Words,
    *,
    css: str = "price",
) -> str:
    """Draw the lowest, mean and highest value of each hour of the day; all are by hour from 0."""
    slots = [
        Slot(f"{hour:02d}:00", f"{hour:02d}:00" if hour % 6 == 0 else "", mean[hour] is None)
        for hour in range(len(mean))
    ]
    return likely(slots, [Band(css, low, mean, high)], words)


def _quarters() -> list[Slot]:
    names = (*QUARTERS, "75\N{NO-BREAK SPACE}%")
    return [Slot(name, name) for name in names]


def _line(points: Sequence[tuple[float, float]], css: str, scale: Scale) -> str:
    places = " ".join(f"{x:.2f},{scale.y(value):.2f}" for x, value in points)
    return f'<polyline class="curve {css}" points="{places}"/>'


def _labels(ends: Sequence[tuple[Series, float]], scale: Scale) -> str:
    """Write each curve's label above its right end, apart from the others, with its colour."""
    named = [(line, value) for line, value in ends if line.label]
    places = spread(
        [scale.y(value) - 6 for _, value in named],
        gap=LABEL_GAP,
        low=TOP + 10,
        high=PLOT_HEIGHT - 4,
    )
    labels = "".join(
        f'<text class="label" x="-18" y="{y:.1f}" text-anchor="end">{escape(line.label)}</text>'
        f'<rect class="swatch {line.css}" x="-14" y="{y - 6:.1f}" width="14" height="4"/>'
        for (line, _), y in zip(named, places, strict=True)
    )
    # A drawing of its own at the right edge: pixels count from there.
    return f'<svg class="edge" x="100%" width="1" height="{PLOT_HEIGHT}">{labels}</svg>'

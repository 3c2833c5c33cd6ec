"""Charts are pure: values in, well-formed SVG out, every word escaped."""

from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.web.charts import Scale, Series, Slot, Words, flows, stacked_bars, steps

WORDS = Words('<script>alert("x")</script>', "a & b", "kWh")
SLOTS = [Slot(f"{hour:02d}:00", "00:00" if hour == 0 else "", hour == 3) for hour in range(24)]


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - our own text


def rects(svg: str, css: str) -> list[dict[str, str]]:
    return [each.attrib for each in parsed(svg).iter("rect") if each.get("class") == css]


def test_bars_stand_on_the_line_and_on_one_another() -> None:
    up: list[float | None] = [float(hour) for hour in range(24)]
    twice: list[float | None] = [2.0 * hour for hour in range(24)]
    svg = stacked_bars(
        SLOTS, [Series("", "pool", up), Series("", "grid", twice)], [Series("", "grid", up)], WORDS
    )
    scale = Scale.around([69.0, -23.0])
    pool = rects(svg, "pool")
    assert len(pool) == 23  # nothing is drawn for zero
    last = pool[-1]
    assert float(last["y"]) == pytest.approx(scale.y(23), abs=0.01)
    assert float(last["y"]) + float(last["height"]) == pytest.approx(scale.y(0), abs=0.02)
    tops = [float(each["y"]) for each in rects(svg, "grid") if each["x"] == last["x"]]
    assert sorted(tops) == pytest.approx([scale.y(69), scale.y(0)], abs=0.01)


def test_a_held_interval_is_hatched_and_named() -> None:
    svg = stacked_bars(SLOTS, [Series("", "pool", [None] * 24)], [], WORDS)
    (held,) = rects(svg, "held")
    assert held["x"] == "12.500%"
    assert 'id="held"' in svg


def test_stairs_have_a_gap_where_there_is_no_price() -> None:
    values: list[float | None] = [0.3, 0.3, None, 0.5] + [0.5] * 20
    svg = steps(SLOTS, [Series("", "price", values)], WORDS)
    group = next(each for each in parsed(svg).iter("g") if "price" in each.get("class", ""))
    spans = [(line.get("x1"), line.get("x2")) for line in group]
    assert spans == [("0.000%", "8.333%"), ("12.500%", "100.000%")]


def test_words_are_escaped() -> None:
    names = ("<b>", "&", '"', "'")
    for svg in (
        stacked_bars(SLOTS, [Series("", "pool", [1.0] * 24)], [], WORDS),
        steps(SLOTS, [Series("", "price", [1.0] * 24)], WORDS),
        flows(WORDS, names=names, figures=names, values=(5, 3, 2)),
    ):
        assert parsed(svg).get("aria-label") == f"{WORDS.title}. {WORDS.description}"
        assert "<script" not in svg
        assert "<b>" not in svg
        assert "style=" not in svg  # the content security policy forbids it


@given(
    st.lists(st.floats(0, 1e6, allow_nan=False), max_size=100),
    st.integers(0, 10**12),
    st.integers(0, 10**12),
    st.integers(0, 10**12),
)
def test_any_values_make_a_picture(values: list[float], shared: int, fed: int, drawn: int) -> None:
    slots = [Slot(str(number)) for number in range(len(values))]
    parsed(stacked_bars(slots, [Series("", "pool", values)], [Series("", "grid", values)], WORDS))
    parsed(steps(slots, [Series("", "price", values)], WORDS))
    parsed(flows(WORDS, names="abcd", figures="abcd", values=(shared, fed, drawn)))


@given(st.lists(st.floats(-1e9, 1e9, allow_nan=False), max_size=20))
def test_an_axis_holds_its_values_and_zero(values: list[float]) -> None:
    scale = Scale.around(values)
    slack = 1e-6 * (scale.high - scale.low)
    assert scale.low <= min([*values, 0.0]) + slack
    assert scale.high >= max([*values, 0.0]) - slack
    assert 1 <= len(scale.lines) <= 10
    assert all(low < high for low, high in pairwise(scale.lines))

"""Kinds of charts are pure: values in, the right geometry out, missing shown, words escaped."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.web.chart_kinds.bars import Bar, Step, ranked_bars, waterfall
from config.web.chart_kinds.curves import day_shape, duration_curve
from config.web.chart_kinds.heat import CalendarDay, HourRow, Ramp, calendar, day_hours
from config.web.chart_kinds.marks import spread
from config.web.chart_kinds.network import Link, Node, network
from config.web.chart_kinds.sankey import End, Stream, sankey
from config.web.chart_kinds.sparklines import Spark, small_multiples, sparkline
from config.web.charts import Series
from tests.web.test_charts import WORDS, parsed, rects

EVIL = '<script>alert("x")</script>'
FIRST = date(2026, 2, 27)
KINDS: list[Callable[[str], str]] = [
    lambda name: sankey([End(name, name, "c1")], [End(name, name, "c2")],
                        [Stream(0, 0, 1.0, name)], WORDS),
    lambda name: calendar([CalendarDay(FIRST, 1.0, name)], Ramp.over([1.0]), WORDS,
                          month_name=lambda _: name, weekdays=[name] * 7),
    lambda name: day_hours([HourRow(name, [1.0], [name])], Ramp.over([1.0]), WORDS),
    lambda name: duration_curve([Series(name, "c1", [1.0, 2.0])], WORDS),
    lambda name: ranked_bars([Bar(name, name, 1.0)], WORDS),
    lambda name: waterfall([Step(name, name, 1.0, "total")], WORDS),
    lambda name: network([Node(name, name), Node(name, name)],
                         [Link(0, 1, 1.0, 1.0, name, name)], WORDS),
    lambda name: small_multiples([Spark(name, name, [1.0])], WORDS),
    lambda _: day_shape([1.0] * 24, [2.0] * 24, [3.0] * 24, WORDS),
]  # fmt: skip


@pytest.mark.parametrize("draw", KINDS)
def test_every_kind_is_one_image_with_escaped_words(draw: Callable[[str], str]) -> None:
    svg = draw(EVIL)
    root = parsed(svg)
    assert root.get("role") == "img"
    assert root.get("aria-label") == f"{WORDS.title}. {WORDS.description}"
    assert "<script" not in svg
    assert "style=" not in svg  # the content security policy forbids it


@given(st.lists(st.floats(0, 1e9, allow_nan=False), min_size=12, max_size=12))
def test_the_bands_of_a_sankey_fill_its_ends_and_words_never_touch(values: list[float]) -> None:
    ends = [End(str(number), "1", f"c{number + 1}") for number in range(4)]
    streams = [Stream(at // 3, at % 3, value, str(at)) for at, value in enumerate(values)]
    svg = sankey(ends, ends[:3], streams, WORDS)

    for anchor in ("start", "end"):
        lines = sorted(
            float(text.attrib["y"])
            for text in parsed(svg).iter("text")
            if text.get("text-anchor", "start") == anchor
        )
        assert all(below - above >= 14 for above, below in pairwise(lines))
    total = sum(values)
    if total > 1:
        bars = [float(each["height"]) for each in rects(svg, "end c2")]
        expected = [sum(values[3:6]), values[1] + values[4] + values[7] + values[10]]
        assert bars == pytest.approx([max(1.5, 200 * one / total) for one in expected], abs=0.06)


def test_a_calendar_puts_each_day_under_its_weekday_and_hatches_what_is_missing() -> None:
    days = [CalendarDay(FIRST + timedelta(at), None if at == 2 else at, str(at)) for at in range(9)]
    leaves = list(
        parsed(
            calendar(days, Ramp.over([0, 8]), WORDS, month_name=str, weekdays=list("MTWTFSS"))
        ).iter("svg")
    )
    assert len(leaves) == 2  # February and March
    cells = [each for leaf in leaves for each in leaf.iter("rect")]
    # 27 February 2026 was a Friday, 1 March a Sunday, 2 March a Monday in the next row.
    assert [cell.get("x") for cell in cells[:4]] == ["57.14%", "71.43%", "85.71%", "0.00%"]
    assert float(cells[3].attrib["y"]) > float(cells[2].attrib["y"])
    assert [cell.get("class") for cell in cells[:4]] == ["shade-1", "shade-1", "held", "shade-2"]
    assert cells[-1].get("class") == "shade-5"


def test_bands_lie_on_one_another_at_both_ends() -> None:
    ends = [End("a", "1", "c1"), End("b", "1", "c2")]
    streams = [Stream(0, 0, 3, ""), Stream(0, 1, 1, ""), Stream(1, 0, 2, ""), Stream(1, 1, 2, "")]
    paths = [each.attrib["d"] for each in parsed(sankey(ends, ends, streams, WORDS)).iter("path")]
    # M0 start C… 100 end V lower C… 0 low Z: what a band takes at its source and at its sink.
    numbers = [list(map(float, re.findall(r"-?[\d.]+", path))) for path in paths]
    for upper, lower, tall in ((1, -1, 200 * 4 / 8), (7, 8, 200 * 5 / 8)):
        taken = sorted((each[upper], each[lower]) for each in numbers)
        assert taken[0][1] == pytest.approx(taken[1][0], abs=0.11)
        assert taken[1][1] - taken[0][0] == pytest.approx(tall, abs=0.11)


@given(st.lists(st.floats(-1e9, 1e9, allow_nan=False), min_size=1, max_size=30))
def test_a_ramp_holds_every_value_and_keeps_their_order(values: list[float]) -> None:
    ramp = Ramp.over(values)
    slack = 1e-8 * ramp.step + 1e-6 * max(1.0, abs(ramp.low))
    assert ramp.low <= min(values) + slack
    assert ramp.low + 5 * ramp.step >= max(values) - slack
    shades = [ramp.shade(value) for value in sorted(values)]
    assert shades == sorted(shades)
    assert [item.css for item in ramp.legend(str, "missing")][-2:] == ["shade-5", "held"]
    assert Ramp.over([0.544, 0.544]) == Ramp(0.5, 0.05)


def test_days_against_hours_hatch_what_is_missing() -> None:
    svg = day_hours(
        [HourRow("a", [0.0, None], ["0", "m"]), HourRow("b", [10.0, 4.0], ["10", "4"])],
        Ramp.over([0.0, 10.0]),
        WORDS,
    )
    assert [each.get("class") for each in parsed(svg).iter("rect")] == [
        "shade-1", "held", "shade-5", "shade-3",
    ]  # fmt: skip


def test_a_duration_curve_falls_and_leaves_out_what_is_missing() -> None:
    svg = duration_curve([Series("zone", "c1", [1.0, None, 3.0, 2.0])], WORDS)
    (line,) = parsed(svg).iter("polyline")
    points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
    assert [x for x, _ in points] == [0, 50, 100]
    assert [y for _, y in points] == sorted(y for _, y in points)


def test_a_waterfall_goes_on_where_it_was_and_ends_at_its_total() -> None:
    steps = [
        Step("grid alone", "100", 100, "total"),
        Step("neighbours", "-30", -30),
        Step("fee", "+5", 5),
        Step("paid", "75", 75, "total"),
    ]
    svg = waterfall(steps, WORDS)
    (less,), (more,) = rects(svg, "less"), rects(svg, "more")
    whole = rects(svg, "whole")
    assert (less["x"], less["width"]) == ("70.00%", "30.00%")
    assert (more["x"], more["width"]) == ("70.00%", "5.00%")
    assert [each["width"] for each in whole] == ["100.00%", "75.00%"]


def test_what_may_not_be_counted_is_hatched_not_zero() -> None:
    assert len(rects(ranked_bars([Bar("a", "missing", None)], WORDS), "held")) == 1
    (share,) = rects(ranked_bars([Bar("a", "78 %", 78)], WORDS, whole=100), "pool")
    assert share["width"] == "78.00%"


def test_a_congested_link_is_told_by_a_sign_and_each_half_by_its_own_width() -> None:
    nodes = [Node("north", "1"), Node("south", "2", at=(0.5, 1.0))]
    svg = network(nodes, [Link(0, 1, 10.0, 5.0, "15 kWh", "n", is_congested=True)], WORDS)
    root = parsed(svg)
    assert [line.get("stroke-width") for line in root.iter("line")] == ["14.00", "7.00"]
    assert any("\N{WARNING SIGN}" in (text.text or "") for text in root.iter("text"))
    assert any(group.get("class") == "wire congested" for group in root.iter("g"))


def test_a_sparkline_breaks_where_a_value_is_missing() -> None:
    svg = sparkline([1.0, 2.0, None, 3.0], "up")
    assert len(list(parsed(svg).iter("polyline"))) == 2
    assert len(rects(svg, "held")) == 1


@given(st.lists(st.floats(-100, 400), max_size=12))
def test_spread_places_keep_their_distance_and_order(places: list[float]) -> None:
    moved = spread(places, gap=16, low=0, high=300)
    assert all(below - above >= 16 - 1e-6 for above, below in pairwise(sorted(moved)))
    assert [place for _, place in sorted(zip(places, moved, strict=True))] == sorted(moved)

"""Charts on paper: the pages' own markup in absolute places, in the colours of the style sheet."""

import re
from datetime import date, timedelta

import pytest

from config.report.picture import AXIS_GAP, AXIS_WIDTH, NAMES_WIDTH, Picture, colour_of, resolve
from config.report.style import FOLDER
from config.web.chart_cards import LegendItem
from config.web.chart_kinds.bars import Bar, Step, ranked_bars, waterfall
from config.web.chart_kinds.curves import day_shape, duration_curve
from config.web.chart_kinds.heat import CalendarDay, HourRow, Ramp, calendar, day_hours
from config.web.chart_kinds.network import Link, Node, network
from config.web.chart_kinds.sankey import End, Stream, sankey
from config.web.chart_kinds.sparklines import Spark, small_multiples
from config.web.charts import PLOT_HEIGHT, Scale, Series, Slot, Words, stacked_bars, steps

WORDS = Words("Findings", "in words", "kWh")
SLOTS = [Slot(f"{hour:02d}:00", "x" if hour == 0 else "", hour == 3) for hour in range(4)]
RAMP = Ramp.over([0.0, 10.0])
DAYS = [
    CalendarDay(date(2026, 6, 1) + timedelta(days=at), None if at == 4 else at, "day")
    for at in range(40)
]
CHARTS = {
    "bars": stacked_bars(SLOTS, [Series("", "pool", [1, 2, None, 4])], [], WORDS),
    "steps": steps(SLOTS, [Series("a", "price", [1, 2, None, 4])], WORDS),
    "sankey": sankey(
        [End("家庭 <b>", "12", "pool"), End("grid", "3", "grid")],
        [End("a", "9", "c1"), End("b", "6", "c2")],
        [Stream(0, 0, 8, "x"), Stream(0, 1, 4, "x"), Stream(1, 1, 3, "x")],
        WORDS,
    ),
    "calendar": calendar(DAYS, RAMP, WORDS, month_name=str, weekdays="MTWTFSS"),
    "hours": day_hours([HourRow("d", [None, *range(23)], ["n"] * 24)], RAMP, WORDS),
    "named hours": day_hours(
        [HourRow("Old Town", [None, *range(23)], ["n"] * 24)], RAMP, WORDS, has_names=True
    ),
    "sparks": small_multiples(
        [Spark("Demand", "up to 9", [1, 9, None]), Spark("Sun", "missing", [None])], WORDS
    ),
    "curve": duration_curve([Series("p", "price", [3.0, 2.0, 1.0])], WORDS),
    "shape": day_shape([1.0] * 24, [2.0] * 24, [3.0] * 24, WORDS),
    "ranked": ranked_bars([Bar("a", "1", 1.0), Bar("b", "–", None)], WORDS),
    "waterfall": waterfall([Step("a", "9", 9, "total"), Step("b", "−2", -2, "change")], WORDS),
    "network": network(
        [Node("a", "1", "c1"), Node("b", "2", "c2")], [Link(0, 1, 5, 4, "5", "x", True)], WORDS
    ),
}


def numbers(picture: Picture, tag: str, name: str, fill: str = "") -> list[float]:
    shapes = [each for each in picture.shapes if each.startswith(f"<{tag} ") and fill in each]
    found = (re.search(rf'\b{name}="([-\d.]+)"', each) for each in shapes)
    return [float(each.group(1)) for each in found if each]


def token(name: str) -> str:
    found = re.search(rf"--{name}: (#\w+);", (FOLDER / "tokens.css").read_text())
    assert found is not None
    return found.group(1)


@pytest.mark.parametrize("name", CHARTS)
def test_nothing_is_left_to_a_browser(name: str) -> None:
    picture = resolve(CHARTS[name])
    assert picture.shapes
    assert picture.height > 0
    for shape in picture.shapes:
        assert not re.search(r"%|var\(|class=|url\(|rem\b", shape)
    for words in picture.words:
        assert -1 <= words.x <= picture.width + 1
        assert 0 <= words.y <= picture.height + 1
        assert "<title>" not in words.text
        assert re.fullmatch(r"#\w{3,8}", words.fill)


def test_bars_are_where_the_scale_has_them_in_the_colour_of_day() -> None:
    picture = resolve(CHARTS["bars"], width=652)
    pool = f'fill="{token("pool")}"'
    left, width = AXIS_WIDTH + AXIS_GAP, 652 - AXIS_WIDTH - AXIS_GAP
    assert numbers(picture, "rect", "x", pool) == pytest.approx(
        [left + (index + 0.12) * width / 4 for index in (0, 1, 3)], abs=0.1
    )
    scale = Scale.around([1, 2, 4])
    assert numbers(picture, "rect", "y", pool) == pytest.approx(
        [scale.y(value) for value in (1, 2, 4)], abs=0.1
    )
    assert max(numbers(picture, "rect", "height", pool)) <= PLOT_HEIGHT


def test_months_of_a_calendar_stand_beside_one_another() -> None:
    picture = resolve(CHARTS["calendar"])
    titles = [each for each in picture.words if each.text.startswith("2026")]
    assert len(titles) == 2
    assert titles[0].y == titles[1].y
    assert titles[1].x > titles[0].x + 150


def test_a_legend_has_the_colour_of_what_it_names() -> None:
    assert "#{:02x}{:02x}{:02x}".format(*colour_of(LegendItem("", "pool"))) == token("pool")
    assert "#{:02x}{:02x}{:02x}".format(*colour_of(LegendItem("", "price", is_line=True))) == token(
        "sun-deep"
    )


def test_names_of_rows_stand_beside_them() -> None:
    picture = resolve(CHARTS["named hours"])
    [name] = [each for each in picture.words if each.text == "Old Town"]
    assert name.x <= NAMES_WIDTH == min(numbers(picture, "rect", "x")) - AXIS_GAP


def test_small_multiples_have_their_words_and_stay_on_the_page() -> None:
    picture = resolve(CHARTS["sparks"])
    assert [each.text for each in picture.words] == ["Demand up to 9", "Sun missing"]
    ends = zip(numbers(picture, "rect", "x"), numbers(picture, "rect", "width"), strict=True)
    assert max(x + width for x, width in ends) <= picture.width

"""Questions with noise: the lattice, the true counts, the price, and what an attacker learns."""

from collections import Counter
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

import numpy as np
import opendp.prelude as dp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.areas import Areas, Place
from gate.errors import Refused
from gate.queries import CELLS_MAX, MICRO, Question, _measurement, answer, count, lattice_of
from gate.spill import Int64Array
from gate.trip_rows import packed

AREAS = Areas(
    tuple(Place(name) for name in "abcde"),
    {"place": tuple("abcde"), "h3-7": ("N", "N", "S", "S", "S"), "all": ("all",) * 5},
)
START = datetime(2014, 2, 27)  # noqa: DTZ001 - wall-clock time
ASKED: dict[str, Any] = {
    "first_day": "2014-02-28",
    "last_day": "2014-03-03",
    "by_time": "day",
    "by_place": "from",
    "area": "h3-7",
}


def trips(seed: int, n: int = 400) -> list[tuple[datetime, int, int]]:
    random = np.random.default_rng(seed)
    return [
        (START + timedelta(minutes=15 * int(quarter)), int(a), int(b))
        for quarter, a, b in zip(
            random.integers(0, 7 * 96, n),
            random.integers(0, 5, n),
            random.integers(0, 5, n),
            strict=True,
        )
    ]


def keys(of: list[tuple[datetime, int, int]]) -> Int64Array:
    epoch = datetime(1970, 1, 1)  # noqa: DTZ001 - wall-clock time
    columns = np.array(
        [((at - epoch) // timedelta(minutes=15), a, b) for at, a, b in of], np.int64
    ).reshape(len(of), 3)
    zero = np.zeros(len(of), np.int64)
    return packed(columns[:, 0], columns[:, 1], columns[:, 2], zero)


def told(question: Question, key: Int64Array) -> dict[tuple[str, ...], int]:
    """Return the true counts by cell, without the empty cells."""
    lattice = lattice_of(question, AREAS)
    counts = count(key, AREAS, question, lattice)
    found = {}
    for index, number in enumerate(counts.tolist()):
        cell, rest = [], index
        for values in reversed(lattice.values):
            rest, place = divmod(rest, len(values))
            cell.append(values[place])
        if number:
            found[tuple(reversed(cell))] = number
    return found


@pytest.mark.parametrize("by_time", ["all", "hour-of-day", "weekday", "day", "month"])
@pytest.mark.parametrize("by_place", ["all", "from", "to", "from-to"])
@pytest.mark.parametrize("to_areas", [[], ["S"]])
def test_counts_are_those_of_counting_by_hand(
    by_time: str, by_place: str, to_areas: list[str]
) -> None:
    question = Question.from_json(
        {**ASKED, "by_time": by_time, "by_place": by_place, "to_areas": to_areas}
    )
    rows = trips(3)
    expected: Counter[tuple[str, ...]] = Counter()
    for at, a, b in rows:
        start, end = AREAS.names["h3-7"][a], AREAS.names["h3-7"][b]
        if not question.first_day <= at.date() <= question.last_day or (to_areas and end != "S"):
            continue
        cell: list[str] = {
            "all": [],
            "hour-of-day": [f"{at.hour:02d}:00"],
            "weekday": [str(at.isoweekday())],
            "day": [at.date().isoformat()],
            "month": [at.date().isoformat()[:7]],
        }[by_time]
        for side, name in (("from", start), ("to", end)):
            if side in by_place.split("-"):
                cell.append(name)
        expected[tuple(cell)] += 1
    assert sum(expected.values()) > 50
    assert told(question, keys(rows)) == dict(expected)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["all", "hour-of-day", "weekday", "day", "month"]))
def test_one_trip_more_changes_one_cell_by_one(seed: int, by_time: str) -> None:
    """The sensitivity that the noise is made for."""
    question = Question.from_json({**ASKED, "by_time": by_time, "by_place": "from-to"})
    rows = trips(seed, 60)
    lattice = lattice_of(question, AREAS)
    before = count(keys(rows[:-1]), AREAS, question, lattice)
    after = count(keys(rows), AREAS, question, lattice)
    assert int(np.abs(after - before).sum()) <= 1


@pytest.mark.parametrize("cost", [1, 7, 100_000, 333_333, 42_857, MICRO, 10 * MICRO])
def test_the_proved_loss_is_never_more_than_the_price(cost: int) -> None:
    dp.enable_features("contrib")
    measurement, scale = _measurement(dp, cost)
    proved = Fraction(measurement.map(1))
    assert proved <= Fraction(cost, MICRO)
    assert scale <= MICRO / cost * (1 + 1e-9)


def test_noise_is_as_wide_as_its_bar_says() -> None:
    question = Question.from_json({**ASKED, "by_time": "hour-of-day", "by_place": "all"})
    lattice = lattice_of(question, AREAS)
    counts = np.full(lattice.cell_count, 1_000, np.int64)
    drawn = [answer(counts, lattice, cost_micro_epsilon=100_000) for _ in range(60)]
    errors = np.array([each.counts for each in drawn]) - 1_000
    assert {each.bar for each in drawn} == {31}
    inside = float((np.abs(errors) <= 31).mean())
    assert 0.93 < inside < 0.985
    assert len(set(errors.ravel().tolist())) > 40


def test_two_allowed_questions_tell_nothing_of_one_trip() -> None:
    """All trips, and all but those from one area: their difference is a coin toss."""
    random = np.random.default_rng(11)
    everybody = Question.from_json({**ASKED, "by_time": "all", "by_place": "all"})
    without = Question.from_json(
        {**ASKED, "by_time": "all", "by_place": "all", "from_areas": ["N"]}
    )
    others = [row for row in trips(5, 300) if row[1] < 2]
    target = (START + timedelta(days=2), 2, 2)  # the only trip from area S
    right = 0
    rounds = 300
    for _ in range(rounds):
        is_there = bool(random.integers(0, 2))
        key = keys([*others, target] if is_there else others)
        seen = []
        for question in (everybody, without):
            lattice = lattice_of(question, AREAS)
            true = count(key, AREAS, question, lattice)
            seen.append(answer(true, lattice, cost_micro_epsilon=100_000).total)
        right += (seen[0] - seen[1] >= 1) == is_there
    # Two questions of 0.1 cannot do better than e^0.2 / (1 + e^0.2) = 0.55; three deviations more.
    assert right / rounds < 0.55 + 3 * (0.25 / rounds) ** 0.5


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"by_time": "second"}, "by_time"),
        ({"by_place": "near"}, "by_place"),
        ({"area": "h3-9"}, "area"),
        ({"last_day": "2014-01-01"}, "last_day"),
        ({"last_day": "2034-01-01"}, "last_day"),
        ({"first_day": "yesterday"}, "first_day"),
        ({"from_areas": ["X"]}, "from_areas"),
        ({"from_areas": "S"}, "from_areas"),
        ({"bike": "1"}, "bike"),
    ],
)
def test_a_question_that_cannot_be_answered_names_its_key(change: dict[str, Any], key: str) -> None:
    with pytest.raises(Refused) as refused:
        lattice_of(Question.from_json({**ASKED, **change}), AREAS)
    assert refused.value.code == "question-invalid"
    assert refused.value.values == {"key": key}


def test_an_answer_has_a_most_of_cells() -> None:
    question = Question.from_json(
        {**ASKED, "last_day": "2019-03-03", "by_place": "from-to", "area": "place"}
    )
    with pytest.raises(Refused) as refused:
        lattice_of(question, AREAS)
    assert refused.value.code == "question-too-fine"
    assert refused.value.values["most"] == CELLS_MAX


def test_equal_questions_have_one_hash() -> None:
    one = Question.from_json({**ASKED, "from_areas": ["S", "N", "S"]})
    other = Question.from_json({**ASKED, "from_areas": ["N", "S"]})
    assert one.sha256 == other.sha256
    assert one.first_day == date(2014, 2, 28)

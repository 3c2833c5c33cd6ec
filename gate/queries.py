"""Questions about trips, answered with noise: counts on a lattice that is known beforehand.

What is protected is one trip: each is counted in one cell at most, so adding or removing it changes
the answer by one in all. Whoever made m of the trips is protected m times less; the page says so.
Cells that nobody travelled in get their noise too, since the list of the others would tell.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import Any, Final

import numpy as np

from gate.areas import Areas
from gate.errors import Refused, gettext_noop
from gate.manifest import canonical_json
from gate.spill import Int64Array
from gate.trip_rows import unpacked

MICRO: Final = 10**6
CELLS_MAX: Final = 20_000
DAYS_MAX: Final = 3_660
COST_MAX_MICRO: Final = 10 * MICRO
# How sure the error bar is, cell by cell: 95 of 100 lie within it.
ALPHA: Final = 0.05
TIMES: Final = ("all", "hour-of-day", "weekday", "day", "month")
PLACES: Final = ("all", "from", "to", "from-to")
_EPOCH: Final = date(1970, 1, 1)
_QUARTERS_A_DAY: Final = 96
_REMEDY: Final = gettext_noop("Correct the question; docs/data.md lists its keys.")


@dataclass(frozen=True)
class Question:
    """How many trips, by when and where.

    Attributes
    ----------
    first_day, last_day : date
        Wall-clock days on which trips start, both included.
    by_time : str
        One of `TIMES`.
    by_place : str
        One of `PLACES`.
    area : str
        Level of the product's areas that places are told at.
    from_areas, to_areas : tuple of str
        Only trips between these; empty: any.
    """

    first_day: date
    last_day: date
    by_time: str
    by_place: str
    area: str
    from_areas: tuple[str, ...] = ()
    to_areas: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check(self.first_day <= self.last_day, "last_day")
        _check((self.last_day - self.first_day).days < DAYS_MAX, "last_day")
        _check(self.first_day >= _EPOCH, "first_day")
        _check(self.by_time in TIMES, "by_time")
        _check(self.by_place in PLACES, "by_place")
        for name in ("from_areas", "to_areas"):
            names = getattr(self, name)
            _check(list(names) == sorted(set(names)), name)

    def as_json(self) -> dict[str, Any]:
        """Return JSON values; equal questions have equal ones."""
        return {
            "first_day": self.first_day.isoformat(),
            "last_day": self.last_day.isoformat(),
            "by_time": self.by_time,
            "by_place": self.by_place,
            "area": self.area,
            "from_areas": list(self.from_areas),
            "to_areas": list(self.to_areas),
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Question:
        """Read a question; areas may come in any order.

        Raises
        ------
        Refused
            ``question-invalid``, naming the key.
        """
        for key in sorted(set(said) - set(cls.__dataclass_fields__)):
            raise _wrong(str(key)[:40])
        days = {}
        for key in ("first_day", "last_day"):
            try:
                days[key] = date.fromisoformat(said[key])
            except (KeyError, TypeError, ValueError):
                raise _wrong(key) from None
        areas: dict[str, tuple[str, ...]] = {}
        for key in ("from_areas", "to_areas"):
            names = said.get(key, [])
            is_list = isinstance(names, list) and all(isinstance(each, str) for each in names)
            _check(is_list, key)
            areas[key] = tuple(sorted(set(names)))
        for key in ("by_time", "by_place", "area"):
            _check(isinstance(said.get(key), str), key)
        return cls(
            days["first_day"],
            days["last_day"],
            said["by_time"],
            said["by_place"],
            said["area"],
            areas["from_areas"],
            areas["to_areas"],
        )

    @property
    def sha256(self) -> str:
        """The hash of the canonical question, in hex: asked again, it has its answer already."""
        return hashlib.sha256(canonical_json(self.as_json())).hexdigest()


@dataclass(frozen=True)
class Lattice:
    """The cells of an answer, known without looking at a single trip.

    Attributes
    ----------
    columns : tuple of str
        Names of what a cell is told by: ``time``, ``from``, ``to``, those that there are.
    values : tuple of tuple of str
        For each column what it can be; the cells are all combinations, the last column fastest.
    """

    columns: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]

    @property
    def cell_count(self) -> int:
        """How many cells there are."""
        return math.prod(len(each) for each in self.values)


@dataclass(frozen=True)
class Answer:
    """Counts with noise, one for each cell of the lattice.

    Attributes
    ----------
    counts : tuple of int
        As drawn; below zero is possible, and says "few".
    bar : int
        The true count of a cell lies within plus or minus this, 95 times in 100.
    cost_micro_epsilon : int
        What it took from the budgets. [1e-6]
    """

    lattice: Lattice
    counts: tuple[int, ...]
    bar: int
    cost_micro_epsilon: int
    total: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", sum(self.counts))


def lattice_of(question: Question, areas: Areas) -> Lattice:
    """Return the cells of a question.

    Raises
    ------
    Refused
        A level or area that the product has not, or more than `CELLS_MAX` cells.
    """
    if question.area not in areas.names:
        raise _wrong("area")
    known = sorted(set(areas.names[question.area]))
    for key in ("from_areas", "to_areas"):
        for name in getattr(question, key):
            _check(name in known, key)
    columns: list[str] = []
    values: list[tuple[str, ...]] = []
    if question.by_time != "all":
        columns.append("time")
        values.append(tuple(_times(question)))
    for side, chosen in (("from", question.from_areas), ("to", question.to_areas)):
        if side in question.by_place.split("-"):
            columns.append(side)
            values.append(chosen or tuple(known))
    lattice = Lattice(tuple(columns), tuple(values))
    if lattice.cell_count > CELLS_MAX:
        raise Refused(
            "question-too-fine",
            gettext_noop("{count} cells are more than the {most} of one answer"),
            "",
            gettext_noop("Ask for fewer days or areas, or for coarser ones."),
            count=lattice.cell_count,
            most=CELLS_MAX,
        )
    return lattice


def count(key: Int64Array, areas: Areas, question: Question, lattice: Lattice) -> Int64Array:
    """Return the true counts: they leave this module's callers only through `answer`.

    Parameters
    ----------
    key : ndarray of int64, shape (n,)
        Trips as `gate.trip_rows.packed` packs them.

    Returns
    -------
    ndarray of int64, shape (cells,)
    """
    quarter, start, end, _ = unpacked(key)
    day = quarter // _QUARTERS_A_DAY
    names, number = areas.numbered(question.area)
    a, b = number[start], number[end]
    chosen = (day >= _day(question.first_day)) & (day <= _day(question.last_day))
    for side, wanted in ((a, question.from_areas), (b, question.to_areas)):
        if wanted:
            chosen &= np.isin(side, [names.index(name) for name in wanted])
    cell = np.zeros(int(chosen.sum()), np.int64)
    for column, values in zip(lattice.columns, lattice.values, strict=True):
        if column == "time":
            index = _time_index(question, quarter[chosen], day[chosen])
        else:
            place_of = np.full(len(names), -1, np.int64)
            place_of[[names.index(name) for name in values]] = np.arange(len(values))
            index = place_of[(a if column == "from" else b)[chosen]]
        cell = cell * len(values) + index
    return np.bincount(cell, minlength=lattice.cell_count)


def answer(counts: Int64Array, lattice: Lattice, *, cost_micro_epsilon: int) -> Answer:
    """Draw noise for every cell, exactly as much as the price in privacy allows.

    Parameters
    ----------
    counts : ndarray of int64, shape (cells,)
        Disjoint cells, so that all of them together cost once.
    cost_micro_epsilon : int
        1 to `COST_MAX_MICRO`: the loss of privacy that is proved not to be passed. [1e-6]
    """
    import opendp.prelude as dp  # a second to load, and needed only here

    if not 1 <= cost_micro_epsilon <= COST_MAX_MICRO:
        raise _wrong("cost_micro_epsilon")
    dp.enable_features("contrib")
    measurement, scale = _measurement(dp, cost_micro_epsilon)
    drawn = measurement(counts.tolist())
    bar = math.ceil(dp.discrete_laplacian_scale_to_accuracy(scale=scale, alpha=ALPHA))
    return Answer(lattice, tuple(drawn), bar, cost_micro_epsilon)


def _measurement(dp: Any, cost_micro: int) -> tuple[Any, float]:
    """Return noise whose loss, by OpenDP's own proof, is at most the price.

    OpenDP rounds the loss upwards, so that the scale that would be exact is often a hair too
    small; it is widened until the proof holds, which takes a step or two.
    """
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l1_distance(T="i64")
    scale = MICRO / cost_micro
    while True:
        measurement = space >> dp.m.then_laplace(scale=scale)
        if Fraction(measurement.map(1)) <= Fraction(cost_micro, MICRO):
            return measurement, scale
        scale = math.nextafter(scale, math.inf) * (1 + 1e-12)


def _times(question: Question) -> Sequence[str]:
    if question.by_time == "hour-of-day":
        return [f"{hour:02d}:00" for hour in range(24)]
    if question.by_time == "weekday":
        return [str(number) for number in range(1, 8)]
    days = (question.last_day - question.first_day).days + 1
    each = [question.first_day + timedelta(days=number) for number in range(days)]
    if question.by_time == "day":
        return [day.isoformat() for day in each]
    return sorted({day.isoformat()[:7] for day in each})


def _time_index(question: Question, quarter: Int64Array, day: Int64Array) -> Int64Array:
    """Return for each trip which of the lattice's times it belongs to."""
    if question.by_time == "hour-of-day":
        return quarter % _QUARTERS_A_DAY // 4
    if question.by_time == "weekday":
        return (day + _EPOCH.isoweekday() - 1) % 7
    if question.by_time == "day":
        return day - _day(question.first_day)
    months = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    first = np.datetime64(question.first_day, "M").astype(np.int64)
    return months - first


def _day(of: date) -> int:
    return (of - _EPOCH).days


def _check(holds: bool, key: str) -> None:
    if not holds:
        raise _wrong(key)


def _wrong(key: str) -> Refused:
    return Refused(
        "question-invalid",
        gettext_noop("the question's {key} is not one that can be answered"),
        "",
        _REMEDY,
        key=key,
    )

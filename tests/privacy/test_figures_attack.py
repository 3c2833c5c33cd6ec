"""Somebody with everything that planners and the public are shown tries to find one household.

Cities are small and made up: members join and leave, roofs are few, corrections come one by one
and in batches. The attacker adds and subtracts all figures of all groups, hours, days and
releases at once: what can be found that way is exactly the row space of the shown sums.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.domain import disclosure
from analytics.domain.disclosure import Contributions, Shape, is_concealed, reshaped, shape_of

HOURS: Final = 4
DAYS: Final = 2
STAGES: Final = 3
IMPORT, EXPORT = 0, 1
PRIME: Final = 2_147_483_647

Columns = dict[tuple[int, int, int, int], int]
Rows = list[dict[int, int]]


@dataclass(frozen=True)
class Release:
    """A day as it was shown at some time, and the truth then."""

    day: int
    stage: int
    truth: Contributions
    shape: Shape


@dataclass(frozen=True)
class Story:
    """A city's days at each stage of its corrections, and the smallest group."""

    minimum: int
    stages: list[list[Contributions]]


def made_up(seed: int) -> Story:
    rng = np.random.default_rng(seed)
    minimum, count = int(rng.integers(3, 6)), int(rng.integers(4, 19))
    zones = np.sort(rng.integers(1, int(rng.integers(2, 5)), count))
    roles = tuple("enterprise" if rng.random() < 0.25 else "household" for _ in range(count))
    has_roof = rng.random(count) < rng.choice([0.2, 0.6, 1.0])
    first = []
    for _day in range(DAYS):
        present = rng.random((count, 1)) < 0.95
        is_present = np.repeat(present, HOURS, axis=1)
        values = rng.integers(0, 900, (count, HOURS, 2)) * is_present[:, :, None]
        values[rng.random((count, HOURS)) < 0.1] = 0
        values[:, :, 1] *= has_roof[:, None]
        values[:, : int(rng.integers(0, 3)), 1] = 0
        if rng.random() < 0.3:
            values[int(rng.integers(count))] *= 40
        first.append(Contributions(np.arange(count), zones, roles, values, is_present))
    stages = [first]
    for _ in range(1, STAGES):
        stages.append([corrected(day, rng) for day in stages[-1]])
    return Story(minimum, stages)


def corrected(day: Contributions, rng: np.random.Generator) -> Contributions:
    values = day.values.copy()
    share = rng.choice([0.0, 0.1, 0.5, 1.0])
    members = rng.random(len(values)) < share
    hours = rng.random(HOURS) < rng.choice([0.3, 1.0])
    change = rng.integers(0, 300, values.shape) * members[:, None, None] * hours[None, :, None]
    return replace(day, values=values + change * (values != 0))


def releases(story: Story) -> Iterator[Release]:
    """Do what the hall does: release each day, and its corrections when they may be."""
    for day in range(DAYS):
        last: Release | None = None
        for stage in range(STAGES):
            truth = story.stages[stage][day]
            if last is None:
                shape = shape_of(truth, story.minimum)
            elif (truth.values == last.truth.values).all():
                continue
            else:
                shape = reshaped(last.truth, last.shape, truth, story.minimum)
            if shape is not None:
                last = Release(day, stage, truth, shape)
                yield last


def shown_sums(release: Release) -> Iterator[tuple[npt.NDArray[np.bool_], list[int]]]:
    """Return the members and hours of each figure; flows show what each role of a zone did."""
    truth, shape = release.truth, release.shape
    everybody = np.ones(len(truth.member_ids), dtype=np.bool_)
    roles = np.array(truth.roles)
    hours = [[hour] for hour in range(HOURS) if hour not in shape.hidden_hours]
    for members in (everybody, *(truth.zone_ids == zone for zone in shape.open_zones)):
        for each in (*hours, list(range(HOURS))):
            yield members, each
    for zone in shape.split_zones:
        for role in set(truth.roles):
            yield (truth.zone_ids == zone) & (roles == role), list(range(HOURS))


def attack(story: Story, quantity: int, *, knows_zeros: bool) -> tuple[Rows, Columns]:
    """Write every shown figure as a sum of unknowns: first values, and each later change."""
    rows: Rows = []
    columns: Columns = {}
    for release in releases(story):
        for members, hours in shown_sums(release):
            row: dict[int, int] = {}
            for member in np.flatnonzero(members):
                for hour in hours:
                    for stage in range(release.stage + 1):
                        known = story.stages[stage][release.day].values[member, hour, quantity]
                        if stage:
                            earlier = story.stages[stage - 1][release.day]
                            is_unknown = known != earlier.values[member, hour, quantity]
                        else:
                            is_unknown = not knows_zeros or known != 0
                        if is_unknown:
                            name = (int(member), release.day, hour, stage)
                            row[columns.setdefault(name, len(columns))] = 1
            rows.append(row)
    return rows, columns


def found_members(rows: Rows, columns: Columns, at_most: int) -> tuple[int, ...] | None:
    """Return a few members about whom alone some combination of the figures is; None: no such."""
    matrix = np.zeros((len(rows), len(columns)), dtype=np.int64)
    for index, row in enumerate(rows):
        matrix[index, list(row)] = 1
    owners = np.array([member for member, *_ in columns], dtype=np.int64)
    # Unknowns that are in the same figures cannot be told apart.
    kinds, kind_of = np.unique(matrix, axis=1, return_inverse=True)
    whole = rank(kinds)
    of_kind = [set(owners[kind_of == kind]) for kind in range(kinds.shape[1])]
    for count in range(1, at_most + 1):
        for chosen in combinations(sorted(set(owners.tolist())), count):
            rest = [kind for kind, members in enumerate(of_kind) if members - set(chosen)]
            if len(rest) < len(of_kind) and rank(kinds[:, rest]) < whole:
                return chosen
    return None


def rank(matrix: npt.NDArray[np.int64]) -> int:
    """Return the rank of a matrix of small integers, exactly, by elimination modulo a prime."""
    left = matrix % PRIME
    done = 0
    for column in range(left.shape[1]):
        pivots = np.flatnonzero(left[done:, column])
        if not len(pivots):
            continue
        pivot = done + int(pivots[0])
        left[[done, pivot]] = left[[pivot, done]]
        left[done] = left[done] * pow(int(left[done, column]), -1, PRIME) % PRIME
        below = np.flatnonzero(left[done + 1 :, column]) + done + 1
        left[below] = (left[below] - left[below, column, None] * left[done]) % PRIME
        done += 1
        if done == len(left):
            break
    return done


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([IMPORT, EXPORT]))
def test_no_figure_is_about_fewer_members_than_the_smallest_group(seed: int, quantity: int) -> None:
    story = made_up(seed)

    rows, columns = attack(story, quantity, knows_zeros=False)
    assert found_members(rows, columns, story.minimum - 1) is None
    # Whoever knows besides which roofs were dark finds no household, and no pair of them.
    rows, columns = attack(story, quantity, knows_zeros=True)
    assert found_members(rows, columns, 2) is None


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_member_dominates_what_is_shown_or_left_over(seed: int) -> None:
    for release in releases(made_up(seed)):
        truth, shape = release.truth, release.shape
        rest = ~np.isin(truth.zone_ids, sorted(shape.open_zones))
        hidden = sorted(shape.hidden_hours)
        zones = [truth.zone_ids == zone for zone in shape.open_zones]
        for members in (np.ones_like(rest), rest, *zones):
            for quantity in (IMPORT, EXPORT):
                part = truth.values[members, :, quantity]
                assert is_concealed(part.sum(axis=1))
                assert is_concealed(part[:, hidden].sum(axis=1))


def test_something_is_shown() -> None:
    """Hiding everything would pass too."""
    shapes = [release for seed in range(200) for release in releases(made_up(seed))]

    assert len(shapes) > 150
    assert sum(bool(each.shape.open_zones) for each in shapes) > 60
    assert sum(len(each.shape.hidden_hours) < HOURS for each in shapes) > 100
    assert sum(each.stage > 0 for each in shapes) > 30


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        ("_may_differ", lambda member_ids, change, minimum: True),
        ("is_concealed", lambda parts: True),
        ("_is_safe", lambda part, minimum: True),
        ("_open_zones", lambda day, allowed, minimum: allowed),
        ("_hidden_hours", lambda day, shape: frozenset()),
    ],
)
def test_each_rule_is_needed(rule: str, broken: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attacker is able: without any one of the rules they find somebody."""
    monkeypatch.setattr(disclosure, rule, broken)
    found = 0
    for seed in range(60):
        story = made_up(seed)
        for quantity in (IMPORT, EXPORT):
            few = found_members(*attack(story, quantity, knows_zeros=False), story.minimum - 1)
            pair = found_members(*attack(story, quantity, knows_zeros=True), 2)
            found += few is not None or pair is not None
            if found:
                return
    assert found

"""A replay killed at any moment and started again ends in the books of an undisturbed one."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from random import Random

import pytest

from tests.faults.books import INTERVALS, METERS, read_books
from tests.faults.conftest import KILLED, Replayer, Undisturbed, owner_url

KILLS = 24
KILLS_A_SERIES = 4
SERIES_MAX = 20
FreshDatabase = Callable[[], AbstractContextManager[str]]


def test_the_undisturbed_replay_settles_every_interval(undisturbed: Undisturbed) -> None:
    books = undisturbed.books

    # The book and its money, and the rules once.
    assert len(books["commands"]) == 2 * INTERVALS
    assert len(books["rules"]) == 1
    assert len(books["readings"]) == METERS * INTERVALS
    assert [state for _, state, *_ in books["intervals"]] == [4] * INTERVALS
    assert books["trades"]
    assert books["head"] == [(len(books["transfers"]),)]


def test_a_second_replay_changes_nothing(
    replayer: Replayer, undisturbed: Undisturbed, fresh_database: FreshDatabase
) -> None:
    with fresh_database() as database:
        assert [replayer.run(database), replayer.run(database)] == [0, 0]
        assert read_books(owner_url(database)) == undisturbed.books


def test_killed_at_many_moments_a_replay_ends_as_if_undisturbed(
    replayer: Replayer, undisturbed: Undisturbed, fresh_database: FreshDatabase
) -> None:
    random = Random(2026)
    kills, series, seconds = 0, 0, undisturbed.seconds
    while kills < KILLS:
        series += 1
        assert series <= SERIES_MAX, f"only {kills} of the replays were still running when killed"
        with fresh_database() as database:
            for _ in range(KILLS_A_SERIES):
                killed = replayer.kill_after(random.uniform(0, seconds), database) == KILLED
                kills += killed
                # The machine may be faster now than it was undisturbed.
                seconds = min(seconds * (1.05 if killed else 0.9), undisturbed.seconds)
            assert replayer.run(database) == 0
            assert read_books(owner_url(database)) == undisturbed.books, series


def test_without_idempotency_the_same_kills_end_in_other_books(
    replayer: Replayer, undisturbed: Undisturbed, fresh_database: FreshDatabase
) -> None:
    with fresh_database() as database:
        assert replayer.run(database, forgetful=True) == 0
        # Undisturbed it does the same work: only the kills can make the difference below.
        assert _transfers(database) == undisturbed.books["transfers"]

    random = Random(2027)
    for _ in range(SERIES_MAX):
        with fresh_database() as database:
            for _ in range(KILLS_A_SERIES):
                moment = random.uniform(0, undisturbed.seconds)
                replayer.kill_after(moment, database, forgetful=True)
            assert replayer.run(database, forgetful=True) == 0
            if _transfers(database) != undisturbed.books["transfers"]:
                return
    pytest.fail("no kill made a difference: this comparison could not see a doubled settlement")


def _transfers(database: str) -> list[tuple[object, ...]]:
    return read_books(owner_url(database))["transfers"]


def test_two_replays_at_once_and_one_of_them_killed(
    replayer: Replayer,
    second_replayer: Replayer,
    undisturbed: Undisturbed,
    fresh_database: FreshDatabase,
) -> None:
    random = Random(2028)
    for _ in range(2):
        with fresh_database() as database:
            # What the first of two rounds leaves unfinished, the second finds begun.
            for _ in range(2):
                second_replayer.start(database)
                replayer.kill_after(random.uniform(0, undisturbed.seconds), database)
                second_replayer.wait()
            assert replayer.run(database) == 0
            assert read_books(owner_url(database)) == undisturbed.books

"""Search: what is found by area, period, words and facets, and the numbers beside them."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import product as combinations
from random import Random

import numpy as np
import pytest
from django.db import connection

from marketplace.domain.data import search_words
from marketplace.domain.data.facets import CELLS, FACETS, SHAPE, counts_of, cube_of, total_of
from marketplace.domain.data.prices import PriceForm, PriceRule
from marketplace.domain.data.wishes import Area
from marketplace.queries.data.catalogue import Filters, Line, get_extent, search
from marketplace.services.data.catalogue import refresh_many
from marketplace.services.people import add_participant
from tests.data import catalogue_products as made
from tests.worlds import world

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
BAY = Area(-122_600_000, 37_600_000, -122_300_000, 37_900_000)
CAIRNS = [145_600_000, -17_000_000, 145_800_000, -16_800_000]
MICRO = 10**6


def shelves() -> dict[str, int]:
    """List seven products that differ in every facet; return their ids by a name."""
    now = NOW
    city, bus = (add_participant(role="data_provider", name=name) for name in ("City", "Bus"))
    year = {"start": "2025-01-01T00:00:00Z", "end": "2026-01-01T00:00:00Z", "bbox": CAIRNS}
    ids = {
        "counts": made.product(city, now=now, title="Loop counts of the harbour"),
        "free": made.product(city, now=now, price={"form": "free"}, title="Café's door counter"),
        "old": made.product(
            city,
            now=now - timedelta(days=90),
            title="自行车流量，三月至五月",
            language="zh-hans",
            price=PriceRule(PriceForm.ONE_OFF, price_micro=500 * MICRO).document(),
        ),
        "gtfs": made.product(bus, "gtfs", now=now, profile=made.profile(**year), title="Buses"),
        "bikes": made.product(city, "gbfs", now=now, title="共享单车 bikes at stations"),
        "live": made.product(bus, "gtfs-rt", now=now, profile=made.profile(bbox=CAIRNS)),
        "unknown": made.product(
            bus, "trips", now=now, profile=made.profile(bbox=None, start=None, end=None)
        ),
    }
    made.look(ids["bikes"], until=now)
    made.look(ids["live"], until=now, is_valid=False, age_s=4_000)
    refresh_many(product_ids=ids.values(), now=now)
    return ids


@pytest.fixture
def ids(db: None) -> Iterable[dict[str, int]]:
    with world(shelves) as ids:
        yield ids


def names(lines: Iterable[Line], ids: dict[str, int]) -> list[str]:
    known = {id_: name for name, id_ in ids.items()}
    return [known[line.id] for line in lines]


def test_area_period_and_words_narrow(ids: dict[str, int]) -> None:
    def found(**filters: object) -> set[str]:
        return set(names(search(filters=Filters(**filters)).lines, ids))  # type: ignore[arg-type]  # one test, many fields

    everything = set(ids)
    assert found() == everything
    assert found(area=BAY) == {"counts", "free", "old", "bikes"}
    assert found(area=Area(145_700_000, -17_500_000, 146_000_000, -16_900_000)) == {"gtfs", "live"}
    assert found(area=Area(0, 0, 1, 1)) == set()
    spring = {"first_day": date(2014, 5, 1), "last_day": date(2014, 5, 31)}
    assert found(**spring) == {"counts", "free", "old", "bikes", "live"}
    assert found(last_day=date(2014, 2, 28)) == set()
    assert found(first_day=date(2026, 1, 1)) == {"bikes", "live"}
    assert found(area=BAY, **spring, text="harbour") == {"counts"}
    # Words are folded, and may be the beginning of one; every one must be there.
    assert found(text="LOOPS harb") == {"counts"}
    assert found(text="cafe") == {"free"}
    assert found(text="单车") == {"bikes"}
    assert found(text="车流 三月") == {"old"}
    assert found(text="流") == {"old"}
    assert found(text="harbour stations") == set()
    # Also by what a product's format and theme are called; and nothing that is written breaks it.
    assert found(text="gtfs realtime") == {"live"}
    assert found(text="' | !! :* \\ <-> \x00 &") == everything


def test_numbers_are_what_one_more_click_leaves(ids: dict[str, int]) -> None:
    """Against counting anew with that click, over all choices of two facets."""
    plain = search(filters=Filters()).counts
    assert plain["kind"] == [5, 2]
    assert plain["quality"][0] == 0 and plain["price"][0] == 1
    values = {name: [value for value, n in enumerate(plain[name]) if n] for name in FACETS}
    for one, other in combinations(values["kind"], values["format"]):
        chosen = {"kind": frozenset([one]), "format": frozenset([other])}
        told = search(filters=Filters(chosen=chosen, area=BAY)).counts
        for facet, known in values.items():
            for value in known:
                clicked = {**chosen, facet: frozenset([value])}
                again = search(filters=Filters(chosen=clicked, area=BAY))
                assert told[facet][value] == again.total == len(again.lines)


def test_sorts_and_pages(ids: dict[str, int]) -> None:
    def first(sort: str) -> str:
        return names(search(filters=Filters(sort=sort)).lines, ids)[0]

    assert [first(sort) for sort in ("price", "quality", "newest")] == ["free", "bikes", "unknown"]
    cheapest = [line.price_micro for line in search(filters=Filters()).lines]
    assert cheapest == sorted(cheapest)
    last = search(filters=Filters(page=7))
    assert (last.lines, last.total, last.page_count) == ((), 7, 1)
    extent = get_extent()
    assert extent is not None
    assert (extent.west, extent.south) == (made.BAY[0], CAIRNS[1])


def test_a_search_is_planned_for_itself(ids: dict[str, int]) -> None:
    """A prepared statement would get a plan for any box after five times, eight times as slow."""
    search(filters=Filters(area=BAY))
    assert connection.connection.prepare_threshold is None


def test_the_cube_against_counting_one_by_one() -> None:
    random = Random(7)
    products = [tuple(random.randrange(size) for size in SHAPE) for _ in range(400)]
    cells: dict[int, int] = {}
    for each in products:
        cell = int(np.ravel_multi_index(each[::-1], SHAPE[::-1]))
        cells[cell] = cells.get(cell, 0) + 1
    assert max(cells) < CELLS
    cube = cube_of(cells.items())
    for _ in range(20):
        chosen = {
            name: frozenset(random.sample(range(size), random.randrange(size)))
            for name, size in FACETS.items()
        }

        def kept(each: tuple[int, ...], but: str = "") -> bool:
            return all(
                name == but or not chosen[name] or value in chosen[name]  # noqa: B023 - called at once
                for name, value in zip(FACETS, each, strict=True)
            )

        assert total_of(cube, chosen) == sum(map(kept, products))
        counts = counts_of(cube, chosen)
        for axis, name in enumerate(FACETS):
            for value in range(SHAPE[axis]):
                assert counts[name][value] == sum(
                    kept(each, name) and each[axis] == value for each in products
                )


def test_lexemes_and_queries_meet() -> None:
    assert search_words.vector("共享单车") == "'享单' '共享' '单车' '车'"
    assert search_words.query("单车 Flows") == "'单车' & 'flow':*"
    assert search_words.query("+-*/ \t") == ""
    assert len(search_words.lexemes("x" * 5_000)[0]) == search_words.WORD_MAX

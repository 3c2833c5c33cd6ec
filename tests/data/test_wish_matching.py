"""What covers a wish: the fast matcher against looking at every product and every pair."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import Generator

from marketplace.domain.data.matching import PPM, Box, Found, Int64Array, Side, match, uncovered


def random_side(random: Generator, count: int, *, wishes: bool) -> Side:
    """Return small boxes on a coarse grid, so that edges meet and prices tie often."""
    low = random.integers(0, 6, (3, count))
    length = random.integers(1, 4 if wishes else 7, (3, count))

    def spread(lowest: int, end: int) -> Int64Array:
        return random.integers(lowest, end, count)

    return Side(
        id=np.arange(count) * 3 + 1,
        owner=spread(0, 40),
        partition=spread(0, 2),
        low=low,
        high=low + length,
        resolution_s=spread(2, 4) if wishes else spread(0, 4),
        age_s=spread(2, 4) if wishes else spread(0, 4),
        group=spread(0, 2) if wishes else spread(0, 4),
        price_micro=spread(3, 14) if wishes else spread(0, 6),
    )


def box(side: Side, row: int) -> Box:
    edges = [(int(side.low[d, row]), int(side.high[d, row])) for d in range(3)]
    return edges[0], edges[1], edges[2]


def cells(of: Box) -> set[tuple[int, ...]]:
    return set(itertools.product(*(range(low, high) for low, high in of)))


def brute(products: Side, wishes: Side, row: int) -> tuple[list[int], tuple[int, int, int] | None]:
    """Return the ids of single covers by price and id, and the cheapest pair below them."""
    wanted = cells(box(wishes, row))
    fits = [
        index
        for index in range(len(products.id))
        if products.partition[index] == wishes.partition[row]
        and products.owner[index] != wishes.owner[row]
        and products.resolution_s[index] <= wishes.resolution_s[row]
        and products.age_s[index] <= wishes.age_s[row]
        and products.group[index] >= wishes.group[row]
        and products.price_micro[index] <= wishes.price_micro[row]
    ]
    covered = {index: cells(box(products, index)) & wanted for index in fits}
    price = {index: int(products.price_micro[index]) for index in fits}
    singles = sorted(
        (price[index], int(products.id[index])) for index in fits if covered[index] == wanted
    )
    below = singles[0][0] if singles else int(wishes.price_micro[row]) + 1
    # Ids rise with the index, so that the lower one comes first.
    pairs = [
        (price[a] + price[b], int(products.id[a]), int(products.id[b]))
        for a, b in itertools.combinations(fits, 2)
        if price[a] + price[b] < below and covered[a] | covered[b] == wanted
    ]
    best = min(pairs) if pairs else None
    return [id_ for _, id_ in singles], best


def check(found: Found, products: Side, wishes: Side, row: int) -> None:
    singles, pair = brute(products, wishes, row)
    assert list(found.single_ids) == singles[:5]
    assert found.single_count == len(singles)
    got = found.pair and (found.pair.price_micro, found.pair.first_id, found.pair.second_id)
    assert got == pair
    if found.part is not None:
        wanted = cells(box(wishes, row))
        index = int(np.flatnonzero(products.id == found.part.id)[0])
        missing = wanted - cells(box(products, index))
        assert missing == {cell for part in found.part.uncovered for cell in cells(part)}
        assert sum(len(cells(part)) for part in found.part.uncovered) == len(missing)
        assert found.part.covered_ppm == PPM - len(missing) * PPM // len(wanted)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_matcher_finds_what_looking_at_everything_finds(seed: int) -> None:
    random = np.random.default_rng(seed)
    products = random_side(random, 40, wishes=False)
    wishes = random_side(random, 12, wishes=True)
    results = match(products, wishes)
    for row, found in enumerate(results):
        assert found.wish_id == wishes.id[row]
        check(found, products, wishes, row)


def test_the_random_cases_have_singles_pairs_and_parts() -> None:
    """Or the test above would compare nothing with nothing."""
    random = np.random.default_rng(5)
    products = random_side(random, 60, wishes=False)
    results = match(products, random_side(random, 200, wishes=True))
    assert sum(bool(found.single_ids) for found in results) > 20
    assert sum(found.pair is not None for found in results) > 5
    assert sum(found.part is not None for found in results) > 20


def test_days_that_are_missing_are_named_first() -> None:
    wish: Box = ((0, 10), (0, 10), (60, 152))
    assert uncovered(wish, ((-5, 20), (0, 10), (60, 121))) == (((0, 10), (0, 10), (121, 152)),)
    assert uncovered(wish, wish) == ()
    assert uncovered(wish, ((50, 60), (0, 10), (0, 400))) == (((0, 10), (0, 10), (60, 152)),)


def test_nothing_to_match_with() -> None:
    random = np.random.default_rng(1)
    none = random_side(random, 4, wishes=False).take(np.array([], dtype=np.int64))
    results = match(none, random_side(random, 3, wishes=True))
    assert [(found.single_ids, found.pair, found.part) for found in results] == [
        ((), None, None)
    ] * 3

"""Prices in a few numbers, against their definitions written out."""

from collections import defaultdict
from statistics import pstdev

from hypothesis import given
from hypothesis import strategies as st

from analytics.domain.price_statistics import day_shape, mean_of, ranked, volatility

PRICES = st.integers(-(10**9), 10**9)


@given(st.lists(st.tuples(st.integers(0, 23), PRICES), max_size=60))
def test_the_shape_of_a_day_is_of_each_hour_alone(prices: list[tuple[int, int]]) -> None:
    shape = day_shape(prices)
    assert len(shape) == 24
    for hour, each in enumerate(shape):
        own = [price for at, price in prices if at == hour]
        if each is None:
            assert own == []
            continue
        assert (each.count, each.low, each.high) == (len(own), min(own), max(own))
        assert each.mean == sum(own) // len(own)


@given(st.lists(st.tuples(st.integers(1, 4), PRICES), max_size=60))
def test_volatility_is_the_standard_deviation_of_each_day(prices: list[tuple[int, int]]) -> None:
    moved = volatility(prices)
    by_day: dict[int, list[int]] = defaultdict(list)
    for day, price in prices:
        by_day[day].append(price)
    assert set(moved) == {day for day, own in by_day.items() if len(own) > 1}
    for day, value in moved.items():
        exact = pstdev(by_day[day])
        assert value <= exact * (1 + 1e-12) and exact < value + 1 + 1e-6
    assert mean_of(moved) == (sum(moved.values()) // len(moved) if moved else None)


@given(st.lists(PRICES, min_size=1, max_size=60), st.floats(0, 1))
def test_a_ranked_price_was_reached_for_its_share_of_the_time(
    prices: list[int], share: float
) -> None:
    [price] = ranked(prices, [share])
    assert price in prices
    reached = sum(each >= price for each in prices)
    assert reached > share * len(prices) or reached == len(prices)
    assert sum(each > price for each in prices) <= share * len(prices)

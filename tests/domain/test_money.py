"""Amounts are exact fractions rounded half to even, alone and in bulk."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.money import (
    ENERGY_MAX_WH,
    PRICE_MAX_MICRO_PER_KWH,
    amount_micro,
    amounts_micro,
)

energies = st.integers(0, ENERGY_MAX_WH)
prices = st.integers(-PRICE_MAX_MICRO_PER_KWH, PRICE_MAX_MICRO_PER_KWH)
# Products of small numbers end in exactly half a micro often enough to meet the rule for ties.
pairs = st.tuples(energies, prices) | st.tuples(st.integers(0, 50), st.integers(-500, 500))


@given(pairs)
def test_an_amount_is_the_exact_product_rounded_half_to_even(pair: tuple[int, int]) -> None:
    quantity_wh, price = pair

    assert amount_micro(quantity_wh, price) == round(Fraction(quantity_wh * price, 1000))


@given(st.lists(pairs, max_size=50))
def test_many_amounts_equal_one_by_one(rows: list[tuple[int, int]]) -> None:
    quantities = np.array([quantity for quantity, _ in rows], dtype=np.int64)
    each_price = np.array([price for _, price in rows], dtype=np.int64)

    amounts = amounts_micro(quantities, each_price)

    assert amounts.dtype == np.int64
    assert amounts.tolist() == [amount_micro(quantity, price) for quantity, price in rows]


@given(st.lists(energies, max_size=50), prices)
def test_one_price_for_all_equals_one_by_one(quantities: list[int], price: int) -> None:
    amounts = amounts_micro(np.array(quantities, dtype=np.int64), price)

    assert amounts.tolist() == [amount_micro(quantity, price) for quantity in quantities]


@pytest.mark.parametrize(
    ("quantity_wh", "price", "amount"),
    [(1, 500, 0), (1, 1_500, 2), (1, 2_500, 2), (1, -500, 0), (1, -1_500, -2), (3, 501, 2)],
)
def test_halves_go_to_the_even_neighbour(quantity_wh: int, price: int, amount: int) -> None:
    assert amount_micro(quantity_wh, price) == amount


def test_the_bounds_themselves_are_allowed_and_do_not_wrap() -> None:
    largest = np.array([ENERGY_MAX_WH], dtype=np.int64)

    assert amount_micro(ENERGY_MAX_WH, PRICE_MAX_MICRO_PER_KWH) == 10**15
    assert amounts_micro(largest, -PRICE_MAX_MICRO_PER_KWH).tolist() == [-(10**15)]


@pytest.mark.parametrize(
    ("quantity_wh", "price"),
    [
        (-1, 0),
        (ENERGY_MAX_WH + 1, 0),
        (0, PRICE_MAX_MICRO_PER_KWH + 1),
        (0, -PRICE_MAX_MICRO_PER_KWH - 1),
    ],
)
def test_out_of_bounds_is_refused_alone_and_in_bulk(quantity_wh: int, price: int) -> None:
    quantities = np.array([quantity_wh], dtype=np.int64)

    with pytest.raises(ValueError, match="must be"):
        amount_micro(quantity_wh, price)
    with pytest.raises(ValueError, match="must be"):
        amounts_micro(quantities, price)
    with pytest.raises(ValueError, match="must be"):
        amounts_micro(quantities, np.array([price], dtype=np.int64))


def test_other_number_types_are_refused() -> None:
    whole = np.array([1], dtype=np.int64)

    with pytest.raises(ValueError, match="energies must be int64"):
        amounts_micro(whole.astype(np.float64), 1)
    with pytest.raises(ValueError, match="prices must be int64"):
        amounts_micro(whole, whole.astype(np.int32))

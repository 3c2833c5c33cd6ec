"""No shown figure, and no difference of shown figures, stands for too few households."""

from hypothesis import given
from hypothesis import strategies as st

from analytics.domain.disclosure import shown_groups

SIZES = st.dictionaries(st.integers(1, 30), st.integers(0, 40), max_size=12)


@given(SIZES, st.integers(1, 20))
def test_what_is_left_over_is_nothing_or_enough(sizes: dict[int, int], minimum: int) -> None:
    shown = shown_groups(sizes, minimum)
    rest = sum(size for group, size in sizes.items() if group not in shown)
    assert all(sizes[group] >= minimum for group in shown)
    assert rest == 0 or rest >= minimum or not shown


@given(SIZES, st.integers(1, 20))
def test_nothing_is_hidden_without_need(sizes: dict[int, int], minimum: int) -> None:
    if all(size >= minimum for size in sizes.values()):
        assert shown_groups(sizes, minimum) == frozenset(sizes)


def test_the_smallest_of_the_others_goes_with_it() -> None:
    assert shown_groups({1: 2, 2: 30, 3: 6, 4: 9}, 5) == {2, 4}

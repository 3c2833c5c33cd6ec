"""Shares of a price add up to the unit, and so does what a refund takes back of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.data.shares import (
    PPM,
    Share,
    checked_shares,
    shares_document,
    split,
    split_refund,
)
from marketplace.errors import Invalid

SELLER = 1


@st.composite
def share_lists(draw: st.DrawFn) -> tuple[Share, ...]:
    """Shares that leave something, or nothing, to the seller."""
    cuts = sorted(draw(st.lists(st.integers(1, PPM), max_size=5, unique=True)))
    parts = [high - low for low, high in zip([0, *cuts], cuts, strict=False)]
    return tuple(Share(SELLER + 1 + at, ppm) for at, ppm in enumerate(parts))


@given(st.integers(0, 10**15), share_lists(), st.integers(0, PPM))
def test_parts_and_refunds_add_up(amount: int, shares: tuple[Share, ...], refunded: int) -> None:
    assert checked_shares(shares_document(shares), seller_id=SELLER) == shares
    parts = split(amount, shares, seller_id=SELLER)
    assert sum(part.micro for part in parts) == amount
    exact = {share.participant_id: share.ppm for share in shares}
    exact[SELLER] = PPM - sum(share.ppm for share in shares)
    assert all(abs(part.micro * PPM - amount * exact[part.participant_id]) < PPM for part in parts)
    refund = amount * refunded // PPM
    back = split_refund(refund, parts)
    assert sum(back) == refund
    assert all(0 <= each <= part.micro for each, part in zip(back, parts, strict=True))


def test_what_is_left_over_goes_to_the_largest_remainder_and_of_equals_to_the_seller() -> None:
    thirds = (Share(2, 333_333), Share(3, 333_333))
    assert [part.micro for part in split(100, thirds, seller_id=SELLER)] == [34, 33, 33]
    half = (Share(2, 500_000),)
    assert [part.micro for part in split(1, half, seller_id=SELLER)] == [1]
    assert [part.participant_id for part in split(1, half, seller_id=SELLER)] == [SELLER]
    all_of_it = (Share(2, PPM),)
    assert [part.participant_id for part in split(7, all_of_it, seller_id=SELLER)] == [2]


@pytest.mark.parametrize(
    "values",
    [
        "nobody",
        [{"participant": 2}],
        [{"participant": 2, "ppm": 0}],
        [{"participant": 2, "ppm": True}],
        [{"participant": SELLER, "ppm": 5}],
        [{"participant": 2, "ppm": 5}, {"participant": 2, "ppm": 5}],
        [{"participant": 2, "ppm": 600_000}, {"participant": 3, "ppm": 600_000}],
        [{"participant": each, "ppm": 1} for each in range(2, 14)],
    ],
)
def test_wrong_shares_are_refused(values: object) -> None:
    with pytest.raises(Invalid) as caught:
        checked_shares(values, seller_id=SELLER)
    assert caught.value.field == "shares"

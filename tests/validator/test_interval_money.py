"""The auction and the rounding against the words of docs/rules.md, taken literally."""

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

from hypothesis import example, given
from hypothesis import strategies as st

from validator.interval_auction import Order, clear
from validator.interval_money import amount_of

# Few limits and little energy: ties, at the margin and elsewhere, are the rule.
SIDES = st.lists(st.tuples(st.integers(-3, 4), st.integers(1, 5)), max_size=7)


def unrolled(side: list[Order]) -> list[int]:
    """Return the limit that holds each Wh of a side."""
    return [order.limit for order in side for _ in range(order.wh)]


def literal_fills(side: list[Order], volume: int) -> dict[int, int]:
    """Return the fills of a sorted side by exact fractions."""
    marginal = unrolled(side)[volume - 1]
    fills = {order.rank: 0 for order in side}
    first = next(at for at, order in enumerate(side) if order.limit == marginal)
    for order in side[:first]:
        fills[order.rank] = order.wh
    tied = [order for order in side if order.limit == marginal]
    left = volume - sum(fills.values())
    shares = {order.rank: Fraction(order.wh * left, sum(one.wh for one in tied)) for order in tied}
    for rank, share in shares.items():
        fills[rank] = int(share)
    by_remainder = sorted(shares, key=lambda rank: (-(shares[rank] % 1), rank))
    for rank in by_remainder[: volume - sum(fills.values())]:
        fills[rank] += 1
    return fills


@given(SIDES, SIDES)
@example([(4, 1)], [(4, 1)])
@example([(4, 2), (3, 1)], [(0, 1), (4, 1)])
def test_the_auction_is_the_one_in_the_rules(
    wanted: list[tuple[int, int]], offered: list[tuple[int, int]]
) -> None:
    bids = [Order(limit, wh, at) for at, (limit, wh) in enumerate(wanted)]
    offers = [Order(limit, wh, at + 10) for at, (limit, wh) in enumerate(offered)]
    high_first = sorted(bids, key=lambda order: (-order.limit, order.rank))
    low_first = sorted(offers, key=lambda order: (order.limit, order.rank))
    bid, offer = unrolled(high_first), unrolled(low_first)
    volume = max(
        (q for q in range(1, min(len(bid), len(offer)) + 1) if bid[q - 1] >= offer[q - 1]),
        default=0,
    )
    outcome = clear(bids, offers)

    if volume == 0:
        assert outcome == (None, {}, {})
        return
    low = max(offer[volume - 1 : volume] + bid[volume : volume + 1])
    high = min(bid[volume - 1 : volume] + offer[volume : volume + 1])
    assert outcome.price == (low + high) // 2
    filled = literal_fills(high_first, volume)
    assert {rank: outcome.bought.get(rank, 0) for rank in filled} == filled
    filled = literal_fills(low_first, volume)
    assert {rank: outcome.sold.get(rank, 0) for rank in filled} == filled


@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9))
@example(1, 500)
@example(3, 500)
@example(1, -500)
@example(-3, 500)
def test_money_is_rounded_half_to_even(wh: int, price: int) -> None:
    exact = Decimal(wh * price) / 1000

    assert amount_of(wh, price) == int(exact.quantize(Decimal(1), ROUND_HALF_EVEN))

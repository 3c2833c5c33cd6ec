"""A rule's dry run: money of every interval by hand, deviations at the tariffs."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.forward.dry_run import DryRun, Recorded, dry_run
from marketplace.domain.money import amount_micro

Interval = tuple[int, int, int, int, int | None, int, int]
RETAIL, FEED_IN, FEE = 560_000, 360_000, 10_000
WH = st.integers(0, 5000)
# Metered and expected export and import, price, limits to sell and to buy.
INTERVALS = st.lists(
    st.tuples(
        WH,
        WH,
        WH,
        WH,
        st.none() | st.integers(-100_000, 900_000),
        st.integers(0, 900_000),
        st.integers(0, 900_000),
    ),
    min_size=1,
    max_size=5,
)


def run(intervals: list[Interval]) -> DryRun:
    out, in_, expected_out, expected_in, prices, sell, buy = zip(*intervals, strict=True)

    def column(values: tuple[int, ...]) -> np.ndarray:
        return np.array(values, dtype=np.int64)

    count = len(intervals)
    recorded = Recorded(
        export_wh=column(out),
        import_wh=column(in_),
        prices=column(tuple(price or 0 for price in prices)),
        has_price=np.array([price is not None for price in prices]),
        retail=column((RETAIL,) * count),
        feed_in=column((FEED_IN,) * count),
        platform_fee=column((FEE,) * count),
    )
    return dry_run(
        recorded,
        expected_export_wh=column(expected_out),
        expected_import_wh=column(expected_in),
        sell_limits=column(sell),
        buy_limits=column(buy),
    )


def test_one_interval_by_hand() -> None:
    # 1,000 Wh are sold at 0.45, 700 are there; 300 are bought at retail. 500 bought, 400 needed.
    found = run([(700, 400, 1000, 500, 450_000, 400_000, 500_000)])
    assert (found.offered_wh, found.sold_wh, found.short_wh) == (1000, 1000, 300)
    assert (found.bid_wh, found.bought_wh, found.not_taken_wh) == (500, 500, 100)
    assert found.net_micro == 450_000 - 168_000 - (225_000 + 5_000) + 36_000
    assert found.alone_micro == 252_000 - 224_000
    # What was short cost 0.56 and earned 0.45; what was too much cost 0.46 and earned 0.36.
    assert found.deviation_micro == 300 * 110 + 100 * 100


def test_without_a_price_or_outside_the_limits_it_is_the_grid_alone() -> None:
    for price, sell, buy in ((None, 0, 900_000), (450_000, 450_001, 449_999)):
        found = run([(700, 400, 1000, 500, price, sell, buy)])
        assert (found.sold_wh, found.bought_wh, found.deviation_micro) == (0, 0, 0)
        assert found.gain_micro == 0


@given(INTERVALS)
def test_intervals_add_up_and_a_perfect_forecast_has_no_deviation(
    intervals: list[Interval],
) -> None:
    found, parts = run(intervals), [run([each]) for each in intervals]
    for name in DryRun.__slots__:
        assert getattr(found, name) == sum(getattr(part, name) for part in parts)
    perfect = run([(each[0], each[1], each[0], each[1], *each[4:]) for each in intervals])
    assert (perfect.short_wh, perfect.not_taken_wh, perfect.deviation_micro) == (0, 0, 0)
    alone = sum(
        amount_micro(out, FEED_IN) - amount_micro(in_, RETAIL) for out, in_, *_ in intervals
    )
    assert found.alone_micro == perfect.alone_micro == alone

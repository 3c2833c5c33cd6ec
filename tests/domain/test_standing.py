"""Default limits: documented, spread, and never such that a side loses by the pool."""

import hashlib

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from marketplace.domain.rules import BandPrices, load_rules, preset
from marketplace.domain.standing import limits_for_band, spread_keys

names = st.lists(st.text(st.characters(codec="utf-8"), max_size=20), max_size=30)
prices = st.integers(-(10**9), 10**9)


@given(names=names, ends=st.tuples(prices, prices), fee=st.integers(0, 10**9))
@example(names=["H01"], ends=(-(10**9), 10**9), fee=0)
@example(names=["H01"], ends=(-(10**9), 10**9), fee=10**9)
def test_both_sides_gain_in_any_band(names: list[str], ends: tuple[int, int], fee: int) -> None:
    feed_in, ceiling = sorted(ends)
    band = BandPrices(ceiling + fee, feed_in, fee, "any")
    middle = (feed_in + ceiling) // 2

    buy, sell = limits_for_band(spread_keys(names), band)

    assert buy.dtype == sell.dtype == np.int64
    assert buy.shape == sell.shape == (len(names),)
    assert ((feed_in <= sell) & (sell <= middle)).all()
    assert ((middle <= buy) & (buy <= ceiling)).all()


def test_limits_are_those_of_the_documented_formula() -> None:
    band = BandPrices(560_000, 360_000, 10_000, "flat")
    key = int.from_bytes(hashlib.sha256(b"H01").digest()[:8], "big")
    buy, sell = limits_for_band(spread_keys(["H01"]), band)
    assert sell[0] == 360_000 + ((key >> 32) * 95_001 >> 32)
    assert buy[0] == 455_000 + ((key & (2**32 - 1)) * 95_001 >> 32)


def test_limits_are_spread_over_the_whole_range() -> None:
    keys = spread_keys([f"meter {number}" for number in range(2000)])
    rules = load_rules(preset("demo"))
    for band in {*rules.workday.prices, *rules.weekend.prices}:
        top = band.retail_micro_per_kwh - band.platform_fee_micro_per_kwh
        middle = (band.feed_in_micro_per_kwh + top) // 2
        buy, sell = limits_for_band(keys, band)
        for limits, low, high in (
            (sell, band.feed_in_micro_per_kwh, middle),
            (buy, middle, top),
        ):
            counts, _ = np.histogram(limits, bins=10, range=(low, high))
            assert counts.min() > 120
            assert counts.max() < 290
        assert abs(np.corrcoef(buy, sell)[0, 1]) < 0.1


def test_a_meter_keeps_its_limits_in_any_company() -> None:
    band = BandPrices(560_000, 360_000, 10_000, "flat")
    together = limits_for_band(spread_keys(["山城", "H02", "H01"]), band)
    alone = limits_for_band(spread_keys(["H01"]), band)
    assert (together[0][2], together[1][2]) == (alone[0][0], alone[1][0])


def test_a_band_without_margin_is_refused() -> None:
    with pytest.raises(ValueError, match="above retail"):
        limits_for_band(spread_keys(["H01"]), BandPrices(300_000, 300_000, 1, "flat"))

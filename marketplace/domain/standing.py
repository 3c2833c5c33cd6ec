"""Default standing rules: limit prices that a meter's name spreads over the tariff band."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from marketplace.domain.rules import BandPrices

Int64Array = NDArray[np.int64]
KeyArray = NDArray[np.uint64]

KEY_BYTES: Final = 8
HALF_BITS: Final = np.uint64(32)
LOW_HALF: Final = np.uint64(2**32 - 1)


def spread_keys(meter_names: Sequence[str]) -> KeyArray:
    """Return the number by which each meter's default limits are spread.

    Parameters
    ----------
    meter_names : sequence of str, length n

    Returns
    -------
    ndarray of uint64, shape (n,)
        The first eight bytes of the SHA-256 of the UTF-8 name, big-endian. A name keeps its key
        on any machine and in any company, so nobody's limits depend on who else is in a file.
    """
    digests = b"".join(
        hashlib.sha256(name.encode("utf-8")).digest()[:KEY_BYTES] for name in meter_names
    )
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64)


def limits_for_band(keys: KeyArray, prices: BandPrices) -> tuple[Int64Array, Int64Array]:
    """Spread default limit prices over a tariff band so that both sides gain from the pool.

    Parameters
    ----------
    keys : ndarray of uint64, shape (n,)
        From `spread_keys`.
    prices : BandPrices
        Retail tariff R, feed-in tariff F and platform fee f. [micro/kWh]

    Returns
    -------
    buy_limits, sell_limits : ndarray of int64, shape (n,)
        ``F <= sell <= M <= buy <= R - f`` with ``M = floor((F + R - f) / 2)``. [micro/kWh]

    Raises
    ------
    ValueError
        If the grid pays more for energy than it charges after the fee.

    Notes
    -----
    A range of w prices is indexed by floor(k * w / 2**32), k being 32 bits of the key: the upper
    half for selling, the lower for buying, so that a cheap seller is not always a poor buyer.
    Integers throughout, and w < 2**32 keeps each product inside 64 bits.
    """
    floor, ceiling = (
        prices.feed_in_micro_per_kwh,
        prices.retail_micro_per_kwh - prices.platform_fee_micro_per_kwh,
    )
    if floor > ceiling:
        raise ValueError(f"feed-in {floor} is above retail less the platform fee, {ceiling}")
    return limits_between(keys, floor, (floor + ceiling) // 2, ceiling)


def limits_between(
    keys: KeyArray, floor: int, middle: int, ceilings: int | Int64Array
) -> tuple[Int64Array, Int64Array]:
    """Spread default limit prices around a middle, as `limits_for_band` does.

    Parameters
    ----------
    keys : ndarray of uint64, shape (n,)
        From `spread_keys`.
    floor, middle : int
        Sell limits lie between these. [micro/kWh]
    ceilings : int or ndarray of int64, shape (n,)
        Buy limits lie between the middle and this, of all or of each. [micro/kWh]

    Returns
    -------
    buy_limits, sell_limits : ndarray of int64, shape (n,)
    """
    sell_limits = floor + _spread(keys >> HALF_BITS, middle - floor + 1)
    buy_limits = middle + _spread(keys & LOW_HALF, ceilings - middle + 1)
    return buy_limits, sell_limits


def _spread(fractions: KeyArray, width: int | Int64Array) -> Int64Array:
    widths = np.asarray(width, dtype=np.uint64)
    return ((fractions * widths) >> HALF_BITS).astype(np.int64)

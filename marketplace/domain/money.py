"""From energy and price to money: the one place where anything is rounded.

A watt-hour at one micro-unit per kilowatt-hour is a thousandth of a micro-unit, so an amount is
the product over 1,000, rounded half to even. Half to even, because rounding half up would hand
the same side a little of every interval.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Int64Array = npt.NDArray[np.int64]

# The product of both bounds is 10**18: below 2**63, so arrays of int64 never wrap around.
PRICE_MAX_MICRO_PER_KWH: Final = 10**9
ENERGY_MAX_WH: Final = 10**9
WHOLE_PPM: Final = 1_000_000

_WH_PER_KWH: Final = 1_000
_HALF: Final = _WH_PER_KWH // 2


def amount_micro(quantity_wh: int, price_micro_per_kwh: int) -> int:
    """Price an energy.

    Parameters
    ----------
    quantity_wh : int
        Energy, 0 to ``ENERGY_MAX_WH``. [Wh]
    price_micro_per_kwh : int
        Price, at most ``PRICE_MAX_MICRO_PER_KWH`` on either side of zero. [micro/kWh]

    Returns
    -------
    int
        The amount, rounded half to even; negative exactly where the price is. [micro]

    Raises
    ------
    ValueError
        If the energy or the price is out of bounds.
    """
    if not 0 <= quantity_wh <= ENERGY_MAX_WH:
        raise ValueError(f"energy must be 0 to {ENERGY_MAX_WH} Wh, not {quantity_wh}")
    if not -PRICE_MAX_MICRO_PER_KWH <= price_micro_per_kwh <= PRICE_MAX_MICRO_PER_KWH:
        raise ValueError(
            f"a price must be within {PRICE_MAX_MICRO_PER_KWH} micro/kWh of zero, "
            f"not {price_micro_per_kwh}"
        )
    return _rounded(quantity_wh * price_micro_per_kwh)


def amounts_micro(quantities_wh: Int64Array, price_micro_per_kwh: int | Int64Array) -> Int64Array:
    """Price many energies at once, each exactly as `amount_micro` does.

    Parameters
    ----------
    quantities_wh : ndarray of int64
        Energies, 0 to ``ENERGY_MAX_WH``. [Wh]
    price_micro_per_kwh : int or ndarray of int64
        One price for all, or a price for each. [micro/kWh]

    Returns
    -------
    ndarray of int64
        The amounts, in the shape both arguments broadcast to. [micro]

    Raises
    ------
    ValueError
        If an array is not int64, or an energy or price is out of bounds.
    """
    if quantities_wh.dtype != np.int64:
        raise ValueError(f"energies must be int64, not {quantities_wh.dtype}")
    if quantities_wh.size and not (
        quantities_wh.min() >= 0 and quantities_wh.max() <= ENERGY_MAX_WH
    ):
        raise ValueError(f"energies must be 0 to {ENERGY_MAX_WH} Wh")
    products = quantities_wh * _checked_prices(price_micro_per_kwh)
    whole, rest = np.divmod(products, _WH_PER_KWH)
    amounts: Int64Array = whole + ((rest > _HALF) | ((rest == _HALF) & (whole % 2 == 1)))
    return amounts


def signed_amounts_micro(
    quantities_wh: Int64Array, price_micro_per_kwh: int | Int64Array
) -> Int64Array:
    """Price energies that may be negative, or sums above what one reading or order can be.

    Parameters
    ----------
    quantities_wh : ndarray of int64, shape (n,)
        Energies of any size; below zero where a late reading takes back what was bought. [Wh]
    price_micro_per_kwh : int or ndarray of int64, shape (n,)
        One price for all, or a price for each. [micro/kWh]

    Returns
    -------
    ndarray of int64, shape (n,)
        The amounts; of a negative energy the amount of its size, turned round. [micro]
    """
    sizes = np.abs(quantities_wh)
    if not sizes.size or sizes.max() <= ENERGY_MAX_WH:
        amounts = amounts_micro(sizes, price_micro_per_kwh)
    else:
        prices = np.broadcast_to(np.asarray(_checked_prices(price_micro_per_kwh)), sizes.shape)
        pairs = zip(sizes.tolist(), prices.tolist(), strict=True)
        amounts = np.array([_rounded(size * price) for size, price in pairs], dtype=np.int64)
    return np.where(quantities_wh < 0, -amounts, amounts)


def _rounded(product: int) -> int:
    # Floor division also below zero: the rest is never negative and one rule covers both signs.
    whole, rest = divmod(product, _WH_PER_KWH)
    return whole + (rest > _HALF or (rest == _HALF and whole % 2 == 1))


def _checked_prices(price: int | Int64Array) -> int | Int64Array:
    if isinstance(price, np.ndarray):
        if price.dtype != np.int64:
            raise ValueError(f"prices must be int64, not {price.dtype}")
        low, high = int(price.min(initial=0)), int(price.max(initial=0))
    else:
        low = high = price
    if low < -PRICE_MAX_MICRO_PER_KWH or high > PRICE_MAX_MICRO_PER_KWH:
        raise ValueError(f"prices must be within {PRICE_MAX_MICRO_PER_KWH} micro/kWh of zero")
    return price

"""Facets of search: bands of a product, and how many products one more click would leave.

Search counts products by all five facets at once, at most `CELLS` numbers. What each facet shows
beside its values, counted under the choices in all others, is then sums of that cube.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from marketplace.domain.data.quality import Band
from marketplace.domain.data.vocabularies import FORMATS
from marketplace.errors import N_

Int64Array = NDArray[np.int64]

KINDS: Final = {0: N_("file"), 1: N_("live feed")}
FORMAT_CODES: Final = {code: number for number, code in enumerate(FORMATS)}
# Upper ends; older or dearer than the last is a band of its own. [s], [micro]
_AGES_S: Final = (60, 300, 3600, 24 * 3600, 31 * 24 * 3600)
_PRICES_MICRO: Final = (0, 10 * 10**6, 100 * 10**6, 1000 * 10**6)
AGE_WORDS: Final = {
    0: N_("up to a minute"),
    1: N_("up to five minutes"),
    2: N_("up to an hour"),
    3: N_("up to a day"),
    4: N_("up to a month"),
    5: N_("older"),
}
PRICE_WORDS: Final = {
    0: N_("free"),
    1: N_("up to 10"),
    2: N_("up to 100"),
    3: N_("up to 1000"),
    4: N_("more"),
}
# The facets in the order of a cell's digits, and how many values each may have.
FACETS: Final[Mapping[str, int]] = {
    "kind": len(KINDS),
    # Room for formats to come: a number once given stays that format's.
    "format": 9,
    "age": len(AGE_WORDS),
    "price": len(PRICE_WORDS),
    "quality": len(Band),
}
SHAPE: Final = tuple(FACETS.values())
CELLS: Final = int(np.prod(SHAPE))


def age_band(age_s: int | None) -> int:
    """Return the band of an age; the last one where it is not known. [s]"""
    return len(_AGES_S) if age_s is None else _band(age_s, _AGES_S)


def price_band(price_micro: int) -> int:
    """Return the band of a price. [micro]"""
    return _band(price_micro, _PRICES_MICRO)


def cube_of(cells: Iterable[tuple[int, int]]) -> Int64Array:
    """Return counts by all facets.

    Parameters
    ----------
    cells : iterable of (cell, count)
        ``cell`` is ``kind + 2 * (format + 9 * (age + ...))``: the first facet varies fastest.

    Returns
    -------
    ndarray of int64, shape `SHAPE`
    """
    flat = np.zeros(CELLS, dtype=np.int64)
    for cell, count in cells:
        flat[cell] = count
    return flat.reshape(SHAPE[::-1]).transpose()


def counts_of(cube: Int64Array, chosen: Mapping[str, Iterable[int]]) -> dict[str, list[int]]:
    """Return by facet how many products each of its values has under the choices in the others.

    Choices within a facet add up, so that a number is what one more click on it would bring.
    """
    kept = {
        axis: sorted(set(chosen[facet])) for axis, facet in enumerate(FACETS) if chosen.get(facet)
    }
    counts = {}
    for axis, facet in enumerate(FACETS):
        part = cube
        for other, values in kept.items():
            if other != axis:
                part = part.take(values, axis=other)
        others = tuple(each for each in range(len(SHAPE)) if each != axis)
        counts[facet] = [int(number) for number in part.sum(axis=others)]
    return counts


def total_of(cube: Int64Array, chosen: Mapping[str, Iterable[int]]) -> int:
    """Return how many products there are under all choices."""
    for axis, facet in enumerate(FACETS):
        if chosen.get(facet):
            cube = cube.take(sorted(set(chosen[facet])), axis=axis)
    return int(cube.sum())


def _band(value: int, upper: tuple[int, ...]) -> int:
    return next((band for band, most in enumerate(upper) if value <= most), len(upper))

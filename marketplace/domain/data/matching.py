"""Which products cover what buyers wish for: alone, two together, or in part.

A wish and a product are boxes in longitude, latitude and days, half-open. A product may serve a
wish when format, kind and currency are equal, it is at least as fine, as fresh and as private, and
within the limit price. Two boxes cover a third that neither covers alone only if both span it in
two dimensions and together in the remaining one: the one reaches from before its start, the other
to after its end, and they meet. So pairs need a sort and a running minimum, not a square.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Int64Array = NDArray[np.int64]
Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
PPM: Final = 1_000_000
SINGLES_SHOWN: Final = 5
_FAR: Final = np.int64(1) << 60


@dataclass(frozen=True)
class Side:
    """Products or wishes as arrays, each of shape (n,); ``low`` and ``high`` of shape (3, n).

    Attributes
    ----------
    owner : array
        Participant: nobody is matched with themselves.
    partition : array
        Code of format, kind and currency; what is in different ones never meets.
    low, high : array
        Longitude and latitude [microdegrees], days [proleptic ordinal]; half-open.
    resolution_s, age_s : array
        Of a product: what it has; of a wish: at most this. [s]
    group : array
        Smallest group that is shown: of a product what it has, of a wish at least this.
    price_micro : array
        Of a product its price, of a wish its limit. [micro]
    """

    id: Int64Array
    owner: Int64Array
    partition: Int64Array
    low: Int64Array
    high: Int64Array
    resolution_s: Int64Array
    age_s: Int64Array
    group: Int64Array
    price_micro: Int64Array

    def take(self, chosen: Int64Array) -> "Side":
        """Return some of the rows, in the order given."""
        return Side(
            self.id[chosen],
            self.owner[chosen],
            self.partition[chosen],
            np.ascontiguousarray(self.low[:, chosen]),
            np.ascontiguousarray(self.high[:, chosen]),
            self.resolution_s[chosen],
            self.age_s[chosen],
            self.group[chosen],
            self.price_micro[chosen],
        )


@dataclass(frozen=True)
class Pair:
    """Two products that cover a wish together. [micro]"""

    first_id: int
    second_id: int
    price_micro: int


@dataclass(frozen=True)
class Part:
    """The product that covers most of a wish, and the boxes that stay uncovered."""

    id: int
    price_micro: int
    covered_ppm: int
    uncovered: tuple[Box, ...]


@dataclass(frozen=True)
class Found:
    """What there is for a wish.

    Attributes
    ----------
    single_ids : tuple of int
        The cheapest products that cover it alone, at most `SINGLES_SHOWN`; by price, then id.
    single_count : int
        How many cover it alone.
    pair : Pair or None
        The cheapest two together, where they are cheaper than any single product.
    part : Part or None
        What covers most of it, where nothing covers all of it.
    """

    wish_id: int
    single_ids: tuple[int, ...]
    single_count: int
    pair: Pair | None
    part: Part | None


def match(products: Side, wishes: Side) -> list[Found]:
    """Return what products there are for each wish, in the order of the wishes."""
    order = np.lexsort((products.id, products.price_micro, products.partition))
    products = products.take(order)
    first = np.searchsorted(products.partition, wishes.partition, "left")
    last = np.searchsorted(products.partition, wishes.partition, "right")
    return [
        _found(products, wishes, row, int(begin), int(end))
        for row, (begin, end) in enumerate(zip(first, last, strict=True))
    ]


def uncovered(wish: Box, product: Box) -> tuple[Box, ...]:
    """Return the parts of a wish's box outside of a product's, disjoint; at most six.

    Days come first: "the first of May is missing" is what people ask for.
    """
    rest = list(wish)
    parts: list[Box] = []
    for dimension in (2, 0, 1):
        low, high = rest[dimension]
        inner_low = min(max(product[dimension][0], low), high)
        inner_high = max(min(product[dimension][1], high), inner_low)
        for piece in ((low, inner_low), (inner_high, high)):
            if piece[0] < piece[1]:
                box = [*rest]
                box[dimension] = piece
                parts.append((box[0], box[1], box[2]))
        rest[dimension] = (inner_low, inner_high)
        if inner_low == inner_high:
            break
    return tuple(parts)


def _found(products: Side, wishes: Side, row: int, begin: int, end: int) -> Found:
    """Judge one wish against the products begin..end of its partition, which stand by price."""
    limit = int(wishes.price_micro[row])
    end = begin + int(np.searchsorted(products.price_micro[begin:end], limit, "right"))
    low, high = wishes.low[:, row], wishes.high[:, row]
    near = np.ones(end - begin, dtype=bool)
    for dimension in (2, 0, 1):
        near &= products.low[dimension, begin:end] < high[dimension]
        near &= products.high[dimension, begin:end] > low[dimension]
    near &= products.resolution_s[begin:end] <= wishes.resolution_s[row]
    near &= products.age_s[begin:end] <= wishes.age_s[row]
    near &= products.group[begin:end] >= wishes.group[row]
    near &= products.owner[begin:end] != wishes.owner[row]
    candidates = products.take(begin + np.flatnonzero(near))
    wish_id = int(wishes.id[row])
    if not len(candidates.id):
        return Found(wish_id, (), 0, None, None)
    starts = candidates.low <= low[:, None]
    reaches = candidates.high >= high[:, None]
    spans = starts & reaches
    singles = np.flatnonzero(spans.all(axis=0))
    best = int(candidates.price_micro[singles[0]]) if len(singles) else limit + 1
    pair = _cheapest_pair(candidates, starts, reaches, spans, below=best)
    part = None
    if not len(singles) and pair is None:
        part = _largest_part(candidates, low, high)
    shown = tuple(int(id_) for id_ in candidates.id[singles[:SINGLES_SHOWN]])
    return Found(wish_id, shown, len(singles), pair, part)


def _cheapest_pair(
    candidates: Side,
    starts: NDArray[np.bool_],
    reaches: NDArray[np.bool_],
    spans: NDArray[np.bool_],
    *,
    below: int,
) -> Pair | None:
    """Return the cheapest two that cover together below a price; of equals the lowest ids."""
    found: list[tuple[int, int, int]] = []
    for dimension in range(3):
        others = spans[(dimension + 1) % 3] & spans[(dimension + 2) % 3] & ~spans[dimension]
        heads = np.flatnonzero(others & starts[dimension])
        tails = np.flatnonzero(others & reaches[dimension])
        if not len(heads) or not len(tails):
            continue
        tails = tails[np.argsort(candidates.low[dimension, tails], kind="stable")]
        cheapest = np.minimum.accumulate(candidates.price_micro[tails])
        met = np.searchsorted(
            candidates.low[dimension, tails], candidates.high[dimension, heads], "right"
        )
        sums = np.where(
            met > 0, candidates.price_micro[heads] + cheapest[np.maximum(met - 1, 0)], _FAR
        )
        least = int(sums.min())
        if least >= below:
            continue
        for index in np.flatnonzero(sums == least):
            there = tails[: met[index]]
            equal = there[candidates.price_micro[there] == cheapest[met[index] - 1]]
            ids = sorted((int(candidates.id[heads[index]]), int(candidates.id[equal].min())))
            found.append((least, ids[0], ids[1]))
    if not found:
        return None
    price, first, second = min(found)
    return Pair(first, second, price)


def _largest_part(candidates: Side, low: Int64Array, high: Int64Array) -> Part:
    """Return what covers most of a wish; of equals the cheapest, then the lowest id."""
    inner_low = np.maximum(candidates.low, low[:, None])
    inner_high = np.minimum(candidates.high, high[:, None])
    share = ((inner_high - inner_low) / (high - low)[:, None]).prod(axis=0)
    best = int(share.argmax())
    wish = _box(low, high)
    product = _box(candidates.low[:, best], candidates.high[:, best])
    missing = uncovered(wish, product)
    return Part(
        int(candidates.id[best]),
        int(candidates.price_micro[best]),
        PPM - sum(map(_volume, missing)) * PPM // _volume(wish),
        missing,
    )


def _box(low: Int64Array, high: Int64Array) -> Box:
    edges: Sequence[tuple[int, int]] = [(int(a), int(b)) for a, b in zip(low, high, strict=True)]
    return edges[0], edges[1], edges[2]


def _volume(box: Box) -> int:
    (west, east), (south, north), (first, last) = box
    return (east - west) * (north - south) * (last - first)

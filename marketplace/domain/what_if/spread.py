"""How a change is spread over members, in groups that are too large to tell anybody by."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from marketplace.domain.clearing import Int64Array

GROUPS: Final = 10
# Means are written to a hundredth of the currency: nobody's cent can be worked out of them.
_STEP_MICRO: Final = 10_000


@dataclass(frozen=True)
class Spread:
    """Members by what they would have gained; None where a group would have been too small.

    Attributes
    ----------
    gaining, losing, same : int or None
        How many members; all three are None where one of them is fewer than the minimum, but 0.
    group_size : int
        Members in the smallest of the groups.
    means_micro : tuple of int or None
        Mean change of each group, from those who lose most to those who gain most. [micro]
    """

    member_count: int
    minimum: int
    gaining: int | None
    losing: int | None
    same: int | None
    group_size: int
    means_micro: tuple[int, ...] | None

    def document(self) -> dict[str, Any]:
        """Return what `read` reads."""
        return {**self.__dict__, "means_micro": self.means_micro and list(self.means_micro)}

    @classmethod
    def read(cls, document: dict[str, Any]) -> "Spread":
        """Return a spread that was stored."""
        means = document["means_micro"]
        return cls(**{**document, "means_micro": None if means is None else tuple(means)})


def spread_of(actual: Int64Array, changed: Int64Array, *, minimum: int) -> Spread:
    """Spread what members would have received more, or paid less, over groups of equal size.

    Parameters
    ----------
    actual, changed : ndarray of int64, shape (n,)
        Received less paid, member by member. [micro]
    minimum : int
        Smallest group that may be shown.
    """
    gains = np.sort(changed - actual)
    counts = [int((gains > 0).sum()), int((gains < 0).sum()), int((gains == 0).sum())]
    shown = all(count == 0 or count >= minimum for count in counts) and len(gains) >= minimum
    gaining, losing, same = counts if shown else (None, None, None)
    groups = min(GROUPS, len(gains) // max(1, minimum))
    means = None
    if groups:
        parts = np.array_split(gains, groups)
        means = tuple(_mean(part) for part in parts)
    return Spread(
        member_count=len(gains),
        minimum=minimum,
        gaining=gaining,
        losing=losing,
        same=same,
        group_size=len(gains) // groups if groups else 0,
        means_micro=means,
    )


def _mean(part: Int64Array) -> int:
    """Return the mean to the nearest step, halves away from zero."""
    total, count = int(part.sum()), len(part) * _STEP_MICRO
    steps = (2 * abs(total) + count) // (2 * count)
    return steps * _STEP_MICRO * (1 if total >= 0 else -1)

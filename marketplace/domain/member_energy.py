"""What one metering point's trades and readings come to: with neighbours, and with the grid."""

from dataclasses import dataclass
from typing import Self

from marketplace.domain.market_part import Deviation


@dataclass(frozen=True)
class Traded:
    """What a metering point has traded on one side of one interval. [Wh]

    Attributes
    ----------
    agreed : int
        By agreements: withdrawn from the reading before anything else.
    pool : int
        In the pool, or ahead of delivery.
    delivered : int
        Of the pool: what both sides kept; the same as ``pool`` unless it was traded ahead.
    """

    agreed: int = 0
    pool: int = 0
    delivered: int = 0

    def with_grid(self, metered_wh: int, deviation: Deviation | None) -> int:
        """Return what is left of a reading for the grid. [Wh]

        Parameters
        ----------
        deviation : str or None
            Rule for what was traded ahead and not kept; None: nothing was traded ahead. By ``own``
            a trade counts as far as both sides kept it, by the others as far as this one did.
        """
        left = metered_wh - self.agreed
        if deviation is None:
            return left - self.pool
        return left - (self.delivered if deviation == "own" else min(left, self.pool))

    def paid(self, deviation: Deviation | None) -> int:
        """Return what was traded with neighbours, as it is paid. [Wh]"""
        return self.agreed + (self.delivered if deviation == "own" else self.pool)

    def __add__(self, other: Self) -> "Traded":
        """Add what else was traded."""
        return Traded(
            self.agreed + other.agreed, self.pool + other.pool, self.delivered + other.delivered
        )

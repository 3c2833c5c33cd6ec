"""Mean tariffs beside the mean price: each weighted by the energy that was traded at a price."""

from collections.abc import Iterable
from dataclasses import dataclass

from analytics.domain.figures import EnergyBucket


@dataclass(frozen=True, slots=True)
class Means:
    """Means over the same energy; None where none was traded. [micro/kWh]"""

    price: int | None
    retail: int | None
    feed_in: int | None

    @property
    def to_retail(self) -> int | None:
        """How far below retail the price lay; what buyers and their fees had between them."""
        return None if self.price is None or self.retail is None else self.retail - self.price

    @property
    def to_feed_in(self) -> int | None:
        """How far above the feed-in tariff the price lay."""
        return None if self.price is None or self.feed_in is None else self.price - self.feed_in


def means_of(buckets: Iterable[EnergyBucket]) -> Means:
    """Return price and tariffs over buckets, weighted by what was bought at a price."""
    weight = price = retail = feed_in = 0
    for each in buckets:
        own = each.energies.priced_wh
        weight += own
        price += each.energies.priced_micro
        retail += own * each.retail_micro_per_kwh
        feed_in += own * each.feed_in_micro_per_kwh
    if not weight:
        return Means(None, None, None)
    # ``priced_micro`` is money: energy times price over a thousand.
    return Means(price * 1000 // weight, retail // weight, feed_in // weight)

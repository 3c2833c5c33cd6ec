"""What a rule set says of one interval: its tariffs, grid fees and how its pool is priced."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

import numpy as np

from marketplace.domain.clearing import Int64Array
from marketplace.domain.market_rules import ForwardRules, MarketRules
from marketplace.domain.rules import BandPrices, Rules
from marketplace.domain.tariffs import CivilMoment
from marketplace.domain.zones.network import Link


@dataclass(frozen=True)
class IntervalRules:
    """A rule set of form 2 at the start of an interval. [micro/kWh]

    Attributes
    ----------
    greatest_fee : int
        The dearest local grid fee of all zones and levels, G in docs/market.md.
    """

    prices: BandPrices
    pricing: str
    market: MarketRules
    moment: CivilMoment
    greatest_fee: int

    @classmethod
    def of(cls, rules: Rules, starts_at: datetime) -> Self:
        """Return what a rule set says of the interval that starts then."""
        moment = rules.moment_of(starts_at)
        return cls(
            prices=rules.prices_at(starts_at),
            pricing=rules.pricing,
            market=rules.market,
            moment=moment,
            greatest_fee=rules.market.greatest_local_fee(moment),
        )

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones, in the order of the rule set."""
        return self.market.zones

    @property
    def links(self) -> tuple[Link, ...]:
        """The links, in the order of the rule set."""
        return self.market.links

    @property
    def forward(self) -> ForwardRules | None:
        """What holds for orders before delivery; None where the pool is cleared from readings."""
        return self.market.forward

    @property
    def ceiling(self) -> int:
        """What a buyer with the dearest grid fee saves up to, K in docs/market.md."""
        prices = self.prices
        return prices.retail_micro_per_kwh - prices.platform_fee_micro_per_kwh - self.greatest_fee

    @property
    def middle(self) -> int:
        """The middle between what the grid pays and what neighbours save, M in docs/market.md."""
        return (self.prices.feed_in_micro_per_kwh + self.ceiling) // 2

    def fee(self, from_zone: str, to_zone: str, level: str) -> int:
        """Return the grid fee on energy for a buyer at a voltage level."""
        return self.market.grid_fees.fee(
            from_zone=from_zone, to_zone=to_zone, level=level, moment=self.moment
        )

    def local_fees(
        self, zone_of: Int64Array, levels: tuple[str, ...], level_of: Int64Array
    ) -> Int64Array:
        """Return each position's fee on energy from its own zone; indices say where it is."""
        table = np.array(
            [[self.fee(zone, zone, level) for level in levels] for zone in self.zones],
            dtype=np.int64,
        ).reshape(len(self.zones), len(levels))
        fees: Int64Array = table[zone_of, level_of]
        return fees

    def zone_index(self, zone: str) -> int:
        """Return a zone's index; one that the rule set does not name counts as the first."""
        return self.zones.index(zone) if zone in self.zones else 0

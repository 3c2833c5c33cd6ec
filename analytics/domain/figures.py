"""Figures over a scope and a time: the value types that every page, file and API shows.

A scope is written ``community:3``, ``zone:7`` or ``member:12``. A figure is found again by its
scope, its half-open time and its name, which is how a test compares all pages with the ledger.
"""

from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Basis:
    """What figures were made from, for the line that every chart and table carries."""

    as_of: datetime | None
    interval_count: int
    settled_count: int
    final_count: int
    missing_count: int
    rule_set_ids: tuple[int, ...]
    seeded_count: int = 0  # days of a synthetic city's past, of which nothing was ever measured

    @property
    def is_complete(self) -> bool:
        """Whether every interval of the time is settled."""
        return self.settled_count == self.interval_count

    @property
    def is_final(self) -> bool:
        """Whether nothing of it can be corrected any more."""
        return self.final_count == self.interval_count


@dataclass(frozen=True, slots=True)
class Energies:
    """Energies of a community, a zone or a member over a time. [Wh]

    Attributes
    ----------
    meters_min : int
        Fewest meters in any of the intervals; what the minimum group size is compared with.
    priced_wh, priced_micro : int
        Energy bought in the pool, agreements aside, and what it costs without fees. [Wh], [micro]
    """

    of: str
    start: datetime
    end: datetime
    interval_count: int
    meters_min: int
    import_wh: int
    export_wh: int
    bought_wh: int
    sold_wh: int
    grid_import_wh: int
    grid_export_wh: int
    priced_wh: int
    priced_micro: int

    @property
    def self_sufficiency(self) -> float | None:
        """Share of the import that neighbours delivered; None without import."""
        return self.bought_wh / self.import_wh if self.import_wh else None

    @property
    def self_consumption(self) -> float | None:
        """Share of the export that neighbours took; None without export."""
        return self.sold_wh / self.export_wh if self.export_wh else None

    @property
    def price_micro_per_kwh(self) -> int | None:
        """Mean clearing price, weighted by what was bought, to the nearest; None without any."""
        return round(Fraction(self.priced_micro * 1000, self.priced_wh)) if self.priced_wh else None


@dataclass(frozen=True, slots=True)
class MemberTotals:
    """A member over a time: energies and the money of their transfers. [Wh], [micro]

    Money is positive when it came in; names are those of ``marketplace.queries.statements``.
    """

    of: str
    start: datetime
    end: datetime
    interval_count: int
    import_wh: int
    export_wh: int
    bought_wh: int
    sold_wh: int
    grid_import_wh: int
    grid_export_wh: int
    pool_sale_micro: int
    grid_sale_micro: int
    pool_purchase_micro: int
    grid_purchase_micro: int
    other_micro: int
    alone_micro: int
    # Parts of the above, for a bill that can be followed step by step.
    platform_fee_micro: int = 0
    agreed_micro: int = 0
    grid_fee_micro: int = 0
    alone_sale_micro: int = 0
    agreed_sold_alone_micro: int = 0
    agreed_bought_alone_micro: int = 0

    @property
    def earned_micro(self) -> int:
        """Received for surplus."""
        return self.pool_sale_micro + self.grid_sale_micro

    @property
    def paid_micro(self) -> int:
        """Paid for energy."""
        return -(self.pool_purchase_micro + self.grid_purchase_micro)

    @property
    def net_micro(self) -> int:
        """What was received less what was paid."""
        return self.earned_micro - self.paid_micro + self.other_micro

    @property
    def saved_micro(self) -> int:
        """What it was better by than with the grid alone."""
        return self.net_micro - self.alone_micro


@dataclass(frozen=True, slots=True)
class EnergyBucket:
    """Energies of one hour (``at``) or civil day (``day``) of a series, with tariffs beside it."""

    at: datetime
    day: date
    energies: Energies
    retail_micro_per_kwh: int
    feed_in_micro_per_kwh: int


@dataclass(frozen=True, slots=True)
class Flow:
    """Energy from a group in a zone to a group in a zone; the grid is zone 0. [Wh], [micro]"""

    from_zone_id: int
    from_group: str
    to_zone_id: int
    to_group: str
    wh: int
    value_micro: int
    from_count: int
    to_count: int


@dataclass(frozen=True, slots=True)
class LinkTotals:
    """A link between two zones over a time. [Wh], [micro]

    ``limit_wh`` is None where some interval had no limit, or none is known.
    """

    of: str
    start: datetime
    end: datetime
    from_zone_id: int
    to_zone_id: int
    sent_wh: int
    received_wh: int
    limit_wh: int | None
    congested_minutes: int
    rent_micro: int

    @property
    def lost_wh(self) -> int:
        """What was lost on the way."""
        return self.sent_wh - self.received_wh


@dataclass(frozen=True, slots=True)
class Peak:
    """Highest mean power drawn from the grid in any interval, with the market and without. [W]

    Days are civil days; the earliest where several had the same.
    """

    of: str
    start: datetime
    end: datetime
    import_w: int
    import_day: date
    alone_w: int
    alone_day: date

    @property
    def change_w(self) -> int:
        """What the market made of the peak; below zero where it is lower."""
        return self.import_w - self.alone_w


@dataclass(frozen=True, slots=True)
class MarketHealth:
    """A community's market over a time; ratios are None where there is nothing to divide."""

    of: str
    start: datetime
    end: datetime
    interval_count: int
    offered_wh: int
    wanted_wh: int
    traded_wh: int
    agreed_wh: int
    value_micro: int
    lost_wh: int
    rent_micro: int
    congested_minutes: int
    missing_count: int
    left_out_count: int
    seller_hhi: int | None
    buyer_hhi: int | None
    sellers_mean: float | None
    buyers_mean: float | None

    @property
    def unmatched_wh(self) -> int:
        """Demand that the market did not cover."""
        return self.wanted_wh - self.traded_wh


@dataclass(frozen=True, slots=True)
class SavingsSpread:
    """How savings of a month are spread over a group of members; see ``SavingsMonth``."""

    month: date
    group: str
    member_count: int
    trading_count: int
    gaining_count: int
    saved_micro: int
    alone_micro: int
    deciles_ppm: tuple[int, ...]
    gini_ppm: int | None

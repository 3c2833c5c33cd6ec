"""What earlier blocks left behind of the market: agreements, auctions, and what was held.

References
----------
docs/market.md, "What a validator checks besides".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from validator.agreement_text import Agreement
from validator.auction_book import AuctionBook


@dataclass(frozen=True, slots=True)
class KeptAuction:
    """The auction of an interval, the rules it was held under, and its rows."""

    book: AuctionBook
    rules: str
    rows: list[bytes]


class Margin(NamedTuple):
    """What of a command's holds no order has needed yet, and when its block was closed."""

    left: int
    time: int


class MarketArchive(Protocol):
    """Agreements, auctions and margins of earlier blocks."""

    @property
    def is_whole(self) -> bool:
        """Tell whether every agreement and hold since the first leaf was followed."""

    def agreement(self, number: int) -> Agreement | None:
        """Return an agreement."""

    def in_force(self, at: int) -> dict[int, Agreement]:
        """Return the agreements that are valid at a time and have not ended by then."""

    def auction(self, interval: int) -> KeptAuction | None:
        """Return the auction of an interval."""

    def margin(self, key: str) -> Margin | None:
        """Return what is left of the holds that a command booked as margins."""


@dataclass(slots=True)
class MarketFresh:
    """What a block adds; ``ends`` goes from an agreement's number to when its end was issued."""

    agreements: dict[int, Agreement] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)
    auctions: dict[int, KeptAuction] = field(default_factory=dict)
    margins: dict[str, Margin] = field(default_factory=dict)

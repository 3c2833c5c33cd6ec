"""What the checks of intervals ask about earlier blocks, and what a block adds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from validator.interval_book import Book
from validator.market_archive import MarketArchive, MarketFresh
from validator.terms_checks import TermsArchive, TermsFresh


@dataclass(frozen=True, slots=True)
class Kept:
    """The last book of an interval, and the hash of the command that is to settle it.

    ``base`` is the last revision that was cleared, where this one of form 2 amends it.
    """

    book: Book
    rows: list[bytes]
    rules: str
    settlement: bytes
    is_settled: bool = False
    base: Kept | None = None


class IntervalArchive(Protocol):
    """Rule sets, last books, signed terms and the market of earlier blocks."""

    @property
    def terms(self) -> TermsArchive:
        """Return the signed terms."""

    @property
    def market(self) -> MarketArchive:
        """Return agreements, auctions and margins."""

    def rule_set(self, digest: str) -> bytes | None:
        """Return the bytes of a rule set that a document stands for."""

    def last_book(self, interval: int) -> Kept | None:
        """Return the last book of an interval."""

    def document(self, key: str) -> bool:
        """Tell whether a document was logged under this key."""

    def overlaps(self, community: int, interval: int, starts: int, ends: int) -> bool:
        """Tell whether a community has another interval at that time."""


@dataclass(slots=True)
class IntervalsFresh:
    """What a block adds."""

    rule_sets: dict[str, bytes] = field(default_factory=dict)
    books: dict[int, Kept] = field(default_factory=dict)
    settled: dict[int, int] = field(default_factory=dict)
    terms: TermsFresh = field(default_factory=TermsFresh)
    market: MarketFresh = field(default_factory=MarketFresh)

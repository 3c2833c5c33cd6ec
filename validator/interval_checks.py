"""What the documents of intervals say, recomputed: rule sets, books, and the money of books.

References
----------
docs/rules.md, "What a validator checks, and its objections"; docs/market.md, "What a validator
checks besides".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

from validator.agreement_checks import AgreementCheck, is_of_agreement
from validator.auction_book import AuctionBook, fills_of, read_auction
from validator.auction_checks import (
    margins_of,
    note_margin,
    require_auction_prices,
    require_margins,
    require_one_place,
    require_outcome,
)
from validator.block import Block
from validator.bodies import DocumentBody, Transfers
from validator.book_checks import prices_of, require_prices, require_uniform_pool
from validator.checks import Objected
from validator.commitments import rows_root
from validator.errors import BadNote, Malformed
from validator.interval_archive import IntervalArchive, IntervalsFresh, Kept
from validator.interval_book import AFTER_DEADLINE, Book, Header, read_book
from validator.interval_money import Entry, digest_of, entries_of, settlement_of
from validator.interval_revisions import require_succession
from validator.interval_rules import RuleSet, read_rule_set
from validator.market_archive import KeptAuction
from validator.market_book import read_market_book
from validator.market_checks import drawn_by, require_auction_named, require_market_pool
from validator.market_money import market_entries
from validator.market_rules import STATIC
from validator.merkle import HASH_BYTES
from validator.notes import from_base64
from validator.terms_checks import TermsCheck, is_of_terms

RULES_KIND, BOOK_KIND = "rules", "interval"
_BOOK_KEY = re.compile(r"book:(0|[1-9][0-9]{0,18}):([1-9][0-9]{0,18})")
_AUCTION_KEY = re.compile(r"auction:(0|[1-9][0-9]{0,18})")
_SETTLEMENT_KEY = re.compile(r"settle:(0|[1-9][0-9]{0,18}):([1-9][0-9]{0,18})")
# The difference to a revision that was pruned before this validator began.
UNKNOWN = b"?"
_CODES = frozenset((*range(1, 10), *range(11, 16)))
_PREFIXES = ("rules:", "book:", "auction:")


def documents_needed(block: Block, archive: IntervalArchive) -> list[str]:
    """Return the keys of the documents whose content is to be read before the check."""
    needed = []
    for _, key, body in block.documents():
        is_of_interval = body.kind in (RULES_KIND, BOOK_KIND) or key.startswith(_PREFIXES)
        if is_of_interval or is_of_terms(key, body) or is_of_agreement(key, body):
            needed.append(key)
        # Rules that were logged in a period which was pruned: their hash names them for ever.
        rules = f"rules:{body.public.get('rules')}"
        is_unread = archive.rule_set(rules.removeprefix("rules:")) is None
        if body.kind == BOOK_KIND and is_unread and archive.document(rules):
            needed.append(rules)
    return needed


def check_intervals(
    block: Block, documents: Mapping[str, bytes], archive: IntervalArchive
) -> IntervalsFresh:
    """Recompute every rule set, book and settlement of a block, and check what was signed.

    Parameters
    ----------
    block : Block
        A block that was re-executed.
    documents : mapping
        What its documents stand for, by key.
    archive : IntervalArchive
        What earlier blocks left behind.

    Raises
    ------
    Objected
        At the first leaf that does not follow.
    """
    check = _Check(documents, archive, block.closing.time)
    for item in block.items:
        index, opening = block.first + item.at, item.opening
        if isinstance(opening.body, DocumentBody):
            check.document(index, opening.key, opening.body)
        elif isinstance(opening.body, Transfers) and opening.answer == "booked":
            check.booking(index, opening.key, opening.body)
    return check.fresh


class _Check:
    def __init__(self, documents: Mapping[str, bytes], archive: IntervalArchive, time: int) -> None:
        self._terms = TermsCheck(documents, archive.terms)
        self.fresh = IntervalsFresh(terms=self._terms.fresh)
        self._agreements = AgreementCheck(documents, archive.market, self._terms, self.fresh.market)
        self._documents = documents
        self._archive = archive
        self._time = time

    def document(self, index: int, key: str, body: DocumentBody) -> None:
        if body.kind == RULES_KIND or key.startswith("rules:"):
            self._rule_set(index, key, body)
        elif key.startswith("auction:"):
            self._auction(index, key, body)
        elif body.kind == BOOK_KIND or key.startswith("book:"):
            self._book(index, key, body)
        elif is_of_agreement(key, body):
            self._agreements.document(index, key, body)
        else:
            self._terms.document(index, key, body)

    def booking(self, index: int, key: str, body: Transfers) -> None:
        match = _SETTLEMENT_KEY.fullmatch(key)
        if match is None:
            if not _CODES.isdisjoint(body.code):
                raise Objected(index, "code", "a transfer has a settlement's code and no book")
            note_margin(key, body, self._time, self.fresh.market)
            return
        interval, revision = map(int, match.groups())
        kept = self._last_book(interval)
        if kept is None and self._archive.document(f"book:{interval}:{revision}"):
            return  # The book was pruned before this validator began: others have seen it.
        if kept is None or kept.book.header.revision != revision:
            raise Objected(index, "settlement", "it settles a book that is not the last")
        if kept.settlement != UNKNOWN and (
            not kept.settlement or digest_of(body) != kept.settlement
        ):
            raise Objected(index, "settlement", "its transfers are not those of the book")
        self.fresh.settled[interval] = revision

    def _rule_set(self, index: int, key: str, body: DocumentBody) -> None:
        digest = body.public.get("sha256", "")
        if (
            body.kind != RULES_KIND
            or key != f"rules:{digest}"
            or body.public.keys() != {"sha256"}
            or body.private
        ):
            raise Objected(index, "rule_set", "the document of a rule set has other fields")
        data = self._documents[key]
        if sha256(data).hexdigest() != digest:
            raise Objected(index, "rule_set", "the rule set does not hash to its name")
        try:
            read_rule_set(data)
        except Malformed as error:
            raise Objected(index, "rule_set", str(error)) from error
        self.fresh.rule_sets[digest] = data

    def _book(self, index: int, key: str, body: DocumentBody) -> None:
        match = _BOOK_KEY.fullmatch(key)
        rules, rows = self._opened(index, key, body, is_named=match is not None)
        book = _read(index, rows, rules)
        header, digest = book.header, body.public["rules"]
        if match is None or (header.interval, header.revision) != tuple(map(int, match.groups())):
            raise Objected(index, "book", "the header is that of another book")
        self._require_sound(index, book)
        auction = self._auction_of(index, book, rules, digest)
        last = self._last_book(header.interval)
        before_key = f"book:{header.interval}:{header.revision - 1}"
        is_blind = last is None and self._archive.document(before_key)
        if not is_blind:
            is_pruned = header.auction is not None and auction is None
            fills = None if is_pruned else fills_of(auction.book.orders if auction else ())
            require_succession(index, book, last, digest, fills)
        require_prices(index, book, rules)
        if header.reason != AFTER_DEADLINE:
            self._require_cleared(index, book, rules, auction)
        if last is not None and last.settlement and not self._is_settled(last):
            raise Objected(index, "settlement_missing", "the revision before is not settled")
        base = None
        if header.reason == AFTER_DEADLINE and last is not None and rules.market is not None:
            base = last.base or last
        kept = Kept(book, rows, digest, UNKNOWN, base=base)
        if not is_blind:
            kept = replace(kept, settlement=self._settlement(kept, last, rules, auction))
        self.fresh.books[header.interval] = kept
        self.fresh.settled.pop(header.interval, None)

    def _require_cleared(
        self, index: int, book: Book, rules: RuleSet, auction: KeptAuction | None
    ) -> None:
        """Check all that follows from readings, agreements, orders and terms."""
        starts = book.header.starts
        if rules.market is None:
            require_uniform_pool(index, book)
        else:
            require_market_pool(
                index,
                book,
                rules,
                self._agreements.in_force(starts),
                auction,
                is_whole=self._archive.market.is_whole,
            )
        self._terms.require_limits(index, book, drawn_by(rules, starts))

    def _settlement(
        self, kept: Kept, last: Kept | None, rules: RuleSet, auction: KeptAuction | None
    ) -> bytes:
        """Return the hash of the command that settles a book, if it can be known."""
        held = None if auction is None else auction.book
        now = _entries(kept, rules, held)
        before = None if last is None else _entries(last, rules, held)
        if now is None or (last is not None and before is None):
            return UNKNOWN
        return settlement_of(kept.book.header, now, before, rules=kept.rules)

    def _auction(self, index: int, key: str, body: DocumentBody) -> None:
        match = _AUCTION_KEY.fullmatch(key)
        rules, rows = self._opened(index, key, body, is_named=match is not None)
        auction = _read_auction(index, rows, rules)
        market = rules.market
        if match is None or auction.interval != int(match.group(1)):
            raise Objected(index, "book", "the header is that of another auction")
        if market is None or market.forward is None:
            raise Objected(index, "book", "the rules know no auction before delivery")
        if self._last_book(auction.interval) is not None:
            raise Objected(index, "book", "the auction comes after a book of its interval")
        require_one_place(index, auction)
        self._require_alone(
            index, auction.community, auction.interval, auction.starts, auction.ends
        )
        prices = prices_of(index, rules, auction.starts)
        require_auction_prices(index, auction, rules, market, market.forward)
        fresh = self.fresh.market
        margins = margins_of(auction, prices, market.forward)
        require_margins(index, auction.closes, margins, self._archive.market, fresh)
        require_outcome(index, auction, market)
        fresh.auctions[auction.interval] = KeptAuction(auction, body.public["rules"], rows)

    def _opened(
        self, index: int, key: str, body: DocumentBody, *, is_named: bool
    ) -> tuple[RuleSet, list[bytes]]:
        """Return the rules that a table names and its rows, which hash to what it says."""
        if (
            not is_named
            or body.kind != BOOK_KIND
            or body.public.keys() != {"rows", "rules"}
            or body.private.keys() != {"seed"}
        ):
            raise Objected(index, "rows", "the document of a book has other fields")
        rules = self._rules_named(index, body.public["rules"])
        rows = self._documents[key].removesuffix(b"\n").split(b"\n")
        try:
            seed = from_base64(body.private["seed"])
        except BadNote as error:
            raise Objected(index, "rows", str(error)) from error
        if len(seed) != HASH_BYTES or rows_root(rows, seed) != body.public["rows"].encode():
            raise Objected(index, "rows", "the rows do not hash to what the document says")
        return rules, rows

    def _auction_of(
        self, index: int, book: Book, rules: RuleSet, digest: str
    ) -> KeptAuction | None:
        """Return the auction that a book follows; None also where it was pruned."""
        interval, market = book.header.interval, rules.market
        if market is None:
            return None
        auction = None
        if market.forward is not None:
            auction = self.fresh.market.auctions.get(interval)
            auction = auction or self._archive.market.auction(interval)
            if auction is None and not self._archive.document(f"auction:{interval}"):
                raise Objected(index, "book", "no auction of the interval was logged before")
        require_auction_named(index, book, market, auction, digest)
        return auction

    def _rules_named(self, index: int, digest: str) -> RuleSet:
        data = self.fresh.rule_sets.get(digest) or self._archive.rule_set(digest)
        key = f"rules:{digest}"
        if data is None and self._archive.document(key):
            data = self._documents[key]
            if sha256(data).hexdigest() != digest:
                raise Objected(index, "rule_set", "the rule set does not hash to its name")
            self.fresh.rule_sets[digest] = data
        if data is None:
            raise Objected(index, "rule_set", "no document before stands for the rules named")
        return read_rule_set(data)

    def _last_book(self, interval: int) -> Kept | None:
        return self.fresh.books.get(interval) or self._archive.last_book(interval)

    def _is_settled(self, kept: Kept) -> bool:
        header = kept.book.header
        return kept.is_settled or self.fresh.settled.get(header.interval) == header.revision

    def _require_sound(self, index: int, book: Book) -> None:
        header = book.header
        meters = {one.meter for one in book.positions}
        if len(meters) != len(book.positions):
            raise Objected(index, "book", "a metering point has two rows")
        if not meters.isdisjoint(book.missing):
            raise Objected(index, "book", "a metering point is missing and has a row")
        if not meters.issuperset(book.left_out):
            raise Objected(index, "book", "a metering point is left out and has no row")
        self._require_alone(index, header.community, header.interval, header.starts, header.ends)

    def _require_alone(
        self, index: int, community: int, interval: int, starts: int, ends: int
    ) -> None:
        """Check that no other interval of a community has this time."""
        others: list[Header | AuctionBook] = [
            *(one.book.header for one in self.fresh.books.values()),
            *(one.book for one in self.fresh.market.auctions.values()),
        ]
        if any(
            one.community == community
            and one.interval != interval
            and one.starts < ends
            and starts < one.ends
            for one in others
        ) or self._archive.overlaps(community, interval, starts, ends):
            raise Objected(index, "book", "two intervals of a community overlap")


def _read(index: int, rows: Sequence[bytes], rules: RuleSet) -> Book:
    try:
        if rules.market is None:
            return read_book(rows)
        book = read_market_book(rows)
        if rules.market.pricing != STATIC and any(one.weight for one in book.positions):
            raise Malformed("a position has a weight that nothing is shared by")
        return book
    except Malformed as error:
        raise Objected(index, "rows", str(error)) from error


def _read_auction(index: int, rows: Sequence[bytes], rules: RuleSet) -> AuctionBook:
    try:
        auction = read_auction(rows)
        if any(not rules.price_min <= one.limit <= rules.price_max for one in auction.orders):
            raise Malformed("a limit is out of the rule set's bounds")
        return auction
    except Malformed as error:
        raise Objected(index, "rows", str(error)) from error


def _entries(kept: Kept, rules: RuleSet, auction: AuctionBook | None) -> list[Entry] | None:
    """Return the entries of a book, or None where something of them was pruned."""
    book, market = kept.book, rules.market
    if market is None:
        return entries_of(book)
    base = (kept.base or kept).book
    if base.header.reason == AFTER_DEADLINE or (market.forward and auction is None):
        return None
    return market_entries(book, base, rules, market, auction)

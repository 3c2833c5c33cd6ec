"""What the documents of intervals say, recomputed: rule sets, books, and the money of books.

References
----------
docs/rules.md, "What a validator checks, and its objections".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol

from validator.block import Block
from validator.bodies import DocumentBody, Transfers
from validator.checks import Objected
from validator.commitments import rows_root
from validator.errors import BadNote, Malformed
from validator.interval_auction import Order, clear
from validator.interval_book import (
    AFTER_DEADLINE,
    CORRECTION,
    DEADLINE,
    READINGS,
    Book,
    Position,
    read_book,
)
from validator.interval_money import digest_of, settlement_of
from validator.interval_rules import RuleSet, read_rule_set
from validator.merkle import HASH_BYTES
from validator.notes import from_base64
from validator.terms_checks import TermsArchive, TermsCheck, TermsFresh, is_of_terms

RULES_KIND, BOOK_KIND = "rules", "interval"
MICROSECONDS_PER_MINUTE = 60_000_000
_BOOK_KEY = re.compile(r"book:(0|[1-9][0-9]{0,18}):([1-9][0-9]{0,18})")
_SETTLEMENT_KEY = re.compile(r"settle:(0|[1-9][0-9]{0,18}):([1-9][0-9]{0,18})")
# The difference to a revision that was pruned before this validator began.
UNKNOWN = b"?"
_CODES = frozenset(range(1, 7))


@dataclass(frozen=True, slots=True)
class Kept:
    """The last book of an interval, and the hash of the command that is to settle it."""

    book: Book
    rows: list[bytes]
    rules: str
    settlement: bytes
    is_settled: bool = False


class IntervalArchive(Protocol):
    """Rule sets, last books and signed terms of earlier blocks."""

    @property
    def terms(self) -> TermsArchive:
        """Return the signed terms."""

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


def documents_needed(block: Block, archive: IntervalArchive) -> list[str]:
    """Return the keys of the documents whose content is to be read before the check."""
    needed = []
    for _, key, body in block.documents():
        is_of_book = body.kind in (RULES_KIND, BOOK_KIND) or key.startswith(("rules:", "book:"))
        if is_of_book or is_of_terms(key, body):
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
    check = _Check(documents, archive)
    for item in block.items:
        index, opening = block.first + item.at, item.opening
        if isinstance(opening.body, DocumentBody):
            check.document(index, opening.key, opening.body)
        elif isinstance(opening.body, Transfers) and opening.answer == "booked":
            check.booking(index, opening.key, opening.body)
    return check.fresh


class _Check:
    def __init__(self, documents: Mapping[str, bytes], archive: IntervalArchive) -> None:
        self._terms = TermsCheck(documents, archive.terms)
        self.fresh = IntervalsFresh(terms=self._terms.fresh)
        self._documents = documents
        self._archive = archive

    def document(self, index: int, key: str, body: DocumentBody) -> None:
        if body.kind == RULES_KIND or key.startswith("rules:"):
            self._rule_set(index, key, body)
        elif body.kind == BOOK_KIND or key.startswith("book:"):
            self._book(index, key, body)
        else:
            self._terms.document(index, key, body)

    def booking(self, index: int, key: str, body: Transfers) -> None:
        match = _SETTLEMENT_KEY.fullmatch(key)
        if match is None:
            if not _CODES.isdisjoint(body.code):
                raise Objected(index, "code", "a transfer has a settlement's code and no book")
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
        if (
            match is None
            or body.kind != BOOK_KIND
            or body.public.keys() != {"rows", "rules"}
            or body.private.keys() != {"seed"}
        ):
            raise Objected(index, "rows", "the document of a book has other fields")
        rules = self._rules_named(index, body.public["rules"])
        rows = self._documents[key].removesuffix(b"\n").split(b"\n")
        book = _read(index, rows, body)
        header = book.header
        if (header.interval, header.revision) != tuple(map(int, match.groups())):
            raise Objected(index, "book", "the header is that of another book")
        self._require_sound(index, book)
        last = self._last_book(header.interval)
        before_key = f"book:{header.interval}:{header.revision - 1}"
        is_blind = last is None and self._archive.document(before_key)
        if not is_blind:
            _require_succession(index, book, last, body.public["rules"])
        _require_prices(index, book, rules)
        if header.reason != AFTER_DEADLINE:
            _require_orders(index, book)
            _require_auction(index, book)
            self._terms.require_limits(index, book)
        if last is not None and last.settlement and not self._is_settled(last):
            raise Objected(index, "settlement_missing", "the revision before is not settled")
        before = None if last is None else last.book
        digest = UNKNOWN if is_blind else settlement_of(book, before, rules=body.public["rules"])
        self.fresh.books[header.interval] = Kept(book, rows, body.public["rules"], digest)
        self.fresh.settled.pop(header.interval, None)

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
        others = (one.book.header for one in self.fresh.books.values())
        if any(
            one.community == header.community
            and one.interval != header.interval
            and one.starts < header.ends
            and header.starts < one.ends
            for one in others
        ) or self._archive.overlaps(header.community, header.interval, header.starts, header.ends):
            raise Objected(index, "book", "two intervals of a community overlap")


def _read(index: int, rows: list[bytes], body: DocumentBody) -> Book:
    try:
        seed = from_base64(body.private["seed"])
        if len(seed) != HASH_BYTES or rows_root(rows, seed) != body.public["rows"].encode():
            raise Objected(index, "rows", "the rows do not hash to what the document says")
        return read_book(rows)
    except (BadNote, Malformed) as error:
        raise Objected(index, "rows", str(error)) from error


def _require_succession(index: int, book: Book, last: Kept | None, rules: str) -> None:
    """Check that a book is the first of its interval, or follows the one before it."""
    header = book.header
    if last is None:
        reason = DEADLINE if book.missing else READINGS
        if header.revision != 1 or header.reason != reason:
            raise Objected(index, "revision", "an interval does not begin like this")
        return
    before = last.book.header
    same = ("interval", "community", "starts", "ends", "timezone", "parties")
    if (
        header.revision != before.revision + 1
        or rules != last.rules
        or any(getattr(header, name) != getattr(before, name) for name in same)
    ):
        raise Objected(index, "revision", "it is not the next revision of the same interval")
    if header.reason not in (CORRECTION, AFTER_DEADLINE):
        raise Objected(index, "revision", "the reason is not one of a later revision")
    if header.reason == AFTER_DEADLINE and not _amends_only(book, last.book):
        raise Objected(index, "revision", "after the deadline something changed that stands")


def _amends_only(book: Book, before: Book) -> bool:
    """Tell whether only readings differ, and what is new came late and without orders."""
    known = len(before.positions)
    new = book.positions[known:]
    meters = [one.meter for one in new]
    return (
        book.header.price == before.header.price
        and book.left_out == before.left_out
        and [_standing(one) for one in book.positions[:known]]
        == [_standing(one) for one in before.positions]
        and meters == sorted(meters)
        and all(
            (one.offer, one.request, one.sell_limit, one.buy_limit, one.sold_wh, one.bought_wh)
            == (0, 0, None, None, 0, 0)
            for one in new
        )
        and book.missing == [meter for meter in before.missing if meter not in set(meters)]
    )


def _standing(position: Position) -> Position:
    return position._replace(import_wh=0, export_wh=0)


def _require_prices(index: int, book: Book, rules: RuleSet) -> None:
    header = book.header
    try:
        prices = rules.prices_at(header.starts)
    except (OverflowError, ValueError) as error:
        raise Objected(index, "prices", "the interval is in no calendar") from error
    if header.timezone != rules.timezone or (header.retail, header.feed_in, header.fee) != (
        prices.retail,
        prices.feed_in,
        prices.fee,
    ):
        raise Objected(index, "prices", "the rule set gives other prices at that time")
    if header.ends - header.starts != rules.interval_minutes * MICROSECONDS_PER_MINUTE:
        raise Objected(index, "prices", "the rule set's intervals have another length")


def _require_orders(index: int, book: Book) -> None:
    left_out = set(book.left_out)
    for one in book.positions:
        for terms, limit, wh in (
            (one.offer, one.sell_limit, one.export_wh),
            (one.request, one.buy_limit, one.import_wh),
        ):
            if (terms == 0) != (limit is None):
                raise Objected(index, "order", "an order has no limit, or a limit no order")
            if terms and (wh == 0 or one.meter in left_out):
                raise Objected(index, "order", "an order stands where none may stand")


def _require_auction(index: int, book: Book) -> None:
    rows = list(enumerate(book.positions))
    outcome = clear(
        [Order(one.buy_limit, one.import_wh, at) for at, one in rows if one.buy_limit is not None],
        [
            Order(one.sell_limit, one.export_wh, at)
            for at, one in rows
            if one.sell_limit is not None
        ],
    )
    if outcome.price != book.header.price:
        raise Objected(index, "auction", "the auction gives another price")
    bought, sold = outcome.bought.get, outcome.sold.get
    if any((one.bought_wh, one.sold_wh) != (bought(at, 0), sold(at, 0)) for at, one in rows):
        raise Objected(index, "auction", "the auction gives other fills")

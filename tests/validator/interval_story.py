"""The worked example of docs/rules.md as a log, told as it is or with a lie."""

import json
from base64 import b64decode
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, NamedTuple

from tests.databases import PROJECT
from tests.validator.follower import Memory
from tests.validator.ledger_twin import (
    PADDING,
    START,
    Ledger,
    Leg,
    base64,
    canonical,
    digest,
    tree_root,
)
from validator.agreement_text import Agreement
from validator.auction_book import AuctionBook
from validator.block import apply_block, open_block
from validator.checks import Objected
from validator.interval_archive import Kept
from validator.interval_book import Header
from validator.interval_checks import check_intervals, documents_needed
from validator.market_archive import KeptAuction, Margin, MarketFresh
from validator.openings import Openings
from validator.state import Fresh, State
from validator.terms_checks import TermsFresh
from validator.terms_text import SignedText

EXAMPLE: dict[str, Any] = json.loads(
    (PROJECT / "docs" / "examples" / "interval_books.json").read_text(encoding="utf-8")
)
RULES: str = EXAMPLE["rules"]
SEED = b64decode(EXAMPLE["seed"])


@dataclass
class Revision:
    """One book as it is published, its rules, and the command that settles it."""

    rows: list[Any]
    body: Any
    interval: int = 7
    number: int = 1
    rules: str = RULES
    kind: str = "interval"
    public: dict[str, str] = field(default_factory=dict)
    told: bytes | None = None
    settle_key: str | None = None

    @property
    def header(self) -> dict[str, Any]:
        return self.rows[0]  # type: ignore[no-any-return]  # the first row is an object

    def position(self, meter: str) -> dict[str, Any]:
        return next(row for row in self.rows[2:] if row["meter"] == meter)


class Logged(NamedTuple):
    """A document of signed terms or of a signing key, and what it stands for."""

    key: str
    kind: str
    private: dict[str, str]
    told: bytes = b""
    public: dict[str, str] = {}


@dataclass
class Auction:
    """An auction before delivery as it is published."""

    rows: list[Any]
    interval: int = 7
    rules: str | None = None
    key: str | None = None


@dataclass
class Story:
    """Which books are logged, in which blocks."""

    rules: str = RULES
    rules_public: dict[str, str] = field(default_factory=dict)
    rules_are_logged: bool = True
    more_rules: list[str] = field(default_factory=list)
    signed: list[Logged] = field(default_factory=list)
    holds: dict[str, list[Leg]] = field(default_factory=dict)
    auctions: list[Auction] = field(default_factory=list)
    revisions: list[Revision] = field(default_factory=list)
    extra: list[Leg] = field(default_factory=list)
    # Everything in one block, or a block for every leaf.
    blocks_apart: bool = True
    # When the log begins, and which accounts there are.
    begins: int = START
    accounts: Iterable[int] = range(1, 31)


class TermsMemory:
    """What was signed in earlier blocks, in memory."""

    def __init__(self) -> None:
        self.is_whole = True
        self.keys: dict[int, str] = {}
        self._texts: dict[int, list[SignedText]] = {}

    def signed(self, points: Collection[int]) -> dict[int, list[SignedText]]:
        return {point: list(self._texts[point]) for point in points if point in self._texts}

    def key_in_use(self, participant: int) -> str | None:
        return self.keys.get(participant)

    def save(self, fresh: TermsFresh) -> None:
        self.keys |= fresh.keys
        for point, texts in fresh.signed.items():
            self._texts.setdefault(point, []).extend(texts)


class MarketMemory:
    """Agreements, auctions and margins of earlier blocks, in memory."""

    def __init__(self) -> None:
        self.is_whole = True
        self.kept = MarketFresh()

    def agreement(self, number: int) -> Agreement | None:
        return self.kept.agreements.get(number)

    def in_force(self, at: int) -> dict[int, Agreement]:
        return {
            number: one
            for number, one in self.kept.agreements.items()
            if one.valid_from <= at
            and (one.valid_until is None or at < one.valid_until)
            and self.kept.ends.get(number, at + 1) > at
        }

    def auction(self, interval: int) -> KeptAuction | None:
        return self.kept.auctions.get(interval)

    def margin(self, key: str) -> Margin | None:
        return self.kept.margins.get(key)

    def save(self, fresh: MarketFresh) -> None:
        self.kept.agreements |= fresh.agreements
        self.kept.ends |= fresh.ends
        self.kept.auctions |= fresh.auctions
        self.kept.margins |= fresh.margins


class IntervalMemory:
    """What earlier blocks left behind, in memory."""

    def __init__(self) -> None:
        self.rule_sets: dict[str, bytes] = {}
        self.books: dict[int, Kept] = {}
        self.documents: set[str] = set()
        self.terms = TermsMemory()
        self.market = MarketMemory()

    def rule_set(self, digest: str) -> bytes | None:
        return self.rule_sets.get(digest)

    def last_book(self, interval: int) -> Kept | None:
        return self.books.get(interval)

    def document(self, key: str) -> bool:
        return key in self.documents

    def overlaps(self, community: int, interval: int, starts: int, ends: int) -> bool:
        known: list[Header | AuctionBook] = [
            *(kept.book.header for kept in self.books.values()),
            *(kept.book for kept in self.market.kept.auctions.values()),
        ]
        return any(
            one.community == community
            and one.interval != interval
            and max(one.starts, starts) < min(one.ends, ends)
            for one in known
        )


def told_story() -> Story:
    """Return the three revisions of the example, as they should be."""
    return Story(
        revisions=[
            Revision(
                [json.loads(row) for row in revision["rows"]],
                json.loads(revision["command_body"]),
                number=number,
            )
            for number, revision in enumerate(EXAMPLE["revisions"], start=1)
        ]
    )


def objection_to(story: Story, *, from_the_start: bool = True) -> tuple[str, str] | None:
    """Return the key of the leaf and the code of the objection to a story."""
    ledger, keys = logged(story)
    archive, intervals = Memory(), IntervalMemory()
    intervals.terms.is_whole = intervals.market.is_whole = from_the_start
    state = State(archive, PADDING)
    for sealed in ledger.blocks:
        block = open_block(sealed.entries, Openings.parse(sealed.openings), first=sealed.first)
        apply_block(state, block, now=ledger.time)
        documents = {key: ledger.documents[key] for key in documents_needed(block, intervals)}
        try:
            fresh = check_intervals(block, documents, intervals)
        except Objected as objected:
            return keys[objected.leaf], objected.code
        archive.commands |= state.fresh.commands
        archive.documents |= state.fresh.documents
        state.fresh = Fresh()
        intervals.documents |= archive.documents.keys()
        intervals.rule_sets |= fresh.rule_sets
        intervals.books |= fresh.books
        intervals.terms.save(fresh.terms)
        intervals.market.save(fresh.market)
        for interval, revision in fresh.settled.items():
            kept = intervals.books[interval]
            assert kept.book.header.revision == revision
            intervals.books[interval] = replace(kept, is_settled=True)
    return None


def logged(story: Story) -> tuple[Ledger, dict[int, str]]:
    """Return a log of a story, and for each leaf the key that was opened for it."""
    ledger = Ledger()
    ledger.time = story.begins
    for number in story.accounts:
        ledger.open(number)
    ledger.seal()
    if story.rules_are_logged:
        name = sha256(story.rules.encode()).hexdigest()
        public = {"sha256": name} | story.rules_public
        key = f"rules:{public['sha256']}"
        ledger.document(key, "rules", public, {}, story.rules.encode())
    for rules in story.more_rules:
        name = sha256(rules.encode()).hexdigest()
        ledger.document(f"rules:{name}", "rules", {"sha256": name}, {}, rules.encode())
    for one in story.signed:
        seal_apart(ledger, story)
        ledger.document(one.key, one.kind, one.public, one.private, one.told)
    for key, legs in story.holds.items():
        ledger.submit(key, *legs)
    for auction in story.auctions:
        seal_apart(ledger, story)
        log_auction(ledger, auction, story.rules)
    for revision in story.revisions:
        seal_apart(ledger, story)
        log_book(ledger, revision)
        seal_apart(ledger, story)
        if revision.body is not None:
            key = revision.settle_key or f"settle:{revision.interval}:{revision.number}"
            ledger.answer(key, revision.body, legs=legs_of(revision.body))
    for leg in story.extra:
        ledger.submit(f"extra {leg.code}", leg)
    ledger.seal()
    return ledger, keys_of(ledger)


def seal_apart(ledger: Ledger, story: Story) -> None:
    if story.blocks_apart:
        ledger.seal()


def keys_of(ledger: Ledger) -> dict[int, str]:
    """Return for each leaf the key that was opened for it."""
    keys: dict[int, str] = {}
    for sealed in ledger.blocks:
        lines = [json.loads(line) for line in sealed.openings.splitlines()[1:]]
        named = [line.get("key", "") for line in lines]
        opened = (at for at, entry in enumerate(sealed.entries) if is_opened(entry))
        keys |= {sealed.first + at: key for at, key in zip(opened, named, strict=True)}
    return keys


def is_opened(entry: bytes) -> bool:
    return json.loads(entry)["type"] in ("account", "command", "document")


def log_auction(ledger: Ledger, auction: Auction, rules: str) -> None:
    rows = [canonical(row).encode() for row in auction.rows]
    key = auction.key or f"auction:{auction.interval}"
    log_rows(ledger, key, rows, auction.rules or rules)


def log_book(ledger: Ledger, revision: Revision) -> None:
    log_rows(
        ledger,
        f"book:{revision.interval}:{revision.number}",
        [canonical(row).encode() for row in revision.rows],
        revision.rules,
        kind=revision.kind,
        more=revision.public,
        told=revision.told,
    )


def log_rows(
    ledger: Ledger,
    key: str,
    rows: list[bytes],
    rules: str,
    *,
    kind: str = "interval",
    more: dict[str, str] | None = None,
    told: bytes | None = None,
) -> None:
    """Log a table under its root and the hash of its rules."""
    leaves = [digest(digest(SEED, at.to_bytes(8)), row) for at, row in enumerate(rows)]
    public = {"rows": base64(tree_root(leaves)), "rules": sha256(rules.encode()).hexdigest()}
    stands_for = b"\n".join(rows) + b"\n" if told is None else told
    ledger.document(key, kind, public | (more or {}), {"seed": base64(SEED)}, stands_for)


def legs_of(body: Any) -> list[Leg]:
    columns = body["transfers"]
    names = ("debit", "credit", "amount", "code")
    rows = zip(*(map(int, columns[name]) for name in names), strict=True)
    return [Leg(*row) for row in rows]

"""Recompute every clearing and settlement from its stored book, and compare with the log."""

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from ledger.domain.commands import Command
from ledger.queries import get_bodies
from marketplace.domain.book_check import Fault, check_amended_book, check_cleared_book
from marketplace.domain.book_rows import book_document, book_key
from marketplace.domain.interval_book import IntervalBook
from marketplace.domain.interval_rules import IntervalRules
from marketplace.domain.market_check import Given, check_market_book
from marketplace.domain.rules import Rules, canonical_bytes, load_rules
from marketplace.domain.settlement import (
    CommunityAccounts,
    entries_of,
    settlement_key,
    transfers_between,
)
from marketplace.errors import BookDiffers
from marketplace.models import Clearing, DeliveryInterval, RuleSet, Settlement
from marketplace.queries.agreements import AgreementsInForce
from marketplace.queries.auctions import get_held_auction
from marketplace.queries.documents import REASONS, book_header, community_accounts
from marketplace.services.logged_documents import check_logged

_INTERVALS_AT_ONCE = 100


def verify_clearings(*, on_clearings: Callable[[int], None] | None = None) -> int:
    """Check every stored book: hash, auction, document in the log, and the money that follows.

    Parameters
    ----------
    on_clearings : callable, optional
        Called with the number of clearings checked so far.

    Returns
    -------
    int
        How many clearings there are, each checked.

    Raises
    ------
    BookDiffers
        The message names the first interval and revision that does not follow.
    """
    rules = {each.id: (each.sha256, _rules(each)) for each in RuleSet.objects.all()}
    agreements = _KeptAgreements()
    checked = 0
    before: _Stored | None = None
    for batch in _batches():
        bodies = get_bodies(
            keys=[
                make_key(each.interval_id, each.revision)
                for each in batch
                for make_key in (book_key, settlement_key)
            ]
        )
        for clearing in batch:
            stored = _Stored(clearing, _read_book(clearing), *rules[clearing.rule_set_id])
            earlier = _earlier(before, stored)
            _check(stored, earlier, agreements)
            _check_document(stored, bodies)
            _check_settlement(stored, earlier, bodies)
            before = stored
        checked += len(batch)
        if on_clearings is not None:
            on_clearings(checked)
    return checked


@dataclass(frozen=True, eq=False)
class _Stored:
    """A clearing with its book and its rules."""

    clearing: Clearing
    book: IntervalBook
    rules_sha256: str
    rules: Rules

    @property
    def key(self) -> tuple[int, int]:
        return self.clearing.interval_id, self.clearing.revision

    @property
    def accounts(self) -> CommunityAccounts:
        return community_accounts(self.clearing.interval.community)

    def differs(self, what: str) -> BookDiffers:
        return BookDiffers(f"interval {self.key[0]} revision {self.key[1]}: {what}")


def _rules(rule_set: RuleSet) -> Rules:
    if sha256(canonical_bytes(rule_set.document)).hexdigest() != rule_set.sha256:
        raise BookDiffers(f"rule set {rule_set.id}: its document has another hash")
    return load_rules(rule_set.document)


def _batches() -> Iterator[list[Clearing]]:
    """Yield clearings interval by interval, each interval's revisions in their order."""
    last = 0
    while True:
        cleared = DeliveryInterval.objects.filter(id__gt=last, revision__gt=0).order_by("id")
        ids = list(cleared.values_list("id", flat=True)[:_INTERVALS_AT_ONCE])
        if not ids:
            return
        found = Clearing.objects.filter(interval__in=ids).select_related("interval__community")
        yield list(found.order_by("interval_id", "revision"))
        last = ids[-1]


def _read_book(clearing: Clearing) -> IntervalBook:
    name = f"interval {clearing.interval_id} revision {clearing.revision}"
    try:
        book = IntervalBook.unpacked(bytes(clearing.book))
    except (zlib.error, ValueError, TypeError, AttributeError) as error:
        raise BookDiffers(f"{name}: its book cannot be read ({error})") from error
    if sha256(book.canonical_bytes()).hexdigest() != clearing.book_sha256:
        raise BookDiffers(f"{name}: its book has another hash")
    return book


def _earlier(before: _Stored | None, stored: _Stored) -> IntervalBook | None:
    interval, revision = stored.key
    if revision == 1:
        return None
    if before is None or before.key != (interval, revision - 1):
        raise stored.differs("the revision before is missing")
    if before.rules_sha256 != stored.rules_sha256:
        raise stored.differs("its rules are not those of the revision before")
    return before.book


def _check(stored: _Stored, earlier: IntervalBook | None, agreements: "_KeptAgreements") -> None:
    clearing, book = stored.clearing, stored.book
    amended = earlier if clearing.reason == Clearing.Reason.AFTER_DEADLINE else None
    if stored.rules.market.form == 2:
        fault = check_market_book(book, _given(stored, agreements), before=amended)
    else:
        fault = _check_form_1(stored, amended)
    if fault is not None:
        raise stored.differs(fault.what)
    if (clearing.volume_wh, clearing.price_micro_per_kwh) != (book.volume_wh, book.price):
        raise stored.differs("its volume or price is not that of its book")


def _check_form_1(stored: _Stored, amended: IntervalBook | None) -> Fault | None:
    prices = stored.rules.prices_at(stored.clearing.interval.starts_at)
    if amended is not None:
        return check_amended_book(stored.book, amended, prices)
    return check_cleared_book(stored.book, prices)


def _given(stored: _Stored, agreements: "_KeptAgreements") -> Given:
    """Return what a book of form 2 is held against."""
    interval = stored.clearing.interval
    return Given(
        rules=IntervalRules.of(stored.rules, interval.starts_at),
        agreements=agreements.of(interval.community_id).at(interval.starts_at),
        auction=get_held_auction(interval_id=interval.id, rules=stored.rules),
    )


class _KeptAgreements:
    """Agreements by community: their signatures are checked once for all intervals."""

    def __init__(self) -> None:
        self._kept: dict[int, AgreementsInForce] = {}

    def of(self, community_id: int) -> AgreementsInForce:
        """Return a community's agreements."""
        if community_id not in self._kept:
            self._kept[community_id] = AgreementsInForce(community_id=community_id)
        return self._kept[community_id]


def _check_document(stored: _Stored, bodies: Mapping[str, bytes]) -> None:
    """Compare the book with what the log commits to."""
    clearing = stored.clearing
    header = book_header(
        interval=clearing.interval,
        revision=clearing.revision,
        reason=REASONS[clearing.reason],
        timezone=stored.rules.timezone,
        community=clearing.interval.community,
    )

    def expected(seed: bytes) -> bytes:
        rules_sha256 = stored.rules_sha256
        return book_document(header, stored.book, rules_sha256=rules_sha256, seed=seed).body

    key = book_key(*stored.key)
    check_logged(key, bodies, what="its book", expected=expected, differs=stored.differs)


def _check_settlement(
    stored: _Stored, earlier: IntervalBook | None, bodies: Mapping[str, bytes]
) -> None:
    transfers = transfers_between(
        entries_of(earlier, stored.accounts) if earlier is not None else None,
        entries_of(stored.book, stored.accounts),
    )
    key = settlement_key(*stored.key)
    body = bodies.get(key)
    if body is None:
        booked = Settlement.objects.filter(clearing=stored.clearing, state=Settlement.State.BOOKED)
        if transfers is not None and booked.exists():
            raise stored.differs("its settlement is not in the ledger")
        return
    if body == b"":
        return
    if transfers is None:
        raise stored.differs("it was settled, but nothing has to move")
    document = book_key(*stored.key)
    if body != Command.of(key, transfers, document=document, rules=stored.rules_sha256).body:
        raise stored.differs("its settlement is not what its book comes to")

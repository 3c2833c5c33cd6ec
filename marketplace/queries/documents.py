"""What the market's logged documents stand for: books of intervals as rows, rule sets as bytes.

Nothing is kept beside the books and the rules: rows come out the same byte for byte every time.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Literal

from django.db.models import Q

from marketplace.domain.book_rows import (
    BookHeader,
    Reason,
    book_key,
    book_row,
    book_rows,
    row_of_position,
    rules_key,
)
from marketplace.domain.interval_book import IntervalBook
from marketplace.domain.rules import canonical_bytes
from marketplace.domain.settlement import CommunityAccounts
from marketplace.models import (
    Clearing,
    Community,
    DeliveryInterval,
    MeteringPoint,
    RuleSet,
    SignedTerms,
    SigningKey,
)
from marketplace.queries.agreements import list_agreement_texts, list_logged_agreements
from marketplace.queries.auction_rows import get_own_auction_rows, list_auction_rows
from marketplace.queries.data.contracts import list_contract_texts, list_own_contract_documents
from marketplace.queries.signed_terms import list_signed_texts, log_key, signing_key_log_key

REASONS: Mapping[int, Reason] = {
    Clearing.Reason.READINGS: "readings",
    Clearing.Reason.DEADLINE: "deadline",
    Clearing.Reason.CORRECTION: "correction",
    Clearing.Reason.AFTER_DEADLINE: "after_deadline",
}

_NUMBER = r"[1-9][0-9]{0,17}"
_BOOK_KEY = re.compile(rf"book:({_NUMBER}):([1-9][0-9]{{0,3}})")
_RULES_KEY = re.compile(r"rules:([0-9a-f]{64})")


@dataclass(frozen=True)
class OwnRows:
    """A book's rows; of them a participant is shown row 0, the header, and its own positions'.

    An auction's likewise, with orders in place of positions.
    """

    positions: Sequence[int]
    row: Callable[[int], bytes]
    all_rows: Callable[[], Sequence[bytes]]


@dataclass(frozen=True)
class OwnDocument:
    """A logged document that concerns a participant; ``names`` are the fields they may be shown."""

    key: str
    kind: Literal[
        "rules", "terms", "signing-key", "agreement", "data-contract", "data-contract-end"
    ]
    since: datetime
    names: tuple[str, ...]


def list_own_documents(*, participant_id: int) -> list[OwnDocument]:
    """Return what a participant signed and with which keys, and its rule sets; newest first."""
    rule_sets = RuleSet.objects.filter(community__participants=participant_id)
    signed = SignedTerms.objects.filter(participant=participant_id)
    keys = SigningKey.objects.filter(participant=participant_id)
    return [
        *(
            OwnDocument(log_key(each.id), "terms", each.created_at, ("key", "terms"))
            for each in signed.only("created_at").order_by("-id")
        ),
        *(
            OwnDocument(
                signing_key_log_key(each.id),
                "signing-key",
                each.created_at,
                ("key", "participant", "public_key"),
            )
            for each in keys.only("created_at").order_by("-id")
        ),
        *(
            OwnDocument(key, "agreement", since, ("agreement", "key"))
            for key, since in list_logged_agreements(participant_id=participant_id)
        ),
        *(
            OwnDocument(key, kind, since, names)
            for key, kind, since, names in list_own_contract_documents(
                participant_id=participant_id
            )
        ),
        *(
            OwnDocument(rules_key(each.sha256), "rules", each.effective_from, ("key",))
            for each in rule_sets.order_by("-effective_from")
        ),
    ]


def community_accounts(community: Community) -> CommunityAccounts:
    """Return the ledger accounts of a community's own parties."""
    return CommunityAccounts(
        pool=community.pool_account_id,
        supplier=community.supplier_account_id,
        platform=community.platform_account_id,
        rounding=community.rounding_account_id,
        grid=community.grid_account_id or 0,
    )


def book_header(
    *,
    interval: DeliveryInterval,
    revision: int,
    reason: Reason,
    timezone: str,
    community: Community,
) -> BookHeader:
    """Return the header of a revision of an interval's book."""
    return BookHeader(
        community_id=community.id,
        interval_id=interval.id,
        revision=revision,
        reason=reason,
        starts_at=interval.starts_at,
        ends_at=interval.ends_at,
        timezone=timezone,
        accounts=community_accounts(community),
    )


def list_document_rows(*, keys: Sequence[str]) -> Iterator[tuple[str, list[bytes]]]:
    """Yield the rows of books and auctions by key, one of them in memory at a time.

    Keys that name neither are left out; ask for as many as wanted, it is one statement.
    """
    for clearing in _clearings(keys):
        yield (
            book_key(clearing.interval_id, clearing.revision),
            book_rows(_header(clearing), _book(clearing)),
        )
    yield from list_auction_rows(keys=keys)


def list_documents(*, keys: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield what documents stand for as one text each: rows, a rule set, signed terms.

    Keys of other documents are left out.
    """
    for key, rows in list_document_rows(keys=keys):
        yield key, b"\n".join(rows) + b"\n"
    hashes = [found[1] for key in keys if (found := _RULES_KEY.fullmatch(key))]
    if hashes:
        # Communities may share a rule set: its bytes are the same.
        rule_sets = RuleSet.objects.filter(sha256__in=hashes).order_by("sha256").distinct("sha256")
        for rule_set in rule_sets:
            yield rules_key(rule_set.sha256), canonical_bytes(rule_set.document)
    yield from list_signed_texts(keys=keys)
    yield from list_agreement_texts(keys=keys)
    yield from list_contract_texts(keys=keys)


def get_document(*, key: str) -> bytes | None:
    """Return what a document stands for as one text; None if it is none of the market's."""
    return next((text for _, text in list_documents(keys=[key])), None)


def get_own_rows(*, key: str, participant_id: int) -> OwnRows | None:
    """Return a book's rows and where a participant's positions stand; None without any.

    Of an auction likewise, and where their orders stand.
    """
    if (orders := get_own_auction_rows(key=key, participant_id=participant_id)) is not None:
        rows, places = orders
        return OwnRows(places, rows.__getitem__, lambda: rows)
    clearing = next(_clearings([key]), None)
    if clearing is None:
        return None
    points = MeteringPoint.objects.filter(
        community_id=clearing.interval.community_id, site__participant_id=participant_id
    )
    book = _book(clearing)
    found = [
        row_of_position(book, id_) for id_ in points.order_by("id").values_list("id", flat=True)
    ]
    positions = [place for place in found if place is not None]
    if not positions:
        return None
    header = _header(clearing)
    return OwnRows(positions, partial(book_row, header, book), partial(book_rows, header, book))


def _clearings(keys: Sequence[str]) -> Iterator[Clearing]:
    intervals: dict[int, list[int]] = defaultdict(list)
    for key in keys:
        if found := _BOOK_KEY.fullmatch(key):
            intervals[int(found[2])].append(int(found[1]))
    if not intervals:
        return
    wanted = Q()
    for revision, interval_ids in intervals.items():
        wanted |= Q(revision=revision, interval__in=interval_ids)
    yield from (
        Clearing.objects.filter(wanted)
        .select_related("interval__community", "rule_set")
        .order_by("interval_id", "revision")
        .iterator(chunk_size=50)
    )


def _book(clearing: Clearing) -> IntervalBook:
    return IntervalBook.unpacked(bytes(clearing.book))


def _header(clearing: Clearing) -> BookHeader:
    return book_header(
        interval=clearing.interval,
        revision=clearing.revision,
        reason=REASONS[clearing.reason],
        timezone=clearing.rule_set.document["timezone"],
        community=clearing.interval.community,
    )

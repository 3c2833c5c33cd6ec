"""Read the data market: what is on offer, what was asked for, and what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import (
    Case,
    Count,
    Exists,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    TextField,
    Value,
    When,
)
from django.db.models.functions import Coalesce

from marketplace.domain.data_matching import DataKind, DataListing, DataTerms
from marketplace.models import Kind, Match, Offer, Request
from marketplace.queries.identity import names_of

ListingT = TypeVar("ListingT", Offer, Request)

# States in which the buyer may fetch the file.
ENTITLED = (Match.State.HELD, Match.State.DELIVERED, Match.State.SETTLED)


@dataclass(frozen=True)
class OfferLine:
    """An offer as everybody signed in may see it. [price in micro-units, size in bytes]"""

    id: int
    terms: DataTerms
    price_micro: int
    provider_name: str
    sha256: str
    byte_count: int
    row_count: int
    published_at: datetime
    is_open: bool


@dataclass(frozen=True)
class OwnOfferLine:
    """An offer as its provider sees it; revenue is what the ledger has booked. [micro]"""

    offer: OfferLine
    sold_count: int
    revenue_micro: int
    held_micro: int


@dataclass(frozen=True)
class RequestLine:
    """A request as its buyer sees it: open, matched or ended; why the last hold was refused."""

    id: int
    terms: DataTerms
    limit_price_micro: int
    posted_at: datetime
    state: str
    refusal: str


@dataclass(frozen=True)
class MatchLine:
    """A match as one of its two parties sees it."""

    id: int
    terms: DataTerms
    price_micro: int
    state: str
    refusal: str
    is_buyer: bool
    counterparty_name: str
    matched_at: datetime | None
    deadline_at: datetime | None
    delivered_at: datetime | None
    file_name: str
    sha256: str
    byte_count: int
    can_download: bool


def open_data_offers(*, kind: DataKind, price_at_most: int, now: datetime) -> list[DataListing]:
    """Return the open offers of a kind up to a price, for matching."""
    found = _open(Offer.objects.filter(limit_price_micro__lte=price_at_most), kind, now)
    return [_listing(offer) for offer in found]


def open_data_requests(*, kind: DataKind, limit_at_least: int, now: datetime) -> list[DataListing]:
    """Return the requests of a kind without a live match that would pay a price, oldest first."""
    live = Match.objects.filter(request=OuterRef("pk")).exclude(state=Match.State.REFUSED)
    found = _open(Request.objects.filter(limit_price_micro__gte=limit_at_least), kind, now)
    return [_listing(request) for request in found.filter(~Exists(live))]


def list_open_offers(
    *, now: datetime, before_id: int | None = None, limit: int = 100
) -> list[OfferLine]:
    """Return the newest open offers, before an id if given."""
    found = _offers().filter(valid_from__lte=now, is_paused=False)
    found = found.filter(Q(valid_until__isnull=True) | Q(valid_until__gt=now))
    if before_id is not None:
        found = found.filter(id__lt=before_id)
    offers = list(found[:limit])
    names = names_of(offer.participant for offer in offers)
    return [_offer_line(offer, names, now) for offer in offers]


def list_own_offers(*, participant_id: int, now: datetime, limit: int = 100) -> list[OwnOfferLine]:
    """Return a provider's newest offers with what they brought."""
    settled = Q(matches__state=Match.State.SETTLED)
    on_hold = Q(matches__state__in=[Match.State.HELD, Match.State.DELIVERED])
    found = (
        _offers()
        .filter(participant_id=participant_id)
        .annotate(
            sold_count=Count("matches", filter=settled),
            revenue_micro=Coalesce(Sum("matches__price_micro", filter=settled), Value(0)),
            held_micro=Coalesce(Sum("matches__price_micro", filter=on_hold), Value(0)),
        )
    )
    offers = list(found[:limit])
    names = names_of(offer.participant for offer in offers)
    return [
        OwnOfferLine(
            _offer_line(offer, names, now),
            offer.sold_count,
            int(offer.revenue_micro),
            int(offer.held_micro),
        )
        for offer in offers
    ]


def get_data_revenue_micro(*, participant_id: int) -> int:
    """Return what a provider's data has brought altogether, as booked. [micro]"""
    settled = Match.objects.filter(
        kind=Kind.DATA, offer__participant_id=participant_id, state=Match.State.SETTLED
    )
    return int(settled.aggregate(total=Sum("price_micro"))["total"] or 0)


def list_own_requests(
    *, participant_ids: Sequence[int], before_id: int | None = None, limit: int = 100
) -> list[RequestLine]:
    """Return a buyer's newest requests, before an id if given."""
    matches = Match.objects.filter(request=OuterRef("pk")).order_by("-id")
    found = Request.objects.filter(kind=Kind.DATA, participant__in=participant_ids).annotate(
        last_refusal=Coalesce(
            Subquery(matches.values("hold__refusal")[:1], output_field=TextField()),
            Value("", output_field=TextField()),
        ),
        state=Case(
            When(Exists(matches.exclude(state=Match.State.REFUSED)), then=Value("matched")),
            When(valid_until__isnull=False, then=Value("ended")),
            default=Value("open"),
        ),
    )
    if before_id is not None:
        found = found.filter(id__lt=before_id)
    return [
        RequestLine(
            id=request.id,
            terms=DataTerms.of(request.terms),
            limit_price_micro=request.limit_price_micro or 0,
            posted_at=request.created_at,
            state=request.state,
            refusal=request.last_refusal,
        )
        for request in found.order_by("-id")[:limit]
    ]


def list_matches(
    *,
    participant_ids: Sequence[int],
    now: datetime,
    before_id: int | None = None,
    limit: int = 100,
) -> list[MatchLine]:
    """Return the newest data matches in which one of these participants buys or sells."""
    own = set(participant_ids)
    found = _matches(own)
    if before_id is not None:
        found = found.filter(id__lt=before_id)
    matches = list(found.order_by("-id")[:limit])
    names = names_of(side.participant for match in matches for side in match.listings)
    return [_match_line(match, own, names, now) for match in matches]


def _open(found: QuerySet[ListingT], kind: DataKind, now: datetime) -> QuerySet[ListingT]:
    return (
        found.filter(kind=Kind.DATA, terms__kind=kind.value, is_paused=False, valid_from__lte=now)
        .filter(Q(valid_until__isnull=True) | Q(valid_until__gt=now))
        .order_by("id")
    )


def _listing(row: Offer | Request) -> DataListing:
    return DataListing(
        id=row.id,
        participant_id=row.participant_id,
        terms=DataTerms.of(row.terms),
        price_micro=row.limit_price_micro or 0,
        created_at=row.created_at,
    )


def _offers() -> QuerySet[Offer]:
    return (
        Offer.objects.filter(kind=Kind.DATA)
        .select_related("participant", "file")
        .defer("file__content")
        .order_by("-id")
    )


def _offer_line(offer: Offer, names: Mapping[int, str], now: datetime) -> OfferLine:
    return OfferLine(
        id=offer.id,
        terms=DataTerms.of(offer.terms),
        price_micro=offer.limit_price_micro or 0,
        provider_name=names[offer.participant_id],
        sha256=offer.file.sha256,
        byte_count=offer.file.byte_count,
        row_count=offer.file.row_count,
        published_at=offer.created_at,
        is_open=offer.valid_until is None or offer.valid_until > now,
    )


def _matches(own: set[int]) -> QuerySet[Match]:
    return (
        Match.objects.filter(kind=Kind.DATA)
        .filter(Q(offer__participant__in=own) | Q(request__participant__in=own))
        .select_related(
            "offer__participant", "offer__file", "request__participant", "hold", "delivery"
        )
        .defer("offer__file__content")
    )


def _match_line(match: Match, own: set[int], names: Mapping[int, str], now: datetime) -> MatchLine:
    offer, request = match.listings
    is_buyer = request.participant_id in own
    hold: Any = getattr(match, "hold", None)  # free data has none
    delivery: Any = getattr(match, "delivery", None)
    file = offer.file
    is_late = delivery is None and match.deadline_at is not None and now >= match.deadline_at
    return MatchLine(
        id=match.id,
        terms=DataTerms.of(offer.terms),
        price_micro=match.price_micro,
        state=Match.State(match.state).name.lower(),
        refusal=hold.refusal if hold else "",
        is_buyer=is_buyer,
        counterparty_name=names[(offer if is_buyer else request).participant_id],
        matched_at=match.matched_at,
        deadline_at=match.deadline_at,
        delivered_at=delivery.delivered_at if delivery else None,
        file_name=file.name,
        sha256=file.sha256,
        byte_count=file.byte_count,
        can_download=is_buyer and match.state in ENTITLED and not is_late,
    )

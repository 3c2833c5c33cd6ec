"""The data market: publish, request, match, hold, deliver, release.

A match is paid like everything in the hall: by commands in the ledger's inbox, written in the
transaction of the business change. ``marketplace.services.data_answers`` reads the answers.

Lock order: the advisory lock of matching, then one match row. Publishing and requesting take the
first, so that an offer and a request that arrive at once see each other; delivery and release
take the second, so that one of them wins.
"""

import base64
import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from django.db import connection, transaction

from ledger.domain.commands import Command, TransferKind, Transfers
from ledger.queries import get_units
from ledger.services import submit
from marketplace.domain.aggregates_file import check_aggregates
from marketplace.domain.data_matching import (
    DataListing,
    DataTerms,
    best_offer,
    check_price,
    fits,
)
from marketplace.domain.transfer_codes import TransferCode
from marketplace.errors import (
    N_,
    FileDamaged,
    Invalid,
    ListingClosed,
    NotDeliverable,
    NotFound,
    RoleNotAllowed,
    WalletMissing,
)
from marketplace.models import (
    DataFile,
    Delivery,
    Hold,
    Kind,
    Match,
    Offer,
    Participant,
    Request,
    Settlement,
)
from marketplace.queries.data_files import open_data_offers, open_data_requests

DELIVERY_DAYS: Final = 7
FILE_NAME_MAX: Final = 200
_MATCHING_LOCK: Final = 0x0DA7A  # any number, as long as nobody else locks it


@dataclass(frozen=True)
class DeliveredFile:
    """A file as it is handed over."""

    name: str
    media_type: str
    sha256: str
    content: bytes

    @property
    def repr_digest(self) -> str:
        """The hash as HTTP carries it (RFC 9530)."""
        return f"sha-256=:{base64.b64encode(bytes.fromhex(self.sha256)).decode()}:"


@transaction.atomic
def publish_data_offer(
    *,
    participant_id: int,
    terms: Mapping[str, object],
    price_micro: int,
    file_name: str,
    content: bytes,
    now: datetime,
) -> Offer:
    """Publish a file of aggregates, and match it with the open requests it satisfies.

    Raises
    ------
    Invalid
        If terms, price or file cannot be accepted; nothing is stored.
    RoleNotAllowed, WalletMissing
        If the participant is no data provider, or cannot be paid.
    """
    currency = _currency(participant_id, Participant.Role.DATA_PROVIDER)
    checked = DataTerms.checked(terms, currency=currency, is_offer=True)
    check_price(price_micro, field="price_micro")
    if not 0 < len(file_name) <= FILE_NAME_MAX or not file_name.isprintable():
        raise Invalid("file_name", N_("A printable file name is needed."))
    aggregates = check_aggregates(content, terms=checked)
    _lock_matching()
    offer = Offer.objects.create(
        kind=Kind.DATA,
        participant_id=participant_id,
        limit_price_micro=price_micro,
        terms=checked.document(),
        valid_from=now,
        created_at=now,
    )
    DataFile.objects.create(
        offer=offer,
        name=file_name,
        sha256=aggregates.sha256,
        byte_count=aggregates.byte_count,
        row_count=aggregates.row_count,
        content=content,
    )
    listing = DataListing(offer.id, participant_id, checked, price_micro, now)
    for request in open_data_requests(kind=checked.kind, limit_at_least=price_micro, now=now):
        if fits(listing, request):
            _match(offer=listing, request=request, now=now)
    return offer


@transaction.atomic
def withdraw_data_offer(*, offer_id: int, participant_ids: Collection[int], now: datetime) -> None:
    """End an offer: nobody new is matched with it; who was matched still gets the file.

    Raises
    ------
    NotFound, ListingClosed
        If it is no offer of these participants, or has ended before.
    """
    own = Offer.objects.filter(id=offer_id, kind=Kind.DATA, participant__in=participant_ids)
    if not own.exists():
        raise NotFound(N_("There is no such offer of yours."))
    if not own.filter(valid_until=None).update(valid_until=now):
        raise ListingClosed(N_("This offer has ended."))


@transaction.atomic
def post_data_request(
    *, participant_id: int, terms: Mapping[str, object], limit_price_micro: int, now: datetime
) -> Request:
    """Ask for data, and match at once with the best open offer, if any satisfies it.

    Raises
    ------
    Invalid
        If terms or price cannot be accepted.
    RoleNotAllowed, WalletMissing
        If the participant is no enterprise, or cannot pay.
    """
    currency = _currency(participant_id, Participant.Role.ENTERPRISE)
    checked = DataTerms.checked(terms, currency=currency, is_offer=False)
    check_price(limit_price_micro, field="limit_price_micro")
    _lock_matching()
    request = Request.objects.create(
        kind=Kind.DATA,
        participant_id=participant_id,
        limit_price_micro=limit_price_micro,
        terms=checked.document(),
        valid_from=now,
        created_at=now,
    )
    _match_with_best_offer(
        DataListing(request.id, participant_id, checked, limit_price_micro, now), now=now
    )
    return request


@transaction.atomic
def rematch_data_request(
    *, request_id: int, participant_ids: Collection[int], now: datetime
) -> Match | None:
    """Try again for a request whose hold was refused, e.g. after a deposit.

    Raises
    ------
    NotFound, ListingClosed
        If it is no request of these participants, or it has its match or has ended.
    """
    _lock_matching()
    own = Request.objects.filter(id=request_id, kind=Kind.DATA, participant__in=participant_ids)
    request = own.first()
    if request is None:
        raise NotFound(N_("There is no such request of yours."))
    has_match = request.matches.exclude(state=Match.State.REFUSED).exists()
    if has_match or request.valid_until is not None:
        raise ListingClosed(N_("This request has its match, or has ended."))
    return _match_with_best_offer(
        DataListing(
            request.id,
            request.participant_id,
            DataTerms.of(request.terms),
            request.limit_price_micro or 0,
            request.created_at,
        ),
        now=now,
    )


@transaction.atomic
def withdraw_data_request(
    *, request_id: int, participant_ids: Collection[int], now: datetime
) -> None:
    """End a request that has no match yet.

    Raises
    ------
    NotFound, ListingClosed
        If it is no request of these participants, or it has its match or has ended.
    """
    _lock_matching()
    own = Request.objects.filter(id=request_id, kind=Kind.DATA, participant__in=participant_ids)
    request = own.first()
    if request is None:
        raise NotFound(N_("There is no such request of yours."))
    has_match = request.matches.exclude(state=Match.State.REFUSED).exists()
    if has_match or not own.filter(valid_until=None).update(valid_until=now):
        raise ListingClosed(N_("This request has its match, or has ended."))


@transaction.atomic
def deliver_data_file(
    *, match_id: int, participant_ids: Collection[int], now: datetime
) -> DeliveredFile:
    """Hand the file to its buyer; the first time, the hold is posted to the provider.

    Raises
    ------
    NotFound
        If none of the participants is the buyer of such a match.
    NotDeliverable
        If the money is not held yet, was refused or released, or the deadline has passed.
    FileDamaged
        If the stored bytes do not have the published hash; nobody pays for them.
    """
    match = (
        Match.objects.select_for_update(no_key=True, of=("self",))
        .select_related("offer__participant", "request__participant")
        .filter(id=match_id, kind=Kind.DATA, request__participant__in=participant_ids)
        .first()
    )
    if match is None:
        raise NotFound(N_("There is no such match of yours."))
    is_first = match.state == Match.State.HELD
    if not is_first and match.state not in {Match.State.DELIVERED, Match.State.SETTLED}:
        raise NotDeliverable(N_("The price is not held, so the file cannot be handed over."))
    if is_first and match.deadline_at is not None and now >= match.deadline_at:
        raise NotDeliverable(N_("The deadline of delivery has passed; the hold is released."))
    file = DataFile.objects.get(offer=match.listings[0])
    content = bytes(file.content)
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise FileDamaged(N_("The stored file is not what was published; nothing was paid."))
    if is_first:
        Delivery.objects.create(
            match=match, sha256=file.sha256, byte_count=len(content), delivered_at=now
        )
        end_hold(match=match, kind=TransferKind.POST, now=now)
    return DeliveredFile(file.name, file.media_type, file.sha256, content)


def end_hold(*, match: Match, kind: TransferKind, now: datetime) -> None:
    """Submit the post or the release of a locked match's hold, and move the match along."""
    if kind == TransferKind.POST:
        key, state = f"settle-data:{match.id}", Match.State.DELIVERED
    else:
        key, state = f"release-data:{match.id}", Match.State.RELEASED
    is_free = match.price_micro == 0
    if is_free and kind == TransferKind.POST:
        state = Match.State.SETTLED
    Settlement.objects.create(
        kind=Kind.DATA,
        match=match,
        command_key=None if is_free else key,
        state=Settlement.State.BOOKED if is_free else Settlement.State.SUBMITTED,
        submitted_at=now,
    )
    Match.objects.filter(id=match.id).update(state=state)
    if not is_free:
        command = _payment(key, match, kind=kind, hold=f"{hold_key(match.id)}/0")
        submit(commands=[command], submitted_at=now)


def hold_key(match_id: int) -> str:
    """Return the key of the command that holds the price of a match."""
    return f"hold:{match_id}"


def _match_with_best_offer(request: DataListing, *, now: datetime) -> Match | None:
    offers = open_data_offers(kind=request.terms.kind, price_at_most=request.price_micro, now=now)
    offer = best_offer(offers, request)
    return None if offer is None else _match(offer=offer, request=request, now=now)


def _match(*, offer: DataListing, request: DataListing, now: datetime) -> Match:
    """Write a match at the offer's price, and submit the hold of that price."""
    is_free = offer.price_micro == 0  # nothing to hold: ready to be delivered
    match = Match.objects.create(
        kind=Kind.DATA,
        offer_id=offer.id,
        request_id=request.id,
        quantity=1,
        price_micro=offer.price_micro,
        state=Match.State.HELD if is_free else Match.State.MATCHED,
        matched_at=now,
        deadline_at=now + timedelta(days=DELIVERY_DAYS),
    )
    if not is_free:
        key = hold_key(match.id)
        Hold.objects.create(
            match=match, command_key=key, amount_micro=match.price_micro, submitted_at=now
        )
        command = _payment(key, match, kind=TransferKind.HOLD, hold="")
        submit(commands=[command], submitted_at=now)
    return match


def _payment(key: str, match: Match, *, kind: TransferKind, hold: str) -> Command:
    offer, request = match.listings
    buyer = request.participant.wallet_account_id
    seller = offer.participant.wallet_account_id
    assert buyer is not None and seller is not None, match  # checked when they were listed
    transfers = Transfers(
        debit=np.array([buyer]),
        credit=np.array([seller]),
        amount=np.array([match.price_micro]),
        code=np.array([TransferCode.DATA_PURCHASE], dtype=np.int64),
        kind=np.array([kind], dtype=np.int64),
        holds=[hold],
    )
    return Command.of(key, transfers)


def _currency(participant_id: int, role: Participant.Role) -> str:
    """Return the currency of a participant's wallet, once its role is known to allow this."""
    participant = Participant.objects.filter(id=participant_id).first()
    if participant is None:
        raise NotFound(N_("There is no such participant."))
    if participant.role != role:
        raise RoleNotAllowed(N_("The participant's role does not do this."))
    account_id = participant.wallet_account_id
    if account_id is None:
        raise WalletMissing(N_("This participant has no wallet; open one first."))
    return get_units(account_ids=[account_id])[account_id].partition("/")[0]


def _lock_matching() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_MATCHING_LOCK])

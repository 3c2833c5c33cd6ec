"""Agreements: proposed by one side, signed by both, ended by either.

The hall signs in custody at the member's request; who holds a key of their own sends the signature.
An agreement starts after both have signed: no interval of the past changes.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import Q

from ledger.services import submit
from marketplace.domain.agreement_text import AgreementEnd, AgreementKind, AgreementText, Side
from marketplace.domain.terms_document import DRAFT_LASTS, sha256_of
from marketplace.errors import N_, AgreementClosed, AgreementsInForce, Invalid, NotFound
from marketplace.models import Agreement, MeteringPoint, Participant, SigningKey
from marketplace.queries.agreements import (
    agreement_document,
    agreement_end_log_key,
    agreement_log_key,
)
from marketplace.services.agreement_checks import check_partners, check_proposals, check_text
from marketplace.services.signed_terms import check_given, get_signing_key, sign_in_custody

_KINDS: dict[AgreementKind, int] = {
    "contract": Agreement.Kind.CONTRACT,
    "gift": Agreement.Kind.GIFT,
    "partner": Agreement.Kind.PARTNER,
}


@transaction.atomic
def draft_agreement(
    *,
    kind: AgreementKind,
    seller_point_id: int,
    buyer_point_id: int,
    price_micro_per_kwh: int | None,
    maximum_wh: int | None,
    rank: int | None,
    valid_from: datetime,
    valid_until: datetime | None,
    now: datetime,
) -> AgreementText:
    """Return the text that both sides are to sign; nothing of it is stored.

    Raises
    ------
    Invalid
        If the sides are one member, or a price, limit, rank or date does not fit the kind, the
        community's price bounds or the calendar.
    """
    seller, buyer = _points(seller_point_id, buyer_point_id)
    text = AgreementText(
        kind=kind,
        community_id=seller.community_id,
        currency=seller.community.currency,
        seller=_side(seller, now),
        buyer=_side(buyer, now),
        price_micro_per_kwh=0 if kind == "gift" else price_micro_per_kwh,
        maximum_wh=maximum_wh,
        rank=rank,
        valid_from=valid_from,
        valid_until=valid_until,
        issued_at=now,
    )
    check_text(text, seller, buyer, now)
    return text


@transaction.atomic
def propose_agreement(
    *, text: AgreementText, participant_id: int, signature: bytes | None, now: datetime
) -> Agreement:
    """Store a text that one side signs; it waits for the other.

    Parameters
    ----------
    signature : bytes or None
        Of a key of the member's own; None: the hall signs in custody.

    Raises
    ------
    Invalid
        If the text is not one that `draft_agreement` would write now, or the signature is not the
        key's.
    NotFound
        If the member is no side of it.
    SignatureNeeded
        If the member signs with a key of their own and no signature came.
    AgreementClosed
        If the text was proposed before.
    TooManyPartners
        If a side has its partners already.
    TooManyProposals
        If as many of the member's proposals wait as may.
    """
    seller, buyer = _points(text.seller.metering_point_id, text.buyer.metering_point_id)
    if not now - DRAFT_LASTS <= text.issued_at <= now:
        raise Invalid("body", N_("This text waited too long for its signature: start again."))
    check_text(text, seller, buyer, now)
    if text.seller != _side(seller, now) or text.buyer != _side(buyer, now):
        raise Invalid("body", N_("Something changed since this text was written: start again."))
    check_partners(text)
    check_proposals(text, participant_id)
    body = text.body()
    is_seller = _is_seller(text, participant_id)
    keys = [get_signing_key(participant_id=side.participant_id, now=now) for side in _sides(text)]
    signed = _signature(keys[0 if is_seller else 1], body, signature)
    return Agreement.objects.create(
        community_id=text.community_id,
        kind=_KINDS[text.kind],
        seller_id=text.seller.participant_id,
        buyer_id=text.buyer.participant_id,
        seller_point=seller,
        buyer_point=buyer,
        price_micro_per_kwh=text.price_micro_per_kwh,
        maximum_wh=text.maximum_wh,
        rank=text.rank,
        valid_from=text.valid_from,
        valid_until=text.valid_until,
        body=body,
        sha256=sha256_of(body),
        seller_key=keys[0],
        buyer_key=keys[1],
        seller_signature=signed if is_seller else None,
        buyer_signature=None if is_seller else signed,
        proposed_at=now,
    )


@transaction.atomic
def accept_agreement(
    *, agreement_id: int, participant_id: int, signature: bytes | None, now: datetime
) -> Agreement:
    """Let the other side sign: from its start on, the agreement counts; log its hash.

    Raises
    ------
    AgreementClosed
        If it was signed, withdrawn or declined before, its start has passed, or a side has another
        key since.
    Invalid
        If the signature is not the key's.
    NotFound
        If the member is no side of it, or is the one that proposed it.
    SignatureNeeded
        If the member signs with a key of their own and no signature came.
    TooManyPartners
        If a side has its partners already.
    """
    agreement = _locked(agreement_id, participant_id)
    is_seller = agreement.seller_id == participant_id
    if (agreement.seller_signature if is_seller else agreement.buyer_signature) is not None:
        raise NotFound(N_("This agreement waits for the other side."))
    _check_open(agreement)
    keys = (agreement.seller_key, agreement.buyer_key)
    if now > agreement.valid_from or any(key.ended_at is not None for key in keys):
        raise AgreementClosed(
            N_("Its start has passed, or a side signs with another key by now: propose it again.")
        )
    text = AgreementText.read(bytes(agreement.body))
    _points(agreement.seller_point_id, agreement.buyer_point_id)
    check_partners(text)
    signed = _signature(keys[0 if is_seller else 1], bytes(agreement.body), signature)
    side = "seller_signature" if is_seller else "buyer_signature"
    setattr(agreement, side, signed)
    agreement.agreed_at = now
    agreement.save(update_fields=[side, "agreed_at"])
    document = agreement_document(bytes(agreement.body))
    submit(commands=[document.command(agreement_log_key(agreement.pk))], submitted_at=now)
    return agreement


@transaction.atomic
def close_proposal(*, agreement_id: int, participant_id: int, now: datetime) -> None:
    """Withdraw one's own proposal, or decline another's.

    Raises `AgreementClosed` if it was signed by both or closed before, and `NotFound`.
    """
    agreement = _locked(agreement_id, participant_id)
    _check_open(agreement)
    agreement.closed_at = now
    agreement.save(update_fields=["closed_at"])


@transaction.atomic
def draft_end(*, agreement_id: int, participant_id: int, now: datetime) -> AgreementEnd:
    """Return the text by which a side ends an agreement; nothing is stored.

    Raises
    ------
    AgreementClosed
        If it does not run.
    NotFound
        If the member is no side of it.
    """
    agreement = _locked(agreement_id, participant_id)
    _check_running(agreement, now)
    key = get_signing_key(participant_id=participant_id, now=now)
    return AgreementEnd(agreement.sha256, participant_id, now, bytes(key.public_key))


@transaction.atomic
def end_agreement(
    *,
    agreement_id: int,
    participant_id: int,
    end: AgreementEnd,
    signature: bytes | None,
    now: datetime,
) -> None:
    """End an agreement from the moment its end was written; log the end.

    Parameters
    ----------
    participant_id : int
        Who asks for it: nobody writes an end in the name of the other side.

    Raises
    ------
    AgreementClosed
        If it does not run.
    Invalid
        If the text is not this agreement's end, too old, or the signature not the key's.
    NotFound
        If the member is no side of it.
    SignatureNeeded
        If the member signs with a key of their own and no signature came.
    """
    agreement = _locked(agreement_id, participant_id)
    _check_running(agreement, now)
    key = get_signing_key(participant_id=participant_id, now=now)
    if end != AgreementEnd(agreement.sha256, participant_id, end.issued_at, bytes(key.public_key)):
        raise Invalid("body", N_("This is not the text that was to be signed."))
    if not now - DRAFT_LASTS <= end.issued_at <= now:
        raise Invalid("body", N_("This text waited too long for its signature: start again."))
    body = end.body()
    agreement.end_body, agreement.end_signature = body, _signature(key, body, signature)
    agreement.end_key, agreement.ended_at = key, end.issued_at
    agreement.save(update_fields=["end_body", "end_signature", "end_key", "ended_at"])
    document = agreement_document(body)
    submit(commands=[document.command(agreement_end_log_key(agreement.pk))], submitted_at=now)


@transaction.atomic
def end_all_agreements(*, participant_id: int, now: datetime) -> None:
    """End what a member agreed on, before their key goes; proposals are closed.

    Raises
    ------
    AgreementsInForce
        If something runs that only the member, with a key of their own, can end.
    """
    own = Agreement.objects.filter(Q(seller_id=participant_id) | Q(buyer_id=participant_id))
    own.filter(agreed_at__isnull=True, closed_at__isnull=True).update(closed_at=now)
    running = own.filter(agreed_at__isnull=False, ended_at__isnull=True).filter(
        Q(valid_until__isnull=True) | Q(valid_until__gt=now)
    )
    for agreement_id in running.order_by("id").values_list("id", flat=True):
        key = get_signing_key(participant_id=participant_id, now=now)
        if key.is_own:
            raise AgreementsInForce(
                N_("agreement {id} runs, and only this member's own key can end it: end it first"),
                id=agreement_id,
            )
        end = draft_end(agreement_id=agreement_id, participant_id=participant_id, now=now)
        end_agreement(
            agreement_id=agreement_id,
            participant_id=participant_id,
            end=end,
            signature=None,
            now=now,
        )


def _points(seller_point_id: int, buyer_point_id: int) -> tuple[MeteringPoint, MeteringPoint]:
    """Return both metering points; their rows, in order of id, are the locks of partners' ranks."""
    found = {
        each.pk: each
        for each in MeteringPoint.objects.select_for_update(no_key=True, of=("self",))
        .select_related("site", "community")
        .filter(id__in=(seller_point_id, buyer_point_id))
        .order_by("id")
    }
    if len(found) != 2:
        raise Invalid("metering_point", N_("Name two different metering points."))
    # Their keys lock the members one by one later: here in order, so that no two wait in a ring.
    members = {each.site.participant_id for each in found.values()}
    list(Participant.objects.select_for_update(no_key=True).filter(id__in=members).order_by("id"))
    return found[seller_point_id], found[buyer_point_id]


def _side(point: MeteringPoint, now: datetime) -> Side:
    key = get_signing_key(participant_id=point.site.participant_id, now=now)
    return Side(point.site.participant_id, point.pk, bytes(key.public_key))


def _sides(text: AgreementText) -> tuple[Side, Side]:
    return text.seller, text.buyer


def _is_seller(text: AgreementText, participant_id: int) -> bool:
    if participant_id not in {side.participant_id for side in _sides(text)}:
        raise NotFound(N_("There is no such agreement."))
    return text.seller.participant_id == participant_id


def _locked(agreement_id: int, participant_id: int) -> Agreement:
    own = Q(seller_id=participant_id) | Q(buyer_id=participant_id)
    found = (
        Agreement.objects.select_for_update(no_key=True, of=("self",))
        .select_related("seller_key", "buyer_key")
        .filter(own, id=agreement_id)
        .first()
    )
    if found is None:
        raise NotFound(N_("There is no such agreement."))
    return found


def _check_open(agreement: Agreement) -> None:
    if agreement.agreed_at is not None or agreement.closed_at is not None:
        raise AgreementClosed(N_("This proposal was signed, withdrawn or declined before."))


def _check_running(agreement: Agreement, now: datetime) -> None:
    is_over = agreement.valid_until is not None and agreement.valid_until <= now
    if agreement.agreed_at is None or agreement.ended_at is not None or is_over:
        raise AgreementClosed(N_("This agreement does not run."))


def _signature(key: SigningKey, body: bytes, signature: bytes | None) -> bytes:
    if signature is None:
        return sign_in_custody(key=key, body=body)
    check_given(body=body, signature=signature, public_key=bytes(key.public_key))
    return signature

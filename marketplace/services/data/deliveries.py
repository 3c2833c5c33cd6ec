"""The fair exchange of a file: each side's signed text is taken in once, and logged.

The delivery's row is the lock; every step names the state it starts from. What is due without
anybody's signature is done by `marketplace.services.data.delivery_scan`.
"""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.db.models import F

from gate.exchange import Acceptance, Complaint, Origin, Reception, moment_of
from marketplace.domain.data.contract import ContractText
from marketplace.domain.data.disputes import Reason
from marketplace.domain.data.exchange import deadlines
from marketplace.domain.notices import NoticeKind
from marketplace.errors import N_, DeliveryClosed, FileDamaged, Invalid
from marketplace.models import DataCharge, DataContract, DataDelivery
from marketplace.services.data.delivery_key import take_money
from marketplace.services.data.delivery_rows import (
    find_own,
    is_package_there,
    locked_own,
    log_step,
    tell,
)
from marketplace.services.data.delivery_texts import (
    check_buyer,
    check_fresh,
    check_not_revoked,
    check_to,
    is_repeat,
    origin_of,
    read_text,
    sha256_of,
    signed,
)
from marketplace.services.data.disputes import open_dispute
from marketplace.services.data.evidence import judge_evidence

State = DataDelivery.State


def begin(*, contract: DataContract, charge: DataCharge, now: datetime) -> DataDelivery:
    """Begin the exchange of a contract that both have signed; joins the caller's transaction."""
    by = deadlines(ContractText.read(bytes(contract.body)).times, contract.agreed_at or now)
    found, _ = DataDelivery.objects.get_or_create(
        contract=contract,
        defaults={
            "charge": charge,
            "offer_by": by.offer_by,
            "receive_by": by.receive_by,
            "key_by": by.key_by,
        },
    )
    return found


def draft_origin(*, delivery_id: int, participant_ids: Collection[int], now: datetime) -> Origin:
    """Return the proof of origin that the seller is to sign; nothing is stored.

    Raises
    ------
    NotFound
        If none of the participants sells here.
    DeliveryClosed
        If it was signed before, or the money is not held yet or not any more.
    """
    delivery = find_own(delivery_id, participant_ids, sells=True)
    if delivery.state != State.HELD:
        raise DeliveryClosed(N_("This delivery does not wait for its seller."))
    return origin_of(delivery, now)


@transaction.atomic
def offer(
    *,
    delivery_id: int,
    participant_ids: Collection[int],
    body: bytes | None = None,
    signature: bytes | None = None,
    now: datetime,
) -> None:
    """Take in the seller's proof of origin; the same one again changes nothing.

    Parameters
    ----------
    body, signature : bytes, optional
        Signed with the key of the contract; without them the hall signs in custody.

    Raises
    ------
    NotFound
        If none of the participants sells here.
    DeliveryClosed
        If another was signed before, it is too late, or the money is not held.
    Invalid
        If the text is not about this contract's version, or the signature not the key's.
    SignatureNeeded
        If the seller signs with a key of their own.
    FileDamaged
        If the hall has not got the package any more.
    """
    delivery = locked_own(delivery_id, participant_ids, sells=True)
    if body is not None and is_repeat(delivery.origin_body, body):
        return
    check_not_revoked(delivery)
    if delivery.state != State.HELD or now >= delivery.offer_by:
        raise DeliveryClosed(N_("This delivery does not wait for its seller."))
    text = origin_of(delivery, now)
    if body is not None:
        given = read_text(Origin, body)
        check_fresh(given.issued, since=delivery.contract.agreed_at, now=now)
        if given != origin_of(delivery, moment_of(given.issued)):
            raise Invalid("body", N_("This is not the text that was to be signed."))
        text = given
    if not is_package_there(delivery):
        raise FileDamaged(N_("The package is not there as it was published: publish it again."))
    delivery.origin_body = text.body()
    delivery.origin_signature = signed(delivery.contract.seller_key, text.body(), signature)
    delivery.state, delivery.offered_at, delivery.problem = State.OFFERED, now, ""
    delivery.save(
        update_fields=["origin_body", "origin_signature", "state", "offered_at", "problem"]
    )
    log_step(delivery, "origin", {"origin": text.digest()}, now)
    tell(delivery, delivery.contract.buyer_id, NoticeKind.DELIVERY_OFFERED, now)


@transaction.atomic
def receive(
    *,
    delivery_id: int,
    participant_ids: Collection[int],
    body: bytes,
    signature: bytes | None,
    now: datetime,
) -> None:
    """Take in the buyer's proof of reception, and ask the ledger for the money.

    Raises
    ------
    NotFound
        If none of the participants buys here.
    DeliveryClosed
        If another was signed before, nothing is offered, or it is too late.
    Invalid
        If it names another origin, another root or a weak key, or the signature is not the key's.
    """
    delivery = locked_own(delivery_id, participant_ids, sells=False)
    if is_repeat(delivery.receipt_body, body):
        return
    check_not_revoked(delivery)
    if delivery.state != State.OFFERED or now >= delivery.receive_by:
        raise DeliveryClosed(N_("This delivery does not wait for its buyer."))
    text = read_text(Reception, body)
    check_fresh(text.issued, since=delivery.offered_at, now=now)
    origin = Origin.read(bytes(delivery.origin_body or b""))
    if (text.origin, text.root) != (origin.digest(), origin.root):
        raise Invalid("body", N_("The root is not that of the proof of origin: fetch again."))
    check_buyer(delivery, text)
    check_to(text.to)
    delivery.receipt_body = body
    delivery.receipt_signature = signed(delivery.contract.buyer_key, body, signature)
    delivery.state, delivery.received_at = State.ACKNOWLEDGED, now
    delivery.save(update_fields=["receipt_body", "receipt_signature", "state", "received_at"])
    log_step(delivery, "reception", {"reception": text.digest()}, now)
    take_money(delivery=delivery, now=now)


@transaction.atomic
def accept(
    *,
    delivery_id: int,
    participant_ids: Collection[int],
    body: bytes,
    signature: bytes | None,
    now: datetime,
) -> None:
    """Take in the buyer's word that everything opened and is what was promised.

    Raises `NotFound`, `DeliveryClosed` or `Invalid` as the other steps do.
    """
    delivery = locked_own(delivery_id, participant_ids, sells=False)
    if is_repeat(delivery.outcome_body, body):
        return
    text = read_text(Acceptance, body)
    _take_outcome(delivery, text, body, signature, now)
    delivery.state = State.ACCEPTED
    delivery.save(update_fields=["state", "outcome_body", "outcome_signature"])
    log_step(delivery, "outcome", {"acceptance": text.digest()}, now)


@transaction.atomic
def complain(
    *,
    delivery_id: int,
    participant_ids: Collection[int],
    body: bytes,
    signature: bytes | None,
    evidence: bytes,
    now: datetime,
) -> None:
    """Take in the buyer's complaint about a chunk; evidence that holds brings the money back.

    Only the hash of the evidence is kept and logged: it has the package's key in it.

    Raises
    ------
    Invalid
        If the evidence is another one, or shows no fault of the seller's.
    NotFound, DeliveryClosed, DisputeClosed
        As the other steps; if nothing was paid there is nothing to dispute, and no error.
    """
    delivery = locked_own(delivery_id, participant_ids, sells=False)
    if is_repeat(delivery.outcome_body, body):
        return
    text = read_text(Complaint, body)
    if text.evidence != sha256_of(evidence):
        raise Invalid("evidence", N_("This is not the evidence that the complaint names."))
    judged = judge_evidence(contract_id=delivery.contract_id, body=evidence)
    if not judged.is_sellers_fault:
        raise Invalid("evidence", N_("This evidence shows no fault of the seller's."))
    _take_outcome(delivery, text, body, signature, now)
    delivery.save(update_fields=["outcome_body", "outcome_signature"])
    log_step(delivery, "outcome", {"complaint": text.digest(), "evidence": text.evidence}, now)
    if delivery.charge.state == DataCharge.State.IN_WINDOW and delivery.charge.due_micro:
        open_dispute(
            charge_id=delivery.charge_id,
            participant_ids=participant_ids,
            reason=Reason.BAD_CHUNK.value,
            statement="",
            chunk_evidence=evidence,
            now=now,
        )


def note_served(*, delivery_id: int, byte_count: int) -> None:
    """Count ciphertext that went out."""
    DataDelivery.objects.filter(pk=delivery_id).update(served_bytes=F("served_bytes") + byte_count)


def _take_outcome(
    delivery: DataDelivery,
    text: Acceptance | Complaint,
    body: bytes,
    signature: bytes | None,
    now: datetime,
) -> None:
    if delivery.state not in {State.KEY_OUT, State.DISPUTED} or delivery.outcome_body is not None:
        raise DeliveryClosed(N_("This delivery does not wait for its buyer."))
    check_fresh(text.issued, since=delivery.key_out_at, now=now)
    request = Reception.read(bytes(delivery.receipt_body or b""))
    if (text.reception, text.wrap) != (request.digest(), sha256_of(bytes(delivery.wrap or b""))):
        raise Invalid("body", N_("This is not the text that was to be signed."))
    check_buyer(delivery, text)
    delivery.outcome_body = body
    delivery.outcome_signature = signed(delivery.contract.buyer_key, body, signature)

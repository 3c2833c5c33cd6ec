"""Contracts of the data market: proposed by the buyer, signed by both, ended or revoked.

The hall signs in custody at the participant's request, and for sellers whose product says so; who
holds a key of their own sends the signature. What follows (money, delivery, access) begins in the
transaction of the second signature and ends in that of the revocation.

Lock order: a contract, then who signs, then what belongs to it. A proposal locks both sides by id,
and no contract.
"""

from datetime import datetime
from typing import Final

from django.db import transaction

from ledger.services import submit
from marketplace.domain.data.contract import ContractText
from marketplace.domain.notices import NoticeKind
from marketplace.domain.terms_document import DRAFT_LASTS, sha256_of
from marketplace.errors import (
    N_,
    ContractClosed,
    Invalid,
    MarketplaceError,
    NotFound,
    TooManyProposals,
)
from marketplace.models import (
    DataContract,
    DataProduct,
    DataVersion,
    DataWishAnswer,
)
from marketplace.queries.data.contracts import (
    contract_document,
    contract_log_key,
    read_contract,
)
from marketplace.services.data import charges, deliveries
from marketplace.services.data.contract_drafts import choice_of, draft_contract
from marketplace.services.data.contract_ends import PROPOSAL_LASTS
from marketplace.services.data.contract_rows import locked_contract, signature_by, tell
from marketplace.services.signed_terms import get_signing_key

State = DataContract.State
# Of one buyer's, waiting for sellers.
PROPOSALS_MAX: Final = 50
_BATCH: Final = 500


@transaction.atomic
def propose_contract(
    *, text: ContractText, participant_id: int, signature: bytes | None, now: datetime
) -> DataContract:
    """Store a text that its buyer signs; it waits for the seller.

    Parameters
    ----------
    signature : bytes or None
        Of a key of the buyer's own; None: the hall signs in custody.

    Raises
    ------
    NotFound
        If the participant is not the buyer, or the product or answer is not there.
    Invalid
        If the text is not one that `draft_contract` would write now, or the signature is not the
        key's.
    SignatureNeeded
        If the buyer signs with a key of their own and no signature came.
    ContractClosed
        If the text was proposed before.
    TooManyProposals
        If as many of the buyer's proposals wait as may.
    ProductClosed, RoleNotAllowed, WalletMissing, WalletCurrencyDiffers, AlreadyErased
        As `draft_contract`.
    """
    if text.buyer.participant_id != participant_id:
        raise NotFound(N_("There is no such contract."))
    if not now - DRAFT_LASTS <= text.issued_at <= now:
        raise Invalid("body", N_("This text waited too long for its signature: start again."))
    drafted = draft_contract(
        product_id=text.product_id,
        buyer_id=participant_id,
        choice=choice_of(text),
        now=text.issued_at,
    )
    if text != drafted:
        raise Invalid("body", N_("Something changed since this text was written: start again."))
    _check_proposals(text)
    seller_id, body = text.seller.participant_id, text.body()
    buyer_key = get_signing_key(participant_id=participant_id, now=now)
    contract = DataContract.objects.create(
        product_id=text.product_id,
        version=DataVersion.objects.get(product=text.product_id, number=text.version_number),
        seller_id=seller_id,
        buyer_id=participant_id,
        currency=text.currency,
        body=body,
        sha256=sha256_of(body),
        seller_key=get_signing_key(participant_id=seller_id, now=now),
        buyer_key=buyer_key,
        buyer_signature=signature_by(buyer_key, body, signature),
        valid_from=text.valid_from,
        valid_until=text.valid_until,
        proposed_at=now,
    )
    tell(contract, seller_id, NoticeKind.CONTRACT_PROPOSED, now)
    return contract


@transaction.atomic
def accept_contract(
    *, contract_id: int, participant_id: int, signature: bytes | None, now: datetime
) -> DataContract:
    """Let the seller sign: log it, hold the money, begin the delivery.

    Raises
    ------
    NotFound
        If the participant is not its seller.
    ContractClosed
        If it was signed, withdrawn or declined before, waited too long, or a side has another key
        since.
    Invalid
        If the signature is not the key's.
    SignatureNeeded
        If the seller signs with a key of their own and no signature came.
    WalletMissing, WalletCurrencyDiffers
        If money is to move and somebody has no wallet for it any more.
    """
    contract = locked_contract(contract_id, participant_id)
    if contract.seller_id != participant_id:
        raise NotFound(N_("This contract waits for the other side."))
    return _agree(contract, signature, now)


def accept_waiting(*, now: datetime) -> int:
    """Sign for the sellers whose products say so and whose key the hall holds; return how many.

    What cannot be agreed on any more is declined. Safe twice, late, or on two hosts.
    """
    waiting = DataContract.objects.filter(
        state=State.PROPOSED,
        product__accepts_automatically=True,
        seller_key__sealed_private__isnull=False,
    )
    count = 0
    for contract_id in list(waiting.order_by("id").values_list("id", flat=True)[:_BATCH]):
        count += _accept_one(contract_id, now)
    return count


@transaction.atomic
def close_proposal(*, contract_id: int, participant_id: int, now: datetime) -> None:
    """Decline a proposal, or withdraw one's own; raises `ContractClosed` or `NotFound`."""
    contract = locked_contract(contract_id, participant_id)
    _decline(contract, now)


@transaction.atomic
def _accept_one(contract_id: int, now: datetime) -> bool:
    """Sign one waiting contract for its seller, or decline it; nothing if another is at it."""
    contract = (
        DataContract.objects.select_for_update(no_key=True, of=("self",), skip_locked=True)
        .select_related("seller_key", "buyer_key", "version", "product")
        .filter(id=contract_id, state=State.PROPOSED)
        .first()
    )
    if contract is None:
        return False
    try:
        if contract.product.state != DataProduct.State.LISTED:
            raise ContractClosed(N_("This product is not on offer any more."))
        with transaction.atomic():
            _check_still_offered(contract)
            _agree(contract, None, now)
    except MarketplaceError:
        contract.refresh_from_db()
        _decline(contract, now)
        return False
    return True


def _agree(contract: DataContract, signature: bytes | None, now: datetime) -> DataContract:
    """Sign for the seller of a locked contract, and begin what follows from it."""
    _check_open(contract)
    keys = (contract.seller_key, contract.buyer_key)
    is_late = now > contract.proposed_at + PROPOSAL_LASTS
    if is_late or any(key.ended_at is not None for key in keys):
        raise ContractClosed(
            N_("It waited too long, or a side signs with another key by now: propose it again.")
        )
    text = read_contract(contract)
    contract.seller_signature = signature_by(keys[0], bytes(contract.body), signature)
    contract.state, contract.agreed_at = State.AGREED, now
    contract.save(update_fields=["state", "seller_signature", "agreed_at"])
    command = contract_document(contract).command(contract_log_key(contract.pk))
    submit(commands=[command], submitted_at=now)
    charge = charges.open_first_charge(contract=contract, now=now)
    if text.kind == "file":
        deliveries.begin(contract=contract, charge=charge, now=now)
    if text.answer_id is not None:
        DataWishAnswer.objects.filter(id=text.answer_id, state=DataWishAnswer.State.OPEN).update(
            state=DataWishAnswer.State.TAKEN, closed_at=now
        )
    tell(contract, contract.buyer_id, NoticeKind.CONTRACT_AGREED, now)
    return contract


def _check_still_offered(contract: DataContract) -> None:
    """Refuse to sign in the seller's name what the seller would not offer any more.

    A proposal may have waited while its price went up, or while another took the same answer or
    trial; a seller who signs it by hand has read it.
    """
    text = read_contract(contract)
    offered = draft_contract(
        product_id=contract.product_id,
        buyer_id=contract.buyer_id,
        choice=choice_of(text),
        now=text.issued_at,
    )
    if offered != text:
        raise ContractClosed(N_("Something changed since this text was written: start again."))


def _decline(contract: DataContract, now: datetime) -> None:
    _check_open(contract)
    contract.state, contract.closed_at = State.DECLINED, now
    contract.save(update_fields=["state", "closed_at"])
    tell(contract, contract.buyer_id, NoticeKind.CONTRACT_DECLINED, now)


def _check_proposals(text: ContractText) -> None:
    """Refuse a text that was proposed before, or one more than a buyer may let wait."""
    if DataContract.objects.filter(sha256=sha256_of(text.body())).exists():
        raise ContractClosed(N_("This text was proposed before."))
    waiting = DataContract.objects.filter(state=State.PROPOSED, buyer=text.buyer.participant_id)
    if waiting.count() >= PROPOSALS_MAX:
        raise TooManyProposals(
            N_("{count} of your proposals wait for an answer: withdraw one first."),
            count=PROPOSALS_MAX,
        )


def _check_open(contract: DataContract) -> None:
    if contract.state != State.PROPOSED:
        raise ContractClosed(N_("This proposal was signed, withdrawn or declined before."))

"""The end of contracts: revoked by either side, run out, or left behind by somebody erased.

Lock order as in `marketplace.services.data.contracts`.
"""

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q

from ledger.services import submit
from marketplace.domain.data.contract import ContractRevocation
from marketplace.domain.notices import NoticeKind
from marketplace.domain.terms_document import DRAFT_LASTS
from marketplace.errors import N_, AgreementsInForce, ContractClosed, Invalid
from marketplace.models import DataContract, FeedCredential
from marketplace.queries.data.contracts import revocation_document, revocation_log_key
from marketplace.services.data.contract_rows import locked_contract, signature_by, tell
from marketplace.services.signed_terms import get_signing_key

State = DataContract.State
# How long a proposal waits for the seller.
PROPOSAL_LASTS: Final = timedelta(days=14)
_BATCH: Final = 500


@transaction.atomic
def draft_revocation(*, contract_id: int, participant_id: int, now: datetime) -> ContractRevocation:
    """Return the text by which a side revokes a contract; nothing is stored.

    Raises
    ------
    NotFound
        If the participant is no side of it.
    ContractClosed
        If it does not run.
    """
    contract = locked_contract(contract_id, participant_id)
    _check_running(contract, now)
    key = get_signing_key(participant_id=participant_id, now=now)
    return ContractRevocation(contract.sha256, participant_id, now, bytes(key.public_key))


@transaction.atomic
def revoke_contract(
    *,
    contract_id: int,
    participant_id: int,
    revocation: ContractRevocation,
    signature: bytes | None,
    now: datetime,
) -> None:
    """End a contract at once, with the consequences that its text states; log the revocation.

    Access to a feed ends in this transaction. A delivery whose key is not out is cancelled and its
    hold released by the next scan of deliveries, a feed's month closed by that of charges.

    Raises
    ------
    NotFound
        If the participant is no side of it.
    ContractClosed
        If it does not run.
    Invalid
        If the text is not this contract's revocation, too old, or the signature not the key's.
    SignatureNeeded
        If the participant signs with a key of their own and no signature came.
    """
    contract = locked_contract(contract_id, participant_id)
    _check_running(contract, now)
    key = get_signing_key(participant_id=participant_id, now=now)
    at = revocation.issued_at
    if revocation != ContractRevocation(contract.sha256, participant_id, at, bytes(key.public_key)):
        raise Invalid("body", N_("This is not the text that was to be signed."))
    if not now - DRAFT_LASTS <= at <= now:
        raise Invalid("body", N_("This text waited too long for its signature: start again."))
    body = revocation.body()
    contract.state, contract.closed_at = State.REVOKED, now
    contract.revocation_body, contract.revocation_key = body, key
    contract.revocation_signature = signature_by(key, body, signature)
    contract.save(
        update_fields=[
            "state",
            "closed_at",
            "revocation_body",
            "revocation_signature",
            "revocation_key",
        ]
    )
    _end_access([contract.pk], now)
    command = revocation_document(contract).command(revocation_log_key(contract.pk))
    submit(commands=[command], submitted_at=now)
    other = contract.seller_id if contract.buyer_id == participant_id else contract.buyer_id
    tell(contract, other, NoticeKind.CONTRACT_REVOKED, now)


@transaction.atomic
def end_due(*, now: datetime) -> int:
    """End contracts whose time is over, close proposals that waited too long; return how many.

    Safe twice, late, or on two hosts.
    """
    lapsed = DataContract.objects.filter(
        state=State.PROPOSED, proposed_at__lte=now - PROPOSAL_LASTS
    )
    over = DataContract.objects.filter(state=State.AGREED, valid_until__lte=now)
    count = 0
    for due, state in ((lapsed, State.DECLINED), (over, State.ENDED)):
        claimed = due.select_for_update(skip_locked=True, no_key=True, of=("self",))
        ids = list(claimed.order_by("id").values_list("id", flat=True)[:_BATCH])
        DataContract.objects.filter(id__in=ids).update(state=state, closed_at=now)
        _end_access(ids, now)
        count += len(ids)
    return count


@transaction.atomic
def end_all_contracts(*, participant_id: int, now: datetime) -> None:
    """Revoke what a participant has signed, before their key goes; proposals are closed.

    Raises
    ------
    AgreementsInForce
        If something runs that only the participant, with a key of their own, can revoke.
    """
    own = DataContract.objects.filter(Q(seller_id=participant_id) | Q(buyer_id=participant_id))
    own.filter(state=State.PROPOSED).update(state=State.DECLINED, closed_at=now)
    running = own.filter(state=State.AGREED, valid_until__gt=now)
    for contract_id in running.order_by("id").values_list("id", flat=True):
        key = get_signing_key(participant_id=participant_id, now=now)
        if key.is_own:
            raise AgreementsInForce(
                N_("contract {id} runs, and only this member's own key can end it: end it first"),
                id=contract_id,
            )
        revoke_contract(
            contract_id=contract_id,
            participant_id=participant_id,
            revocation=draft_revocation(
                contract_id=contract_id, participant_id=participant_id, now=now
            ),
            signature=None,
            now=now,
        )


def _end_access(contract_ids: list[int], now: datetime) -> None:
    FeedCredential.objects.filter(contract__in=contract_ids, revoked_at__isnull=True).update(
        revoked_at=now
    )


def _check_running(contract: DataContract, now: datetime) -> None:
    if contract.state != State.AGREED or contract.valid_until <= now:
        raise ContractClosed(N_("This contract does not run."))

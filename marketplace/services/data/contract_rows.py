"""What every step of a contract needs: its locked row, a signature, a word to the other side."""

from datetime import datetime

from django.db.models import Q

from marketplace.domain.notices import NoticeKind
from marketplace.errors import N_, NotFound
from marketplace.models import DataContract, SigningKey
from marketplace.services.notices import notify
from marketplace.services.signed_terms import check_given, sign_in_custody


def locked_contract(contract_id: int, participant_id: int) -> DataContract:
    """Return a contract of a participant, locked until the transaction ends; or `NotFound`."""
    own = Q(seller_id=participant_id) | Q(buyer_id=participant_id)
    found = (
        DataContract.objects.select_for_update(no_key=True, of=("self",))
        .select_related("seller_key", "buyer_key", "version", "product")
        .filter(own, id=contract_id)
        .first()
    )
    if found is None:
        raise NotFound(N_("There is no such contract."))
    return found


def signature_by(key: SigningKey, body: bytes, signature: bytes | None) -> bytes:
    """Return a key's signature: the one that came, checked, or the hall's in custody."""
    if signature is None:
        return sign_in_custody(key=key, body=body)
    check_given(body=body, signature=signature, public_key=bytes(key.public_key))
    return signature


def tell(contract: DataContract, participant_id: int, kind: NoticeKind, now: datetime) -> None:
    """Tell a side of a contract what became of it, once."""
    subject = {
        "contract": contract.pk,
        "product": contract.product_id,
        "title": contract.product.title,
    }
    notify(
        participant_id=participant_id,
        kind=kind,
        key=f"contract:{contract.pk}",
        subject=subject,
        now=now,
    )

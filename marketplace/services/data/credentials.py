"""Credentials of feeds: made once, shown once, revoked at once."""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction

from marketplace.errors import N_, ContractClosed, Invalid, NotFound, TooManyCredentials
from marketplace.models import DataContract, DataProduct, FeedCredential
from marketplace.services.data.feeds import secret_hash

OPEN_MAX: Final = 10
LABEL_MAX: Final = 80
_PREFIX: Final = "hlfeed_"


@dataclass(frozen=True)
class NewCredential:
    """A credential that was just made; its secret is known now and never again."""

    id: int
    secret: str


@transaction.atomic
def make_credential(
    *, contract_id: int, participant_ids: Collection[int], label: str, now: datetime
) -> NewCredential:
    """Make a credential for the buyer of a feed.

    Raises
    ------
    NotFound
        If none of the participants buys a feed by this contract.
    ContractClosed
        If the contract is not in force.
    TooManyCredentials
        If as many are open as may be.
    Invalid
        If the label is too long.
    """
    if len(label) > LABEL_MAX:
        raise Invalid("label", N_("At most {maximum} characters."), maximum=LABEL_MAX)
    contract = (
        DataContract.objects.select_for_update(no_key=True)
        .filter(id=contract_id, buyer__in=participant_ids, product__kind=DataProduct.Kind.FEED)
        .first()
    )
    if contract is None:
        raise NotFound(N_("There is no such feed of yours."))
    if contract.state != DataContract.State.AGREED or contract.valid_until <= now:
        raise ContractClosed(N_("This contract is not in force."))
    open_ones = FeedCredential.objects.filter(contract=contract, revoked_at=None)
    if open_ones.count() >= OPEN_MAX:
        raise TooManyCredentials(
            N_("At most {maximum} credentials can be open: revoke one first."), maximum=OPEN_MAX
        )
    secret = _PREFIX + secrets.token_urlsafe(32)
    made = FeedCredential.objects.create(
        contract=contract, secret_sha256=secret_hash(secret), label=label, created_at=now
    )
    return NewCredential(made.id, secret)


@transaction.atomic
def revoke_credential(
    *, credential_id: int, participant_ids: Collection[int], now: datetime
) -> None:
    """Revoke a credential of the buyer's for good; again this changes nothing.

    Raises
    ------
    NotFound
        If none of the participants has such a credential.
    """
    found = FeedCredential.objects.filter(
        id=credential_id, contract__buyer__in=participant_ids
    ).first()
    if found is None:
        raise NotFound(N_("There is no such credential of yours."))
    FeedCredential.objects.filter(id=found.id, revoked_at=None).update(revoked_at=now)

"""Texts of the exchange as they come in: read, compared with what must stand in them, signed."""

import hashlib
from datetime import datetime, timedelta
from typing import Final, TypeVar

from gate.exchange import (
    Acceptance,
    Complaint,
    Origin,
    Reception,
    Rewrap,
    Text,
    base64_of,
    check_signed,
    micros_of,
    moment_of,
)
from gate.keys import public_key
from gate.manifest import Manifest, PackageBroken
from marketplace.errors import N_, DeliveryClosed, Invalid
from marketplace.models import DataContract, DataDelivery, SigningKey
from marketplace.services.signed_terms import sign_in_custody

# How far a client's clock may be off.
CLOCKS_DIFFER: Final = timedelta(minutes=10)
T = TypeVar("T", bound=Text)


def origin_of(delivery: DataDelivery, issued: datetime) -> Origin:
    contract = delivery.contract
    manifest = Manifest.from_bytes(bytes(contract.version.manifest or b""))
    return Origin(
        contract=contract.sha256,
        version=manifest.sha256,
        package=manifest.package.package_id.hex(),
        chunks=str(len(manifest.package.chunks)),
        root=manifest.package.root,
        key_commitment=manifest.key_commitment,
        seller_key=base64_of(bytes(contract.seller_key.public_key)),
        issued=micros_of(issued),
    )


def read_text(kind: type[T], body: bytes) -> T:
    try:
        return kind.read(body)
    except PackageBroken as error:
        raise Invalid("body", N_("This is not the text that was to be signed.")) from error


def check_not_revoked(delivery: DataDelivery) -> None:
    """Refuse a step of a contract that was revoked, also before the scan has cancelled it."""
    if delivery.contract.state == DataContract.State.REVOKED:
        raise DeliveryClosed(N_("The contract was revoked."))


def check_buyer(delivery: DataDelivery, text: Reception | Acceptance | Complaint | Rewrap) -> None:
    if text.buyer_key != base64_of(bytes(delivery.contract.buyer_key.public_key)):
        raise Invalid("body", N_("The text names another key than the contract."))


def check_to(to: str) -> None:
    try:
        public_key(bytes.fromhex(to))
    except PackageBroken as error:
        raise Invalid("body", N_("Nothing can be kept secret under this X25519 key.")) from error


def check_fresh(issued: str, *, since: datetime | None, now: datetime) -> None:
    """Refuse a time before the step could be taken, or still to come.

    A text may wait long for its sending: a client that was killed sends what it signed before.
    """
    try:
        at = moment_of(issued)
        is_so = (since or now) - CLOCKS_DIFFER <= at <= now + CLOCKS_DIFFER
    except OverflowError:
        is_so = False
    if not is_so:
        raise Invalid("body", N_("This text was signed at a time at which it could not be."))


def signed(key: SigningKey, body: bytes, signature: bytes | None) -> bytes:
    """Return a signature by the contract's key, checked or made in custody."""
    if key.ended_at is not None:
        raise DeliveryClosed(
            N_("The key that signed the contract is in use no more: agree on a new contract.")
        )
    if signature is None:
        return sign_in_custody(key=key, body=body)
    try:
        check_signed(body=body, signature=signature, public_key=bytes(key.public_key))
    except PackageBroken as error:
        raise Invalid("signature", N_("The signature is not this key's over this text.")) from error
    return signature


def is_repeat(stored: bytes | memoryview | None, body: bytes) -> bool:
    """Tell whether a step was done by these very bytes; raises if it was done by others."""
    if stored is None:
        return False
    if bytes(stored) != body:
        raise DeliveryClosed(N_("Another text was signed for this step before."))
    return True


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

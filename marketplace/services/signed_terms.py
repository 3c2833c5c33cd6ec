"""Members' keys, and signing with them.

By default the hall holds a member's key in named custody: the private key is sealed under their
identity key, and goes with it. A member may use a key of their own instead, of which the hall knows
only the public half. Every signed text is logged by its hash.
"""

from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.db import transaction

from ledger.services import submit
from marketplace.domain.identity import IdentityKey
from marketplace.domain.terms_document import (
    DRAFT_LASTS,
    PUBLIC_KEY_BYTES,
    Revocation,
    TermsDocument,
    check_signature,
    read_own_key_body,
    sha256_of,
)
from marketplace.errors import N_, AlreadyErased, Invalid, SignatureNeeded, TermsBroken
from marketplace.models import Participant, SignedTerms, SigningKey
from marketplace.queries.identity import identity_keys
from marketplace.queries.signed_terms import (
    log_key,
    logged_document,
    logged_key,
    signing_key_log_key,
)

CUSTODY = "signing key in custody"


@transaction.atomic
def get_signing_key(*, participant_id: int, now: datetime) -> SigningKey:
    """Return the key that signs for a participant; the first time, the hall makes one."""
    participant = _locked(participant_id)
    found = SigningKey.objects.filter(participant=participant, ended_at__isnull=True).first()
    return found or _custody_key(participant, now)


@transaction.atomic
def use_own_key(*, participant_id: int, body: bytes, signature: bytes, now: datetime) -> None:
    """Let a member sign with a key of their own from now on.

    Parameters
    ----------
    body : bytes
        `own_key_body` of the new key, not older than `DRAFT_LASTS`.
    signature : bytes
        Over the body, by the new key: whoever registers a key holds it.

    Raises
    ------
    Invalid
        If the text is of another member or too old, or the signature is not the key's.
    """
    named, public_key, issued_at = read_own_key_body(body)
    if named != participant_id or len(public_key) != PUBLIC_KEY_BYTES:
        raise Invalid("body", N_("This is not the text that was to be signed."))
    _check_fresh(issued_at, now)
    check_given(body=body, signature=signature, public_key=public_key)
    participant = _locked(participant_id)
    _end_keys(participant, now)
    key = SigningKey.objects.create(participant=participant, public_key=public_key, created_at=now)
    _log_key(key, now)


@transaction.atomic
def use_hall_key(*, participant_id: int, now: datetime) -> None:
    """Let the hall hold the member's key again: a new one, the own one ends."""
    participant = _locked(participant_id)
    in_use = SigningKey.objects.filter(participant=participant, ended_at__isnull=True).first()
    if in_use is None or in_use.is_own:
        _end_keys(participant, now)
        _custody_key(participant, now)


def sign_in_custody(*, key: SigningKey, body: bytes) -> bytes:
    """Return the signature of a key that the hall holds.

    Raises
    ------
    SignatureNeeded
        If the member holds it.
    """
    if key.sealed_private is None:
        raise SignatureNeeded(
            N_("This member signs with a key of their own: sign where the key is.")
        )
    identity = _identity(key.participant)
    private = identity.unseal(bytes(key.sealed_private), purpose=CUSTODY)
    return Ed25519PrivateKey.from_private_bytes(private).sign(body)


def secret_in_custody(*, key: SigningKey, purpose: bytes) -> bytes:
    """Return 32 bytes that follow from a key that the hall holds; they go when the member does.

    Raises
    ------
    SignatureNeeded
        If the member holds it.
    """
    if key.sealed_private is None:
        raise SignatureNeeded(N_("This member's key is not in the hall: use it where it is."))
    identity = _identity(key.participant)
    private = identity.unseal(bytes(key.sealed_private), purpose=CUSTODY)
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(private)


def store_signed(
    *,
    document: TermsDocument | Revocation,
    signature: bytes,
    key: SigningKey,
    revokes: SignedTerms | None,
    now: datetime,
) -> SignedTerms:
    """Store a signed text and log its hash. Runs in its caller's transaction.

    Raises
    ------
    Invalid
        If the signature is not the key's, or the text was issued too long ago.
    """
    body = document.body()
    _check_fresh(document.issued_at, now)
    check_given(body=body, signature=signature, public_key=bytes(key.public_key))
    signed = SignedTerms.objects.create(
        participant_id=document.participant_id,
        metering_point_id=document.metering_point_id,
        key=key,
        revokes=revokes,
        body=body,
        sha256=sha256_of(body),
        signature=signature,
        created_at=now,
    )
    submit(commands=[logged_document(signed).command(log_key(signed.id))], submitted_at=now)
    return signed


def check_given(*, body: bytes, signature: bytes, public_key: bytes) -> None:
    """Refuse a signature that somebody sent and that is not the key's over the text."""
    try:
        check_signature(body=body, signature=signature, public_key=public_key)
    except TermsBroken as error:
        raise Invalid("signature", error.text) from error


def _check_fresh(issued_at: datetime, now: datetime) -> None:
    if not now - DRAFT_LASTS <= issued_at <= now:
        raise Invalid("body", N_("This text waited too long for its signature: start again."))


def _custody_key(participant: Participant, now: datetime) -> SigningKey:
    private = Ed25519PrivateKey.generate()
    key = SigningKey.objects.create(
        participant=participant,
        public_key=private.public_key().public_bytes_raw(),
        sealed_private=_identity(participant).seal(private.private_bytes_raw(), purpose=CUSTODY),
        created_at=now,
    )
    _log_key(key, now)
    return key


def _log_key(key: SigningKey, now: datetime) -> None:
    """Log whose key begins to sign: no other can be slipped under later."""
    submit(commands=[logged_key(key).command(signing_key_log_key(key.id))], submitted_at=now)


def _end_keys(participant: Participant, now: datetime) -> None:
    SigningKey.objects.filter(participant=participant, ended_at__isnull=True).update(ended_at=now)


def _locked(participant_id: int) -> Participant:
    """Return the participant, whose row is the lock of its keys."""
    return Participant.objects.select_for_update(no_key=True).get(id=participant_id)


def _identity(participant: Participant) -> IdentityKey:
    slot = participant.identity_slot
    key = identity_keys().get([slot]).get(slot)
    if key is None:
        raise AlreadyErased(N_("This member was erased."))
    return key

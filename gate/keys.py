"""Keys of packages: made once, committed to, and sealed for one reader (HPKE, RFC 9180)."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from gate.manifest import PACKAGE_ID_BYTES, PackageBroken, canonical_json

KEY_BYTES: Final = 32
_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


def new_package_id() -> bytes:
    """Return the id of a new package: random, so that no two packages share associated data."""
    return secrets.token_bytes(PACKAGE_ID_BYTES)


def new_key() -> bytes:
    """Return the key of a new package.

    It belongs to one run of the packer. A run that died is thrown away with its key: the same key
    over other bytes would use a nonce twice.
    """
    return secrets.token_bytes(KEY_BYTES)


def key_commitment(package_id: bytes, key: bytes) -> str:
    """Return the hash that binds a package to one key, in hex.

    AES-GCM alone does not: bytes can be made that open under two keys.
    """
    return hashlib.sha256(b"heliopolis/key-commitment/1\0" + package_id + key).hexdigest()


def deposit_info(package_id: bytes) -> bytes:
    """Return what a key sealed for the hall is bound to."""
    return canonical_json({"type": "heliopolis/deposit/1", "package": package_id.hex()})


def buyer_info(receipt_sha256: bytes) -> bytes:
    """Return what a key wrapped for a buyer is bound to: the hash of the proof of reception."""
    return b"heliopolis/key-for-buyer/1\0" + receipt_sha256


def public_key(raw: bytes) -> X25519PublicKey:
    """Read an X25519 public key, and try it once: a point of low order is refused here.

    Raises
    ------
    PackageBroken
        The bytes are no usable key.
    """
    try:
        key = X25519PublicKey.from_public_bytes(raw)
        _SUITE.encrypt(b"", key, info=b"")
    except ValueError:
        raise PackageBroken("key_unusable", "these bytes are no X25519 public key") from None
    return key


def seal(secret: bytes, reader: X25519PublicKey, *, info: bytes) -> bytes:
    """Encrypt a short secret for one reader, bound to ``info``; another result every time."""
    return _SUITE.encrypt(secret, reader, info=info)


def open_sealed(sealed: bytes, reader: X25519PrivateKey, *, info: bytes) -> bytes:
    """Decrypt what ``seal`` made.

    Raises
    ------
    PackageBroken
        It was sealed for another reader, bound to something else, or changed since.
    """
    try:
        return _SUITE.decrypt(sealed, reader, info=info)
    except (InvalidTag, ValueError):
        raise PackageBroken(
            "seal_broken", "the sealed key was made for another reader or purpose, or changed"
        ) from None


def check_key(package_id: bytes, key: bytes, commitment: str) -> None:
    """Refuse a key that is not the one a package is committed to."""
    if len(key) != KEY_BYTES or key_commitment(package_id, key) != commitment:
        raise PackageBroken("other_key", "this is not the key that the package is committed to")

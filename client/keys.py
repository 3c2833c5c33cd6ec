"""A member's own Ed25519 key: one file, never sent anywhere."""

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.errors import ClientError
from client.files import keep, read_secret
from client.hall import Hall
from gate.exchange import base64_of, micros_of
from gate.manifest import canonical_json


@dataclass(frozen=True)
class OwnKey:
    """A private key and its public half in base64."""

    private: Ed25519PrivateKey = field(repr=False)
    public: str

    @classmethod
    def of(cls, private: Ed25519PrivateKey) -> "OwnKey":
        """Return a key with its public half."""
        return cls(private, base64_of(private.public_key().public_bytes_raw()))

    def sign(self, body: bytes) -> str:
        """Return the signature over a text, in base64."""
        return base64_of(self.private.sign(body))


def make_key(path: Path) -> OwnKey:
    """Make a key file; never over another one.

    Raises
    ------
    ClientError
        If the file is there already.
    """
    if path.exists():
        raise ClientError(f"{path} is there already: a key that was used must be kept")
    private = Ed25519PrivateKey.generate()
    keep(path, _pem(private), is_secret=True)
    return OwnKey.of(private)


def read_key(path: Path) -> OwnKey:
    """Read a key file; raises `ClientError` if it is none."""
    content = read_secret(path, "the key file")
    try:
        private = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError) as error:
        raise ClientError(f"{path} holds no private key without a password") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise ClientError(f"{path} holds another kind of key than Ed25519")
    return OwnKey.of(private)


def use_key(hall: Hall, key: OwnKey) -> str:
    """Have the hall know the key as the member's own; return its public half.

    From then on only this key signs for the member: keep a copy of the file.
    """
    known = hall.get("data/signing-key/")
    if known["public_key"] == key.public:
        return key.public
    body = canonical_json(
        {
            "issued": micros_of(datetime.now(UTC)),
            "key": key.public,
            "participant": str(known["participant_id"]),
            "type": "heliopolis/own-key/1",
        }
    )
    hall.post(
        "data/signing-key/",
        {
            "participant_id": known["participant_id"],
            "body": body.decode(),
            "signature": key.sign(body),
        },
    )
    return key.public


def signature_for(public_key: str, body: bytes, key: OwnKey | None) -> str | None:
    """Return the signature by the key that a text names; None where the hall holds that key.

    Raises
    ------
    ClientError
        If the key that was given is another one.
    """
    if key is None:
        return None
    if key.public != public_key:
        raise ClientError(
            f"this is signed by the key {public_key}, the key file holds {key.public}:"
            " name the other file, or leave it out where the hall signs for you"
        )
    return key.sign(body)


def public_bytes(text: str) -> bytes:
    """Return a public key from base64."""
    return base64.b64decode(text, validate=True)


def _pem(private: Ed25519PrivateKey) -> bytes:
    return private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )

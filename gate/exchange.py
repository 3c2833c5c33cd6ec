"""The texts of the fair exchange, and the wrapping of its key; docs/data.md says who sends which.

Canonical JSON as everything that is signed here, each with its ``type``: no signature under one
text can pass for one under another. Times are microseconds since 1970-01-01 UTC.
"""

import base64
import hashlib
import json
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from gate.keys import KEY_BYTES, buyer_info, open_sealed, public_key, seal
from gate.manifest import PackageBroken, canonical_json

TEXT_BYTES_MAX: Final = 8192
_HEX_DIGITS: Final = frozenset("0123456789abcdef")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Text:
    """A text of the exchange: a type, and named strings in hex, base64 or decimal digits."""

    TYPE: ClassVar[str] = ""
    HEX_64: ClassVar[frozenset[str]] = frozenset()
    NUMBERS: ClassVar[frozenset[str]] = frozenset({"issued"})

    def body(self) -> bytes:
        """Return the bytes that are signed."""
        names = [each.name for each in fields(self)]
        return canonical_json({"type": self.TYPE} | {name: getattr(self, name) for name in names})

    def digest(self) -> str:
        """Return the SHA-256 by which other texts and the log name this one, in hex."""
        return hashlib.sha256(self.body()).hexdigest()

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Read a text from exactly its canonical bytes.

        Raises
        ------
        PackageBroken
            If these bytes are not the canonical form of such a text.
        """
        names = {each.name for each in fields(cls)}
        try:
            written = json.loads(body) if len(body) <= TEXT_BYTES_MAX else None
        except (ValueError, RecursionError):
            written = None
        is_one = (
            isinstance(written, dict)
            and written.pop("type", None) == cls.TYPE
            and written.keys() == names
            and all(isinstance(value, str) for value in written.values())
        )
        text = cls(**written) if is_one and isinstance(written, dict) else None
        if text is None or text.body() != body or not text.is_in_form():
            raise PackageBroken(
                "text_unreadable",
                f"these bytes are no {cls.TYPE}: send exactly those that were signed",
            )
        return text

    def is_in_form(self) -> bool:
        """Tell whether hashes are hashes and numbers numbers."""
        return all(is_sha256(getattr(self, name)) for name in self.HEX_64) and all(
            is_number(getattr(self, name)) for name in self.NUMBERS
        )


@dataclass(frozen=True)
class Origin(Text):
    """Proof of origin: by it the seller answers for every byte that the buyer will fetch.

    Attributes
    ----------
    contract, version : str
        SHA-256 of the contract's text and of the version's manifest.
    package, chunks, root : str
        The package's id, how many chunks it has, and the root over what they hash to.
    key_commitment : str
        To the one key that opens them.
    seller_key : str
        Who signs, in base64.
    """

    TYPE: ClassVar[str] = "heliopolis/proof-of-origin/1"
    HEX_64: ClassVar[frozenset[str]] = frozenset(
        {"contract", "version", "package", "root", "key_commitment"}
    )
    NUMBERS: ClassVar[frozenset[str]] = frozenset({"chunks", "issued"})

    contract: str
    version: str
    package: str
    chunks: str
    root: str
    key_commitment: str
    seller_key: str
    issued: str


@dataclass(frozen=True)
class Reception(Text):
    """Proof of reception: the buyer has the bytes of this root, and asks for their key.

    Attributes
    ----------
    origin : str
        SHA-256 of the proof of origin.
    root : str
        Computed from the bytes that came, not copied.
    to : str
        X25519 public key that the package's key is to be wrapped for, in hex.
    buyer_key : str
        Who signs, in base64.
    """

    TYPE: ClassVar[str] = "heliopolis/proof-of-reception/1"
    HEX_64: ClassVar[frozenset[str]] = frozenset({"origin", "root", "to"})

    origin: str
    root: str
    to: str
    buyer_key: str
    issued: str


@dataclass(frozen=True)
class Acceptance(Text):
    """The buyer has opened everything: the seller may be paid before the window ends."""

    TYPE: ClassVar[str] = "heliopolis/acceptance/1"
    HEX_64: ClassVar[frozenset[str]] = frozenset({"reception", "wrap"})

    reception: str
    wrap: str
    buyer_key: str
    issued: str


@dataclass(frozen=True)
class Complaint(Text):
    """The buyer shows a chunk that is not what the seller signed; the evidence is its hash."""

    TYPE: ClassVar[str] = "heliopolis/complaint/1"
    HEX_64: ClassVar[frozenset[str]] = frozenset({"reception", "wrap", "evidence"})

    reception: str
    wrap: str
    evidence: str
    buyer_key: str
    issued: str


@dataclass(frozen=True)
class Rewrap(Text):
    """The buyer of a signed reception lost the key named there, and names another.

    The number counts up, so that a text of before cannot be sent once more.
    """

    TYPE: ClassVar[str] = "heliopolis/re-wrap/1"
    HEX_64: ClassVar[frozenset[str]] = frozenset({"reception", "to"})
    NUMBERS: ClassVar[frozenset[str]] = frozenset({"number", "issued"})

    reception: str
    number: str
    to: str
    buyer_key: str
    issued: str


def check_signed(*, body: bytes, signature: bytes, public_key: bytes) -> None:
    """Return if a signature is the Ed25519 key's over these bytes.

    Raises
    ------
    PackageBroken
        If it is not.
    """
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, body)
    except (InvalidSignature, ValueError) as error:
        raise PackageBroken(
            "signature_wrong",
            "the signature is not this key's over this text: sign the bytes as they are, with the"
            " key that the contract names",
        ) from error


def wrap_key(*, key: bytes, request: Reception | Rewrap) -> bytes:
    """Return a package's key for the X25519 key that a buyer's signed text names.

    Raises
    ------
    PackageBroken
        If no secret can be shared with that key.
    """
    to = public_key(bytes.fromhex(request.to))
    return seal(key, to, info=buyer_info(bytes.fromhex(request.digest())))


def unwrap_key(*, wrap: bytes, request: Reception | Rewrap, private_key: X25519PrivateKey) -> bytes:
    """Return the key of a package from what the hall wrapped for a buyer.

    Raises
    ------
    PackageBroken
        If the wrap was made for another key or another text, or is damaged.
    """
    return open_sealed(wrap, private_key, info=buyer_info(bytes.fromhex(request.digest())))


def micros_of(moment: datetime) -> str:
    """Write a time as the texts do."""
    return str((moment - _EPOCH) // timedelta(microseconds=1))


def moment_of(text: str) -> datetime:
    """Read a time of a text."""
    return _EPOCH + timedelta(microseconds=int(text))


def base64_of(content: bytes) -> str:
    """Write bytes as the texts do."""
    return base64.b64encode(content).decode()


def is_sha256(text: str) -> bool:
    """Tell whether a text is 32 bytes in lower-case hex."""
    return len(text) == 2 * KEY_BYTES and _HEX_DIGITS.issuperset(text)


def is_number(text: str) -> bool:
    """Tell whether a text is a decimal of at most 18 digits, without leading zeros."""
    is_digits = text.isascii() and text.isdigit() and len(text) <= 18
    return is_digits and (text == "0" or text[0] != "0")

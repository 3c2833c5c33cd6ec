"""Signed terms: a standing rule as one JSON document, and its Ed25519 signature.

The document is canonical JSON (RFC 8785; integers as decimal strings, times in microseconds since
1970-01-01 UTC), in no human language. The signature is over its bytes as they are, so that any tool
can check it; the pages that people read are made from the same document.
"""

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger.domain.canonical import canonical_json
from marketplace.errors import N_, Invalid, TermsBroken

TERMS_TYPE: Final = "heliopolis/standing-terms/1"
REVOCATION_TYPE: Final = "heliopolis/revocation/1"
KEY_TYPE: Final = "heliopolis/own-key/1"
PUBLIC_KEY_BYTES: Final = 32
# How long a text may wait for its signature.
DRAFT_LASTS: Final = timedelta(minutes=10)
# Keys of small order, without the bit of the sign: under them one signature, made without any
# private key, holds for many texts, so that it binds nobody. All encodings of the eight points.
_WEAK_KEYS: Final = frozenset(
    bytes.fromhex(text)
    for text in (
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    )
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STATES: Final = {"active": False, "paused": True}


@dataclass(frozen=True)
class TermsDocument:
    """A version of a metering point's standing rule; None limits draw the rule set's default.

    It counts from the moment the hall takes it in, at most `DRAFT_LASTS` after ``issued_at``.
    """

    community_id: int
    currency: str
    metering_point_id: int
    participant_id: int
    version: int
    sell_at_or_above_micro_per_kwh: int | None
    buy_at_or_below_micro_per_kwh: int | None
    is_paused: bool
    valid_until: datetime | None
    rules_sha256: str | None
    issued_at: datetime
    public_key: bytes

    def body(self) -> bytes:
        """Return the bytes that are signed."""
        return canonical_json(
            {
                "buy_at_or_below_micro_per_kwh": _written(self.buy_at_or_below_micro_per_kwh),
                "community": str(self.community_id),
                "currency": self.currency,
                "issued": micros_of(self.issued_at),
                "key": base64_of(self.public_key),
                "metering_point": str(self.metering_point_id),
                "participant": str(self.participant_id),
                "rules": self.rules_sha256,
                "sell_at_or_above_micro_per_kwh": _written(self.sell_at_or_above_micro_per_kwh),
                "state": "paused" if self.is_paused else "active",
                "type": TERMS_TYPE,
                "valid_until": None if self.valid_until is None else micros_of(self.valid_until),
                "version": str(self.version),
            }
        )

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Read a document from exactly its canonical bytes.

        Raises
        ------
        Invalid
            If the bytes are not the canonical form of standing terms.
        """
        written = read_object(body, TERMS_TYPE)
        try:
            until = written["valid_until"]
            document = cls(
                community_id=int(written["community"]),
                currency=written["currency"],
                metering_point_id=int(written["metering_point"]),
                participant_id=int(written["participant"]),
                version=int(written["version"]),
                sell_at_or_above_micro_per_kwh=_read(written["sell_at_or_above_micro_per_kwh"]),
                buy_at_or_below_micro_per_kwh=_read(written["buy_at_or_below_micro_per_kwh"]),
                is_paused=_STATES[written["state"]],
                valid_until=None if until is None else moment_of(until),
                rules_sha256=written["rules"],
                issued_at=moment_of(written["issued"]),
                public_key=bytes_of(written["key"]),
            )
            is_canonical = document.body() == body
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise unreadable() from error
        if not is_canonical:
            raise unreadable()
        return document


@dataclass(frozen=True)
class Revocation:
    """The end of signed terms, from the moment the hall takes it in; itself signed."""

    metering_point_id: int
    participant_id: int
    revokes_sha256: str
    issued_at: datetime
    public_key: bytes

    def body(self) -> bytes:
        """Return the bytes that are signed."""
        return canonical_json(
            {
                "issued": micros_of(self.issued_at),
                "key": base64_of(self.public_key),
                "metering_point": str(self.metering_point_id),
                "participant": str(self.participant_id),
                "revokes": self.revokes_sha256,
                "type": REVOCATION_TYPE,
            }
        )

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Read a revocation from exactly its canonical bytes; see `TermsDocument.read`."""
        written = read_object(body, REVOCATION_TYPE)
        try:
            revocation = cls(
                metering_point_id=int(written["metering_point"]),
                participant_id=int(written["participant"]),
                revokes_sha256=written["revokes"],
                issued_at=moment_of(written["issued"]),
                public_key=bytes_of(written["key"]),
            )
            is_canonical = revocation.body() == body
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise unreadable() from error
        if not is_canonical:
            raise unreadable()
        return revocation


def own_key_body(*, participant_id: int, public_key: bytes, issued_at: datetime) -> bytes:
    """Return what a member signs with a new key of their own, to show that they hold it."""
    return canonical_json(
        {
            "issued": micros_of(issued_at),
            "key": base64_of(public_key),
            "participant": str(participant_id),
            "type": KEY_TYPE,
        }
    )


def read_own_key_body(body: bytes) -> tuple[int, bytes, datetime]:
    """Return participant, key and time of what `own_key_body` wrote; raises `Invalid`."""
    written = read_object(body, KEY_TYPE)
    try:
        found = int(written["participant"]), bytes_of(written["key"]), moment_of(written["issued"])
        is_canonical = body == own_key_body(
            participant_id=found[0], public_key=found[1], issued_at=found[2]
        )
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise unreadable() from error
    if not is_canonical:
        raise unreadable()
    return found


@lru_cache(maxsize=1 << 16)
def check_signature(*, body: bytes, signature: bytes, public_key: bytes) -> None:
    """Return if the signature is the key's over these bytes; what passed once is remembered.

    Raises
    ------
    TermsBroken
        If it is not.
    """
    try:
        key = Ed25519PublicKey.from_public_bytes(public_key)
        if public_key[:-1] + bytes([public_key[-1] & 0x7F]) in _WEAK_KEYS:
            raise ValueError("a key of small order")
        key.verify(signature, body)
    except (InvalidSignature, ValueError) as error:
        raise TermsBroken(N_("The signature is not this key's over this text.")) from error


def sha256_of(body: bytes) -> str:
    """Return the hash by which a signed text is known in the log."""
    return hashlib.sha256(body).hexdigest()


def read_object(body: bytes, type_: str) -> dict[str, Any]:
    """Return a signed text of a type as JSON; raises `Invalid` if it is of no such type."""
    try:
        written = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise unreadable() from error
    if not isinstance(written, dict) or written.get("type") != type_:
        raise unreadable()
    return written


def unreadable() -> Invalid:
    """Return the refusal of a text that nobody here wrote."""
    return Invalid("body", N_("This is not the text that was to be signed."))


def _written(value: int | None) -> str | None:
    return None if value is None else str(value)


def _read(text: str | None) -> int | None:
    return None if text is None else int(text)


def micros_of(moment: datetime) -> str:
    """Write a time as signed texts do: microseconds since 1970-01-01 UTC."""
    return str((moment - _EPOCH) // timedelta(microseconds=1))


def moment_of(text: str) -> datetime:
    """Read a time of a signed text."""
    return _EPOCH + timedelta(microseconds=int(text))


def base64_of(content: bytes) -> str:
    """Write a key as signed texts do."""
    return base64.b64encode(content).decode()


def bytes_of(text: str) -> bytes:
    """Read a key of a signed text; raises `ValueError` if it is not base64."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error

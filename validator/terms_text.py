"""The texts that members sign: what their standing terms say, or that they end.

References
----------
docs/terms.md, "The texts".
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from validator import canonical
from validator.canonical import Json
from validator.errors import Malformed, SignatureFailed
from validator.notes import INTEGER_MAX, KEY_BYTES, from_base64

_TERMS, _REVOCATION = "heliopolis/standing-terms/1", "heliopolis/revocation/1"
_TERMS_NAMES = {
    "buy_at_or_below_micro_per_kwh",
    "community",
    "currency",
    "issued",
    "key",
    "metering_point",
    "participant",
    "rules",
    "sell_at_or_above_micro_per_kwh",
    "state",
    "type",
    "valid_until",
    "version",
}
_REVOCATION_NAMES = {"issued", "key", "metering_point", "participant", "revokes", "type"}
_STATES = ("active", "paused")
_HASH = re.compile(r"[0-9a-f]{64}")
_NATURAL = re.compile(r"0|[1-9][0-9]{0,18}")
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")


class SignedText(NamedTuple):
    """Terms, or the revocation of terms; of a revocation there is no version.

    Times are microseconds since 1970, limits micro per kWh; ``digest`` and ``key`` are the
    SHA-256 of the text and of the public key, ``revokes`` that of the text that ends.
    """

    point: int
    participant: int
    digest: str
    key: str
    issued: int
    version: int | None = None
    is_paused: bool = False
    buy: int | None = None
    sell: int | None = None
    valid_until: int | None = None
    revokes: str | None = None


def read_signed_text(text: bytes, signature: bytes) -> SignedText:
    """Read a text and check its signature, in base64, by the key that it names.

    Raises
    ------
    Malformed
        If the text is not canonical, or of neither form.
    SignatureFailed
        If the key did not sign it.
    """
    value = canonical.read_object(text)
    kind = value.get("type")
    names = {_TERMS: _TERMS_NAMES, _REVOCATION: _REVOCATION_NAMES}.get(str(kind))
    if names is None or value.keys() != names:
        raise Malformed("a signed text has other names")
    public_key = read_public_key(value["key"])
    require_signature(public_key, signature, text)
    common = SignedText(
        point=read_natural(value["metering_point"]),
        participant=read_natural(value["participant"]),
        digest=sha256(text).hexdigest(),
        key=sha256(public_key).hexdigest(),
        issued=read_natural(value["issued"]),
    )
    if kind == _REVOCATION:
        return common._replace(revokes=read_hash(value["revokes"]))
    return _with_terms(common, value)


def _with_terms(common: SignedText, value: dict[str, Json]) -> SignedText:
    read_natural(value["community"])
    if not isinstance(value["currency"], str) or value["state"] not in _STATES:
        raise Malformed("currency or state of terms cannot be")
    if value["rules"] is not None:
        read_hash(value["rules"])
    version, valid_until = read_natural(value["version"]), value["valid_until"]
    if version == 0:
        raise Malformed("versions are counted from 1")
    return common._replace(
        version=version,
        is_paused=value["state"] == "paused",
        buy=read_price(value["buy_at_or_below_micro_per_kwh"]),
        sell=read_price(value["sell_at_or_above_micro_per_kwh"]),
        valid_until=None if valid_until is None else read_natural(valid_until),
    )


def require_signature(public_key: bytes, signature: bytes, text: bytes) -> None:
    """Check a signature, in base64, of a text.

    Raises
    ------
    SignatureFailed
        If the key did not sign the text.
    """
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(
            from_base64(signature.decode("ascii")), text
        )
    except (InvalidSignature, UnicodeDecodeError) as error:
        raise SignatureFailed("the key of a signed text did not sign it") from error


def read_public_key(value: Json) -> bytes:
    """Return the 32 bytes of a key."""
    key = from_base64(value) if isinstance(value, str) else b""
    if len(key) != KEY_BYTES:
        raise Malformed("the key of a signed text is none")
    return key


def read_hash(value: Json) -> str:
    """Return a SHA-256, in hexadecimal."""
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise Malformed("a hash in a signed text is none")
    return value


def read_price(value: Json) -> int | None:
    """Return a price, or None where there is none."""
    return None if value is None else _number(value, _INTEGER)


def read_natural(value: Json) -> int:
    """Return a number that is not below 0."""
    return _number(value, _NATURAL)


def _number(value: Json, form: re.Pattern[str]) -> int:
    if not isinstance(value, str) or not form.fullmatch(value) or abs(int(value)) > INTEGER_MAX:
        raise Malformed("a number in a signed text is none")
    return int(value)

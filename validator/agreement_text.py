"""Agreements of two members, signed by both: contracts, gifts, partners; and how they end.

References
----------
docs/market.md, "Agreements".
"""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

from validator import canonical
from validator.canonical import Json
from validator.errors import Malformed
from validator.terms_text import (
    read_hash,
    read_natural,
    read_price,
    read_public_key,
    require_signature,
)

CONTRACT, GIFT, PARTNER = "contract", "gift", "partner"
_AGREEMENT, _END = "heliopolis/agreement/1", "heliopolis/agreement-end/1"
_AGREEMENT_NAMES = {
    "buyer",
    "buyer_key",
    "buyer_metering_point",
    "community",
    "currency",
    "issued",
    "kind",
    "maximum_wh",
    "price_micro_per_kwh",
    "rank",
    "seller",
    "seller_key",
    "seller_metering_point",
    "type",
    "valid_from",
    "valid_until",
}
_END_NAMES = {"ends", "issued", "key", "participant", "type"}
_RANKS = ("1", "2", "3")


class Side(NamedTuple):
    """Who is on a side: participant, SHA-256 of their public key, metering point."""

    participant: int
    key: str
    point: int


class Agreement(NamedTuple):
    """What two agreed: price in micro per kWh, maximum in Wh, times in microseconds."""

    digest: str
    kind: str
    buyer: Side
    seller: Side
    price: int | None
    maximum: int | None
    rank: int | None
    valid_from: int
    valid_until: int | None


class End(NamedTuple):
    """That an agreement ends early, by whom and from when."""

    ends: str
    participant: int
    key: str
    issued: int


def read_agreement(text: bytes, seller_signature: bytes, buyer_signature: bytes) -> Agreement:
    """Read an agreement and check both signatures, in base64, by the keys that it names.

    Raises
    ------
    Malformed
        If the text is not canonical, or not of the form.
    SignatureFailed
        If a side did not sign it.
    """
    value = canonical.read_object(text)
    if value.keys() != _AGREEMENT_NAMES or value["type"] != _AGREEMENT:
        raise Malformed("an agreement has other names")
    sides = {}
    for name, signature in (("seller", seller_signature), ("buyer", buyer_signature)):
        public_key = read_public_key(value[f"{name}_key"])
        require_signature(public_key, signature, text)
        sides[name] = Side(
            read_natural(value[name]),
            sha256(public_key).hexdigest(),
            read_natural(value[f"{name}_metering_point"]),
        )
    if sides["buyer"].point == sides["seller"].point:
        raise Malformed("an agreement is of one metering point with itself")
    read_natural(value["community"])
    read_natural(value["issued"])
    if not isinstance(value["currency"], str):
        raise Malformed("the currency of an agreement is no text")
    kind, price, rank = value["kind"], read_price(value["price_micro_per_kwh"]), value["rank"]
    if not isinstance(kind, str) or not _fits(kind, price, rank):
        raise Malformed("kind, price and rank of an agreement do not go together")
    return Agreement(
        digest=sha256(text).hexdigest(),
        kind=kind,
        buyer=sides["buyer"],
        seller=sides["seller"],
        price=price,
        maximum=_natural_or_none(value["maximum_wh"]),
        rank=None if rank is None else read_natural(rank),
        valid_from=read_natural(value["valid_from"]),
        valid_until=_natural_or_none(value["valid_until"]),
    )


def read_end(text: bytes, signature: bytes) -> End:
    """Read the end of an agreement and check its signature, in base64, by the key it names.

    Raises
    ------
    Malformed
        If the text is not canonical, or not of the form.
    SignatureFailed
        If the key did not sign it.
    """
    value = canonical.read_object(text)
    if value.keys() != _END_NAMES or value["type"] != _END:
        raise Malformed("the end of an agreement has other names")
    public_key = read_public_key(value["key"])
    require_signature(public_key, signature, text)
    return End(
        read_hash(value["ends"]),
        read_natural(value["participant"]),
        sha256(public_key).hexdigest(),
        read_natural(value["issued"]),
    )


def _fits(kind: str, price: int | None, rank: Json) -> bool:
    if kind == PARTNER:
        return rank in _RANKS
    return rank is None and (
        (kind == CONTRACT and price is not None) or (kind == GIFT and price == 0)
    )


def _natural_or_none(value: Json) -> int | None:
    return None if value is None else read_natural(value)

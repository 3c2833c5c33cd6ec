"""Agreements between two members, as texts that both sign; docs/market.md says what they do.

A contract sells at a fixed price, a gift at zero, a nominated partner comes before the pool. The
text is canonical JSON as in `marketplace.domain.terms_document`, the end of one likewise.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, Self

from ledger.domain.canonical import canonical_json
from marketplace.domain.terms_document import (
    base64_of,
    bytes_of,
    micros_of,
    moment_of,
    read_object,
    unreadable,
)

AGREEMENT_TYPE: Final = "heliopolis/agreement/1"
END_TYPE: Final = "heliopolis/agreement-end/1"
AgreementKind = Literal["contract", "gift", "partner"]
KINDS: Final[tuple[AgreementKind, ...]] = ("contract", "gift", "partner")
MOST_PARTNERS: Final = 3
# Which stage of a rule set's matching order each is.
STAGES: Final[dict[AgreementKind, str]] = {
    "contract": "contracts",
    "gift": "contracts",
    "partner": "partners",
}


@dataclass(frozen=True)
class Side:
    """One side of an agreement: who, at which metering point, signing with which key."""

    participant_id: int
    metering_point_id: int
    public_key: bytes


@dataclass(frozen=True)
class AgreementText:
    """What two members agree on. [micro/kWh], [Wh per interval]

    Attributes
    ----------
    price_micro_per_kwh : int or None
        Fixed price; 0 for a gift; None, of a partner: the middle between the interval's tariffs.
    maximum_wh : int or None
        At most this much in an interval; None: without limit.
    rank : int or None
        Of a partner: 1 comes first.
    """

    kind: AgreementKind
    community_id: int
    currency: str
    seller: Side
    buyer: Side
    price_micro_per_kwh: int | None
    maximum_wh: int | None
    rank: int | None
    valid_from: datetime
    valid_until: datetime | None
    issued_at: datetime

    def body(self) -> bytes:
        """Return the bytes that both sign."""
        return canonical_json(
            {
                "buyer": str(self.buyer.participant_id),
                "buyer_key": base64_of(self.buyer.public_key),
                "buyer_metering_point": str(self.buyer.metering_point_id),
                "community": str(self.community_id),
                "currency": self.currency,
                "issued": micros_of(self.issued_at),
                "kind": self.kind,
                "maximum_wh": _written(self.maximum_wh),
                "price_micro_per_kwh": _written(self.price_micro_per_kwh),
                "rank": _written(self.rank),
                "seller": str(self.seller.participant_id),
                "seller_key": base64_of(self.seller.public_key),
                "seller_metering_point": str(self.seller.metering_point_id),
                "type": AGREEMENT_TYPE,
                "valid_from": micros_of(self.valid_from),
                "valid_until": None if self.valid_until is None else micros_of(self.valid_until),
            }
        )

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Read an agreement from exactly its canonical bytes.

        Raises
        ------
        Invalid
            If the bytes are not the canonical form of an agreement.
        """
        written = read_object(body, AGREEMENT_TYPE)
        try:
            until = written["valid_until"]
            text = cls(
                kind=_kind(written["kind"]),
                community_id=int(written["community"]),
                currency=written["currency"],
                seller=_side(written, "seller"),
                buyer=_side(written, "buyer"),
                price_micro_per_kwh=_read(written["price_micro_per_kwh"]),
                maximum_wh=_read(written["maximum_wh"]),
                rank=_read(written["rank"]),
                valid_from=moment_of(written["valid_from"]),
                valid_until=None if until is None else moment_of(until),
                issued_at=moment_of(written["issued"]),
            )
            is_canonical = text.body() == body
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise unreadable() from error
        if not is_canonical:
            raise unreadable()
        return text


@dataclass(frozen=True)
class AgreementEnd:
    """The end of an agreement by one side, from ``issued_at`` on."""

    ends_sha256: str
    participant_id: int
    issued_at: datetime
    public_key: bytes

    def body(self) -> bytes:
        """Return the bytes that are signed."""
        return canonical_json(
            {
                "ends": self.ends_sha256,
                "issued": micros_of(self.issued_at),
                "key": base64_of(self.public_key),
                "participant": str(self.participant_id),
                "type": END_TYPE,
            }
        )

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Read an end from exactly its canonical bytes; see `AgreementText.read`."""
        written = read_object(body, END_TYPE)
        try:
            end = cls(
                ends_sha256=written["ends"],
                participant_id=int(written["participant"]),
                issued_at=moment_of(written["issued"]),
                public_key=bytes_of(written["key"]),
            )
            is_canonical = end.body() == body
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise unreadable() from error
        if not is_canonical:
            raise unreadable()
        return end


def _side(written: dict[str, Any], side: Literal["seller", "buyer"]) -> Side:
    return Side(
        participant_id=int(written[side]),
        metering_point_id=int(written[f"{side}_metering_point"]),
        public_key=bytes_of(written[f"{side}_key"]),
    )


def _kind(text: str) -> AgreementKind:
    for kind in KINDS:
        if text == kind:
            return kind
    raise ValueError(text)


def _written(value: int | None) -> str | None:
    return None if value is None else str(value)


def _read(text: str | None) -> int | None:
    return None if text is None else int(text)

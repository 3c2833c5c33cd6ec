"""The members of a small market, who sign agreements and their ends."""

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.validator.interval_story import Logged
from tests.validator.ledger_twin import base64, canonical, digest
from tests.validator.signing_member import MINUTE, STARTS, hashed, public

HOUR = 60 * MINUTE


class Members:
    """The members 101, 102, …, one for each metering point, who sign what they agree on."""

    def __init__(self, count: int = 4) -> None:
        self.documents = [
            Logged(
                f"signing-key:{participant}",
                "signing-key",
                {
                    "participant": str(participant),
                    "public_key": hashed(public(key_of(participant))),
                },
            )
            for participant in range(101, 101 + count)
        ]

    def agree(
        self, number: int, kind: str, seller: int, buyer: int, price: int | None, **changes: Any
    ) -> bytes:
        """Log an agreement that both have signed."""
        text = {
            "buyer": str(buyer + 100),
            "buyer_key": base64(public(key_of(buyer + 100))),
            "buyer_metering_point": str(buyer),
            "community": "1",
            "currency": "CNY",
            "issued": str(STARTS - 5 * HOUR),
            "kind": kind,
            "maximum_wh": None,
            "price_micro_per_kwh": None if price is None else str(price * 1000),
            "rank": None,
            "seller": str(seller + 100),
            "seller_key": base64(public(key_of(seller + 100))),
            "seller_metering_point": str(seller),
            "type": "heliopolis/agreement/1",
            "valid_from": str(STARTS - 4 * HOUR),
            "valid_until": None,
        } | changes
        signed = canonical({k: v for k, v in text.items() if v != "absent"}).encode()
        self.log(f"agreement:{number}", signed, seller + 100, buyer + 100)
        return signed

    def end(self, number: int, text: bytes, by: int, **changes: Any) -> None:
        """Log that an agreement ends."""
        end = {
            "ends": hashed(text),
            "issued": str(STARTS - HOUR),
            "key": base64(public(key_of(by))),
            "participant": str(by),
            "type": "heliopolis/agreement-end/1",
        } | changes
        self.log(f"agreement-end:{number}", canonical(end).encode(), by)

    def log(self, key: str, text: bytes, *signers: int) -> None:
        lines = [text, *(base64(key_of(one).sign(text)).encode() for one in signers)]
        told = b"\n".join(lines) + b"\n"
        self.documents.append(Logged(key, "agreement", {"agreement": hashed(text)}, told))


def key_of(participant: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(digest(str(participant).encode()))

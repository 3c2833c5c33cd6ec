"""What a client needs of a contract's text, read from the bytes that both sides signed."""

import hashlib
import json
from dataclasses import dataclass

from client.errors import NotVerified

CONTRACT_TYPE = "heliopolis/data-contract/1"


@dataclass(frozen=True)
class Contract:
    """A contract of the data market.

    Attributes
    ----------
    sha256 : str
        By which the texts of the exchange name it.
    seller_key, buyer_key : str
        Ed25519, in base64: who signs for either side.
    manifest_sha256 : str
        Pins what is delivered.
    """

    body: bytes
    sha256: str
    seller_key: str
    buyer_key: str
    manifest_sha256: str


def read_contract(body: bytes) -> Contract:
    """Read a contract.

    Raises
    ------
    NotVerified
        If these bytes are none.
    """
    try:
        written = json.loads(body)
        if written["type"] != CONTRACT_TYPE:
            raise ValueError(written["type"])
        return Contract(
            body=body,
            sha256=hashlib.sha256(body).hexdigest(),
            seller_key=str(written["seller"]["key"]),
            buyer_key=str(written["buyer"]["key"]),
            manifest_sha256=str(written["version"]["manifest_sha256"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise NotVerified("this is no contract of the data market") from error

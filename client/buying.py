"""A buyer's part before the delivery: look for data, and sign a contract for it."""

from typing import Any

from client.contract_text import read_contract
from client.errors import ClientError
from client.hall import Hall
from client.keys import OwnKey, signature_for


def buy(hall: Hall, product_id: int, *, months: int, key: OwnKey | None) -> dict[str, Any]:
    """Sign a contract for a product, and return it as it waits for its seller."""
    draft = hall.post("data/contracts/draft", {"product_id": product_id, "months": months})
    body = draft["body"].encode()
    if key is None and not draft["signed_by_hall"]:
        raise ClientError("your contracts are signed by a key of your own: name its file by --key")
    signature = signature_for(read_contract(body).buyer_key, body, key)
    made: dict[str, Any] = hall.post(
        "data/contracts/", {"body": body.decode(), "signature": signature}
    )
    return made


def delivery_of(hall: Hall, contract_id: int) -> int | None:
    """Return the delivery of a contract; None before both have signed."""
    for line in hall.pages("data/deliveries/"):
        if line["contract_id"] == contract_id:
            return int(line["id"])
    return None

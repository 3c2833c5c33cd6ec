"""A seller's part: contracts that wait for a signature, and proofs of origin."""

from collections.abc import Iterator

from client.contract_text import read_contract
from client.hall import Hall
from client.keys import OwnKey, signature_for
from gate.exchange import Origin


def sign_contract(hall: Hall, contract_id: int, key: OwnKey | None) -> str:
    """Sign a proposal as its seller; return its state then. Signed before, it stays so."""
    found = hall.get(f"data/contracts/{contract_id}/")
    if (found["side"], found["state"]) == ("seller", "agreed"):
        return "agreed"
    body = found["body"].encode()
    signature = signature_for(read_contract(body).seller_key, body, key)
    answer = hall.post(f"data/contracts/{contract_id}/accept", {"signature": signature})
    return str(answer["state"])


def sign_origins(hall: Hall, key: OwnKey | None) -> Iterator[int]:
    """Sign every proof of origin that waits for this seller; yield the deliveries' ids."""
    for line in hall.pages("data/deliveries/"):
        if line["side"] == "seller" and line["state"] == "held":
            sign_origin(hall, line["id"], key)
            yield line["id"]


def sign_origin(hall: Hall, delivery_id: int, key: OwnKey | None) -> None:
    """Sign one proof of origin."""
    body = hall.get(f"data/deliveries/{delivery_id}/origin")["body"].encode()
    signature = signature_for(Origin.read(body).seller_key, body, key)
    hall.post(
        f"data/deliveries/{delivery_id}/origin",
        {"body": body.decode(), "signature": signature},
    )

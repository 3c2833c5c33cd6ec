"""A buyer's part before the delivery: look for data, and sign a contract for it."""

from typing import Any, Final

from client.contract_text import read_contract
from client.errors import ClientError
from client.hall import Hall
from client.keys import OwnKey, signature_for

_STANDS: Final = frozenset({"proposed", "agreed"})


def buy(
    hall: Hall, product_id: int, *, months: int, key: OwnKey | None, again: bool = False
) -> dict[str, Any]:
    """Sign a contract for a product, and return it as it waits for its seller.

    Whoever asks twice, since the first time was broken off, gets the contract that stands already.

    Parameters
    ----------
    again : bool
        Sign another one, whatever stands.
    """
    if not again and (standing := _standing(hall, product_id)) is not None:
        return standing
    draft = hall.post("data/contracts/draft", {"product_id": product_id, "months": months})
    body = draft["body"].encode()
    if key is None and not draft["signed_by_hall"]:
        raise ClientError("your contracts are signed by a key of your own: name its file by --key")
    signature = signature_for(read_contract(body).buyer_key, body, key)
    made: dict[str, Any] = hall.post(
        "data/contracts/", {"body": body.decode(), "signature": signature}
    )
    return made


def _standing(hall: Hall, product_id: int) -> dict[str, Any] | None:
    for line in hall.pages("data/contracts/"):
        is_own = (line["side"], line["product_id"]) == ("buyer", product_id)
        if is_own and line["state"] in _STANDS:
            return dict(line)
    return None

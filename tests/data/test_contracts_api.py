"""A contract over HTTP, signed by programs with keys of their own; strangers find nothing."""

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.test import Client
from django.utils import timezone

from marketplace.domain.terms_document import own_key_body
from marketplace.models import DataProduct, User
from marketplace.services.people import add_person, join
from tests.data.trading import Trade, build_trade
from tests.worlds import world

API = "/api/v1/data"


@pytest.fixture
def trade(db: None) -> Any:
    with world(build_trade) as built:
        yield built


def signed_in(name: str, *participant_ids: int) -> Client:
    user_id = add_person(email=f"{name}@example.org", password="x")
    for each in participant_ids:
        join(user_id=user_id, participant_id=each)
    client = Client()
    client.force_login(User.objects.get(id=user_id))
    return client


def send(client: Client, path: str, **body: object) -> Any:
    return client.post(f"{API}/{path}", body, content_type="application/json")


def sign(private: Ed25519PrivateKey, body: str) -> str:
    return base64.b64encode(private.sign(body.encode())).decode()


def use_own(client: Client, participant_id: int) -> Ed25519PrivateKey:
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    body = own_key_body(
        participant_id=participant_id, public_key=public, issued_at=timezone.now()
    ).decode()
    answer = send(client, "signing-key/", body=body, signature=sign(private, body))
    assert (answer.status_code, answer.json()["is_own"]) == (200, True)
    assert client.get(f"{API}/signing-key/").json()["public_key"]
    return private


def test_bought_by_programs_with_own_keys(trade: Trade) -> None:
    product = trade.product()
    bob, alice = signed_in("bob", trade.bob), signed_in("alice", trade.alice)
    charlie = signed_in("charlie", trade.charlie)
    mine, hers = use_own(bob, trade.bob), use_own(alice, trade.alice)
    drafted = send(bob, "contracts/draft", product_id=product.pk, months=2).json()
    assert drafted["signed_by_hall"] is False
    refused = send(bob, "contracts/", body=drafted["body"])
    assert (refused.status_code, refused.json()["code"]) == (409, "signature_needed")
    for bad in ("x", "AAAA", sign(hers, drafted["body"])):
        assert send(bob, "contracts/", body=drafted["body"], signature=bad).status_code == 400
    made = send(bob, "contracts/", body=drafted["body"], signature=sign(mine, drafted["body"]))
    assert made.status_code == 201
    line = made.json()
    one = f"contracts/{line['id']}"
    detail = f"{API}/{one}/"
    assert (line["state"], line["side"], line["body"]) == ("proposed", "buyer", drafted["body"])
    for client, status in ((charlie, 404), (bob, 404)):
        assert send(client, f"{one}/accept", signature=None).status_code == status
    assert alice.get(detail).json()["waits_for_you"] is True
    agreed = send(alice, f"{one}/accept", signature=sign(hers, line["body"]))
    assert (agreed.status_code, agreed.json()["state"]) == (200, "agreed")
    assert bob.get(f"{API}/{one}/policy").json()["@type"] == "Agreement"
    for path in (f"{one}/", f"{one}/policy", f"{one}/revocation"):
        assert charlie.get(f"{API}/{path}").status_code == 404
        assert Client().get(f"{API}/{path}").status_code in {401, 403}
    text = bob.get(f"{API}/{one}/revocation").json()["body"]
    assert (
        send(alice, f"{one}/revocation", body=text, signature=sign(mine, text)).status_code == 400
    )
    revoked = send(bob, f"{one}/revocation", body=text, signature=sign(mine, text))
    assert (revoked.status_code, revoked.json()["state"]) == (200, "revoked")
    assert send(bob, f"{one}/close").status_code == 409
    [listed] = bob.get(f"{API}/contracts/").json()["results"]
    assert listed["id"] == line["id"]
    assert charlie.get(f"{API}/contracts/").json()["results"] == []


def test_bad_requests_say_what_is_wrong(trade: Trade) -> None:
    product = trade.product()
    bob, nobody = signed_in("bob", trade.bob), signed_in("dora")
    assert send(nobody, "contracts/draft", product_id=product.pk).status_code == 403
    for body in ("", "{}", '{"type":"heliopolis/data-contract/1"}', "\u0000", "[" * 5000):
        assert send(bob, "contracts/", body=body).status_code == 400
    for wrong in ({"months": 0}, {"months": 10**30}, {"cap_micro": 5}, {"version_number": 10**30}):
        answer = send(bob, "contracts/draft", product_id=product.pk, **wrong)
        assert answer.status_code in {400, 409}
        assert set(answer.json()) >= {"code", "message"}
    assert send(bob, "contracts/draft", product_id=10**30).status_code == 404
    DataProduct.objects.filter(id=product.pk).update(state=3, withdrawn_at=timezone.now())
    closed = send(bob, "contracts/draft", product_id=product.pk)
    assert (closed.status_code, closed.json()["code"]) == (409, "product_closed")

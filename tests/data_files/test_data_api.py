"""The data market over HTTP, and writes that may be repeated."""

import base64
import hashlib
import json
import threading
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from rest_framework.authtoken.models import Token

from marketplace.models import IdempotencyKey, Match, Offer, Participant, Request
from tests.api.conftest import signed_in as signed_in_user
from tests.conftest import CommittedDatabase
from tests.data_files.conftest import signed_in
from tests.data_files.people import (
    CONTENT,
    FUNDS_MICRO,
    OFFERED,
    PRICE_MICRO,
    WANTED,
    Person,
    book_and_resolve,
    person,
)
from tests.town import build_town

OFFERS, REQUESTS = "/api/v1/data/offers/", "/api/v1/data/requests/"
MATCHES, DEPOSITS = "/api/v1/data/matches/", "/api/v1/wallets/deposits/"
OFFER = {
    "terms": OFFERED,
    "price_micro": PRICE_MICRO,
    "file_name": "bikes.csv",
    "content": CONTENT.decode(),
}
REQUEST = {"terms": WANTED, "limit_price_micro": PRICE_MICRO}


def post(client: Client, path: str, body: object, key: str | None = None) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(path, json.dumps(body), content_type="application/json", headers=headers)


def test_publish_request_download_pay(
    as_alice: Client, as_bob: Client, alice: Person, bob: Person
) -> None:
    published = post(as_alice, OFFERS, OFFER)
    assert published.status_code == 201
    assert published.json()["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert post(as_bob, REQUESTS, REQUEST).json()["state"] == "matched"
    [match] = as_bob.get(MATCHES).json()["results"]
    path = f"{MATCHES}{match['id']}/file"
    early = as_bob.get(path)
    assert (early.status_code, early.json()["code"]) == (409, "not_deliverable")

    book_and_resolve()
    file = as_bob.get(path)
    assert file.content == CONTENT
    digest = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
    assert file["Repr-Digest"] == f"sha-256=:{digest}:"
    assert file["Content-Disposition"] == 'attachment; filename="bikes.csv"'
    book_and_resolve()
    assert as_bob.get(MATCHES).json()["results"][0]["state"] == "settled"
    [wallet] = as_alice.get("/api/v1/wallets/").json()
    assert wallet == {
        "participant_id": alice.id,
        "currency": "CNY",
        "balance_micro": PRICE_MICRO,
        "held_micro": 0,
        "available_micro": PRICE_MICRO,
    }


def test_a_stranger_sees_public_terms_and_nothing_else(
    as_alice: Client, as_bob: Client, as_charlie: Client
) -> None:
    offer = post(as_alice, OFFERS, OFFER).json()
    request = post(as_bob, REQUESTS, REQUEST).json()
    book_and_resolve()
    match = Match.objects.get()

    assert as_charlie.get(OFFERS).json()["results"] == [offer]
    assert as_charlie.get(MATCHES).json()["results"] == []
    assert as_charlie.get(REQUESTS).json()["results"] == []
    for method, path in (
        ("get", f"{MATCHES}{match.id}/file"),
        ("post", f"{OFFERS}{offer['id']}/withdraw"),
        ("post", f"{REQUESTS}{request['id']}/withdraw"),
        ("post", f"{REQUESTS}{request['id']}/match"),
    ):
        answer = getattr(as_charlie, method)(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
    assert post(as_charlie, OFFERS, OFFER).status_code == 403
    assert post(as_charlie, DEPOSITS, {}).status_code == 403
    match.refresh_from_db()
    assert match.state == Match.State.HELD


@pytest.mark.parametrize("path", [OFFERS, REQUESTS, MATCHES, f"{MATCHES}1/file"])
def test_closed_to_the_public(path: str, client: Client, db: None) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


def test_a_token_signs_in(bob: Person, client: Client) -> None:
    token = Token.objects.create(user=bob.user)
    answer = client.get(REQUESTS, headers={"Authorization": f"Token {token.key}"})
    assert answer.status_code == 200


def test_bad_bodies_say_what_is_wrong(as_alice: Client, as_bob: Client) -> None:
    for client, path, body, field in (
        (as_alice, OFFERS, {**OFFER, "content": "rider,trip\n1,2\n"}, "content"),
        (as_alice, OFFERS, {**OFFER, "price_micro": 2**63}, "price_micro"),
        (as_alice, OFFERS, {**OFFER, "terms": {**OFFERED, "area": "\0"}}, "terms"),
        (as_bob, REQUESTS, {**REQUEST, "terms": {**WANTED, "period_end": "soon"}}, "period_end"),
        (as_bob, REQUESTS, {"terms": WANTED}, "limit_price_micro"),
        (as_bob, REQUESTS, [], "non_field_errors"),
    ):
        answer = post(client, path, body)
        assert answer.status_code == 400, answer.content
        assert field in answer.json()["fields"], answer.json()
        assert answer.json()["message"]
    assert as_bob.post(REQUESTS, "{", content_type="application/json").json()["code"] == (
        "parse_error"
    )
    half_a_letter = post(as_alice, OFFERS, {**OFFER, "content": "\ud800"})
    assert (half_a_letter.status_code, half_a_letter.json()["code"]) == (400, "parse_error")
    assert as_bob.get(f"{OFFERS}?cursor=x").status_code == 400
    assert as_bob.get(f"{OFFERS}?limit=0").status_code == 400
    too_large = post(as_alice, OFFERS, {**OFFER, "content": "x" * 12_000_001}, key="large")
    assert (too_large.status_code, too_large.json()["code"]) == (413, "too_large")
    assert not Offer.objects.exists() and not Request.objects.exists()


def test_a_repeated_write_brings_the_first_answer(
    as_alice: Client, as_bob: Client, as_charlie: Client
) -> None:
    first = post(as_bob, REQUESTS, REQUEST, key="k1")
    again = post(as_bob, REQUESTS, REQUEST, key="k1")
    assert (again.status_code, again.json()) == (201, first.json())
    assert again["Idempotency-Replayed"] == "true"
    assert Request.objects.count() == 1

    other = post(as_bob, REQUESTS, {**REQUEST, "limit_price_micro": 1}, key="k1")
    assert (other.status_code, other.json()["code"]) == (409, "key_reused")
    elsewhere = post(as_alice, OFFERS, OFFER, key="k1")
    assert elsewhere.status_code == 201  # keys are each person's own
    assert post(as_charlie, REQUESTS, REQUEST, key="k1").status_code == 201
    assert post(as_bob, REQUESTS, REQUEST).status_code == 201
    assert post(as_bob, REQUESTS, REQUEST, key="x" * 201).status_code == 400


def test_an_error_does_not_use_up_a_key(as_bob: Client) -> None:
    assert post(as_bob, REQUESTS, {**REQUEST, "terms": {}}, key="k2").status_code == 400
    assert not IdempotencyKey.objects.exists()
    assert post(as_bob, REQUESTS, REQUEST, key="k2").status_code == 201


def test_withdrawals_and_rematch(
    as_alice: Client, as_bob: Client, as_charlie: Client, charlie: Person
) -> None:
    offer = post(as_alice, OFFERS, OFFER).json()
    request = post(as_charlie, REQUESTS, REQUEST).json()
    book_and_resolve()
    [seen] = as_charlie.get(REQUESTS).json()["results"]
    assert (seen["state"], seen["refusal"]) == ("open", "limit_exceeded")
    retried = post(as_charlie, f"{REQUESTS}{request['id']}/match", None, key="again")
    assert retried.json()["state"] == "matched"
    book_and_resolve()

    for _ in range(2):
        gone = post(as_charlie, f"{REQUESTS}{request['id']}/withdraw", None, key="end")
        assert gone.status_code == 204
    assert post(as_alice, f"{OFFERS}{offer['id']}/withdraw", None).status_code == 204
    closed = post(as_alice, f"{OFFERS}{offer['id']}/withdraw", None)
    assert (closed.status_code, closed.json()["code"]) == (409, "listing_closed")
    assert as_bob.get(OFFERS).json()["results"] == []


def test_only_the_operator_posts_deposits(bob: Person, as_bob: Client) -> None:
    operator = signed_in(person("Olga", Participant.Role.OPERATOR))
    body = {"participant_id": bob.id, "amount_micro": 7, "reference": "B-1"}
    for _ in range(2):
        assert post(operator, DEPOSITS, body).json() == {"command_key": "deposit:B-1"}
    reused = post(operator, DEPOSITS, {**body, "amount_micro": 8})
    assert (reused.status_code, reused.json()["code"]) == (409, "key_reused")
    assert post(as_bob, DEPOSITS, body).status_code == 403
    book_and_resolve()
    assert bob.wallet.available == FUNDS_MICRO + 7


def test_the_operator_of_a_community_fills_no_wallet_outside_of_it(bob: Person) -> None:
    town = build_town()
    operator = signed_in_user(town.operator)
    body = {"participant_id": bob.id, "amount_micro": 7, "reference": "B-2"}
    assert post(operator, DEPOSITS, body).status_code == 403
    Participant.objects.filter(pk=bob.id).update(community=town.community)
    assert post(operator, DEPOSITS, body).status_code == 202


def test_pages_follow_each_other(as_bob: Client) -> None:
    ids = [post(as_bob, REQUESTS, REQUEST).json()["id"] for _ in range(5)]
    path, seen = f"{REQUESTS}?limit=2", []
    while path:
        page = as_bob.get(path).json()
        assert len(page["results"]) <= 2
        seen += [line["id"] for line in page["results"]]
        path = page["next"]
    assert seen == ids[::-1]


def test_repeats_at_once_write_once(committed_db: CommittedDatabase) -> None:
    client = signed_in(person("Bob", Participant.Role.ENTERPRISE))
    answers: list[Any] = []
    start = threading.Barrier(4)

    def act() -> None:
        try:
            start.wait()
            answers.append(post(client, REQUESTS, REQUEST, key="once"))
        finally:
            connection.close()

    threads = [threading.Thread(target=act) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [answer.status_code for answer in answers] == [201] * 4
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert Request.objects.count() == 1

"""Requests for data on pages and over the API: one's own, and demand in groups."""

from typing import Any

import pytest
from django.test import Client
from rest_framework.authtoken.models import Token

from marketplace.models import DataWish, DataWishAnswer, User
from marketplace.services.people import join
from tests.data.test_wishes import listed, post, trader

pytestmark = pytest.mark.usefixtures("stopped_clock")

FORM = {
    "token": "8c0a4e3e-6a3a-4c1f-9f5e-0f7c1e7b0001",
    "title": "bike flows, March to May",
    "format": "trips",
    "kind": "1",
    "first_day": "2014-03-01",
    "last_day": "2014-05-31",
    "south": "37.3",
    "north": "37.9",
    "west": "-122.5",
    "east": "-121.8",
    "resolution": "3600",
    "age": "0",
    "group": "10",
    "price": "50",
    "deadline": "2027-05-01",
}


def person(participant_id: int, name: str) -> User:
    user = User.objects.create_user(email=f"{name}@heliopolis.example", password="sunny-37")
    join(user_id=user.pk, participant_id=participant_id)
    return user


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def parties(db: None) -> tuple[Client, Client, int, int]:
    seller, buyer = trader("Bikes", "data_provider"), trader("Bakery")
    return client_of(person(seller, "s")), client_of(person(buyer, "b")), seller, buyer


def test_a_buyer_posts_a_request_and_reads_what_covers_it(
    parties: tuple[Client, Client, int, int],
) -> None:
    as_seller, as_buyer, seller, _ = parties
    listed(seller, months=(3, 5), price_micro=40_000_000)
    posted = as_buyer.post("/market/requests", FORM)
    assert posted.status_code == 302, posted.content.decode()[:2000]
    assert as_buyer.post("/market/requests", FORM).status_code == 302
    [wish] = DataWish.objects.all()
    page = as_buyer.get(f"/market/requests/{wish.id}").content.decode()
    assert "33.7" in page
    assert "2014-05-01 to 2014-05-31" in page
    assert as_seller.get(f"/market/requests/{wish.id}").status_code == 404
    assert "bike flows, March to May" in as_buyer.get("/market/requests").content.decode()
    assert as_buyer.post(f"/market/requests/{wish.id}/end").status_code == 302
    wish.refresh_from_db()
    assert wish.state == DataWish.State.ENDED


def test_an_impossible_area_is_complained_about_beside_its_field(
    parties: tuple[Client, Client, int, int],
) -> None:
    _, as_buyer, _, _ = parties
    answer = as_buyer.post("/market/requests", {**FORM, "west": "10", "east": "9"})
    assert answer.status_code == 400
    assert 'id="id_east_error"' in answer.content.decode()
    assert not DataWish.objects.exists()


def test_sellers_answer_groups_and_buyers_read_the_answers(
    parties: tuple[Client, Client, int, int],
) -> None:
    as_seller, as_buyer, seller, buyer = parties
    product = listed(seller, months=(1, 3), price_micro=1_000_000)
    wish = post(buyer)
    page = as_seller.get("/market/demand").content.decode()
    assert "fewer than 3" in page
    key = page.partition('name="group" value="')[2].partition('"')[0]
    form = {"token": FORM["token"], "group": key, "product": product.id, "price": "0.9"}
    assert as_seller.post("/market/demand", form).status_code == 302
    assert DataWishAnswer.objects.get().price_micro == 900_000
    assert "0.90" in as_buyer.get(f"/market/requests/{wish.id}").content.decode()
    bad = as_seller.post("/market/demand", {**form, "token": wish_token(2), "group": "x"})
    assert bad.status_code == 400


def wish_token(number: int) -> str:
    return f"8c0a4e3e-6a3a-4c1f-9f5e-0f7c1e7b000{number}"


def test_the_api_posts_reads_and_ends_requests(
    parties: tuple[Client, Client, int, int],
) -> None:
    _, _, seller, _ = parties
    whole = listed(seller, months=(1, 10), price_micro=40_000_000)
    tokens = {
        user.email[0]: f"Token {Token.objects.create(user=user)}" for user in User.objects.all()
    }
    body: dict[str, Any] = {
        "title": "flows",
        "format": "trips",
        "kind": "file",
        "area": {
            "west": -122_500_000,
            "south": 37_300_000,
            "east": -121_800_000,
            "north": 37_900_000,
        },
        "first_day": "2014-03-01",
        "last_day": "2014-05-31",
        "resolution_s": 3600,
        "limit_price_micro": 50_000_000,
        "deadline_at": "2027-01-01T00:00:00Z",
    }
    client = Client()
    sent = client.post(
        "/api/v1/data/wishes/",
        body,
        content_type="application/json",
        headers={"Authorization": tokens["b"], "Idempotency-Key": "w1"},
    )
    assert sent.status_code == 201, sent.content
    found = sent.json()
    assert [match["products"][0]["id"] for match in found["matches"]] == [whole.id]
    address = f"/api/v1/data/wishes/{found['id']}"
    assert client.get(address, headers={"Authorization": tokens["s"]}).status_code == 404
    assert client.get(address, headers={"Authorization": tokens["b"]}).json() == found
    demand = client.get("/api/v1/data/demand/", headers={"Authorization": tokens["s"]}).json()
    assert [line["buyer_count"] for line in demand] == [None]
    answered = client.post(
        "/api/v1/data/demand/",
        {"product_id": whole.id, "group": demand[0]["group"], "price_micro": 1},
        content_type="application/json",
        headers={"Authorization": tokens["s"], "Idempotency-Key": "w2"},
    )
    assert answered.status_code == 204, answered.content
    ended = client.post(
        f"{address}/end", headers={"Authorization": tokens["b"], "Idempotency-Key": "w3"}
    )
    assert ended.status_code == 204
    assert DataWish.objects.get().state == DataWish.State.ENDED

"""The data hall's pages: what each person sees and can do."""

import hashlib
import re
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from marketplace.models import Delivery, Match, Offer, Participant, Request
from tests.data_files.conftest import signed_in
from tests.data_files.people import CONTENT, Person, book_and_resolve, person

WANTED = {
    "title": "Bikes <b>wanted</b>",
    "kind": "bike_flows",
    "area": "Old Town",
    "first_day": "2026-06-02",
    "last_day": "2026-06-04",
    "resolution_minutes": "60",
    "price": "3.5",
}
OFFERED = {
    **WANTED,
    "title": "Bikes <b>offered</b>",
    "first_day": "2026-05-31",
    "last_day": "2026-06-07",
    "price": "3.000001",
    "licence": "CC BY 4.0",
}


def publish(client: Client, content: bytes = CONTENT, **changes: str) -> Any:
    file = SimpleUploadedFile("bikes.csv", content, content_type="text/csv")
    form = {"token": str(uuid4()), **OFFERED, **changes, "file": file}
    return client.post("/data/provide", form)


def ask(client: Client, **changes: str) -> Any:
    return client.post("/data/requests", {"token": str(uuid4()), **WANTED, **changes})


def test_a_double_click_counts_once(as_alice: Client, as_bob: Client) -> None:
    token = str(uuid4())
    assert ask(as_bob, token=token, price="-1").status_code == 400
    assert [ask(as_bob, token=token).status_code for _ in range(2)] == [302, 302]
    assert [publish(as_alice, token=token).status_code for _ in range(2)] == [302, 302]
    assert (Request.objects.count(), Offer.objects.count(), Match.objects.count()) == (1, 1, 1)
    page = as_bob.get("/data/requests").content.decode()
    first = re.search(r'name="token" value="([0-9a-f-]{36})"', page)
    assert first and first[1] not in as_bob.get("/data/requests").content.decode()


def test_from_the_form_to_the_file(as_alice: Client, as_bob: Client) -> None:
    assert publish(as_alice).status_code == 302
    assert ask(as_bob).status_code == 302
    match = Match.objects.get()
    assert match.price_micro == 3_000_001
    waiting = as_bob.get("/data/requests").content.decode()
    assert "Download" not in waiting
    book_and_resolve()

    page = as_bob.get("/data/requests").content.decode()
    assert "Download and pay" in page
    assert hashlib.sha256(CONTENT).hexdigest() in page
    assert "Bikes &lt;b&gt;offered&lt;/b&gt;" in page and "<b>" not in page
    assert as_bob.get(f"/data/matches/{match.id}/file").status_code == 405
    file = as_bob.post(f"/data/matches/{match.id}/file")
    assert (file.content, file["X-Content-Type-Options"]) == (CONTENT, "nosniff")
    book_and_resolve()
    assert "Download again" in as_bob.get("/data/requests").content.decode()
    desk = as_alice.get("/data/provide").content.decode()
    assert re.search(r"Revenue booked.*?¥3\.00", desk, re.DOTALL)
    assert "Bob" in desk


def test_the_hall_shows_offers_to_everybody_signed_in(
    as_alice: Client, as_charlie: Client, client: Client
) -> None:
    publish(as_alice)
    page = as_charlie.get("/data").content.decode()
    assert "Old Town" in page and "Alice" in page and "CC BY 4.0" in page
    assert client.get("/data").status_code == 302


def test_a_bad_file_is_shown_beside_its_field(as_alice: Client) -> None:
    answer = publish(as_alice, CONTENT.replace(b"12", b"-12"))
    assert answer.status_code == 400
    assert "Line 2: trips_out must be a whole number" in answer.content.decode()
    answer = publish(as_alice, last_day="2026-05-30")
    assert "The period must end after it starts." in answer.content.decode()
    assert publish(as_alice, price="-1").status_code == 400
    assert publish(as_alice, price="1e400").status_code == 400
    assert publish(as_alice, last_day="9999-12-31").status_code == 400
    assert not Offer.objects.exists()


def test_desks_are_for_their_roles_and_rows_for_their_owners(
    as_alice: Client, as_bob: Client, as_charlie: Client
) -> None:
    publish(as_alice)
    ask(as_bob)
    book_and_resolve()
    match, offer, request = Match.objects.get(), Offer.objects.get(), Request.objects.get()

    assert as_bob.get("/data/provide").status_code == 404
    assert as_alice.get("/data/requests").status_code == 404
    household = signed_in(person("Hana", Participant.Role.HOUSEHOLD))
    assert household.get("/data").status_code == 200
    assert household.get("/data/requests").status_code == 404
    for path in (
        f"/data/matches/{match.id}/file",
        f"/data/offers/{offer.id}/withdraw",
        f"/data/requests/{request.id}/withdraw",
        f"/data/requests/{request.id}/match",
    ):
        assert as_charlie.post(path).status_code == 404, path
    assert "offered" not in as_charlie.get("/data/requests").content.decode()
    assert not Delivery.objects.exists()


def test_withdraw_and_try_again(as_alice: Client, as_charlie: Client) -> None:
    publish(as_alice)
    ask(as_charlie)
    book_and_resolve()
    page = as_charlie.get("/data/requests").content.decode()
    assert "The wallet did not cover the price." in page and "Try again" in page
    request, offer = Request.objects.get(), Offer.objects.get()
    as_charlie.post(f"/data/requests/{request.id}/match")
    assert Match.objects.count() == 2
    book_and_resolve()
    as_charlie.post(f"/data/requests/{request.id}/withdraw")
    as_alice.post(f"/data/offers/{offer.id}/withdraw")
    assert "Ended" in as_charlie.get("/data/requests").content.decode()
    assert "Withdrawn" in as_alice.get("/data/provide").content.decode()
    twice = as_alice.post(f"/data/offers/{offer.id}/withdraw", follow=True)
    assert "This offer has ended." in twice.content.decode()


@pytest.mark.parametrize("path", ["/data", "/data/provide"])
def test_speaks_chinese(path: str, alice: Person) -> None:
    page = signed_in(alice).get(path, headers={"Accept-Language": "zh-hans"}).content.decode()
    assert 'lang="zh-hans"' in page

"""Deliveries over HTTP: pages and API, for their two sides alone; ciphertext in ranges."""

import base64
import io
import re
from zipfile import ZipFile

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gate.manifest import CHUNK_BYTES
from marketplace.api import file_ranges
from marketplace.models import Participant
from marketplace.services.data.contract_ends import draft_revocation, revoke_contract
from marketplace.services.data.delivery_custody import accept_in_custody
from marketplace.services.data.storage import package_path
from tests.data.exchanging import (
    CONTENT,
    FUNDS_MICRO,
    PRICE_MICRO,
    READ_ME,
    Exchange,
    Trader,
    agree,
    go_on,
    publish_file,
    trader,
)

Role = Participant.Role
pytestmark = pytest.mark.django_db


def deal(*, automatic: bool = True, has_own_key: bool = False) -> Exchange:
    """A delivery between Ada and Ben that has begun now, by the clock of the pages."""
    ada = trader("Ada", Role.DATA_PROVIDER)
    ben = trader("Ben", Role.ENTERPRISE, funds_micro=FUNDS_MICRO, has_own_key=has_own_key)
    version = publish_file(ada, automatic=automatic)
    each = Exchange(ada, ben, agree(version, ada, ben, timezone.now()).pk)
    go_on(timezone.now())
    return each


def signed_in(who: Trader) -> Client:
    client = Client()
    client.force_login(who.user)
    return client


def asked(client: Client, path: str) -> int:
    """Return how many queries a page takes."""
    with CaptureQueriesContext(connection) as queries:
        assert client.get(path).status_code == 200
    return len(queries)


def words(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def test_received_by_one_click_with_keys_in_custody() -> None:
    each = deal(automatic=False)
    page = f"/market/deliveries/{each.id}"
    as_ada, as_ben = signed_in(each.seller), signed_in(each.buyer)
    assert "Waits for the seller" in words(as_ben, page)
    assert "Sign the proof of origin" in words(as_ada, page)
    assert "Sign the proof of origin" not in words(as_ben, page)
    assert as_ben.post(f"{page}/origin").status_code == 404
    assert as_ada.post(f"{page}/origin").status_code == 302
    assert "you trust the hall" in words(as_ben, page)
    assert f"heliopolis-client --hall http://testserver receive {each.id}" in words(as_ben, page)
    assert as_ada.post(f"{page}/receive").status_code == 404
    assert as_ben.post(f"{page}/receive").status_code == 302
    assert as_ben.get(f"{page}/file").status_code == 302  # the key is not out
    go_on(timezone.now())
    assert "Key given" in words(as_ben, page)
    answer = as_ben.get(f"{page}/file")
    archive = ZipFile(io.BytesIO(b"".join(answer.streaming_content)))  # type: ignore[attr-defined]  # a stream
    assert archive.testzip() is None
    assert archive.read("counts.csv") == CONTENT
    assert archive.read("read-me.txt") == READ_ME
    assert as_ben.post(f"{page}/accept").status_code == 302
    assert each.state == "ACCEPTED"
    as_cleo = signed_in(trader("Cleo", Role.ENTERPRISE))
    assert [as_cleo.get(path).status_code for path in (page, f"{page}/file")] == [404, 404]
    assert as_ada.get(f"{page}/file").status_code == 404
    assert "Trips by day" in words(as_ben, "/market/deliveries")
    one = asked(as_ben, "/market/deliveries")
    agree(publish_file(each.seller), each.seller, each.buyer, timezone.now())
    assert asked(as_ben, "/market/deliveries") == one
    assert "Trips by day" in words(as_ada, "/market/deliveries")


def test_damage_in_the_hall_is_nobodys_lie() -> None:
    each = deal()
    client = signed_in(each.buyer)
    client.post(f"/market/deliveries/{each.id}/receive")
    go_on(timezone.now())
    path = package_path(each.contract.version.package)
    whole = path.read_bytes()
    # Damage in the hall is nobody's lie: the money stays where it is, the operator is asked.
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    answer = client.post(f"/market/deliveries/{each.id}/accept", follow=True)
    assert b"damaged in the hall" in answer.content
    path.write_bytes(whole)
    assert accept_in_custody(
        delivery_id=each.id, participant_ids=[each.buyer.participant_id], now=timezone.now()
    )


def test_ciphertext_in_ranges_for_the_buyer_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    each = deal()
    as_ben, path = signed_in(each.buyer), f"/api/v1/data/deliveries/{each.id}/package"
    cipher = package_path(each.contract.version.package).read_bytes()
    etag = f'"{each.manifest.package.root}"'

    def ask(**headers: str) -> tuple[int, bytes, str]:
        answer = as_ben.get(path, headers=headers)
        body = b"".join(answer) if answer.streaming else answer.content
        return answer.status_code, body, answer.headers.get("Content-Range", "")

    size = len(cipher)
    assert ask() == (200, cipher, "")
    assert ask(range=f"bytes={CHUNK_BYTES}-") == (
        206,
        cipher[CHUNK_BYTES:],
        f"bytes {CHUNK_BYTES}-{size - 1}/{size}",
    )
    assert ask(range="bytes=10-19")[:2] == (206, cipher[10:20])
    assert ask(range="bytes=-7")[:2] == (206, cipher[-7:])
    assert ask(range="bytes=5-1000000000000")[1] == cipher[5:]
    assert ask(range=f"bytes={size}-") == (416, b"", f"bytes */{size}")
    assert ask(range="bytes=0-1", **{"if-range": '"other"'})[0] == 200
    assert ask(range="bytes=0-1", **{"if-range": etag})[:2] == (206, cipher[:2])
    assert ask(**{"if-none-match": etag})[0] == 304
    for nonsense in ("bytes=-", "bytes=9-2", "lines=0-1", "bytes=0-1,5-6", "bytes=a-b"):
        assert ask(range=nonsense)[:2] == (200, cipher), nonsense
    head = as_ben.head(path, headers={"range": "bytes=0-9"})
    assert (head.status_code, head.headers["Content-Length"], head.content) == (206, "10", b"")
    assert (head.headers["ETag"], head.headers["Accept-Ranges"]) == (etag, "bytes")
    assert each.row.served_bytes > 7 * size
    assert signed_in(each.seller).get(path).status_code == 404
    assert signed_in(trader("Cleo", Role.ENTERPRISE)).get(path).status_code == 404
    # A revocation cuts off an answer that is under way.
    monkeypatch.setattr(file_ranges, "ASKED_EVERY_PIECES", 2)
    pieces = iter(as_ben.get(path))
    first = next(pieces)
    revoke(each)
    assert len(first) + len(b"".join(pieces)) < size
    assert as_ben.get(path).status_code == 404
    go_on(timezone.now())
    assert (each.state, each.money, each.buyer.balance) == ("CANCELLED", "RELEASED", FUNDS_MICRO)


def revoke(each: Exchange) -> None:
    """Let the seller revoke the contract."""
    now, own = timezone.now(), each.seller.participant_id
    text = draft_revocation(contract_id=each.contract.pk, participant_id=own, now=now)
    revoke_contract(
        contract_id=each.contract.pk,
        participant_id=own,
        revocation=text,
        signature=None,
        now=now,
    )


def test_the_exchange_over_the_api_by_a_program() -> None:
    each = deal(has_own_key=True)
    as_ben = signed_in(each.buyer)
    base = f"/api/v1/data/deliveries/{each.id}/"
    now = timezone.now()
    text = each.reception(now)
    assert each.buyer.own_key is not None
    sent = {
        "body": text.body().decode(),
        "signature": base64.b64encode(each.buyer.own_key.sign(text.body())).decode(),
    }

    def post(step: str, body: dict[str, str], client: Client = as_ben) -> tuple[int, str]:
        answer = client.post(f"{base}{step}", body, content_type="application/json")
        return answer.status_code, answer.json().get("code") or answer.json().get("state")

    assert post("reception", sent, signed_in(each.seller)) == (404, "not_found")
    assert post("reception", {**sent, "signature": "AA"}) == (400, "invalid")
    assert post("reception", {"body": sent["body"]}) == (409, "signature_needed")
    assert post("acceptance", sent) == (400, "invalid")
    assert post("reception", sent) == (200, "acknowledged")
    assert post("reception", sent) == (200, "acknowledged")
    go_on(timezone.now())
    shown = as_ben.get(base).json()
    assert (shown["state"], len(shown["wraps"]), shown["money"]) == ("key_out", 1, "in_window")
    assert signed_in(each.seller).get(base).json()["wraps"] == []
    assert as_ben.get(f"{base}manifest").content == each.manifest.to_bytes()
    receipts = {each["key"]: each["state"] for each in as_ben.get(f"{base}receipts").json()}
    assert f"data-key:{each.id}" in receipts
    [line] = as_ben.get("/api/v1/data/deliveries/").json()["results"]
    assert (line["id"], line["side"], line["price_micro"]) == (each.id, "buyer", PRICE_MICRO)

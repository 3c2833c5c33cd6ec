"""A provider publishes by pages and API; what they send is encrypted before it is anywhere."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from gate.keys import deposit_info, public_key, seal
from gate.policy import Policy
from marketplace.models import DataProduct, DataVersion, User
from marketplace.services.data import storage
from marketplace.services.data.version_work import work_waiting_versions
from marketplace.services.people import add_person, join
from tests.data.publishing import TERMS, ZIP_CODE, counts_csv, product_of, stations_csv, trips_csv
from tests.data.test_home_packages import Home
from tests.data.trading import Trade, build_trade
from tests.worlds import world

pytestmark = pytest.mark.django_db
RAW = "application/octet-stream"


def build_people() -> Trade:
    """Let Alice and Bob in."""
    trade = build_trade()
    for name, participant_id in (("alice", trade.alice), ("bob", trade.bob)):
        user_id = add_person(email=f"{name}@heliopolis.example", password="sunny-day-37")
        join(user_id=user_id, participant_id=participant_id)
    return trade


@pytest.fixture
def trade(tmp_path: Path, settings: Settings) -> Iterator[Trade]:
    settings.DATA_FOLDER = tmp_path / "data"
    settings.DATA_KEY_FILE = tmp_path / "keys" / "data.key"
    with world(build_people) as trade:
        yield trade


def browser(name: str, *, checks_csrf: bool = False) -> Client:
    client = Client(enforce_csrf_checks=checks_csrf)
    client.force_login(
        User.objects.get(email=f"{name}@heliopolis.example"),
        "django.contrib.auth.backends.ModelBackend",
    )
    return client


def quarantined() -> list[Path]:
    folder = storage.quarantine_path("x").parent
    return list(folder.iterdir()) if folder.exists() else []


def token_of(page: bytes) -> str:
    return page.decode().partition('name="token" value="')[2].partition('"')[0]


def begun_by_page(alice: Client) -> DataProduct:
    """Go the first step; return the product."""
    new = alice.get("/market/products/new")
    answer = alice.post(
        "/market/products/new",
        {
            "token": token_of(new.content),
            "what": "file:trips",
            "title": "Bike flows",
            "theme": "bike-sharing-availability",
            "zone": "UTC",
        },
    )
    product = DataProduct.objects.get()
    assert answer.headers["Location"] == f"/market/products/{product.pk}/upload"
    assert b"heliopolis-client" in alice.get(answer.headers["Location"]).content
    return product


def sent_by_page(alice: Client, product: DataProduct) -> DataVersion:
    """Go the second step; return the version."""
    answer = alice.post(
        f"/market/products/{product.pk}/upload",
        {
            "note": "March",
            "stations": SimpleUploadedFile("stations.csv", stations_csv()),
            "data": SimpleUploadedFile("C:\\trips\\march.csv", trips_csv()),
        },
    )
    version = DataVersion.objects.get()
    assert answer.headers["Location"] == f"/market/versions/{version.pk}"
    assert sorted(each.file_name for each in version.uploads.all()) == ["march.csv", "stations.csv"]
    assert len(quarantined()) == 2
    assert not any(ZIP_CODE in path.read_bytes() for path in quarantined())
    moving = alice.get(f"/market/versions/{version.pk}")
    assert b'hx-trigger="every 2s"' in moving.content
    return version


def test_trips_are_published_in_four_steps(trade: Trade) -> None:
    alice = browser("alice")
    product = begun_by_page(alice)
    version = sent_by_page(alice, product)
    work_waiting_versions(now=timezone.now())

    part = alice.get(f"/market/versions/{version.pk}/progress")
    assert part.headers["HX-Refresh"] == "true"
    preview = alice.get(f"/market/versions/{version.pk}").content.decode()
    assert "This is what remains" in preview and "zip_code" in preview
    assert ZIP_CODE.decode() not in preview
    alice.post(
        f"/market/versions/{version.pk}/gate",
        {
            "token": token_of(preview.encode()),
            "minimum_group": 12,
            "minimum_distinct": 5,
            "dominance_percent": 50,
        },
    )
    work_waiting_versions(now=timezone.now())
    version.refresh_from_db()
    assert version.privacy_report["policy"]["minimum_group"] == 12
    alice.post(f"/market/versions/{version.pk}/confirm")
    work_waiting_versions(now=timezone.now())
    version.refresh_from_db()
    assert (version.state, version.refusal) == (DataVersion.State.READY, {})

    terms = alice.get(f"/market/products/{product.pk}/terms")
    answer = alice.post(
        f"/market/products/{product.pk}/terms",
        {
            "token": token_of(terms.content),
            "list": "1",
            "title": "Bike flows",
            "theme": "bike-sharing-availability",
            "frequency": "MONTHLY",
            "licence": "contract",
            "price_form": "one_off",
            "price": "12.50",
            "purposes": ["research"],
            "prohibitions": ["sell", "reidentify"],
            "shares": f"{trade.charlie}: 2.5",
            "accepts_automatically": "on",
        },
    )
    assert answer.status_code == 302, answer.content
    product.refresh_from_db()
    assert product.state == DataProduct.State.LISTED
    assert product.price == {"form": "one_off", "price_micro": 12_500_000}
    assert product.shares == [{"participant": trade.charlie, "ppm": 25_000}]
    for page in ("", f"/{product.pk}", f"/{product.pk}/terms"):
        assert alice.get(f"/market/products{page}").status_code == 200
    assert alice.get(f"/market/versions/{version.pk}").status_code == 200


def test_a_page_says_what_is_wrong_with_a_file_and_what_changed_between_two(trade: Trade) -> None:
    alice = browser("alice")
    sent = alice.post(
        "/api/v1/data/products/",
        json.dumps({"kind": "file", "format": "counts", "terms": TERMS}),
        content_type="application/json",
    )
    assert sent.status_code == 201, sent.content
    product_id = sent.json()["id"]
    address = f"/api/v1/data/products/{product_id}"
    bodies = [b"<html>oops</html>", counts_csv(), counts_csv(hours=72)]
    versions = []
    for body in bodies:
        sent = alice.post(
            f"{address}/uploads/?file_name=c.csv&note=n",
            body,
            content_type=RAW,
        )
        assert sent.status_code == 201, sent.content
        versions.append(sent.json()["id"])
        work_waiting_versions(now=timezone.now())
    refused = alice.get(f"/market/versions/{versions[0]}").content.decode()
    assert "this is a web page, not data" in refused and "c.csv" in refused
    changed = alice.get(f"/market/versions/{versions[2]}/changes").content.decode()
    assert "144" in changed and "216" in changed and "counts.csv" in changed
    assert alice.get(f"/market/versions/{versions[1]}/changes").status_code == 404
    said = alice.get(f"/api/v1/data/versions/{versions[2]}/").json()
    assert json.loads(said["manifest"])["rows"] == "216"
    listed = alice.post(f"{address}/list/")
    assert (listed.status_code, listed.json()["state"]) == (200, "listed")


def test_strangers_and_broken_uploads_leave_nothing(trade: Trade, settings: Settings) -> None:
    alice, bob = browser("alice"), browser("bob")
    made = alice.post(
        "/api/v1/data/products/",
        json.dumps({"kind": "file", "format": "counts", "terms": TERMS}),
        content_type="application/json",
    ).json()
    page, api = f"/market/products/{made['id']}", f"/api/v1/data/products/{made['id']}/uploads/"

    def send(client: Client) -> Any:
        return client.generic("POST", api, counts_csv(), RAW)

    def fill(client: Client, content: bytes) -> Any:
        return client.post(f"{page}/upload", {"data": SimpleUploadedFile("c.csv", content)})

    assert bob.get(page).status_code == 404
    assert fill(bob, counts_csv()).status_code == send(bob).status_code == 404
    assert fill(browser("alice", checks_csrf=True), counts_csv()).status_code == 403
    settings.DATA_UPLOAD_MAX_BYTES = 1000
    assert send(alice).status_code == 413
    assert alice.post(f"{page}/upload", {"note": "no file"}).status_code == 400
    assert fill(alice, counts_csv()).status_code == 302  # to the form, with what is wrong
    assert quarantined() == [] and not DataVersion.objects.exists()


def test_the_list_asks_no_oftener_where_there_is_more_to_show(trade: Trade) -> None:
    alice, counts = browser("alice"), []
    for _ in range(2):
        product_of(trade.alice)
        alice.get("/market/products")
        with CaptureQueriesContext(connection) as queries:
            assert alice.get("/market/products").status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_a_package_from_home_comes_in_pieces_over_the_api(trade: Trade, tmp_path: Path) -> None:
    alice, bob = browser("alice"), browser("bob")
    product_id = product_of(trade.alice, format_="trips", theme="bike-sharing-availability")
    policy = Policy.from_json(DataProduct.objects.get(id=product_id).privacy_policy)
    home = Home(tmp_path, policy)
    key = alice.get("/api/v1/data/deposit-key/").json()["public_key"]
    sealed = seal(
        home.key,
        public_key(base64.b64decode(key)),
        info=deposit_info(home.manifest.package.package_id),
    )
    body = {
        "manifest": base64.b64encode(home.manifest.to_bytes()).decode(),
        "sealed_key": base64.b64encode(sealed).decode(),
    }
    begun = alice.post(
        f"/api/v1/data/products/{product_id}/home-versions/", body, content_type="application/json"
    )
    assert begun.status_code == 201, begun.content
    address = f"/api/v1/data/versions/{begun.json()['id']}/package/"

    def send(client: Client, offset: int, piece: bytes) -> Any:
        return client.generic("PATCH", f"{address}?offset={offset}", piece, RAW)

    assert send(alice, 0, home.cipher[:100]).json() == {"received": 100, "total": len(home.cipher)}
    assert send(alice, 0, home.cipher).json()["fields"] == {
        "offset": ["The next byte to send is 100."]
    }
    assert send(bob, 100, home.cipher[100:]).status_code == 404
    assert alice.get(address).json()["received"] == 100
    assert send(alice, 100, home.cipher[100:]).status_code == 200
    work_waiting_versions(now=timezone.now())
    said = alice.get(f"/api/v1/data/versions/{begun.json()['id']}/").json()
    assert (said["state"], said["manifest_sha256"]) == ("ready", home.manifest.sha256)

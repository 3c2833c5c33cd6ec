"""Pages of certificates: my own, the hours, and a statement that everybody can check."""

import csv
import hashlib
import io
import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from config.log.keys import make_signer, read_policy
from ledger.domain.receipts import ReceiptKind, verify
from ledger.services import SettlementWorker
from ledger.services.attestation import attest_checkpoint
from ledger.services.log_folder import LogFolder
from ledger.services.publisher import LogPublisher
from marketplace.models import CertificateBundle, CertificateCancellation
from marketplace.services.certificate_use import Choice, hand_over_certificates
from marketplace.services.certificates import issue_due_certificates
from marketplace.services.production_devices import NewDevice, register_devices
from tests.web.city import NOW, City, signed_in

START = datetime(2026, 6, 14, 16, tzinfo=UTC)
USE = {"cancel-purpose": "Bread <of> June", "cancel-beneficiary": "Bakery", "cancel-kwh": "0.25"}
TOKEN = "7d2d2ad3-5f2c-4f0c-9f6e-0c9f8b1d2e3f"


@pytest.fixture
def certified(city: City) -> City:
    """Return the city with three solar roofs, and their certificates."""
    register_devices(
        community_id=city.community_id,
        devices=[
            NewDevice(meter, "solar", 6_000, date(2024, 5, 1)) for meter in ("m0", "m2", "m4")
        ],
        active_from=START,
        now=NOW,
    )
    assert issue_due_certificates(community_id=city.community_id, now=NOW) == 24
    # The sixth home bought all there was; some of it goes to Bob and Alice.
    buyer = CertificateBundle.objects.values_list("holder", flat=True).distinct().get()
    for name in ("bob", "alice"):
        hand_over_certificates(
            participant_id=buyer,
            receiver_id=city.participant_ids[name],
            choice=Choice(START, NOW, wh=5_000),
            now=NOW,
        )
    return city


def use(city: City, client: Client, **more: str) -> CertificateCancellation:
    """Use a quarter of a kWh of Bob's."""
    address = f"/member/{city.participant_ids['bob']}/certificates/?month=2026-06"
    for _ in range(2):  # a double click counts once
        answer = client.post(address, {**USE, "cancel-token": TOKEN, **more})
        assert answer.status_code == 302, answer.content.decode()
    return CertificateCancellation.objects.get()


def test_my_certificates_are_there_used_once_and_nobody_elses(certified: City) -> None:
    bob, alice = (certified.participant_ids[name] for name in ("bob", "alice"))
    client = signed_in("bob")
    address = f"/member/{bob}/certificates/"
    page = client.get(address).content.decode()
    assert "Solar" in page and "Bundles of the month" in page

    cancellation = use(certified, client)

    page = client.get(address).content.decode()
    assert f"/certificates/{cancellation.public_id}/" in page
    assert "Bread &lt;of&gt; June" in page and "<of>" not in page
    refused = client.post(address, {**USE, "cancel-kwh": "99999", "cancel-token": TOKEN[:-1] + "0"})
    assert "ask for no more" in refused.content.decode()
    nobody = {"hand-receiver": "999999", "hand-token": TOKEN[:-1] + "1"}
    assert "no other member" in client.post(address, nobody).content.decode()
    client.post(address, {"hand-receiver": alice, "hand-token": TOKEN[:-1] + "2"})
    assert not CertificateBundle.objects.filter(holder=bob, state=1).exists()
    for path in ("", "matching/", "matching.csv", "bundles.csv", "bundles.json"):
        assert client.get(f"{address}{path}").status_code == 200
        assert client.get(f"/member/{alice}/certificates/{path}").status_code == 404
        assert signed_in("charlie").get(f"{address}{path}").status_code == 404


def test_bundles_leave_in_energytags_fields_and_hours_as_a_table(certified: City) -> None:
    alice = certified.participant_ids["alice"]
    client = signed_in("alice")
    text = client.get(f"/member/{alice}/certificates/bundles.csv?month=2026-06").content.decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    told = client.get(f"/member/{alice}/certificates/bundles.json").json()
    own = CertificateBundle.objects.filter(holder=alice)
    assert len(rows) == len(told["granular_certificate_bundles"]) == own.count()
    assert sum(int(row["bundle_quantity"]) for row in rows) == sum(
        bundle.last_wh - bundle.first_wh for bundle in own
    )
    for row in rows:
        size = int(row["certificate_bundle_id_range_end"]) + 1
        assert size - int(row["certificate_bundle_id_range_start"]) == int(row["bundle_quantity"])
        assert (row["face_value"], row["energy_source"]) == ("1", "Solar")
        assert row["production_starting_interval"].endswith(":00:00Z")
    assert len({row["hash"] for row in rows}) == len(rows) > 1
    hours = client.get(f"/member/{alice}/certificates/matching.csv").content.decode()
    assert hours.splitlines()[0] == "hour,used_wh,cancelled_wh,held_wh,matched_wh"
    assert len(hours.splitlines()) == 25


@pytest.fixture
def published(certified: City, tmp_path: Path, settings: Settings) -> City:
    """Return the city with a statement in an attested log."""
    settings.LOG_FOLDER = tmp_path / "publication"
    settings.LOG_KEY_FILE = tmp_path / "log.key"
    settings.LOG_POLICY_FILE = tmp_path / "policy"
    publisher = LogPublisher(folder=LogFolder(settings.LOG_FOLDER), signer=make_signer())
    publisher.open()
    use(certified, signed_in("bob"))
    worker = SettlementWorker(holder="test")
    assert worker.take_head()
    worker.settle_inbox(now=NOW)
    worker.give_back()
    now = datetime.now(UTC)
    signed = publisher.publish_new(now=now)
    assert signed is not None
    assert attest_checkpoint(size=signed.size, policy=read_policy(), now=now)
    return certified


def test_the_statement_is_public_and_its_receipt_holds(published: City) -> None:
    cancellation = CertificateCancellation.objects.get()
    address, stranger = f"/certificates/{cancellation.public_id}/", Client()
    page = stranger.get(address).content.decode()
    assert "Bakery" in page and "0.25" in page and "Bread &lt;of&gt; June" in page
    assert re.search(r'href="/receipts/check#[^"]+"', page)

    shown = verify(stranger.get(f"{address}receipt").content, read_policy())
    text = stranger.get(f"{address}statement.json").content
    assert shown.kind == ReceiptKind.DOCUMENT
    assert shown.opened["statement"] == hashlib.sha256(text).hexdigest()
    assert shown.opened["wh"] == "250"
    assert stranger.get(address.replace(address[-5:-2], "fff")).status_code == 404

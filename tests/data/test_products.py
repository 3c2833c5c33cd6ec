"""From an upload to a listed version: what comes in, what is refused, what stays as it is."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from gate.manifest import Manifest
from gate.package import read_part, verify_package
from ledger.queries import get_answers
from marketplace.errors import ProductClosed
from marketplace.models import CatalogueRecord, DataUpload, DataVersion, Notice
from marketplace.services.data import intake, storage
from marketplace.services.data.deposit_key import open_version_key
from marketplace.services.data.products import (
    change_privacy_policy,
    list_product,
    withdraw_product,
)
from marketplace.services.data.version_work import work_version
from tests.data.publishing import (
    ZIP_CODE,
    counts_csv,
    packed,
    product_of,
    stations_csv,
    trips_csv,
    upload,
)
from tests.data.trading import NOW, Trade, book, build_trade
from tests.worlds import world

pytestmark = pytest.mark.django_db
State = DataVersion.State


@pytest.fixture
def trade(tmp_path: Path, settings: Settings) -> Iterator[Trade]:
    settings.DATA_FOLDER = tmp_path / "data"
    settings.DATA_KEY_FILE = tmp_path / "keys" / "data.key"
    with world(build_trade) as trade:
        yield trade


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_counts_are_published_as_they_came_encrypted_logged_and_listed(trade: Trade) -> None:
    product_id = product_of(trade.alice)
    content = counts_csv()
    version_id = upload(product_id, trade.alice, packed(content), name="counts.csv.gz")
    [quarantined] = files_below(storage.quarantine_path("x").parent)
    assert b"D001" not in quarantined.read_bytes() and packed(content) not in (
        quarantined.read_bytes()
    )

    assert work_version(version_id=version_id, now=NOW)
    assert not work_version(version_id=version_id, now=NOW)  # twice is once

    version = DataVersion.objects.get(id=version_id)
    assert (version.state, version.refusal) == (State.READY, {})
    assert (version.number, version.row_count) == (1, 144)
    assert version.raw_deleted_at == NOW and not quarantined.exists()
    assert DataUpload.objects.get(version=version).sealed_key is None
    manifest = Manifest.from_bytes(bytes(version.manifest or b""))
    key = open_version_key(version)
    with storage.package_path(version.package).open("rb") as file:
        verify_package(file, manifest.package, key)
        assert read_part(file, manifest.package, key, "counts.csv.gz") == packed(content)
        assert b"Vehicles counted" in read_part(file, manifest.package, key, "dictionary.json")
    book()
    assert get_answers(keys=[f"data-version:{version_id}"])[f"data-version:{version_id}"].state == (
        "booked"
    )
    kinds = Notice.objects.filter(participant=trade.alice).values_list("kind", flat=True)
    assert sorted(kinds) == ["raw_deleted", "version_ready"]

    assert not CatalogueRecord.objects.filter(product=product_id).exists()
    list_product(product_id=product_id, participant_ids=[trade.alice], now=NOW)
    assert CatalogueRecord.objects.filter(product=product_id).exists()
    withdraw_product(product_id=product_id, participant_ids=[trade.alice], now=NOW)
    assert not CatalogueRecord.objects.filter(product=product_id).exists()


def test_trips_are_shown_to_their_provider_first_and_never_listed_raw(trade: Trade) -> None:
    product_id = product_of(trade.alice, format_="trips", theme="bike-sharing-availability")
    assert upload(product_id, trade.alice, stations_csv(), role="stations") == upload(
        product_id, trade.alice, trips_csv(), name="trips.csv"
    )
    version = DataVersion.objects.get(product=product_id)

    assert work_version(version_id=version.id, now=NOW)

    version.refresh_from_db()
    assert (version.refusal, version.progress.get("step")) == ({}, "preview")
    assert (version.state, version.package, version.manifest) == (State.WORKING, "", None)
    assert not files_below(storage.package_path("x").parent.parent)
    assert version.privacy_report and version.row_count > 0
    assert not work_version(version_id=version.id, now=NOW)  # it waits for its provider's word

    intake.confirm_version(version_id=version.id, participant_ids=[trade.alice], now=NOW)
    assert work_version(version_id=version.id, now=NOW)

    version.refresh_from_db()
    assert (version.state, version.refusal) == (State.READY, {})
    manifest = Manifest.from_bytes(bytes(version.manifest or b""))
    with storage.package_path(version.package).open("rb") as file:
        key = open_version_key(version)
        verify_package(file, manifest.package, key)
        flows = read_part(file, manifest.package, key, "flows.csv")
    told = [int(row["trips"]) for row in csv.DictReader(flows.decode().splitlines())]
    assert min(told) >= 10 and sum(told) <= 600
    shown = json.dumps([version.sample, version.profile, version.privacy_report, version.findings])
    for raw in (ZIP_CODE.decode(), "2026-03-02 08:00:45", "08:00:45"):
        assert raw not in shown and raw not in flows.decode()
    assert files_below(storage.quarantine_path("x").parent) == []
    with pytest.raises(ProductClosed, match="make a new product"):
        change_privacy_policy(
            product_id=product_id, participant_ids=[trade.alice], policy={"minimum_group": 20}
        )

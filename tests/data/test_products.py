"""From an upload to a listed version: what comes in, what is refused, what stays as it is."""

import csv
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import IntegrityError, connection, transaction
from pytest_django import Settings

from gate.manifest import Manifest
from gate.package import read_part, verify_package
from ledger.queries import get_answers
from marketplace.errors import (
    NotFound,
    ProductClosed,
    RoleNotAllowed,
    VersionBeingMade,
    VersionsDiffer,
)
from marketplace.models import CatalogueRecord, DataProduct, DataUpload, DataVersion, Notice
from marketplace.services.data import intake, storage
from marketplace.services.data.deposit_key import open_version_key
from marketplace.services.data.products import (
    change_privacy_policy,
    list_product,
    withdraw_product,
)
from marketplace.services.data.version_verification import verify_versions
from marketplace.services.data.version_work import (
    destroy_uploads,
    work_version,
    work_waiting_versions,
)
from marketplace.services.people import add_participant
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
from tests.data.trading import version as bare_version
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


@pytest.mark.parametrize(
    ("content", "code", "place"),
    [
        (trips_csv(count=20), "upload_unfit", ""),
        (b"\x1f\x8b" + b"x" * 50, "gzip-broken", "file.csv"),
        (b"detector_id,ts_local,volume\n" + b"D1,2026-03-01 00:00:00,-5\n" * 3, None, "file.csv"),
        (b"<html><body>Not found</body></html>", "html", "file.csv"),
    ],
)
def test_what_cannot_be_a_version_is_refused_once_and_destroyed(
    trade: Trade, content: bytes, code: str | None, place: str
) -> None:
    product_id = product_of(trade.alice)
    version_id = upload(product_id, trade.alice, content)

    work_version(version_id=version_id, now=NOW)

    version = DataVersion.objects.get(id=version_id)
    assert version.state == State.REFUSED and version.manifest is None
    refusal = version.refusal
    assert refusal["text"] and refusal["place"].startswith(place)
    assert code is None or refusal["code"] == code
    assert files_below(storage.quarantine_path("x").parent.parent) == []
    assert [each.kind for each in Notice.objects.order_by("id")] == [
        "version_refused",
        "raw_deleted",
    ]
    with pytest.raises(ProductClosed, match="once a version of it is ready"):
        list_product(product_id=product_id, participant_ids=[trade.alice], now=NOW)


def test_a_published_version_cannot_be_rewritten_even_in_sql(trade: Trade) -> None:
    version_id = upload(product_of(trade.alice), trade.alice, counts_csv())
    work_version(version_id=version_id, now=NOW)

    for statement in (
        "UPDATE marketplace_dataversion SET row_count = 1",
        "UPDATE marketplace_dataversion SET manifest_sha256 = 'x'",
        "UPDATE marketplace_dataversion SET sample = '{}'",
        "UPDATE marketplace_dataversion SET state = 1",
        "UPDATE marketplace_dataversion SET raw_deleted_at = NULL",
        "DELETE FROM marketplace_dataversion",
        "UPDATE marketplace_dataproduct SET format = 'gtfs'",
    ):
        with (
            pytest.raises(IntegrityError, match=r"cannot be rewritten|append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)


def test_versions_come_one_after_the_other_and_name_the_one_before(trade: Trade) -> None:
    product_id = product_of(trade.alice)
    first = upload(product_id, trade.alice, counts_csv())
    with pytest.raises(VersionBeingMade):
        upload(product_id, trade.alice, counts_csv())
    work_version(version_id=first, now=NOW)
    second = upload(product_id, trade.alice, counts_csv(hours=72), note="a day more")
    work_version(version_id=second, now=NOW)

    versions = DataVersion.objects.filter(product=product_id).order_by("number")
    old, new = versions
    assert (old.number, new.number, new.note) == (1, 2, "a day more")
    said = Manifest.from_bytes(bytes(new.manifest or b""))
    assert said.previous_sha256 == old.manifest_sha256


def test_an_upload_that_is_given_up_is_destroyed(trade: Trade) -> None:
    version_id = upload(product_of(trade.alice), trade.alice, counts_csv())

    intake.abandon_version(version_id=version_id, participant_ids=[trade.alice], now=NOW)
    assert destroy_uploads(now=NOW) == 1

    assert files_below(storage.quarantine_path("x").parent) == []
    assert DataVersion.objects.get(id=version_id).raw_deleted_at == NOW
    assert not work_version(version_id=version_id, now=NOW)


def test_the_operator_and_strangers_publish_nothing(trade: Trade) -> None:
    operator = add_participant(role="operator", name="Hall")
    with pytest.raises(RoleNotAllowed):
        product_of(operator)
    product_id = product_of(trade.alice)
    with pytest.raises(NotFound):
        upload(product_id, trade.bob, counts_csv())


def test_verification_compares_versions_with_log_and_packages(trade: Trade) -> None:
    version_id = upload(product_of(trade.alice), trade.alice, counts_csv())
    work_version(version_id=version_id, now=NOW)
    assert verify_versions() == 1  # it waits for the ledger
    book()
    assert verify_versions() == 1

    path = storage.package_path(DataVersion.objects.get(id=version_id).package)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(VersionsDiffer, match="has not got its package"):
        verify_versions()
    path.write_bytes(whole)
    bare_version(DataProduct.objects.get(), number=2)
    with pytest.raises(VersionsDiffer, match=r"version 2 .* never handed to the ledger"):
        verify_versions()


def test_an_upload_over_which_workers_die_is_refused_in_the_end(trade: Trade) -> None:
    version_id = upload(product_of(trade.alice), trade.alice, counts_csv())
    DataVersion.objects.update(progress={"step": "check", "attempts": 5})

    assert work_version(version_id=version_id, now=NOW)

    version = DataVersion.objects.get(id=version_id)
    assert (version.state, version.refusal["code"]) == (State.REFUSED, "gave-up")
    assert files_below(storage.quarantine_path("x").parent) == []


def test_what_its_provider_does_not_go_on_with_is_destroyed_after_two_days(trade: Trade) -> None:
    places = product_of(trade.alice, format_="trips", theme="bike-sharing-availability")
    upload(places, trade.alice, stations_csv(), role="stations")  # and never the data
    seen = product_of(trade.alice, format_="trips", theme="bike-sharing-availability")
    upload(seen, trade.alice, stations_csv(), role="stations")
    upload(seen, trade.alice, trips_csv())
    work_waiting_versions(now=NOW)
    assert len(files_below(storage.quarantine_path("x").parent)) == 3

    work_waiting_versions(now=NOW + timedelta(hours=47))
    assert not DataVersion.objects.filter(state=State.REFUSED).exists()
    work_waiting_versions(now=NOW + timedelta(hours=49))

    codes = DataVersion.objects.values_list("refusal__code", flat=True)
    assert list(codes) == ["too-late", "too-late"]
    assert files_below(storage.quarantine_path("x").parent) == []

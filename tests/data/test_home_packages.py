"""Packages that their provider gated at home: sent in pieces, opened, judged, sealed anew."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from gate.keys import deposit_info, key_commitment, new_key, new_package_id, public_key, seal
from gate.manifest import Manifest
from gate.package import Packer, verify_package
from gate.policy import Policy
from gate.report import REPORT_PART
from gate.trips import publish_trips
from marketplace.errors import Invalid, NotFound, UploadTooLarge, UploadUnfit
from marketplace.models import DataProduct, DataVersion
from marketplace.services.data import intake, storage
from marketplace.services.data.deposit_key import open_version_key, public_deposit_key
from marketplace.services.data.version_work import work_version
from tests.data.publishing import product_of, stations_csv, trips_csv
from tests.data.trading import NOW, Trade, build_trade
from tests.worlds import world

pytestmark = pytest.mark.django_db


@pytest.fixture
def trade(tmp_path: Path, settings: Settings) -> Iterator[Trade]:
    settings.DATA_FOLDER = tmp_path / "data"
    settings.DATA_KEY_FILE = tmp_path / "keys" / "data.key"
    with world(build_trade) as trade:
        yield trade


class Home:
    """What a provider's own machine makes of trips, for the policy of a product."""

    def __init__(self, folder: Path, policy: Policy) -> None:
        (folder / "trips.csv").write_bytes(trips_csv())
        (folder / "stations.csv").write_bytes(stations_csv())
        package_id, self.key = new_package_id(), new_key()
        sink = io.BytesIO()
        packer = Packer(sink, package_id, self.key)
        gated = publish_trips(
            folder / "trips.csv", stations=folder / "stations.csv", policy=policy, out=packer
        )
        package = packer.finish()
        self.cipher = sink.getvalue()
        self.manifest = Manifest(
            format="trips",
            row_count=gated.cells,
            package=package,
            key_commitment=key_commitment(package_id, self.key),
            policy_sha256=policy.sha256,
            report_sha256=package.part(REPORT_PART).sha256,
        )

    def sealed_key(self, key: bytes | None = None) -> bytes:
        """Return the key sealed to the hall."""
        info = deposit_info(self.manifest.package.package_id)
        return seal(key or self.key, public_key(public_deposit_key()), info=info)


def begun(trade: Trade, product_id: int, home: Home, *, key: bytes | None = None) -> int:
    return intake.begin_home_version(
        product_id=product_id,
        participant_ids=[trade.alice],
        manifest=home.manifest.to_bytes(),
        sealed_key=home.sealed_key(key),
        now=NOW,
    )


def send(trade: Trade, version_id: int, offset: int, piece: bytes) -> int:
    return intake.append_home(
        version_id=version_id,
        participant_ids=[trade.alice],
        offset=offset,
        pieces=[piece],
        now=NOW,
    )


def test_a_package_is_resumed_judged_and_published_under_its_own_key(
    trade: Trade, tmp_path: Path
) -> None:
    product_id = product_of(trade.alice, format_="trips", theme="bike-sharing-availability")
    policy = Policy.from_json(DataProduct.objects.get(id=product_id).privacy_policy)
    home = Home(tmp_path, policy)
    with pytest.raises(UploadUnfit, match="not sealed to this hall"):
        begun(trade, product_id, home, key=new_key())
    version_id = begun(trade, product_id, home)

    half = len(home.cipher) // 2
    assert send(trade, version_id, 0, home.cipher[:half]) == half
    with pytest.raises(Invalid, match=str(half)):
        send(trade, version_id, 0, home.cipher)
    assert not work_version(version_id=version_id, now=NOW)  # half of it is nothing
    received = intake.received_bytes(version_id=version_id, participant_ids=[trade.alice])
    assert received == (half, len(home.cipher))
    with pytest.raises(NotFound):
        intake.received_bytes(version_id=version_id, participant_ids=[trade.bob])
    with pytest.raises(UploadTooLarge):
        send(trade, version_id, half, home.cipher[half:] + b"!")
    assert send(trade, version_id, half, home.cipher[half:]) == len(home.cipher)
    assert work_version(version_id=version_id, now=NOW)

    version = DataVersion.objects.get(id=version_id)
    assert (version.refusal, version.state) == ({}, DataVersion.State.READY)
    assert version.gated_at_home and version.raw_deleted_at is None
    assert version.manifest_sha256 == home.manifest.sha256
    assert version.privacy_report["rows_out"] > 0 and version.sample["rows"]
    assert open_version_key(version) == home.key
    with storage.package_path(version.package).open("rb") as file:
        verify_package(file, home.manifest.package, home.key)


def test_a_home_package_that_the_gate_would_not_have_made_is_refused(
    trade: Trade, tmp_path: Path
) -> None:
    product_id = product_of(trade.alice, format_="trips", theme="bike-sharing-availability")
    lax = Home(tmp_path, Policy(minimum_group=3, minimum_distinct=0, dominance_percent=100))
    version_id = begun(trade, product_id, lax)
    send(trade, version_id, 0, lax.cipher)

    work_version(version_id=version_id, now=NOW)

    version = DataVersion.objects.get(id=version_id)
    assert version.state == DataVersion.State.REFUSED
    assert version.refusal["code"].startswith("recheck-") and version.refusal["remedy"]
    assert [path for path in (tmp_path / "data").rglob("*") if path.is_file()] == []


def test_a_damaged_chunk_is_named(trade: Trade, tmp_path: Path) -> None:
    product_id = product_of(trade.alice, format_="trips", theme="bike-sharing-availability")
    policy = Policy.from_json(DataProduct.objects.get(id=product_id).privacy_policy)
    home = Home(tmp_path, policy)
    version_id = begun(trade, product_id, home)
    send(trade, version_id, 0, bytes([home.cipher[0] ^ 1]) + home.cipher[1:])

    work_version(version_id=version_id, now=NOW)

    refusal = DataVersion.objects.get(id=version_id).refusal
    assert (refusal["code"], refusal["text"]) == (
        "chunk_changed",
        "chunk 0 is not the one of the manifest",
    )

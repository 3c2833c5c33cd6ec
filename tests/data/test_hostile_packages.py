"""Home packages as an attacker would send them."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import IntegrityError, transaction
from pytest_django import Settings

from gate.keys import deposit_info, key_commitment, new_key, new_package_id, public_key, seal
from gate.manifest import Manifest, canonical_json
from gate.package import Packer, verify_package
from marketplace.errors import UploadUnfit
from marketplace.models import DataVersion
from marketplace.services.data import home_packages, intake, storage
from marketplace.services.data.deposit_key import public_deposit_key
from marketplace.services.data.version_work import work_version
from tests.data.publishing import counts_csv, product_of
from tests.data.trading import NOW, Trade, build_trade, version
from tests.worlds import world

pytestmark = pytest.mark.django_db
ROWS = 144


@pytest.fixture
def trade(tmp_path: Path, settings: Settings) -> Iterator[Trade]:
    settings.DATA_FOLDER = tmp_path / "data"
    settings.DATA_KEY_FILE = tmp_path / "keys" / "data.key"
    with world(build_trade) as trade:
        yield trade


class Packed:
    """Counts as a provider's machine packs them, under an id of the provider's choice."""

    def __init__(self, parts: dict[str, bytes], *, package_id: bytes | None = None) -> None:
        package_id, self.key = package_id or new_package_id(), new_key()
        sink = io.BytesIO()
        packer = Packer(sink, package_id, self.key)
        for name, content in parts.items():
            packer.add(name, "text/csv", content)
        self.package = packer.finish()
        self.cipher = sink.getvalue()
        commitment = key_commitment(package_id, self.key)
        self.manifest = Manifest("counts", ROWS, self.package, commitment)

    def begin(self, provider_id: int) -> int:
        """Begin to send it for a new product of a provider's."""
        info = deposit_info(self.package.package_id)
        return intake.begin_home_version(
            product_id=product_of(provider_id),
            participant_ids=[provider_id],
            manifest=self.manifest.to_bytes(),
            sealed_key=seal(self.key, public_key(public_deposit_key()), info=info),
            now=NOW,
        )

    def publish(self, provider_id: int) -> DataVersion:
        """Send all of it, and let the hall work on it."""
        version_id = self.begin(provider_id)
        self.send(version_id, provider_id)
        work_version(version_id=version_id, now=NOW)
        return DataVersion.objects.get(id=version_id)

    def send(self, version_id: int, provider_id: int) -> None:
        """Send the bytes."""
        intake.append_home(
            version_id=version_id,
            participant_ids=[provider_id],
            offset=0,
            pieces=[self.cipher],
            now=NOW,
        )


COUNTS = {"counts.csv": counts_csv(), "dictionary.json": canonical_json({})}


def test_nobody_takes_the_place_of_anothers_package(trade: Trade) -> None:
    victim = Packed(COUNTS)
    later = Packed(COUNTS, package_id=victim.package.package_id)
    begun = later.begin(trade.charlie)  # before the victim's is published
    later.send(begun, trade.charlie)
    assert victim.publish(trade.alice).state == DataVersion.State.READY

    work_version(version_id=begun, now=NOW)

    refused = DataVersion.objects.get(id=begun)
    assert refused.state == DataVersion.State.REFUSED
    assert "published before" in refused.refusal["text"]
    with storage.package_path(victim.package.package_id.hex()).open("rb") as file:
        verify_package(file, victim.package, victim.key)
    with pytest.raises(UploadUnfit, match="published before"):
        later.begin(trade.charlie)
    product = trade.product()
    with pytest.raises(IntegrityError), transaction.atomic():
        version(product, number=2, package=victim.package.package_id.hex())


def test_nothing_comes_beside_the_data_that_nobody_looked_at(trade: Trade) -> None:
    rows = b"rider,home\nEve,Kirchgasse 7\n"
    extra = Packed({**COUNTS, "riders.csv": rows}).publish(trade.alice)
    assert (extra.state, extra.refusal["values"]["name"]) == (
        DataVersion.State.REFUSED,
        "riders.csv",
    )
    twice = Packed({**COUNTS, "counts.csv.gz": rows}).publish(trade.alice)
    assert twice.state == DataVersion.State.REFUSED
    loud = canonical_json({"rows": "x" * home_packages.DICTIONARY_MAX_BYTES})
    long = Packed({**COUNTS, "dictionary.json": loud}).publish(trade.alice)
    assert long.state == DataVersion.State.REFUSED

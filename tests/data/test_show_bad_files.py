"""What a hostile or broken file, or address, comes to in the hall: one clear refusal, and nothing.

The gate's own tests have each of these in many forms; here they take a provider's way.
"""

import stat
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from gate.limits import MIB
from ledger.models import InboxCommand
from marketplace.errors import ProductClosed
from marketplace.models import DataUpload, DataVersion, FeedState, Notice
from marketplace.services.data import feed_fetching, feed_versions, storage
from marketplace.services.data.products import list_product
from marketplace.services.data.version_work import work_version
from tests.data.charged import wallet
from tests.data.feed_source import running_source
from tests.data.publishing import product_of, upload
from tests.data.trading import NOW, Trade, build_trade
from tests.gate.mutilated import GTFS, V3, parquet_of, parquet_parts, varint
from tests.worlds import world

pytestmark = pytest.mark.django_db
ENTITIES = '<!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'


@pytest.fixture
def trade(tmp_path: Path, settings: Settings) -> Iterator[Trade]:
    settings.DATA_FOLDER = tmp_path / "data"
    settings.DATA_KEY_FILE = tmp_path / "keys" / "data.key"
    with world(build_trade) as built:
        yield built


def timetable(change: Callable[[zipfile.ZipFile], object] | None = None, **files: str) -> bytes:
    sink = BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in {**GTFS, **{f"{name}.txt": text for name, text in files.items()}}.items():
            archive.writestr(name, text)
        if change is not None:
            change(archive)
    return sink.getvalue()


def leads_outside(archive: zipfile.ZipFile) -> None:
    link = zipfile.ZipInfo("../../shapes.txt")
    link.external_attr = (stat.S_IFREG | 0o644) << 16
    archive.writestr(link, "x")


def lying_parquet() -> bytes:
    body, footer = parquet_parts()
    rows = b"\x16" + varint(40_000)
    return parquet_of(body, footer.replace(rows, b"\x16" + varint(2 * 10**12), 1))


def killing_parquet() -> bytes:
    body, footer = parquet_parts()
    return parquet_of(body, footer.replace(b"\x15\x0c", b"\x15\x02"))


BAD: dict[str, tuple[str, str, Callable[[], bytes]]] = {
    "bomb.zip": (
        "gtfs",
        "zip-bomb",
        lambda: timetable(lambda archive: archive.writestr("shapes.txt", bytes(30 * MIB))),
    ),
    "outside.zip": ("gtfs", "zip-outside", lambda: timetable(leads_outside)),
    "references.zip": (
        "gtfs",
        "invalid-foreign_key_violation",
        lambda: timetable(stop_times=GTFS["stop_times.txt"].replace("S2", "NOWHERE")),
    ),
    "line.csv": ("counts", "one-line", lambda: b"detector_id,time,vehicles," + b"x" * (3 * MIB)),
    "lies.parquet": ("trips", "parquet-", lying_parquet),
    "kills.parquet": ("trips", "unreadable", killing_parquet),
    "entities.xml": (
        "datex",
        "xml-dtd",
        lambda: V3.replace("<mc:", f"{ENTITIES}<mc:", 1).replace("D1", "&c;").encode(),
    ),
}


def test_each_bad_file_is_refused_once_and_nothing_of_it_stays(trade: Trade) -> None:
    commands, money = InboxCommand.objects.count(), wallet(trade.alice)
    products: dict[str, int] = {}
    for number, (name, (format_, code, content)) in enumerate(BAD.items(), start=1):
        product_id = products.setdefault(format_, product_of(trade.alice, format_=format_))
        version_id = upload(product_id, trade.alice, content(), name=name, is_confirmed=True)

        assert work_version(version_id=version_id, now=NOW)

        version = DataVersion.objects.get(id=version_id)
        refusal = version.refusal
        assert (version.state, version.package) == (DataVersion.State.REFUSED, ""), name
        assert refusal["code"].startswith(code), (name, refusal)
        assert refusal["place"].startswith(name) and refusal["remedy"].endswith("."), refusal
        assert "{" not in refusal["text"]
        with pytest.raises(ProductClosed):
            list_product(product_id=product_id, participant_ids=[trade.alice], now=NOW)
        told = Notice.objects.filter(participant=trade.alice)
        assert told.filter(kind="version_refused").count() == number
        assert told.filter(kind="raw_deleted").count() == number
    folder = storage.quarantine_path("x").parent.parent
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    assert not DataUpload.objects.exclude(sealed_key=None).exists()
    assert (InboxCommand.objects.count(), wallet(trade.alice)) == (commands, money)

    # The same product takes a sound one right after.
    version_id = upload(products["gtfs"], trade.alice, timetable(), name="sound.zip")
    assert work_version(version_id=version_id, now=NOW)
    assert DataVersion.objects.get(id=version_id).state == DataVersion.State.READY


def test_a_feed_inside_our_network_or_one_that_hangs_is_refused(
    trade: Trade, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_fetching, "FILE_S", 0.3)
    with running_source() as source:
        source.put_stations(2, NOW)

        def brought(url: str) -> DataVersion:
            product = trade.product(is_feed=True, source_url=url)
            version_id = feed_versions.begin_feed_version(
                product_id=product.pk, participant_ids=[trade.alice], now=NOW
            )
            assert feed_versions.work_waiting_feeds(now=NOW + timedelta(seconds=1)) == 1
            return DataVersion.objects.get(id=version_id)

        for url in (source.url("gbfs"), "https://169.254.169.254/latest", "https://[::1]/gbfs"):
            inside = brought(url)
            assert inside.refusal["code"] == "source-address-private", inside.refusal
            assert inside.refusal["remedy"]
        assert source.asked == []
        settings.FETCH_ALLOWS_LOOPBACK = True
        source.hangs.set()
        hung = brought(source.url("gbfs"))
    assert (hung.state, hung.refusal["code"]) == (DataVersion.State.REFUSED, "source-timeout")
    assert not FeedState.objects.exists()

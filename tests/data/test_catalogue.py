"""Entries of the catalogue follow products, versions and looks; what changed is told once."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command

from marketplace.domain.data.quality import Band
from marketplace.models import CatalogueChange, CatalogueRecord, DataFacet, DataProduct
from marketplace.services.data.catalogue import refresh, refresh_many, refresh_measured
from marketplace.services.people import add_participant
from tests.data import catalogue_products as made

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def provider(db: None) -> int:
    return add_participant(role="data_provider", name="City bikes")


def told(product_id: int) -> list[str]:
    changes = CatalogueChange.objects.filter(product_id=product_id).order_by("id")
    return [each.get_what_display() for each in changes]


def test_each_change_is_told_once(provider: int) -> None:
    product_id = made.product(provider, now=NOW)
    for _ in range(2):
        refresh(product_id=product_id, now=NOW)
    assert told(product_id) == ["listed"]
    before = CatalogueRecord.objects.get(pk=product_id)

    refresh(product_id=product_id, now=NOW + HOUR)
    assert CatalogueRecord.objects.get(pk=product_id).changed_at == before.changed_at

    version = made.publish(product_id, now=NOW + HOUR, profile=made.profile(bbox=None))
    for _ in range(2):
        refresh(product_id=product_id, now=NOW + HOUR)
    assert told(product_id) == ["listed", "new version"]
    assert CatalogueChange.objects.get(what=CatalogueChange.What.VERSION).version_id == version
    record = CatalogueRecord.objects.get(pk=product_id)
    assert (record.created_at, record.changed_at) == (NOW, NOW + HOUR)
    assert 'dcat:version "2"' in record.turtle

    DataProduct.objects.filter(pk=product_id).update(licence="odbl-1.0")
    for _ in range(2):
        refresh(product_id=product_id, now=NOW + 2 * HOUR)
    assert told(product_id)[2:] == ["price or licence changed"]

    DataProduct.objects.filter(pk=product_id).update(
        state=DataProduct.State.WITHDRAWN, withdrawn_at=NOW + 3 * HOUR
    )
    for _ in range(2):
        refresh(product_id=product_id, now=NOW + 3 * HOUR)
    assert told(product_id)[3:] == ["withdrawn"]
    assert not CatalogueRecord.objects.exists()
    assert not DataFacet.objects.exists()


def test_the_badge_follows_looks_and_nothing_else(provider: int) -> None:
    feed = made.product(provider, "gbfs", now=NOW)
    until_now = made.profile(end=f"{NOW:%Y-%m-%dT%H:%M:%SZ}")
    file = made.product(provider, now=NOW, profile=until_now)
    for each in (feed, file):
        refresh(product_id=each, now=NOW)
    assert DataFacet.objects.get(pk=feed).quality_band == Band.NOT_MEASURED
    # 500 rows without a finding, 98.5 % of the expected ones, and not late.
    assert DataFacet.objects.get(pk=file).quality_ppm == 985_000

    made.look(feed, until=NOW + HOUR)
    assert refresh_measured(now=NOW + HOUR) == 2  # the file has grown an hour older
    facet = DataFacet.objects.get(pk=feed)
    assert (facet.quality_ppm, facet.age_s, facet.age_band) == (1_000_000, 30, 0)

    # A quarter of the looks found nothing, and half of the answers were too old.
    made.look(feed, until=NOW + 2 * HOUR, count=10, is_up=False, age_s=None, is_valid=False)
    made.look(feed, until=NOW + 3 * HOUR, count=10, age_s=500)
    assert refresh_measured(now=NOW + 3 * HOUR) == 2
    facet = DataFacet.objects.get(pk=feed)
    assert facet.quality_ppm == 500_000  # 30 of 40 answered, 20 of 30 young
    assert facet.age_s == 500
    assert told(feed) == ["listed", "measured quality changed"]
    assert refresh_measured(now=NOW + 3 * HOUR) == 0

    # Looks of more than thirty days ago are forgotten; the file is late by now.
    late = NOW + timedelta(days=62)
    assert refresh_measured(now=late) == 2
    assert DataFacet.objects.get(pk=feed).quality_ppm is None
    assert DataFacet.objects.get(pk=file).quality_ppm == 492_500
    assert refresh_measured(now=late) == 0


def test_entries_can_be_made_again(provider: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a newer hall, a restore, a crash: entries are what products are; nothing is told."""
    kept, broken, missing, gone = (made.product(provider, now=NOW) for _ in range(4))
    refresh_many(product_ids=[kept, broken, missing, gone], now=NOW)
    CatalogueRecord.objects.filter(pk=broken).update(turtle="what an older hall wrote")
    DataFacet.objects.filter(pk=missing).delete()
    DataProduct.objects.filter(pk=gone).update(
        state=DataProduct.State.WITHDRAWN, withdrawn_at=NOW + HOUR
    )
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW + HOUR)
    call_command("refresh_catalogue", stdout=StringIO())
    assert set(DataFacet.objects.values_list("pk", flat=True)) == {kept, broken, missing}
    records = CatalogueRecord.objects.in_bulk()
    assert set(records) == {kept, broken, missing}
    assert records[broken].turtle.startswith("<catalog>")
    assert (records[kept].changed_at, told(kept), told(broken)) == (NOW, ["listed"], ["listed"])
    assert told(gone) == ["listed", "withdrawn"]


def test_what_nobody_found_out_is_nowhere_and_never(provider: int) -> None:
    product_id = made.product(
        provider, now=NOW, profile=made.profile(bbox=None, start=None, end=None)
    )
    refresh(product_id=product_id, now=NOW)
    facet = DataFacet.objects.get(pk=product_id)
    assert facet.longitude.lower > 180_000_000
    assert facet.period.upper.year == 1

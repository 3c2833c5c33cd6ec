"""Pages and files of the catalogue over HTTP: who sees what, and what is asked for again."""

import gzip
from collections.abc import Iterator
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from xml.etree import ElementTree

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from marketplace.models import CatalogueChange, CatalogueRecord, DataProduct, ProbeDay, User
from marketplace.services.data.catalogue import refresh
from marketplace.services.people import add_participant, add_person, join
from tests.data import catalogue_products as made
from tests.data.test_catalogue_search import NOW, shelves
from tests.worlds import world

# More than committed fail in review; fewer are committed as well.
SEARCH_QUERIES = 10
PRODUCT_QUERIES = 11
ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the pages at the time of the shelves: the badge of a file falls as it ages."""
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)


@pytest.fixture
def ids(db: None) -> Iterator[dict[str, int]]:
    with world(shelves) as ids:
        yield ids


@pytest.fixture
def bob(ids: dict[str, int]) -> Client:
    """Return the browser of somebody who buys."""
    buyer = add_participant(role="enterprise", name="Bob Logistics")
    user_id = add_person(email="bob@heliopolis.example", password="sunny-day-37")
    join(user_id=user_id, participant_id=buyer)
    client = Client()
    client.force_login(User.objects.get(pk=user_id), "django.contrib.auth.backends.ModelBackend")
    return client


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def parsed(written: bytes) -> ElementTree.Element:
    return ElementTree.fromstring(written)  # noqa: S314 - what the hall has just written


def test_search_is_a_page_for_who_is_signed_in(bob: Client, ids: dict[str, int]) -> None:
    assert Client().get("/catalogue").status_code == 302
    page = bob.get("/catalogue").content.decode()
    assert "7 products" in page
    assert "San Francisco Bay Area" in page and "Shanghai" not in page
    # What one more click leaves stands beside each value.
    narrowed = bob.get("/catalogue?place=san-francisco-bay&kind=0").content.decode()
    assert "3 products" in narrowed and "Buses" not in narrowed
    assert (
        bob.get("/catalogue?q=单车").content.decode().count('class="card">\n            <h2>') == 1
    )
    odd = "/catalogue?west=x&from=2026-13-01&page=99999&kind=9&sort=x&format=-1&place=atlantis"
    answer = bob.get(odd)
    assert answer.status_code == 200
    assert "An area has four edges in degrees" in answer.content.decode()
    assert "7 products" in answer.content.decode()


def test_a_product_shows_what_it_is_before_it_is_bought(bob: Client, ids: dict[str, int]) -> None:
    page = bob.get(f"/catalogue/{ids['counts']}").content.decode()
    for words in (
        "Loop counts of the harbour",
        "CC BY 4.0",
        "¥20.00 once",
        "passing it on",
        "98.50",
        "good",
        "When the trip began",
        'class="cell',
        f"/market/contracts/new?product={ids['counts']}",
        "1111111111111111…",
    ):
        assert words in page, words
    feed = bob.get(f"/catalogue/{ids['bikes']}").content.decode()
    assert "Promised and measured" in feed and "kept" in feed
    assert "¥20.00 a month" in feed

    DataProduct.objects.filter(pk=ids["old"]).update(
        state=DataProduct.State.WITHDRAWN, withdrawn_at=NOW
    )
    refresh(product_id=ids["old"], now=NOW)
    withdrawn = bob.get(f"/catalogue/{ids['old']}").content.decode()
    assert "was withdrawn" in withdrawn and "contracts/new" not in withdrawn
    assert Client().get(f"/catalogue/{ids['old']}/quality").status_code == 404
    DataProduct.objects.filter(pk=ids["free"]).update(state=DataProduct.State.DRAFT)
    assert bob.get(f"/catalogue/{ids['free']}").status_code == 404


def test_more_products_are_not_more_queries(bob: Client, ids: dict[str, int]) -> None:
    def asked(address: str) -> int:
        bob.get(address)
        with CaptureQueriesContext(connection) as queries:
            assert bob.get(address).status_code == 200
        return len(queries)

    counts = [asked(address) for address in ("/catalogue?q=harbour", "/catalogue")]
    assert counts[0] == counts[1] == SEARCH_QUERIES
    product = f"/catalogue/{ids['counts']}"
    assert asked(product) == PRODUCT_QUERIES
    made.publish(ids["counts"], now=NOW, profile=made.profile())
    refresh(product_id=ids["counts"], now=NOW)
    assert asked(product) == PRODUCT_QUERIES
    changed = bob.get(f"{product}/versions/2").content.decode()
    assert "From version 1 to version 2" in changed and "2222222222222222" in changed
    assert f"{product}/versions/2" in bob.get(product).content.decode()
    assert bob.get(f"{product}/versions/1").status_code == 404


def test_quality_is_public(ids: dict[str, int]) -> None:
    ProbeDay.objects.create(
        product_id=ids["bikes"],
        day=NOW.date(),
        look_count=1440,
        up_count=1400,
        valid_count=1399,
        dated_count=1400,
        age_sum_s=42_000,
        age_max_s=300,
        latency_sum_ms=140_000,
        latency_max_ms=900,
        completeness_count=1400,
        completeness_sum_ppm=1400 * 990_000,
    )
    page = Client().get(f"/catalogue/{ids['bikes']}/quality").content.decode()
    assert "97.22" in page and "1440" in page  # rounded down: never better than it was
    assert 'role="img"' in page
    file = Client().get(f"/catalogue/{ids['counts']}/quality").content.decode()
    assert "98.50" in file


@pytest.mark.parametrize("address", ["/catalog.ttl", "/catalog.jsonld"])
def test_files_are_streamed_zipped_and_not_sent_again(
    address: str, ids: dict[str, int], settings: Any
) -> None:
    client = Client()
    plain = client.get(address)
    written = body(plain)
    assert plain.streaming and b"Loop counts of the harbour" in written
    # Names of providers are joined when it is read: the database holds them sealed.
    assert b'"City"' in written
    assert not CatalogueRecord.objects.filter(turtle__contains='"City"').exists()
    zipped = client.get(address, headers={"accept-encoding": "gzip"})
    assert gzip.decompress(body(zipped)) == written
    assert zipped["ETag"] != plain["ETag"] and "Accept-Encoding" in zipped["Vary"]
    assert client.get(address, headers={"if-none-match": plain["ETag"]}).status_code == 304
    assert client.head(address)["ETag"] == plain["ETag"]
    settings.ALLOWED_HOSTS = ["other.example"]
    other = client.get(address, headers={"host": "other.example"})
    assert other["ETag"] != plain["ETag"] and b"//other.example/" in body(other)
    settings.ALLOWED_HOSTS = ["testserver"]

    DataProduct.objects.filter(pk=ids["counts"]).update(licence="odbl-1.0")
    refresh(product_id=ids["counts"], now=NOW + timedelta(minutes=1))
    again = client.get(address, headers={"if-none-match": plain["ETag"]})
    assert again.status_code == 200 and body(again) != written


def test_changes_can_be_followed(ids: dict[str, int]) -> None:
    DataProduct.objects.filter(pk=ids["counts"]).update(title="A\x01<b>&共享", licence="odbl-1.0")
    refresh(product_id=ids["counts"], now=NOW + timedelta(minutes=1))
    CatalogueChange.objects.bulk_create(
        CatalogueChange(product_id=ids["gtfs"], what=4, at=NOW) for _ in range(60)
    )
    atom = Client().get("/catalog.atom")
    feed = parsed(body(atom))
    entries = feed.findall(f"{ATOM}entry")
    assert len(entries) == 50
    older = [link.get("href") for link in feed.findall(f"{ATOM}link") if link.get("rel") == "next"]
    rest = parsed(body(Client().get(older[0] or "")))
    names = [each.findtext(f"{ATOM}id") for each in (*entries, *rest.findall(f"{ATOM}entry"))]
    assert len(set(names)) == len(names) == CatalogueChange.objects.count()
    assert all(name and name.startswith("tag:heliopolis.example,2026:") for name in names)
    titles = [each.findtext(f"{ATOM}title") for each in rest.findall(f"{ATOM}entry")]
    assert "Price or licence changed: A\N{REPLACEMENT CHARACTER}<b>&共享" in titles
    assert Client().get("/catalog.atom", headers={"if-none-match": atom["ETag"]}).status_code == 304

    channel = parsed(body(Client().get("/catalog.rss"))).find("channel")
    assert channel is not None
    items = channel.findall("item")
    assert [each.findtext("guid") for each in items] == names[:50]
    assert all(parsedate_to_datetime(each.findtext("pubDate") or "") <= NOW for each in items)

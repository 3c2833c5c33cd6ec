"""Search and products over the API."""

from collections.abc import Iterator
from typing import Any

import pytest
from rest_framework.test import APIClient

from marketplace.models import User
from marketplace.queries.data.catalogue import Filters, search
from marketplace.services.people import add_participant, add_person, join
from tests.data.test_catalogue_search import NOW, shelves
from tests.worlds import world

SEARCH = "/api/v1/data/catalogue/"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask at the time of the shelves: the badge of a product falls as it ages."""
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)


@pytest.fixture
def ids(db: None) -> Iterator[dict[str, int]]:
    with world(shelves) as ids:
        yield ids


@pytest.fixture
def client(ids: dict[str, int]) -> APIClient:
    user_id = add_person(email="bob@heliopolis.example", password="sunny-day-37")
    join(
        user_id=user_id,
        participant_id=add_participant(role="enterprise", name="Bob Logistics"),
    )
    client = APIClient()
    client.force_authenticate(User.objects.get(pk=user_id))
    return client


def test_search_finds_what_the_page_finds(client: APIClient, ids: dict[str, int]) -> None:
    assert APIClient().get(SEARCH).status_code in (401, 403)
    everything: dict[str, Any] = client.get(SEARCH).json()
    assert everything["total"] == len(ids)
    assert everything["facets"] == search(filters=Filters()).counts
    box: dict[str, Any] = {
        "west": 145_000_000,
        "south": -17_500_000,
        "east": 146_000_000,
        "north": -16_000_000,
    }
    found: dict[str, Any] = client.get(SEARCH, {**box, "kind": 1, "data_format": [3, 4]}).json()
    assert [each["id"] for each in found["results"]] == [ids["live"]]
    line = found["results"][0]
    assert (line["kind"], line["format"], line["badge"]) == ("feed", "gtfs-rt", "poor")
    assert line["price"] == {"form": "subscription", "price_micro": 20_000_000, "trial_days": 0}
    assert client.get(SEARCH, {"text": "单车"}).json()["total"] == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"west": 1}, "area"),
        ({"west": "x"}, "west"),
        ({"west": 2, "south": 1, "east": 1, "north": 3}, "east"),
        ({"kind": 2}, "kind"),
        ({"data_format": "-1"}, "data_format"),
        ({"sort": "title"}, "sort"),
        ({"page": 0}, "page"),
        ({"first_day": "soon"}, "first_day"),
    ],
)
def test_a_search_that_cannot_be_read_says_what_is_wrong(
    client: APIClient, query: dict[str, Any], field: str
) -> None:
    answer = client.get(SEARCH, query)
    assert answer.status_code == 400
    assert field in answer.content.decode()


def test_a_product_is_all_there_is_to_see(client: APIClient, ids: dict[str, int]) -> None:
    found: dict[str, Any] = client.get(f"{SEARCH}{ids['bikes']}/").json()
    assert found["quality"]["badge"] == "excellent"
    assert found["offer"]["@type"] == "Offer"
    assert found["service_level"]["availability_ppm"] == "990000"
    assert found["profile"]["bbox"] and found["versions"][0]["number"] == 1
    assert client.get(f"{SEARCH}999999/").status_code == 404

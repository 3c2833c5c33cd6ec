"""The pages and the API of forecasts: one's own, the community's prices, nobody else's."""

import pytest
from django.test import Client

from analytics.models import Forecast
from analytics.services import make_forecasts
from tests.web.city import NOW, City, signed_in


@pytest.fixture
def expecting(city: City) -> City:
    assert make_forecasts(place=city.place(), now=NOW)
    return city


def page(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return str(answer.content.decode())


def test_a_member_sees_the_next_two_days_and_how_good_that_is(expecting: City) -> None:
    alice = expecting.participant_ids["alice"]
    path = f"/member/{alice}/expected/"
    text = page(signed_in("alice"), path)
    for words in ("The next two days", "The readings end at", "likely range", "Most surplus"):
        assert words in text, words
    assert "nothing could be measured yet" in text  # a single day was metered
    assert "Price in" in text and "NaN" not in text and "None" not in text
    for other in ("bob", "olga", "charlie"):
        assert signed_in(other).get(path).status_code == 404


def test_a_dry_run_says_what_the_rule_would_have_come_to(expecting: City) -> None:
    erin = expecting.participant_ids["erin"]
    assert "Had my rule followed forecasts" not in page(
        signed_in("erin"), f"/member/{erin}/expected/"
    )  # nothing can have been expected of the first day


def test_prices_are_for_everybody_of_the_community(expecting: City) -> None:
    path = f"/community/{expecting.community_id}/expected/"
    for name in ("alice", "bob", "paul"):
        assert "Price in" in page(signed_in(name), path)
    assert signed_in("charlie").get(path).status_code == 404


def test_the_api_gives_ones_own_forecast_and_the_communitys_prices(expecting: City) -> None:
    energy = Forecast.objects.filter(kind=Forecast.Kind.EXPORT).order_by("subject_id")
    first = energy[0].subject_id  # Alice's home is the first meter
    own = signed_in("alice").get(f"/api/v1/forecasts/energy/?metering_point={first}")
    assert own.status_code == 200
    side = own.json()["export_wh"]
    assert len(side["intervals"]) == 168 and side["interval_minutes"] == 60
    assert side["intervals"][10]["expected"] > 0
    assert side["qualities"][0]["method"] == "last_day" and side["qualities"][0]["points"] == 0
    assert side["intervals"][0]["starts_at"] == "2026-06-15T16:00:00Z"
    for name, path in (
        ("bob", f"energy/?metering_point={first}"),
        ("alice", "energy/?metering_point=999999"),
        ("charlie", f"prices/?community={expecting.community_id}"),
    ):
        assert signed_in(name).get(f"/api/v1/forecasts/{path}").status_code == 404
    assert signed_in("alice").get("/api/v1/forecasts/energy/").status_code == 400
    prices = signed_in("bob").get(f"/api/v1/forecasts/prices/?community={expecting.community_id}")
    [zone] = prices.json()
    known = [each["expected"] for each in zone["price_micro_per_kwh"]["intervals"]]
    assert any(each is not None for each in known) and None in known

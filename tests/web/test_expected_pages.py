"""The pages and the API of forecasts: one's own, the community's prices, nobody else's."""

from pathlib import Path

import pytest
from django.test import Client

from analytics.models import Forecast
from analytics.queries import find_energy_forecast
from analytics.services import make_forecasts
from config.forward.rehearsal import rehearse
from config.replay.pipeline import replay
from marketplace.domain.rules import preset
from marketplace.queries.meter_history import zones_of_meters
from marketplace.queries.pages_member import list_meters
from marketplace.queries.pages_rules import list_rule_versions
from marketplace.queries.statements import list_statement_lines
from tests.web.city import DAY, NOW, City, readings_csv, signed_in


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


def test_a_dry_run_says_what_the_rule_would_have_come_to(city: City, tmp_path: Path) -> None:
    later = tmp_path / "later.csv"
    days = [readings_csv(6).replace(DAY, f"2026-06-{day}") for day in range(16, 20)]
    # Every day a little more, so that yesterday is no perfect forecast.
    lines = [line for at, day in enumerate(days) for line in _grown(day, at)]
    later.write_text("meter,start,minutes,import_wh,export_wh\n" + "\n".join(lines) + "\n")
    replay(
        later,
        community_name="Lindenhof",
        rules_document=preset("demo"),
        timezone=None,
        now=NOW,
    )
    assert make_forecasts(place=city.place(), now=NOW)
    persona, place = city.persona("alice"), city.place()
    [meter] = list_meters(participant_id=persona.participant_id)
    forecast = find_energy_forecast(metering_point_id=meter.metering_point_id)
    assert forecast is not None
    zone = zones_of_meters(metering_point_ids=[meter.metering_point_id])
    [rule] = list_rule_versions(metering_point_ids=[meter.metering_point_id])[
        meter.metering_point_id
    ]
    found = rehearse(
        place=place,
        meter=meter,
        zone_id=zone[meter.metering_point_id],
        rule=rule,
        forecast=forecast,
    )

    assert found is not None and found.intervals == 4 * 24
    statement = list_statement_lines(
        persona=persona, place=place, start=found.starts_at, end=found.ends_at
    )
    assert found.outcome.alone_micro == sum(line.alone_micro or 0 for line in statement)
    assert 0 < found.outcome.sold_wh <= found.outcome.offered_wh
    # She only draws when nobody has anything to sell.
    assert found.outcome.bid_wh > 0 == found.outcome.bought_wh
    # More was there than expected each day, so nothing that was sold was missing.
    assert found.outcome.short_wh == 0 and found.outcome.not_taken_wh == 0
    assert found.outcome.gain_micro > 0
    text = page(signed_in("alice"), f"/member/{persona.participant_id}/expected/")
    assert "Had my rule followed forecasts" in text and "nothing tried was better" in text


def _grown(day: str, by: int) -> list[str]:
    rows = [line.split(",") for line in day.splitlines()[1:]]
    return [
        ",".join((*row[:3], *(str(int(wh) + 40 * (by + 1) if int(wh) else 0) for wh in row[3:])))
        for row in rows
    ]


def test_prices_are_for_everybody_of_the_community(expecting: City) -> None:
    path = f"/community/{expecting.community_id}/expected/"
    for name in ("alice", "bob"):
        assert "Price in" in page(signed_in(name), path)
    for name in ("charlie", "paul"):  # a planner sees what was, once it is released
        assert signed_in(name).get(path).status_code == 404


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

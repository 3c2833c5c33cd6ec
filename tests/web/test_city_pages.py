"""The planner's pages: what was released and nothing else, what is missing as missing."""

import csv
import io
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from analytics.domain.disclosure import Audience
from analytics.models import (
    CarbonIntensity,
    FlowDay,
    IntervalRollup,
    LinkDay,
    ReleasedDay,
    ReleasedEnergies,
    ZoneDay,
    ZoneHour,
)
from analytics.queries import disclosed
from marketplace.models import Community, MeteringPoint, Participant, Zone
from marketplace.queries.identity import names_of
from tests.web.city import NOW, City, signed_in
from tests.web.test_query_counts import COUNTS

DAY = date(2026, 6, 15)
START = datetime(2026, 6, 14, 16, tzinfo=UTC)
END = START + timedelta(days=1)
HOUR = timedelta(hours=1)
PAGES = ("", "prices", "flows", "equity", "mobility", "health", "methods")
# What only the small zone's rollups hold: no page, file or answer may have these digits.
SECRET = 987_654_321
SECRET_WORDS = re.compile(r"987[,.\s]?6[0-9]{0,2}|98765|0\.988")
# Seven in the morning has no figure of its own, and eleven none at all.
NO_TRADE, HELD = 7, 11

HEALTH = {
    "interval_count": 24,
    "offered_wh": 50_000,
    "wanted_wh": 120_000,
    "traded_wh": 30_000,
    "agreed_wh": 0,
    "value_micro": 12_000_000,
    "lost_wh": 0,
    "rent_micro": 0,
    "congested_minutes": 0,
    "missing_count": 1,
    "left_out_count": 0,
    "seller_hhi": 3100,
    "buyer_hhi": 900,
    "sellers_mean": 3.5,
    "buyers_mean": 6.25,
}


@pytest.fixture
def released(city: City) -> City:
    """Let planners see the community and its large zone of a day; a small one has figures too."""
    large = Zone.objects.get(community_id=city.community_id)
    small = Zone.objects.create(community_id=city.community_id, code="S", name="Small End")
    ReleasedDay.objects.all().delete()
    release_day(city, DAY, large.pk)
    for number in range(24):
        CarbonIntensity.objects.create(
            starts_at=START + HOUR * number, grams_per_kwh=400 + number, source="Grid, 2026"
        )
    keep_secret(city, small.pk)
    return city


def release_day(city: City, day: date, zone_id: int) -> None:
    start = START + (day - DAY)
    ends = [[zone_id, "household"], [0, "grid"]]
    flows = [
        [zone_id, "household", zone_id, "household", 30_000, 12_000_000, 6, 6],
        [zone_id, "household", 0, "grid", 20_000, 7_000_000, 6, 0],
        [0, "grid", zone_id, "household", 90_000, 45_000_000, 0, 6],
    ]
    made = ReleasedDay.objects.create(
        community_id=city.community_id,
        day=day,
        starts_at=start,
        ends_at=start + timedelta(days=1),
        released_at=NOW,
        minimum=5,
        is_hidden=False,
        interval_count=24,
        settled_count=23,
        final_count=0,
        missing_count=1,
        rule_set_ids=list(Community.objects.get().rule_sets.values_list("id", flat=True)),
        open_zones=[zone_id],
        hidden_hours=[HELD],
        flows=[ends, flows],
        health=HEALTH,
        peaks=[[0, 11_000, 12_500], [zone_id, 11_000, 12_500]],
    )
    for zone in (0, zone_id):
        energies = [energy(number) for number in range(24)]
        whole = {name: sum(each[name] for each in energies) for name in energies[0]}
        rows = [(start, start + timedelta(days=1), False, whole, 24)]
        rows += [
            (start + HOUR * number, start + HOUR * (number + 1), True, each, 1)
            for number, each in enumerate(energies)
            if number != HELD
        ]
        ReleasedEnergies.objects.bulk_create(
            ReleasedEnergies(
                release=made,
                community_id=city.community_id,
                zone_id=zone,
                day=day,
                starts_at=first,
                ends_at=last,
                is_hour=is_hour,
                interval_count=count,
                meters_min=6,
                retail_micro_per_kwh=520_000,
                feed_in_micro_per_kwh=350_000,
                **values,
            )
            for first, last, is_hour, values, count in rows
        )


def energy(hour: int) -> dict[str, int]:
    """Return an hour's energies; trade at a price that rises through the day."""
    bought = 0 if hour == NO_TRADE else 1000 + 10 * hour
    return {
        "import_wh": bought + 3000,
        "export_wh": bought + 1500,
        "bought_wh": bought,
        "sold_wh": bought,
        "grid_import_wh": 3000,
        "grid_export_wh": 1500,
        "priced_wh": bought,
        "priced_micro": bought * (400 + hour),
    }


def keep_secret(city: City, zone_id: int) -> None:
    """Give a small zone rollups that nobody but members and operators may see."""
    energies = dict.fromkeys((*energy(0),), SECRET)
    common = {"community_id": city.community_id, "zone_id": zone_id}
    tariffs = {"retail_micro_per_kwh": 1, "feed_in_micro_per_kwh": 1}
    IntervalRollup.objects.create(
        **common, interval_id=10**9, starts_at=START, revision=1, meter_count=2, **energies
    )
    counted = {"interval_count": 24, "meters_min": 2, **energies, **tariffs}
    ZoneHour.objects.create(**common, starts_at=START, **counted)
    peaks = {"peak_import_w": SECRET, "peak_alone_w": SECRET}
    ZoneDay.objects.create(**common, day=DAY, **counted, **peaks)
    ends = {"from_zone_id": zone_id, "to_zone_id": zone_id, "community_id": city.community_id}
    groups = {"from_group": "household", "to_group": "household", "from_count": 2, "to_count": 2}
    FlowDay.objects.create(**ends, **groups, day=DAY, wh=SECRET, value_micro=SECRET)
    LinkDay.objects.create(
        **ends, day=DAY, sent_wh=SECRET, received_wh=1, congested_minutes=77, rent_micro=SECRET
    )


def page_path(city: City, page: str, query: str = "period=day&day=2026-06-15") -> str:
    own = f"community={city.community_id}&" if "community" not in query else ""
    return f"/planner/{city.participant_ids['paul']}/{page}?{own}{query}"


def read(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return answer.content.decode()


def files_of(client: Client, html: str) -> dict[str, list[dict[str, str]]]:
    """Return the rows of every file that a page links, by chart."""
    found = {}
    for url in re.findall(r'href="([^"]+\.csv\?[^"]+)" download', html):
        text = read(client, url.replace("&amp;", "&"))
        rows = list(csv.DictReader(io.StringIO(text)))
        found[url.rpartition("/")[2].partition(".csv")[0]] = rows
    return found


def api(client: Client, name: str, **asked: Any) -> Any:
    answer = client.get(f"/api/v1/analytics/{name}/", asked)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_every_view_has_the_figures_of_the_query_layer(released: City) -> None:
    paul = signed_in("paul")
    time: dict[str, Any] = {"community_id": released.community_id, "start": START, "end": END}
    energies = disclosed.get_energies(**time, audience=Audience.PLANNER)
    assert energies is not None
    html = read(paul, page_path(released, ""))
    shown = dict(re.findall(r'<data value="(-?\d+)" data-figure="(\w+)"', html))
    for value, name in shown.items():
        assert int(value) == getattr(energies, name), name
    assert {"bought_wh", "grid_import_wh", "price_micro_per_kwh"} <= set(shown.values())

    files = files_of(paul, read(paul, page_path(released, "prices")))
    hours = {each.at: each for each in disclosed.list_hours(**time, audience=Audience.PLANNER)}
    assert len(files["hours"]) == 24
    for row in files["hours"]:
        known = hours.get(datetime.fromisoformat(row["hour"]).astimezone(UTC))
        price = known.energies.price_micro_per_kwh if known else None
        assert row["price_micro_per_kwh"] == ("" if price is None else str(price))
    asked = {"community": released.community_id, "first": "2026-06-15", "last": "2026-06-15"}
    total = api(paul, "energies", by="total", **asked)
    assert total["figures"][0]["bought_wh"] == energies.bought_wh
    assert [each["of"].partition(":")[0] for each in total["figures"]] == ["community", "zone"]
    assert len(api(paul, "prices", by="hour", **asked)["figures"]) == 23
    assert total["basis"]["missing_count"] == total["basis"]["settled_count"] - 22 == 1
    flows = files_of(paul, read(paul, page_path(released, "flows")))
    told = api(paul, "flows", **asked)["figures"]
    assert [each["energy_wh"] for each in told] == [30_000, 20_000, 90_000] or len(told) == 3
    assert sorted(int(row["energy_wh"]) for row in flows["groups"]) == [20_000, 30_000, 90_000]


def test_carbon_is_the_same_everywhere_and_counts_hours_known_together(released: City) -> None:
    paul = signed_in("paul")
    # All hours but one stand alone; that one is what is left of its day.
    expected = sum(energy(hour)["bought_wh"] * (400 + hour) for hour in range(24))
    [row] = files_of(paul, read(paul, page_path(released, "equity")))["carbon"]
    assert int(row["avoided_mg"]) == expected
    asked = {"community": released.community_id, "first": "2026-06-15", "last": "2026-06-15"}
    told = api(paul, "carbon", **asked)["figures"]
    assert (told["avoided_mg"], told["unknown_wh"]) == (expected, 0)
    assert told["sources"] == ["Grid, 2026"]
    said = read(paul, page_path(released, "")).replace("\N{NO-BREAK SPACE}", " ")
    assert f"avoided {expected / 1e6:.1f} kg" in said


def test_what_is_missing_is_missing_and_never_zero(released: City) -> None:
    release_day(released, DAY + timedelta(days=2), Zone.objects.exclude(name="Small End").get().pk)
    paul = signed_in("paul")
    html = read(paul, page_path(released, "prices", "period=week&day=2026-06-15"))
    assert "missing or withheld" in html and "no trade, or withheld" in html
    files = files_of(paul, html)
    assert [row["price_micro_per_kwh"] == "" for row in files["calendar"]] == [False, True, False]
    noon = [row for row in files["hours"] if "T11:00" in row["hour"] or " 11:00" in row["hour"]]
    assert {row["price_micro_per_kwh"] for row in noon} == {""}
    assert {row["retail_micro_per_kwh"] for row in noon} == {""}
    overview = read(paul, page_path(released, "", "period=week&day=2026-06-15"))
    assert "1 day is missing" in overview
    assert "22 of 24 intervals" not in overview and "46 of 48 intervals are settled" in overview


def test_a_small_zone_is_in_no_page_file_answer_or_title(released: City) -> None:
    paul = signed_in("paul")
    asked = {"community": released.community_id, "first": "2026-06-01", "last": "2026-06-30"}
    for page in PAGES:
        for query in ("period=day&day=2026-06-15", "period=month&day=2026-06-15", "community=all"):
            html = read(paul, page_path(released, page, query))
            files = files_of(paul, html)
            for text in (html, str(files)):
                bare = re.sub(r"[0-9a-f]{32,}", "", text)  # hashes may have any digits
                assert not SECRET_WORDS.search(bare), (page, query)
    for name in ("energies", "prices", "flows", "links", "health", "savings", "carbon", "peaks"):
        told = api(paul, name, **asked)
        assert str(SECRET)[:5] not in str(told), name
    zone = Zone.objects.get(name="Small End").pk
    assert api(paul, "energies", zone=zone, by="day", **asked)["figures"] == []
    # That it exists is no secret; that it has no figure is said, not shown as nothing.
    rows = files_of(paul, read(paul, page_path(released, "equity")))["zones"]
    assert {row["zone"]: row["bought_wh"] == "" for row in rows}["Small End"]
    for name in names_of(Participant.objects.filter(role="household")).values():
        assert name.replace("'", "&#x27;") not in html
    assert MeteringPoint.objects.exists()


def test_only_planners_see_it_and_operators_the_same_by_program(released: City) -> None:
    asked: dict[str, Any] = {
        "community": released.community_id,
        "first": "2026-06-15",
        "last": "2026-06-15",
    }
    for name in ("alice", "charlie", "erin", "olga", "dora"):
        for path in ("", "prices", "methods", "prices/hours.csv"):
            answer = signed_in(name).get(page_path(released, path))
            assert answer.status_code == 404, (name, path)
        expected = 200 if name == "olga" else 404
        told = signed_in(name).get("/api/v1/analytics/energies/", asked)
        assert told.status_code == expected, name
    paul = signed_in("paul")
    for path in ("prices/nothing.csv", "nowhere/hours.csv", "nowhere"):
        assert paul.get(page_path(released, path)).status_code == 404
    wrong = {**asked, "first": "2026-06-16"}
    assert paul.get("/api/v1/analytics/energies/", wrong).status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        "community=99999&period=century&day=x",
        "from=2026-06-30&to=2026-06-01",
        "from=0001-01-01&to=9999-12-31&community=all",
        "period=year&day=2026-06-15&community=%00",
    ],
)
def test_any_address_shows_something(released: City, query: str) -> None:
    paul = signed_in("paul")
    for page in PAGES:
        assert "Cite this view" in read(paul, page_path(released, page, query))


def test_pages_ask_as_often_as_committed_whatever_the_time(released: City) -> None:
    paul = signed_in("paul")
    section = COUNTS["the planner's city"]

    def counted(query: str) -> dict[str, int]:
        found = {}
        for page in PAGES:
            read(paul, page_path(released, page, query))
            with CaptureQueriesContext(connection) as queries:
                read(paul, page_path(released, page, query))
            found[f"/planner/{{paul}}/{page} as paul"] = len(queries)
        return found

    assert counted("period=month&day=2026-06-15") == section
    zone_id = Zone.objects.exclude(name="Small End").get().pk
    for number in range(1, 5):
        release_day(released, DAY + timedelta(days=number), zone_id)
    assert counted("period=month&day=2026-06-15") == section


def test_a_year_is_drawn_once_until_something_is_released(released: City) -> None:
    paul, year = signed_in("paul"), "period=year&day=2026-06-15"
    for page in ("", "prices", "flows"):
        path = page_path(released, page, year)
        first = read(paul, path)
        with CaptureQueriesContext(connection) as queries:
            again = read(paul, path)
        assert again.partition('id="part-')[2] == first.partition('id="part-')[2] != ""
        assert not any("EXTRACT(EPOCH" in each["sql"] for each in queries)
    assert "6月" not in read(paul, page_path(released, "prices", year))
    paul.post("/language", {"language": "zh-hans", "next": "/"})
    assert "6月" in read(paul, page_path(released, "prices", year))
    before = read(paul, page_path(released, "prices", year))
    zone_id = Zone.objects.exclude(name="Small End").get().pk
    release_day(released, DAY + timedelta(days=1), zone_id)
    after = read(paul, page_path(released, "prices", year))
    assert "6月16日" in after and "6月16日" not in before

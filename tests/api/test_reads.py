"""What the API tells: energy, prices and money, as the tables and the book have them."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from analytics.services import roll_up_settled
from ledger.queries import get_balances
from marketplace.domain.money import amount_micro
from marketplace.domain.readings.rows import ReadingRow
from marketplace.models import Clearing, Match, MeteringPoint
from tests.api.conftest import HOURS, refusal, results, signed_in
from tests.town import NOW, START, Town, build_town, rows_of_hour, run_market, send


def test_the_community_names_its_rules(town: Town, alice: Client) -> None:
    [community] = results(alice, "communities/")
    assert community["name"] == "Town"
    assert (community["currency"], community["timezone"]) == ("CNY", "Asia/Shanghai")
    assert (community["interval_minutes"], community["rules_version"]) == (60, 1)
    assert community["rules_sha256"] == town.community.rule_sets.get().sha256


def test_readings_come_newest_first_in_their_last_version(town: Town, alice: Client) -> None:
    row = rows_of_hour(1)[0]
    send(town, [ReadingRow(row.meter, row.start, 77, 0)])
    point = town.point("alice-1").id
    found = results(alice, "readings/", metering_point=point)
    assert [each["starts_at"][11:13] for each in found] == ["04", "03", "02"]
    assert [each["version"] for each in found] == [1, 2, 1]
    assert found[1]["import_wh"] == 77
    hour = results(
        alice,
        "readings/",
        metering_point=point,
        start="2026-06-01T11:00:00+08:00",
        end="2026-06-01T12:00:00+08:00",
    )
    assert hour == [found[1]]


def test_intervals_say_price_volume_and_who_was_missing(town: Town, alice: Client) -> None:
    send(town, rows_of_hour(HOURS)[:4])
    run_market(town, now=NOW + timedelta(days=2))
    found = results(alice, "intervals/")
    assert [each["state"] for each in found] == ["settled"] * (HOURS + 1)
    assert [each["missing_count"] for each in found] == [2, 0, 0, 0]
    clearing = Clearing.objects.get(interval=found[1]["id"])
    assert found[1]["volume_wh"] == clearing.volume_wh > 0
    assert found[1]["price_micro_per_kwh"] == clearing.price_micro_per_kwh
    assert found[1]["left_out_count"] == 0
    assert results(alice, "intervals/", state="open") == []


def test_an_interval_that_waits_has_no_figures_yet(town: Town, alice: Client) -> None:
    send(town, rows_of_hour(HOURS)[:1])
    [waiting] = results(alice, "intervals/", state="open")
    assert waiting["volume_wh"] is None and waiting["missing_count"] is None


def test_trades_are_ones_own_side(town: Town, alice: Client, bob: Client) -> None:
    sold, bought = results(bob, "trades/"), results(alice, "trades/")
    assert {each["side"] for each in sold} == {"sell"}
    assert {each["side"] for each in bought} == {"buy"}
    mine = Match.objects.filter(offer__metering_point__code="bob-1")
    assert {each["id"] for each in sold} == set(mine.values_list("id", flat=True))
    assert {each["buyer_zone"] for each in sold} <= {"main", "south"}
    hour = results(bob, "trades/", start=START.isoformat(), end="2026-06-01T03:00:00Z")
    assert 0 < len(hour) < len(sold)


def test_only_the_latest_revisions_trades_count(town: Town, alice: Client) -> None:
    row = rows_of_hour(0)[0]
    send(town, [ReadingRow(row.meter, row.start, 400, 0)])
    run_market(town)
    first = [each for each in results(alice, "trades/") if each["starts_at"][11:13] == "02"]
    assert sum(each["quantity_wh"] for each in first) <= 400


def test_a_statement_adds_up_to_the_book(town: Town, alice: Client) -> None:
    lines = results(alice, "statements/")
    assert len(lines) == HOURS
    for line in lines:
        assert line["import_wh"] == line["bought_wh"] + line["grid_import_wh"]
        grid = amount_micro(line["grid_import_wh"], line["retail_micro_per_kwh"])
        assert line["grid_purchase_micro"] == -grid
        assert line["net_micro"] == sum(
            line[f"{name}_micro"]
            for name in ("pool_sale", "pool_purchase", "grid_sale", "grid_purchase")
        )
        assert line["currency"] == "CNY"
    account = town.participant("alice-1").energy_account_id
    assert account is not None
    balance = get_balances(account_ids=[account])[account].posted
    assert sum(line["net_micro"] for line in lines) == balance < 0
    transfers = {each["id"]: each for each in results(alice, "transfers/")}
    assert {each for line in lines for each in line["transfer_ids"]} == set(transfers)
    for line in lines:
        own = [transfers[each] for each in line["transfer_ids"]]
        assert sum(each["amount_micro"] for each in own) == line["net_micro"]
        assert {each["code"] for each in own} <= {"pool_purchase", "grid_purchase"}
        assert {each["counterparty"] for each in own} <= {"pool", "supplier"}


def totals_of(client: Client, town: Town) -> Any:
    period = f"start={START:%Y-%m-%dT%H:%M}Z&end={START + timedelta(days=1):%Y-%m-%dT%H:%M}Z"
    return client.get(f"/api/v1/rollups/totals/?community={town.community.id}&{period}").json()


def test_rollups_show_shares_and_hide_small_zones(town: Town, alice: Client) -> None:
    found = results(alice, "rollups/", community=town.community.id)
    assert len(found) == HOURS
    for each in found:
        assert not each["is_suppressed"]
        assert each["self_sufficiency"] == each["bought_wh"] / each["import_wh"]
        assert each["self_consumption"] == each["sold_wh"] / each["export_wh"]
        # Three meters in each zone are fewer than the demo rules' group of five.
        assert [zone["import_wh"] for zone in each["zones"]] == [None, None]
    totals = totals_of(alice, town)
    assert totals["interval_count"] == HOURS
    assert totals["bought_wh"] == sum(each["bought_wh"] for each in found)


@pytest.mark.django_db
def test_two_households_do_not_make_a_sum() -> None:
    town = build_town("Hamlet", meters=("alice-1", "bob-1"))
    send(town, rows_of_hour(0, ("alice-1", "bob-1")))
    run_market(town)
    roll_up_settled()
    member = signed_in(town.alice)
    [interval] = results(member, "intervals/")
    assert interval["price_micro_per_kwh"] is not None and interval["volume_wh"] is None
    [rollup] = results(member, "rollups/", community=town.community.id)
    assert rollup["is_suppressed"] and rollup["bought_wh"] is None
    totals = totals_of(member, town)
    assert (totals["interval_count"], totals["bought_wh"]) == (0, 0)
    assert interval["left_out_count"] is None
    [seen] = results(signed_in(town.operator), "intervals/")
    assert seen["volume_wh"] > 0 and seen["left_out_count"] == 0


@pytest.mark.django_db
def test_an_interval_that_two_of_six_reported_in_has_no_volume() -> None:
    town = build_town("Village")
    send(town, rows_of_hour(0, ("alice-1", "bob-1")))
    run_market(town, now=NOW + timedelta(days=2))
    [interval] = results(signed_in(town.alice), "intervals/")
    assert (interval["missing_count"], interval["volume_wh"]) == (4, None)
    [seen] = results(signed_in(town.operator), "intervals/")
    assert seen["volume_wh"] > 0


@pytest.mark.parametrize(
    "path",
    [
        "readings/",
        "intervals/",
        "trades/",
        "statements/",
        "transfers/",
        "metering-points/",
        "standing-rules/",
        "rollups/",
    ],
)
def test_pages_follow_each_other_without_gap_or_repeat(
    path: str, town: Town, alice: Client, operator: Client
) -> None:
    client = operator if path in ("metering-points/", "standing-rules/") else alice
    point: MeteringPoint = town.point("alice-1")
    query: dict[str, int] = {
        "readings/": {"metering_point": point.id},
        "rollups/": {"community": town.community.id},
    }.get(path, {})
    whole = results(client, path, **query)
    assert len(whole) > 2
    pages, url = [], f"/api/v1/{path}"
    answer = client.get(url, {**query, "limit": 2}).json()
    while True:
        pages.append(answer["results"])
        if answer["next"] is None:
            break
        answer = client.get(answer["next"]).json()
    assert [len(page) for page in pages[:-1]] == [2] * (len(pages) - 1)
    assert [row for page in pages for row in page] == whole


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=x",
        "cursor=-1",
        "cursor=00000000000000000001" + "0" * 5000,
        "cursor=99999999999999999999",
        "cursor=%D9%A1",
        "start=yesterday",
        "start=2026-06-01T00:00:00",
        "start=0001-01-01T00:00:00%2B14:00",
        "end=9999-12-31T23:59:59-12:00",
        "community=0",
        "community=1e3",
        "community=99999999999999999999",
        "community=%00",
        "state=dreaming",
    ],
)
def test_a_bad_address_is_refused_by_field(query: str, alice: Client) -> None:
    answer = alice.get(f"/api/v1/intervals/?{query}")
    assert refusal(answer) == (400, "invalid")
    assert set(answer.json()["fields"]) == {query.partition("=")[0]}


@pytest.mark.parametrize(
    "path",
    [
        "intervals/?cursor=9223372036854775807",
        "readings/?metering_point={point}&cursor=9223372036854775807",
        "statements/?cursor=9223372036854775807",
        "rollups/?community={community}&cursor=9223372036854775807",
        "transfers/?cursor=9223372036854775807",
        "trades/?start=2199-12-31T00:00:00Z&end=1970-01-01T00:00:00Z",
    ],
)
def test_the_widest_address_is_answered(path: str, town: Town, alice: Client) -> None:
    filled = path.format(point=town.point("alice-1").id, community=town.community.id)
    assert alice.get(f"/api/v1/{filled}").status_code == 200


@pytest.mark.parametrize("path", ["standing-rules/{}/", "data/matches/{}/file"])
def test_numbers_beyond_any_id_are_not_found(path: str, alice: Client) -> None:
    for number in ("0", "9" * 30, "9" * 5000):
        assert refusal(alice.get("/api/v1/" + path.format(number))) == (404, "not_found")

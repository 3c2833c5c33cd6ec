"""Alice sees her own, Bob his, Charlie nothing, the operator members, the planner nothing new."""

from typing import Any

import pytest
from django.test import Client

from marketplace.models import Offer
from marketplace.services.people import add_participant, join
from tests.api.conftest import HOURS, refusal, results, send_json, signed_in
from tests.town import METERS, START, Town

DAY = ("2026-06-01T00:00:00Z", "2026-06-02T00:00:00Z")
LISTS = ("communities/", "metering-points/", "standing-rules/", "intervals/", "trades/")


def test_everybody_learns_who_they_are(town: Town, alice: Client, charlie: Client) -> None:
    [role] = alice.get("/api/v1/me/").json()["roles"]
    assert role["participant_id"] == town.participant("alice-1").id
    assert (role["role"], role["community_id"]) == ("household", town.community.id)
    assert charlie.get("/api/v1/me/").json()["roles"] == []


@pytest.mark.parametrize("path", [*LISTS, "transfers/"])
def test_charlie_sees_nothing(path: str, charlie: Client, other_town: Town) -> None:
    assert results(charlie, path) == []


def test_charlie_may_not_name_what_is_not_his(town: Town, charlie: Client) -> None:
    alice_id = town.participant("alice-1").id
    point = town.point("alice-1").id
    for path in (
        f"readings/?metering_point={point}",
        f"gaps/?metering_point={point}&first=2026-06-01&last=2026-06-02",
        f"standing-rules/{point}/",
        f"trades/?participant={alice_id}",
        f"statements/?participant={alice_id}",
        f"transfers/?participant={alice_id}",
        f"rollups/?community={town.community.id}",
        f"rollups/totals/?community={town.community.id}&start={DAY[0]}&end={DAY[1]}",
        f"orders/?participant={alice_id}",
        f"agreements/?participant={alice_id}",
        f"certificates/?participant={alice_id}",
        f"certificates/cancellations/?participant={alice_id}",
        f"certificates/matching/?participant={alice_id}&start={DAY[0]}&end={DAY[1]}",
        f"forecasts/energy/?metering_point={point}",
        f"forecasts/prices/?community={town.community.id}",
        f"order-book/?community={town.community.id}&start={DAY[0]}",
        f"halts/?community={town.community.id}",
    ):
        assert refusal(charlie.get(f"/api/v1/{path}")) == (404, "not_found"), path
    assert results(charlie, f"metering-points/?participant={alice_id}") == []
    assert results(charlie, f"intervals/?community={town.community.id}") == []
    assert refusal(charlie.get("/api/v1/statements/")) == (400, "invalid")


def test_bob_does_not_see_alice(town: Town, alice: Client, bob: Client) -> None:
    point, alice_id = town.point("alice-1"), town.participant("alice-1").id
    for client, meter in ((alice, "alice-1"), (bob, "bob-1")):
        assert [each["code"] for each in results(client, "metering-points/")] == [meter]
        assert [each["code"] for each in results(client, "standing-rules/")] == [meter]
        own = {town.point(meter).id, None}
        for trade in results(client, "trades/"):
            ids = {trade["seller_metering_point_id"], trade["buyer_metering_point_id"]}
            assert ids == own
    for path in (
        f"readings/?metering_point={point.id}",
        f"gaps/?metering_point={point.id}&first=2026-06-01&last=2026-06-02",
        f"standing-rules/{point.id}/",
        f"trades/?participant={alice_id}",
        f"statements/?participant={alice_id}",
        f"transfers/?participant={alice_id}",
        f"orders/?participant={alice_id}",
        f"agreements/?participant={alice_id}",
        f"certificates/?participant={alice_id}",
        f"certificates/cancellations/?participant={alice_id}",
        f"certificates/matching/?participant={alice_id}&start={DAY[0]}&end={DAY[1]}",
        f"forecasts/energy/?metering_point={point.id}",
    ):
        assert refusal(bob.get(f"/api/v1/{path}")) == (404, "not_found"), path
        assert alice.get(f"/api/v1/{path}").status_code == 200, path
    seen = {each["id"] for each in results(alice, "transfers/")}
    assert seen.isdisjoint(each["id"] for each in results(bob, "transfers/"))


def test_only_the_owner_sets_a_standing_rule(
    town: Town, alice: Client, bob: Client, charlie: Client, operator: Client
) -> None:
    path = f"standing-rules/{town.point('alice-1').id}/"
    rule = {"sell_at_or_above_micro_per_kwh": 1, "buy_at_or_below_micro_per_kwh": 2}
    for client, expected in (
        (bob, (404, "not_found")),
        (charlie, (404, "not_found")),
        (signed_in(town.planner), (404, "not_found")),
        (operator, (403, "permission_denied")),
    ):
        assert refusal(send_json(client, "PUT", path, rule)) == expected
    assert Offer.objects.filter(metering_point=town.point("alice-1")).count() == 1
    assert send_json(alice, "PUT", path, rule).status_code == 200


def test_the_operator_sees_members_of_their_community_only(
    town: Town, other_town: Town, operator: Client
) -> None:
    assert {each["code"] for each in results(operator, "metering-points/")} == set(METERS)
    alice_id = town.participant("alice-1").id
    assert results(operator, "statements/", participant=alice_id)
    assert results(operator, "trades/", participant=alice_id)
    assert results(operator, "transfers/", participant=alice_id)
    assert results(operator, "readings/", metering_point=town.point("alice-1").id)
    stranger = other_town.participant("alice-1").id
    for path in (
        *("statements/", "trades/", "transfers/"),
        *("orders/", "agreements/", "certificates/", "certificates/cancellations/"),
    ):
        answer = operator.get(f"/api/v1/{path}", {"participant": stranger})
        assert refusal(answer) == (404, "not_found")
    point = other_town.point("alice-1").id
    assert refusal(operator.get(f"/api/v1/readings/?metering_point={point}")) == (404, "not_found")
    assert results(operator, "intervals/", community=other_town.community.id) == []


def test_the_planner_sees_no_newest_figures(town: Town, other_town: Town, planner: Client) -> None:
    for path in ("metering-points/", "standing-rules/", "trades/", "transfers/", "intervals/"):
        assert results(planner, path) == []
    alice_id = town.participant("alice-1").id
    for path in ("statements/", "trades/", "transfers/"):
        answer = planner.get(f"/api/v1/{path}", {"participant": alice_id})
        assert refusal(answer) == (404, "not_found")
    # The newest sums say who was corrected since: planners have released ones, under analytics/.
    for community in (town.community.id, other_town.community.id):
        answer = planner.get(f"/api/v1/rollups/?community={community}")
        assert refusal(answer) == (404, "not_found")


def test_a_role_without_a_community_is_for_the_city(town: Town, other_town: Town) -> None:
    for role, user in (("planner", town.charlie), ("operator", town.bob)):
        join(user_id=user.pk, participant_id=add_participant(role=role, name=f"City {role}"))
    city_planner, city_operator = signed_in(town.charlie), signed_in(town.bob)
    assert len(results(city_planner, "communities/")) == 2
    assert results(city_planner, "metering-points/") == []
    assert len(results(city_operator, "metering-points/")) == 2 * len(METERS)


def test_who_may_write_readings(
    town: Town, alice: Client, charlie: Client, operator: Client, planner: Client
) -> None:
    def body(meter: str) -> dict[str, Any]:
        start = START.replace(hour=20).isoformat()
        row = {"meter": meter, "start": start, "import_wh": 1, "export_wh": 0}
        return {"community": town.community.id, "minutes": 60, "readings": [row]}

    for client, meter, expected in (
        (charlie, "alice-1", (404, "not_found")),
        (planner, "alice-1", (403, "permission_denied")),
        (alice, "alice-1", (403, "permission_denied")),
        (alice, "bob-1", (403, "permission_denied")),
        (alice, "nobody-1", (403, "permission_denied")),
    ):
        answer = send_json(client, "POST", "readings/", body(meter))
        assert refusal(answer) == expected, (meter, answer.content)
    assert town.community.intervals.count() == HOURS
    assert send_json(operator, "POST", "readings/", body("bob-1")).status_code == 201


def test_an_operator_elsewhere_may_not_write_here(town: Town, other_town: Town) -> None:
    row = {"meter": "alice-1", "start": START.isoformat(), "import_wh": 1, "export_wh": 0}
    body = {"community": town.community.id, "minutes": 60, "readings": [row]}
    answer = send_json(signed_in(other_town.operator), "POST", "readings/", body)
    assert refusal(answer) == (404, "not_found")

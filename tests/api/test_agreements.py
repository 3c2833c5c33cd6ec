"""Agreements by program: both sides, and nobody else."""

from datetime import timedelta

from django.test import Client

from marketplace.domain.rules import preset
from marketplace.services.places import add_rule_set
from tests.api.conftest import refusal, send_json
from tests.town import METERS, START, Town

PROPOSAL = {
    "kind": "partner",
    "side": "seller",
    "other_meter": METERS[1],
    "rank": 1,
    "valid_from": "2099-01-01T00:00:00Z",
}


def test_two_programs_agree(town: Town, alice: Client, bob: Client, charlie: Client) -> None:
    later = START + timedelta(days=1)
    add_rule_set(
        community_id=town.community.id,
        document=preset("demo-agreements"),
        effective_from=later,
        now=later,
    )
    point = alice.get("/api/v1/standing-rules/").json()["results"][-1]["metering_point_id"]
    body = {**PROPOSAL, "metering_point": point}
    for other in (bob, charlie):
        assert refusal(send_json(other, "POST", "agreements/", body)) == (404, "not_found")
    wrong = send_json(alice, "POST", "agreements/", {**body, "rank": None})
    assert refusal(wrong) == (400, "invalid")
    made = send_json(alice, "POST", "agreements/", body)
    assert made.status_code == 201, made.content
    agreement = made.json()
    assert (agreement["state"], agreement["waits_for_you"]) == ("proposed", False)
    path = f"agreements/{agreement['id']}/"
    assert refusal(send_json(alice, "POST", f"{path}accept", {})) == (404, "not_found")
    assert charlie.get(f"/api/v1/{path}").status_code in (400, 404)
    assert bob.get(f"/api/v1/{path}").json()["waits_for_you"]
    assert send_json(bob, "POST", f"{path}accept", {}).json()["state"] == "agreed"
    again = send_json(bob, "POST", f"{path}accept", {})
    assert refusal(again)[0] in (404, 409)
    assert send_json(alice, "POST", f"{path}end", {}).json()["state"] == "ended"
    [line] = alice.get("/api/v1/agreements/").json()
    assert (line["state"], line["log_key"]) == ("ended", f"agreement:{agreement['id']}")

"""Certificates over HTTP: the operator registers, Alice uses her own, nobody uses another's."""

from django.test import Client

from marketplace.services.certificates import issue_due_certificates
from tests.api.conftest import refusal, results, send_json
from tests.town import METERS, NOW, START, Town

PERIOD = {"start": START.isoformat(), "end": NOW.isoformat()}


def test_a_certificates_life(town: Town, alice: Client, bob: Client, operator: Client) -> None:
    device = {"technology": "solar", "capacity_w": 5000, "commissioned_on": "2024-05-01"}
    asked = {
        "community": town.community.id,
        "active_from": START.isoformat(),
        "devices": [{"meter": meter, **device} for meter in METERS],
    }
    own, other = town.participant("alice-1").id, town.participant("bob-1").id
    assert refusal(send_json(alice, "POST", "production-devices/", asked))[0] == 403
    assert send_json(operator, "POST", "production-devices/", asked).status_code == 201
    assert issue_due_certificates(community_id=town.community.id, now=NOW) == 3

    mine = results(alice, "certificates/", participant=own)
    held = sum(row["wh"] for row in mine)
    assert held > 60
    assert alice.get("/api/v1/certificates/", {"participant": other}).status_code == 404
    use = {"participant": own, **PERIOD, "wh": 60, "purpose": "Tea", "beneficiary": "Alice"}
    assert refusal(send_json(bob, "POST", "certificates/cancellations/", use))[0] == 404
    first = send_json(alice, "POST", "certificates/cancellations/", use, key="tea")
    again = send_json(alice, "POST", "certificates/cancellations/", use, key="tea")
    assert (first.status_code, first.json()) == (201, again.json())
    told = alice.get("/api/v1/certificates/cancellations/", {"participant": own}).json()
    assert [line["wh"] for line in told] == [60]
    more = send_json(alice, "POST", "certificates/cancellations/", use | {"wh": held})
    assert refusal(more) == (400, "invalid")
    hand = {"participant": own, "receiver": other, **PERIOD}
    assert refusal(send_json(bob, "POST", "certificates/handovers/", hand))[0] == 404
    assert send_json(alice, "POST", "certificates/handovers/", hand).json()["wh"] == held - 60
    hours = alice.get("/api/v1/certificates/matching/", PERIOD | {"participant": str(own)}).json()
    assert len(hours["hours"]) == 3
    assert sum(hour["cancelled_wh"] for hour in hours["hours"]) == 60

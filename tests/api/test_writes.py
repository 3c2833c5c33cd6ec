"""Writes: many readings at once, standing rules, and every way to get a body wrong."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from marketplace.models import Offer, Reading, Request
from tests.api.conftest import HOURS, refusal, send_json, signed_in
from tests.town import METERS, START, Town

LATER = (START + timedelta(hours=20)).isoformat()
ROW = {"meter": "alice-1", "start": LATER, "import_wh": 10, "export_wh": 0}
RULE = {"sell_at_or_above_micro_per_kwh": 400_000, "buy_at_or_below_micro_per_kwh": None}


def body_of(town: Town, *rows: object, **changes: object) -> dict[str, Any]:
    return {"community": town.community.id, "minutes": 60, "readings": list(rows), **changes}


def changed(**changes: object) -> dict[str, object]:
    return {**ROW, **changes}


def without(name: str) -> dict[str, object]:
    return {key: value for key, value in ROW.items() if key != name}


def writer(town: Town, method: str) -> Client:
    """Return who may write there: Alice her rule, the operator everything else."""
    return signed_in(town.alice if method == "PUT" else town.operator)


def test_ten_thousand_readings_in_one_request(town: Town, operator: Client) -> None:
    rows = [
        changed(
            meter=METERS[number % 6],
            start=(START + timedelta(hours=HOURS + number // 6)).isoformat(),
            import_wh=number,
        )
        for number in range(10_000)
    ]
    answer = send_json(operator, "POST", "readings/", body_of(town, *rows))
    assert answer.status_code == 201, answer.content
    assert answer.json() == {"new": 10_000, "corrected": 0, "unchanged": 0, "repeated": 0}
    assert Reading.objects.count() == 10_000 + HOURS * 6
    batch = Reading.objects.filter(import_wh=9_999).get().batch
    assert (batch.source, batch.reading_count) == (f"api:{town.operator.pk}", 10_000)


def test_one_reading_alone(town: Town, operator: Client) -> None:
    body = {"community": town.community.id, "minutes": 60, **ROW}
    assert send_json(operator, "POST", "readings/", body).json()["new"] == 1
    again = send_json(operator, "POST", "readings/", body).json()
    assert (again["new"], again["unchanged"]) == (0, 1)
    corrected = send_json(operator, "POST", "readings/", {**body, "import_wh": 11}).json()
    assert corrected["corrected"] == 1


def test_nobody_sends_what_is_not_metered_yet(town: Town, operator: Client) -> None:
    begun = timezone.now().replace(minute=0, second=0, microsecond=0)
    body = body_of(town, ROW, changed(start=begun.isoformat()))
    answer = send_json(operator, "POST", "readings/", body)
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == ["readings[1].start"]
    assert not Reading.objects.filter(import_wh=10).exists()


def test_the_same_row_twice_counts_once(town: Town, operator: Client) -> None:
    answer = send_json(operator, "POST", "readings/", body_of(town, ROW, ROW))
    assert answer.json() == {"new": 1, "corrected": 0, "unchanged": 0, "repeated": 1}


def test_a_flag_comes_back_and_the_real_reading_takes_its_place(
    town: Town, operator: Client
) -> None:
    send_json(operator, "POST", "readings/", body_of(town, changed(quality="estimated")))
    reading = Reading.objects.latest("batch_id")
    assert (reading.get_quality_display(), reading.version) == ("estimated", 1)
    real = send_json(operator, "POST", "readings/", body_of(town, ROW)).json()
    assert real == {"new": 0, "corrected": 1, "unchanged": 0, "repeated": 0}
    point = reading.metering_point_id
    listed = operator.get(f"/api/v1/readings/?metering_point={point}").json()["results"][0]
    assert (listed["quality"], listed["version"]) == ("measured", 2)


def test_a_repeated_request_brings_the_first_answer(town: Town, operator: Client) -> None:
    body = body_of(town, ROW)
    first = send_json(operator, "POST", "readings/", body, key="day-1")
    again = send_json(operator, "POST", "readings/", body, key="day-1")
    assert first.json() == again.json() == {**first.json(), "new": 1}
    assert again["Idempotency-Replayed"] == "true"
    other = send_json(
        operator, "POST", "readings/", body_of(town, changed(import_wh=3)), key="day-1"
    )
    assert refusal(other) == (409, "key_reused")
    assert Reading.objects.filter(import_wh=3).count() == 0


# Each a change of the body, and the field that the answer must name.
BAD_READINGS: list[tuple[dict[str, object], str]] = [
    ({"community": "1"}, "community"),
    ({"community": 1.0}, "community"),
    ({"community": None}, "community"),
    ({"minutes": 7}, "readings"),
    ({"minutes": True}, "minutes"),
    ({"minutes": -60}, "readings"),
    ({"minutes": 15}, "readings[0]"),
    ({"readings": []}, "readings"),
    ({"readings": {}}, "readings"),
    ({"readings": None}, "readings"),
    ({"readings": [1]}, "readings[0]"),
    ({"readings": [ROW, []]}, "readings[1]"),
    ({"readings": [ROW] * 10_001}, "readings"),
    ({"readings": [ROW, changed(import_wh=-1)]}, "readings[1]"),
    ({"readings": [changed(import_wh=1.5)]}, "readings[0].import_wh"),
    ({"readings": [changed(import_wh=1.0)]}, "readings[0].import_wh"),
    ({"readings": [changed(import_wh="10")]}, "readings[0].import_wh"),
    ({"readings": [changed(import_wh=True)]}, "readings[0].import_wh"),
    ({"readings": [changed(import_wh=None)]}, "readings[0].import_wh"),
    ({"readings": [changed(import_wh=10**9 + 1)]}, "readings[0]"),
    ({"readings": [changed(export_wh=2**63)]}, "readings[0]"),
    ({"readings": [changed(export_wh=10**200)]}, "readings[0]"),
    ({"readings": [without("meter")]}, "readings[0]"),
    ({"readings": [without("start")]}, "readings[0]"),
    ({"readings": [without("export_wh")]}, "readings[0]"),
    ({"readings": [changed(quality="guess")]}, "readings[0].quality"),
    ({"readings": [changed(colour="red")]}, "readings[0]"),
    ({"readings": [ROW, changed(meter="nobody-1")]}, "readings[1]"),
    ({"readings": [changed(meter="")]}, "readings[0]"),
    ({"readings": [changed(meter="a" * 201)]}, "readings[0]"),
    ({"readings": [changed(meter="alice\0")]}, "readings[0]"),
    ({"readings": [changed(meter=["alice-1"])]}, "readings[0].meter"),
    ({"readings": [changed(start="2026-06-01T22:00:00")]}, "readings[0]"),
    ({"readings": [changed(start="2026-06-01T22:30:00+00:00")]}, "readings[0]"),
    ({"readings": [changed(start="2026-02-30T22:00:00Z")]}, "readings[0]"),
    ({"readings": [changed(start="0001-01-01T00:00:00+14:00")]}, "readings[0]"),
    ({"readings": [changed(start="noon")]}, "readings[0]"),
    ({"readings": [changed(start=1)]}, "readings[0].start"),
    ({"readings": [changed(start="2020-01-01T00:00:00Z")]}, "readings[0]"),
    ({"readings": [ROW, changed(import_wh=11)]}, "readings[1]"),
    ({"more": 1}, "body"),
]


@pytest.mark.parametrize(("change", "field"), BAD_READINGS)
def test_bad_readings_are_refused_by_row(
    change: dict[str, object], field: str, town: Town, operator: Client
) -> None:
    answer = send_json(operator, "POST", "readings/", {**body_of(town, ROW), **change})
    assert answer.status_code == 400, answer.content
    assert refusal(answer)[1] in ("invalid", "readings_invalid")
    assert list(answer.json()["fields"]) == [field], answer.json()
    assert Reading.objects.count() == HOURS * 6


BAD_BODIES = {
    "nothing": b"",
    "cut": b'{"community": 1',
    "not a number": b'{"community": NaN}',
    "beyond numbers": b'{"community": 1e999}',
    "endless number": b'{"community": ' + b"9" * 5000 + b"}",
    "two documents": b"{}{}",
    "not text": b"\xff\xfe{}",
    "half a letter": rb'{"community": "\ud800"}',
    "deep list": b"[" * 100_000,
    "deep object": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "comment": b"// {}",
    "single quotes": b"{'community': 1}",
}
WRITES = [
    ("POST", "readings/"),
    ("POST", "data/wishes/"),
    ("POST", "data/contracts/"),
    ("POST", "wallets/deposits/"),
    ("PUT", "standing-rules/{point}/"),
]


@pytest.mark.parametrize("name", BAD_BODIES)
@pytest.mark.parametrize(("method", "path"), WRITES)
def test_what_is_not_json_is_refused(method: str, path: str, name: str, town: Town) -> None:
    client, filled = writer(town, method), path.format(point=town.point("alice-1").id)
    for key in (None, "once"):
        answer = send_json(client, method, filled, BAD_BODIES[name], key=key)
        status, code = refusal(answer)
        assert (status, code) in ((400, "parse_error"), (400, "invalid")), answer.content


@pytest.mark.parametrize("body", [[], [1], 1, "x", None, True, {}])
@pytest.mark.parametrize(("method", "path"), WRITES)
def test_json_of_another_shape_is_refused(method: str, path: str, body: object, town: Town) -> None:
    client, filled = writer(town, method), path.format(point=town.point("alice-1").id)
    assert refusal(send_json(client, method, filled, body)) == (400, "invalid")


def test_a_body_of_twenty_megabytes_is_too_large(operator: Client) -> None:
    content = json.dumps({"readings": "x" * 20_000_000}).encode()
    answer = send_json(operator, "POST", "readings/", content)
    assert refusal(answer) == (413, "too_large")


def test_a_rule_is_set_from_now_on_and_its_history_kept(town: Town, alice: Client) -> None:
    path = f"standing-rules/{town.point('alice-1').id}/"
    answer = send_json(alice, "PUT", path, RULE)
    assert answer.status_code == 200, answer.content
    assert answer.json()["current"]["sell_at_or_above_micro_per_kwh"] == 400_000
    assert [each["version"] for each in answer.json()["history"]] == [2, 1]
    assert answer.json() == alice.get(f"/api/v1/{path}").json()
    paused = send_json(alice, "PUT", path, {**RULE, "is_paused": True}, key="pause").json()
    again = send_json(alice, "PUT", path, {**RULE, "is_paused": True}, key="pause").json()
    assert paused["current"] == again["current"]
    assert (paused["current"]["version"], paused["current"]["is_paused"]) == (3, True)
    assert Offer.objects.filter(metering_point=town.point("alice-1")).count() == 3


BAD_RULES: list[tuple[dict[str, object], str]] = [
    ({"sell_at_or_above_micro_per_kwh": 10**9 + 1}, "sell_at_or_above_micro_per_kwh"),
    ({"sell_at_or_above_micro_per_kwh": 1.5}, "sell_at_or_above_micro_per_kwh"),
    ({"sell_at_or_above_micro_per_kwh": "dear"}, "sell_at_or_above_micro_per_kwh"),
    ({"buy_at_or_below_micro_per_kwh": -(10**9) - 1}, "buy_at_or_below_micro_per_kwh"),
    ({"buy_at_or_below_micro_per_kwh": 2**70}, "buy_at_or_below_micro_per_kwh"),
    ({"buy_at_or_below_micro_per_kwh": []}, "buy_at_or_below_micro_per_kwh"),
    ({"is_paused": "perhaps"}, "is_paused"),
    ({"valid_until": "2020-01-01T00:00:00Z"}, "valid_until"),
    ({"valid_until": "2199-01-01T00:00:00"}, "valid_until"),
    ({"valid_until": "9999-12-31T23:59:59-12:00"}, "valid_until"),
]


@pytest.mark.parametrize(("change", "field"), BAD_RULES)
def test_bad_rules_are_refused_by_field(
    change: dict[str, object], field: str, town: Town, alice: Client
) -> None:
    path = f"standing-rules/{town.point('alice-1').id}/"
    answer = send_json(alice, "PUT", path, {**RULE, **change})
    assert refusal(answer) == (400, "invalid")
    assert list(answer.json()["fields"]) == [field]
    assert Request.objects.filter(metering_point=town.point("alice-1")).count() == 1

"""A town whose market has run, and everybody signed in."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from analytics.services import roll_up_settled
from marketplace.models import User
from tests.town import Town, build_town, rows_of_hour, run_market, send
from tests.worlds import world

HOURS = 3


@pytest.fixture
def town(db: None, request: pytest.FixtureRequest) -> Iterator[Town]:
    if "other_town" in request.fixturenames:
        both: tuple[Town, Town] = request.getfixturevalue("both_towns")
        yield both[0]
        return
    with world(town_with_rollups) as town:
        yield town


@pytest.fixture
def both_towns(db: None) -> Iterator[tuple[Town, Town]]:
    with world(two_towns) as both:
        yield both


@pytest.fixture
def other_town(both_towns: tuple[Town, Town]) -> Town:
    """A second community, whose people must not see the first."""
    return both_towns[1]


def town_with_rollups() -> Town:
    town = build_town()
    send(town, [row for hour in range(HOURS) for row in rows_of_hour(hour)])
    run_market(town)
    roll_up_settled()
    return town


def two_towns() -> tuple[Town, Town]:
    town, other = town_with_rollups(), build_town("Elsewhere")
    send(other, rows_of_hour(0))
    run_market(other)
    roll_up_settled()
    return town, other


@pytest.fixture
def alice(town: Town) -> Client:
    return signed_in(town.alice)


@pytest.fixture
def bob(town: Town) -> Client:
    return signed_in(town.bob)


@pytest.fixture
def charlie(town: Town) -> Client:
    return signed_in(town.charlie)


@pytest.fixture
def operator(town: Town) -> Client:
    return signed_in(town.operator)


@pytest.fixture
def planner(town: Town) -> Client:
    return signed_in(town.planner)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def results(client: Client, path: str, **query: str | int) -> list[dict[str, Any]]:
    """Return the rows of a page that must be there."""
    answer = client.get(f"/api/v1/{path}", query)
    assert answer.status_code == 200, answer.content
    rows: list[dict[str, Any]] = answer.json()["results"]
    return rows


def send_json(
    client: Client, method: str, path: str, body: object, *, key: str | None = None
) -> Any:
    """Send a body, as JSON unless it is bytes already."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.generic(
        method, f"/api/v1/{path}", content, content_type="application/json", headers=headers
    )


def refusal(answer: Any) -> tuple[int, str]:
    """Return status and code of an answer in the error envelope."""
    body = answer.json()
    assert set(body) <= {"code", "message", "fields"} and body["message"], body
    return answer.status_code, body["code"]

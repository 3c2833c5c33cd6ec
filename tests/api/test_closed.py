"""Nothing of the API answers without sign-in, and every refusal has the one form."""

import re
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.authtoken.models import Token

from tests.api.conftest import refusal
from tests.town import Town

PEOPLE_READ = ("/api/docs/",)
# Published figures are for everybody; see config.public_views.
OPEN = "/api/v1/open/"


def api_routes() -> list[str]:
    """Return every address below /api/, numbers filled in."""
    return [path for path in _walk(get_resolver().url_patterns, "/") if path.startswith("/api/")]


def _walk(patterns: list[URLPattern | URLResolver], before: str) -> Iterator[str]:
    for each in patterns:
        path = before + str(each.pattern).replace("^", "").replace("$", "")
        if isinstance(each, URLResolver):
            yield from _walk(each.url_patterns, path)
        else:
            yield re.sub("<[a-z]+:[a-z_]+>", "1", path)


def test_the_map_has_the_promised_addresses() -> None:
    promised = {
        "me",
        "communities",
        "metering-points",
        "readings",
        "standing-rules",
        "intervals",
        "trades",
        "statements",
        "transfers",
        "rollups",
        "data/products",
        "data/wishes",
        "data/demand",
        "data/contracts",
        "data/queries",
    }
    assert {f"/api/v1/{name}/" for name in promised} <= set(api_routes())


@pytest.mark.parametrize("method", ["get", "post", "put", "delete", "patch"])
def test_every_address_answers_401_to_strangers(client: Client, db: None, method: str) -> None:
    for path in api_routes():
        answer = getattr(client, method)(path)
        if path.startswith(OPEN):
            assert answer.status_code in ((200, 404) if method == "get" else (405,)), path
        elif path in PEOPLE_READ:
            assert answer.status_code == 302 and answer.url.startswith("/accounts/sign-in"), path
        else:
            assert refusal(answer) == (401, "not_authenticated"), path
            assert answer["WWW-Authenticate"] == "Token"


def test_unknown_addresses_are_no_secret_door(client: Client, charlie: Client) -> None:
    for path in ("/api/", "/api/v1/", "/api/v1/nothing", "/api/v2/me/", "/api/v1/me"):
        assert refusal(client.get(path)) == (401, "not_authenticated"), path
        assert refusal(charlie.get(path)) == (404, "not_found"), path
        assert refusal(charlie.post(path)) == (404, "not_found"), path


def test_the_description_is_for_those_who_signed_in(charlie: Client) -> None:
    assert charlie.get("/api/schema/").status_code == 200
    assert charlie.get("/api/docs/").status_code == 200


def test_every_refusal_has_the_same_form(town: Town, charlie: Client) -> None:
    assert refusal(charlie.delete("/api/v1/me/")) == (405, "method_not_allowed")
    assert refusal(charlie.get("/api/v1/me/", headers={"Accept": "text/html"})) == (
        406,
        "not_acceptable",
    )
    text = charlie.post("/api/v1/readings/", "meter", content_type="text/csv")
    assert refusal(text) == (415, "unsupported_media_type")
    wrong = Client(headers={"Authorization": "Token nobody"}).get("/api/v1/me/")
    assert refusal(wrong) == (401, "authentication_failed")


def test_a_session_needs_the_csrf_token_to_write(town: Town) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(town.alice, backend="django.contrib.auth.backends.ModelBackend")
    assert refusal(client.post("/api/v1/me/token/")) == (403, "permission_denied")


def test_a_token_opens_the_same_door(town: Town, alice: Client) -> None:
    first = alice.post("/api/v1/me/token/").json()["token"]
    second = alice.post("/api/v1/me/token/").json()["token"]
    program = Client(enforce_csrf_checks=True)
    answer = program.get("/api/v1/me/", headers={"Authorization": f"Token {second}"})
    assert answer.json()["email"] == town.alice.email
    ended = program.get("/api/v1/me/", headers={"Authorization": f"Token {first}"})
    assert refusal(ended) == (401, "authentication_failed")
    assert Token.objects.filter(user=town.alice).count() == 1

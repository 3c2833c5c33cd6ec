"""A feed's page and API: Bob makes and revokes credentials, Alice sees the use, Charlie nothing."""

import json
import re
from collections.abc import Iterator

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from marketplace.models import FeedCredential, User
from marketplace.services.people import join
from tests.data.feeding import METERED, ask, buy_feed
from tests.data.trading import Trade, build_trade
from tests.worlds import world

pytestmark = pytest.mark.django_db


@pytest.fixture
def trade() -> Iterator[Trade]:
    with world(build_trade) as built:
        yield built


def signed_in(participant_id: int, name: str) -> Client:
    user = User.objects.create_user(f"{name}@feeds.example")
    join(user_id=user.pk, participant_id=participant_id)
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client


def test_a_credential_is_shown_once_and_only_to_its_buyer(trade: Trade) -> None:
    now = timezone.now()
    contract = buy_feed(trade, now, price=METERED)
    bob, alice = signed_in(trade.bob, "bob"), signed_in(trade.alice, "alice")
    charlie = signed_in(trade.charlie, "charlie")
    page = f"/market/feeds/{contract.pk}"
    shown = bob.get(page).content.decode()
    [token] = re.findall(r'name="token" value="([^"]+)"', shown)
    form = {"token": token, "label": "the planner's laptop"}
    made = bob.post(page, form)
    [secret] = re.findall(r"hlfeed_[\w-]+", made.content.decode())
    assert "no-store" in made["Cache-Control"]
    assert bob.post(page, form).status_code == 302  # sent twice by a reload: made once
    assert FeedCredential.objects.count() == 1
    assert secret not in bob.get(page).content.decode()
    assert ask(contract, secret, "station_status.json").status_code == 200

    sold = alice.get(page).content.decode()
    assert "laptop" not in sold
    assert "<dt>Records</dt><dd>40</dd>" in sold
    assert alice.post(page, form).status_code == 404
    assert charlie.get(page).status_code == charlie.post(page, form).status_code == 404
    credential = FeedCredential.objects.get()
    revoke = f"{page}/credentials/{credential.pk}/revoke"
    for other in (alice, charlie):
        assert other.post(revoke).status_code == 404
    assert bob.get("/market/feeds").status_code == 200
    bob.post(revoke)
    assert ask(contract, secret, "gbfs.json").status_code == 403


def test_the_api_does_the_same(trade: Trade) -> None:
    now = timezone.now()
    contract = buy_feed(trade, now, price=METERED)
    user = User.objects.create_user("bob@feeds.example")
    join(user_id=user.pk, participant_id=trade.bob)
    bob = APIClient()
    bob.force_authenticate(user)
    base = "/api/v1/data/feeds/"
    [feed] = bob.get(base).json()
    assert (feed["side"], feed["contract_id"]) == ("buyer", contract.pk)
    assert feed["address"] == f"http://testserver/feeds/{contract.product_id}/"
    made = bob.post(f"{base}{contract.pk}/credentials/", {"used_for": "x"}, format="json").json()
    assert ask(contract, made["secret"], "station_status.json").status_code == 200
    [use] = bob.get(f"{base}{contract.pk}/use").json()
    # Forty records at one micro-unit for a thousandth of a unit each.
    assert (use["record_count"], use["limit"], use["due_micro"]) == (40, 100, 40_000)
    assert bob.get(f"{base}{contract.pk}/looks").json() == []
    assert bob.post(f"{base}credentials/{made['id']}/revoke").status_code == 204
    [line] = bob.get(f"{base}{contract.pk}/credentials/").json()
    assert line["revoked_at"] and "secret" not in json.dumps(line)
    stranger = User.objects.create_user("charlie@feeds.example")
    join(user_id=stranger.pk, participant_id=trade.charlie)
    charlie = APIClient()
    charlie.force_authenticate(stranger)
    assert charlie.get(base).json() == []
    for path in ("use", "looks", "credentials/"):
        assert charlie.get(f"{base}{contract.pk}/{path}").status_code == 404

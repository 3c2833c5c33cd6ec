"""Pages of the data market ask the database as often as committed, however much they show."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from marketplace.models import Participant, User
from marketplace.services.people import add_participant, join
from tests.data.busy_market import trade
from tests.data.exchanging import trader

COUNTS: dict[str, int] = json.loads(
    (Path(__file__).parents[1] / "web" / "query_counts.json").read_text()
)["the data market"]
MONTH = timedelta(days=31)
FUNDS_MICRO = 1_000_000_000
Role = Participant.Role
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def hall(tmp_path: Path) -> Iterator[None]:
    with override_settings(DATA_FOLDER=tmp_path / "data", DATA_KEY_FILE=tmp_path / "data.key"):
        yield


def test_more_to_show_asks_no_oftener() -> None:
    ada = trader("Ada", Role.DATA_PROVIDER)
    ben = trader("Ben", Role.ENTERPRISE, funds_micro=FUNDS_MICRO)
    olga = User.objects.create_user("olga@data.example")
    join(user_id=olga.pk, participant_id=add_participant(role="operator", name="Hall"))
    clients = {"ada": client_of(ada.user), "ben": client_of(ben.user), "olga": client_of(olga)}
    numbers = trade(ada, ben, timezone.now())
    numbers |= {"ada": ada.participant_id, "ben": ben.participant_id}
    few = counted(clients, numbers)
    for months in (1, 2):
        trade(ada, ben, timezone.now() + months * MONTH)
    assert few == COUNTS
    assert counted(clients, numbers) == COUNTS


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client


def counted(clients: dict[str, Client], numbers: dict[str, int]) -> dict[str, int]:
    """Count the queries of each page as its reader, who was there before."""
    found = {}
    for name in COUNTS:
        path, reader = name.split(" as ")
        path = path.format(**numbers)
        clients[reader].get(path)
        with CaptureQueriesContext(connection) as queries:
            assert clients[reader].get(path).status_code == 200, path
        found[name] = len(queries)
    return found

"""Pages of the data market ask the database as often as committed, however much they show."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from marketplace.models import (
    DataCharge,
    DataDispute,
    DataInvoice,
    DataProduct,
    Participant,
    User,
)
from marketplace.services.data.catalogue import refresh_many
from marketplace.services.data.contract_drafts import Choice, draft_contract
from marketplace.services.data.contracts import accept_contract, propose_contract
from marketplace.services.data.credentials import make_credential
from marketplace.services.data.delivery_custody import receive_in_custody
from marketplace.services.data.disputes import open_dispute
from marketplace.services.people import add_participant, join
from tests.data import catalogue_products
from tests.data.exchanging import Exchange, Trader, agree, go_on, publish_file, trader
from tests.data.feeding import store_files
from tests.data.test_wishes import post

COUNTS: dict[str, int] = json.loads(
    (Path(__file__).parents[1] / "web" / "query_counts.json").read_text()
)["the data market"]
MONTH, WINDOW = timedelta(days=31), timedelta(days=30)
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


def trade(ada: Trader, ben: Trader, now: datetime) -> dict[str, int]:
    """Let Ben ask for data, buy a feed, a file that he disputes, and one that is paid for."""
    wish = post(ben.participant_id)
    disputed, paid = (bought(ada, ben, now) for _ in range(2))
    open_dispute(
        charge_id=disputed.row.charge_id,
        participant_ids=[ben.participant_id],
        reason="other",
        statement="Half of it is missing.",
        now=now,
    )
    feed = catalogue_products.product(ada.participant_id, "gbfs", now=now)
    catalogue_products.look(feed, until=now)
    text = draft_contract(
        product_id=feed, buyer_id=ben.participant_id, choice=Choice(months=3), now=now
    )
    contract = propose_contract(
        text=text, participant_id=ben.participant_id, signature=None, now=now
    )
    accept_contract(
        contract_id=contract.pk, participant_id=ada.participant_id, signature=None, now=now
    )
    go_on(now)
    store_files(DataProduct.objects.get(pk=feed), now)
    make_credential(
        contract_id=contract.pk, participant_ids=[ben.participant_id], label="", now=now
    )
    product = paid.contract.product_id
    refresh_many(product_ids=[feed, product], now=now)
    go_on(now + WINDOW)  # who was not complained of is paid
    return {
        "wish": wish.pk,
        "product": product,
        "feed": feed,
        "subscribed": contract.pk,
        "contract": paid.contract.pk,
        "delivery": paid.id,
        "version": paid.contract.version_id,
        "dispute": DataDispute.objects.latest("id").pk,
        "charge": DataCharge.objects.latest("id").pk,
        "invoice": DataInvoice.objects.latest("id").pk,
    }


def bought(ada: Trader, ben: Trader, now: datetime) -> Exchange:
    """Let Ben buy a file and have its key."""
    version = publish_file(ada, content=b"day,trips\n2026-03-01,12\n")
    each = Exchange(ada, ben, agree(version, ada, ben, now).pk)
    go_on(now)
    receive_in_custody(delivery_id=each.id, participant_ids=[ben.participant_id], now=now)
    go_on(now)
    assert each.state == "KEY_OUT"
    return each
